#!/bin/sh
# The commands of docs/install.md for cargo-c, run with a scratch home, and then a program with the library that they
# installed. Builds cargo-c first if it is missing, which takes minutes.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/binlog-cargo-c-XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM
# Cargo keeps its downloads; only the installation goes elsewhere.
export CARGO_HOME="${CARGO_HOME:-$HOME/.cargo}" RUSTUP_HOME="${RUSTUP_HOME:-$HOME/.rustup}"
export CARGO_INSTALL_ROOT="$root/target/cargo-c" PATH="$root/target/cargo-c/bin:$PATH"
cd "$root"

grep '^cargo ' docs/install.md >"$work/commands"
if cargo cinstall --version >/dev/null 2>&1; then sed -i '/^cargo install /d' "$work/commands"; fi
[ "$(grep -c '^cargo cinstall ' "$work/commands")" = 1 ]
HOME="$work/home" sh -eux "$work/commands"

lib="$work/home/.local/lib"
[ "$(readlink "$lib/libbinlog.so.0")" = libbinlog.so.0.1.0 ]
readelf -d "$lib/libbinlog.so.0.1.0" | grep -F '[libbinlog.so.0]'
readelf -d "$lib/libbinlog.so.0.1.0" | grep -w NODELETE
nm -D --defined-only "$lib/libbinlog.so" | awk '$NF ~ /^binlog_/ { print $NF }' | LC_ALL=C sort | diff tests/c/symbols.txt -
for header in binlog.h binlog.hpp binlog; do diff -r "include/$header" "$work/home/.local/include/$header"; done

export PKG_CONFIG_PATH="$lib/pkgconfig"
cd "$work"
# shellcheck disable=SC2046  # words
cc -o shared "$root/examples/c/quickstart.c" $(pkg-config --cflags --libs binlog)
# shellcheck disable=SC2046
cc -o static "$root/examples/c/quickstart.c" \
  $(pkg-config --static --cflags --libs binlog | sed 's/-lbinlog/-l:libbinlog.a/')
for how in shared static; do
  LD_LIBRARY_PATH="$lib" "./$how" | diff "$here/expected/c/quickstart.txt" -
  rm -rf quickstart-log
done
echo "the library as cargo-c installs it works, shared and static"
