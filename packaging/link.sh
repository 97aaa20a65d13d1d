#!/usr/bin/env bash
# Makes libraries from cargo's output that export no symbols but their own.
#
# A static library of cargo's has hundreds of global functions of dependencies, including zstd's: a program with a zstd
# of its own would not link, or would call the other one. Therefore its objects become one, in which only the functions
# of the header are global. The compiler's bitcode, which no program links, and the debug information, which the shared
# library has, are left out.
#
# libbinlog_stores.so is linked from its static library: cargo would export the whole C interface from it a second time,
# and keep the code for it.
set -euo pipefail
directory=${1:?the directory with libbinlog.a and libbinlog_stores.a}
root=$(cd "$(dirname "$0")/.." && pwd)
[ "$(uname -s)" = Linux ] || exit 0
read -r -a compiler <<< "${CC:-cc}"
objcopy=${OBJCOPY:-objcopy}
major=$(sed -n 's/^version = "\([0-9]*\)\..*"$/\1/p' "$root/Cargo.toml" | head -n 1)

# Cargo's own library has hundreds of members.
is_cargos() { [ "$(ar t "$1" | wc -l)" -gt 1 ]; }

# shared LIBRARY FUNCTION: from the static library, with what the function alone can reach.
shared() {
  "${compiler[@]}" -shared -o "$directory/.$1.so.new" -Wl,-soname,"$1.so.$major" -Wl,-z,nodelete -Wl,-z,relro -Wl,-z,now \
    -Wl,--build-id -Wl,--gc-sections -Wl,-u,"$2" -Wl,--version-script=<(echo "{ global: $2; local: *; };") \
    "$directory/$1.a" -lgcc_s -lpthread -ldl -lm -lc
  mv "$directory/.$1.so.new" "$directory/$1.so"
}

# static LIBRARY FUNCTIONS: what the functions can reach, and nothing else.
static() {
  local library=$1 work roots
  shift
  work=$(mktemp -d "$directory/.static-XXXXXX")
  # shellcheck disable=SC2064 # expanded now, while it is known
  trap "rm -rf '$work'" EXIT
  mapfile -t roots < <(printf -- '-Wl,-u,%s\n' "$@")
  "${compiler[@]}" -r -nostdlib -o "$work/all.o" -Wl,--gc-sections "${roots[@]}" \
    -Wl,--whole-archive "$directory/$library.a" -Wl,--no-whole-archive
  printf '%s\n' "$@" > "$work/global"
  "$objcopy" --keep-global-symbols="$work/global" --remove-section=.llvmbc --remove-section=.llvmcmd --strip-unneeded \
    "$work/all.o" "$work/${library#lib}.o"
  ar rcsD "$work/$library.a" "$work/${library#lib}.o"
  mv "$work/$library.a" "$directory/$library.a"
  rm -rf "$work"
}

if is_cargos "$directory/libbinlog.a"; then
  mapfile -t functions < "$root/tests/c/symbols.txt"
  static libbinlog "${functions[@]}"
fi
if is_cargos "$directory/libbinlog_stores.a"; then
  shared libbinlog_stores binlog_stores_open
  static libbinlog_stores binlog_stores_open
fi
