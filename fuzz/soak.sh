#!/usr/bin/env bash
# Fuzzes every target for some time, beginning with the committed corpus, and stops at the first finding.
#
#   fuzz/soak.sh [SECONDS] [TARGET…]    default: 90 seconds for each target, a quarter of an hour in sum
#
# Inputs that the fuzzer keeps go to target/fuzz-work, a finding to fuzz/artifacts. Needs cargo-fuzz, which it
# installs, and any toolchain; the targets that go through the C interface run under AddressSanitizer when there is a
# nightly one.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
seconds=${1:-90}
shift || true
targets=("$@")
[ ${#targets[@]} -gt 0 ] || targets=(read recover entries block mended packed calls splits
  legacy_python legacy_java legacy_shoebox legacy_lines)
cd "$root/fuzz"

if ! command -v cargo-fuzz >/dev/null 2>&1; then
  echo "soak: installing cargo-fuzz" >&2
  cargo install cargo-fuzz --locked
fi
toolchain=()
if cargo +nightly --version >/dev/null 2>&1; then
  toolchain=(+nightly)
else
  echo "soak: no nightly toolchain (rustup toolchain install nightly): fuzzing without AddressSanitizer" >&2
fi

for target in "${targets[@]}"; do
  sanitizer=none
  case $target in
    # The other targets run no unsafe code, and are twenty times as fast without the sanitizer.
    packed | calls | splits) [ ${#toolchain[@]} -eq 0 ] || sanitizer=address ;;
  esac
  work="$root/target/fuzz-work/$target"
  mkdir -p "$work"
  echo "soak: $target for $seconds seconds, sanitizer: $sanitizer"
  cargo "${toolchain[@]}" fuzz run --sanitizer "$sanitizer" "$target" "$work" "corpus/$target" -- \
    -max_total_time="$seconds" -max_len=4096 -timeout=20 -rss_limit_mb=2048 -malloc_limit_mb=256 -verbosity=0
done
echo "soak: nothing found"
