#!/bin/sh
# Compares the C interface with the committed baselines: programs that were built with it must keep working.
#
#   packaging/abi/compare.sh           compare; exits with 1 when something differs
#   packaging/abi/compare.sh --write   write new baselines, to be looked at and committed
#
# x86_64.abi      functions, parameters and struct layouts, by libabigail
# constants.txt   every BINLOG_* constant with its value, which no debug information contains
#
# libabigail cannot read the layouts from the library: it skips debug information of Rust. It reads a stub instead,
# which the C compiler makes from binlog.h: all its declarations, with bodies. Other tests check that the stub matches
# the library: tests/header.rs compares the header with src/ffi, tests/c/layout.c and src/ffi check the sizes of the
# structs; and this script checks that library and stub export the same names.
#
#   BINLOG_INCLUDE_DIR, BINLOG_LIB_DIR   where binlog.h and libbinlog.so are (default: those of this repository)
#   CC                                   the compiler (default: cc)
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
include=$(cd "${BINLOG_INCLUDE_DIR:-$root/include}" && pwd)
header=$include/binlog.h
library=${BINLOG_LIB_DIR:-$root/target/release}/libbinlog.so
CC=${CC:-cc}
machine=$($CC -dumpmachine)
layouts=$here/${machine%%-*}.abi
work=$(mktemp -d "${TMPDIR:-/tmp}/binlog-abi-XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM

passed=0
failed=0
ok() { passed=$((passed + 1)) && echo "ok    $1"; }
bad() { failed=$((failed + 1)) && echo "FAIL  $1"; }

# A prototype ends with ");" at the end of a line; those of callbacks are typedefs.
make_stub() {
  echo '#include <binlog.h>'
  # shellcheck disable=SC2016
  awk '/^(binlog_status|void|const char \*|struct binlog_error \*|u?int[0-9]+_t) ?\*?binlog_[a-z_]+\(/ { inside = 1 }
    inside { if (sub(/\);$/, ") { __builtin_trap(); }")) { print; inside = 0 } else print }' "$header"
}
make_stub >"$work/stub.c"
(cd "$work" && $CC -std=c11 -g -O0 -shared -fPIC -Wl,-soname,libbinlog.so.0 -I"$include" -o stub.so stub.c)
exported() { nm -D --defined-only "$1" | awk '$NF ~ /^binlog_/ { print $NF }' | LC_ALL=C sort; }

describe() { # OUTPUT
  abidw --type-id-style hash --no-show-locs --no-comp-dir-path --no-corpus-path --no-elf-needed --out-file "$1" \
    "$work/stub.so"
}
# "NAME VALUE", the value as in the header, without casts and parentheses.
# Without the version, and without what is for compilers only.
constants() {
  sed -nE 's/^#define (BINLOG_[A-Z0-9_]+) +\(?([^()]+)\)?$/\1 \2/p' "$header" |
    grep -vE '^BINLOG_(VERSION|VERSION_NUMBER|CHECKED|NONNULL) ' | LC_ALL=C sort
}

if [ "${1-}" = --write ]; then
  describe "$layouts"
  constants >"$here/constants.txt"
  echo "wrote $layouts and $here/constants.txt"
  exit
fi

# ------------------------------------------------------------------ functions and layouts
if exported "$library" >"$work/library.txt" && exported "$work/stub.so" | diff "$work/library.txt" - >"$work/output"; then
  ok "the library exports what binlog.h declares"
else
  bad "the library does not export what binlog.h declares (< library, > header):" && cat "$work/output"
fi

structs_of_the_header() { sed -nE 's/^typedef struct (binlog_[a-z_]+) \{$/\1/p' "$header" | LC_ALL=C sort; }
if [ -f "$layouts" ]; then
  describe "$work/now.abi"
  sed -nE "s/.*<class-decl name='(binlog_[a-z_]+)' size-in-bits=.*/\1/p" "$work/now.abi" | LC_ALL=C sort -u >"$work/seen"
  if structs_of_the_header | diff - "$work/seen" >"$work/output"; then
    ok "every struct of binlog.h is compared"
  else
    bad "not every struct of binlog.h is compared (< header, > compared):" && cat "$work/output"
  fi
  if ! abidiff --harmless --no-added-syms "$layouts" "$work/stub.so" >"$work/output"; then
    bad "functions or structs have been removed or changed: programs built before may break. If they cannot, as when a
      reserved field got a name, run make abi and say in the commit why they cannot."
    cat "$work/output"
  elif ! abidiff --harmless "$layouts" "$work/stub.so" >"$work/output"; then
    bad "functions have been added: make abi takes them into the baseline"
    cat "$work/output"
  else
    ok "functions and structs are those of the baseline"
  fi
else
  echo "note  there is no baseline of the layouts for ${machine%%-*}: not compared; make abi writes one"
fi

# ------------------------------------------------------------------ constants
constants >"$work/constants"
# Every constant of the baseline must exist, with the same value.
if LC_ALL=C comm -23 "$here/constants.txt" "$work/constants" | grep . >"$work/output"; then
  bad "constants have been removed or changed; numbers are never reused. The baseline has:" && cat "$work/output"
elif LC_ALL=C comm -13 "$here/constants.txt" "$work/constants" | grep . >"$work/output"; then
  bad "constants have been added: make abi takes them into the baseline" && cat "$work/output"
else
  ok "constants are those of the baseline"
fi

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
