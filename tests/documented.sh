#!/usr/bin/env bash
# Checks what the documentation shows: every `sh` block of README, CONTRIBUTING and the pages of docs that are named
# below runs, every make target that they name exists, and the README's quick start is the example that is compiled.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
passed=0
failed=0

report() { # OK TEXT
  if [ "$1" = 0 ]; then passed=$((passed + 1)); echo "ok   $2"; else failed=$((failed + 1)); echo "FAIL $2"; fi
}

# The commands of a Markdown file, one block per file.
blocks() { # FILE LANGUAGE
  awk -v lang="$2" -v out="$scratch/$(basename "$1").$2" '
    $0 == "```" lang { n++; inside = 1; next }
    $0 == "```" { inside = 0; next }
    inside { print > (out "." n) }' "$1"
}

mkdir "$scratch/clone"
cp -r "$root/examples" "$root/include" "$scratch/clone"
mkdir -p "$scratch/clone/target"
ln -s "$root/target/release" "$scratch/clone/target/release"
export PATH="$root/target/release:$PATH"

# The log of docs/recovery.md: a page of it is damaged. There the command may report a loss.
damage() {
  seq -f 'line number %g' 30000 | binlog append --quiet --segment-size 128KiB logs
  printf '\231\231\231\231' | dd of=logs/default.0000000002.binlog bs=1 seek=90000 conv=notrunc status=none
}
may_lose='binlog() { command binlog "$@" || [ $? = 3 ]; }'
(cd "$scratch/clone" && damage && status=0 && { binlog verify logs || status=$?; } && [ "$status" = 3 ]) >/dev/null ||
  { echo "the log for docs/recovery.md could not be made" && exit 1; }

# The legacy files of docs/migrating.md.
older=$root/tests/data/legacy
cp -r "$older/java/rolled" "$scratch/clone/java-logs"
cp "$older/maplogger/closed.log" "$scratch/clone/the_logger.log"
mkdir "$scratch/clone/archives" && cp "$older"/shoebox/test_*.events "$scratch/clone/archives"

for page in README.md CONTRIBUTING.md docs/recovery.md docs/rolling.md docs/shipping.md docs/migrating.md; do
  blocks "$root/$page" sh
  for block in "$scratch/$(basename "$page")".sh.*; do
    [ -e "$block" ] || continue
    # The make targets run elsewhere: this suite is one of them. Here they only have to exist.
    while read -r target; do
      status=0
      make -C "$root" --dry-run "$target" >/dev/null 2>&1 || status=1
      report "$status" "$page: make $target exists"
    done < <(sed -nE 's/^make ([a-z-]+).*/\1/p' "$block")
    grep -vE '^make ' "$block" >"$block.rest" || true
    if grep -q '[^[:space:]]' "$block.rest"; then
      status=0
      [ "$page" != docs/recovery.md ] || sed -i "1i $may_lose" "$block.rest"
      (cd "$scratch/clone" && timeout 120 bash -euo pipefail "$block.rest") >"$block.out" 2>&1 || status=1
      [ "$status" = 0 ] || cat "$block.out"
      report "$status" "$page: $(grep -vE '^make ' "$block" | head -n 1)"
    fi
  done
done

# docs/install.md is run as a whole, with a home of its own and a clone of its own that is built. Its commands for
# cargo-c take minutes: make soak-cargo-c runs them.
blocks "$root/docs/install.md" sh
blocks "$root/docs/install.md" cmake
cp -r "$root/packaging" "$root/docs" "$root"/{Makefile,Cargo.toml,README.md,CHANGELOG.md,LICENSE} "$scratch/clone"
# A log of another page has this name.
rm -rf "$scratch/clone/orders"
mkdir "$scratch/home" "$scratch/clone/orders"
cp "$root/examples/c/quickstart.c" "$scratch/clone/orders/orders.c"
cp "$scratch/install.md.cmake.1" "$scratch/clone/orders/CMakeLists.txt"
rm -rf "$scratch/clone/"*-log
for block in "$scratch"/install.md.sh.*; do
  grep -q '^cargo cinstall ' "$block" || cat "$block"
done | sed 's/^make build$//' >"$scratch/install.all"
status=0
(cd "$scratch/clone" && HOME=$scratch/home timeout 300 bash -euo pipefail "$scratch/install.all") >"$scratch/install.out" 2>&1 ||
  status=1
[ "$status" = 0 ] || cat "$scratch/install.out"
report "$status" "docs/install.md: $(grep -c . "$scratch/install.all") lines of commands"
status=0
[ "$(find "$scratch/clone/package" ! -type d)" = "" ] || status=1
report "$status" "docs/install.md: uninstall leaves nothing"

blocks "$root/README.md" c
status=0
diff "$scratch/README.md.c.1" "$root/examples/c/quickstart.c" || status=1
report "$status" "README.md: the quick start is examples/c/quickstart.c"

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
