#!/usr/bin/env bash
# cargo-deny over Cargo.lock and that of the Python package, by deny.toml: licences, sources, duplicates, and the RustSec advisories.
#
# The list of advisories is a git repository. Its copy in target/advisories is updated from github.com, or from the
# clone whose path is in BINLOG_ADVISORIES. Without either an older copy is used; without any copy the other checks
# still run, and a message says so.
set -euo pipefail
cd "$(dirname "$0")/.."
version=0.20.2

# A minute on two processors, once: without optimisations, of which a check of some seconds needs none.
deny=(cargo deny)
if [ "$(cargo deny --version 2>/dev/null)" != "cargo-deny $version" ]; then
  deny=(target/tools/cargo-deny/bin/cargo-deny)
  if [ "$("${deny[0]}" --version 2>/dev/null)" != "cargo-deny $version" ]; then
    echo "deny: installing cargo-deny $version" >&2
    cargo install --debug --locked --quiet --version "$version" --root target/tools/cargo-deny cargo-deny >&2
  fi
fi
[ "${1:-}" != install ] || exit 0

"${deny[@]}" --locked --workspace check --hide-inclusion-graph bans licenses sources
# It has fewer crates: not every exception is used.
python=(--manifest-path bindings/python/Cargo.toml --config deny.toml)
"${deny[@]}" --locked "${python[@]}" check --hide-inclusion-graph --allow unmatched-skip --allow unmatched-skip-root bans licenses sources

export GIT_TERMINAL_PROMPT=0
if [ -n "${BINLOG_ADVISORIES:-}" ]; then
  export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0="url.file://$(realpath "$BINLOG_ADVISORIES").insteadOf"
  export GIT_CONFIG_VALUE_0=https://github.com/RustSec/advisory-db
fi
fetched=yes
mkdir -p target
timeout 60 "${deny[@]}" --locked fetch db >target/advisories.log 2>&1 || fetched=no
copy=$(find target/advisories -maxdepth 1 -name 'advisory-db-*' 2>/dev/null | head -n 1) || true
if [ -z "$copy" ]; then
  echo "deny: advisories are NOT checked: their list cannot be fetched, and there is no copy of it (BINLOG_ADVISORIES, docs/decisions/0001)" >&2
  exit 0
fi
[ $fetched = yes ] || echo "deny: the list of advisories cannot be fetched now" >&2
echo "advisories as of $(git -C "$copy" log -1 --format=%cs)"
"${deny[@]}" --locked --offline --workspace check --hide-inclusion-graph advisories
"${deny[@]}" --locked --offline "${python[@]}" check --hide-inclusion-graph advisories
