#!/usr/bin/env bash
# Makes of what cargo has built libraries that bring along no symbols but their own.
#
# The shared one is linked anew when it exports C functions of dependencies (cargo exports those of crc-fast, which object_store
# brings along). The static one has hundreds of them, zstd's among others: a program with a zstd of its own would not link, or would
# run the other one. So its objects become one, in which only binlog_* is global; the compiler's bitcode, from which nobody links, and
# the debug information, which the shared one has, stay out of it.
set -euo pipefail
directory=${1:?the directory with libbinlog.a}
root=$(cd "$(dirname "$0")/.." && pwd)
[ "$(uname -s)" = Linux ] || exit 0
read -r -a compiler <<< "${CC:-cc}"
objcopy=${OBJCOPY:-objcopy}

others() { awk 'NF == 3 && $3 !~ /^binlog_/ { found = 1 } END { exit !found }'; }

shared() {
  nm -D --defined-only "$directory/libbinlog.so" | others || return 0
  local soname
  soname=$(readelf -d "$directory/libbinlog.so" | sed -n 's/.*SONAME.*\[\(.*\)\]/\1/p')
  "${compiler[@]}" -shared -o "$directory/.libbinlog.so.new" -Wl,-soname,"$soname" -Wl,-z,nodelete -Wl,-z,relro -Wl,-z,now \
    -Wl,--build-id -Wl,--gc-sections -Wl,--version-script="$root/packaging/exports.map" \
    -Wl,--whole-archive "$directory/libbinlog.a" -Wl,--no-whole-archive -lgcc_s -lpthread -ldl -lm -lc
  mv "$directory/.libbinlog.so.new" "$directory/libbinlog.so"
}

static() {
  # cargo's own has hundreds of members.
  [ "$(ar t "$directory/libbinlog.a" | wc -l)" -gt 1 ] || return 0
  local work
  work=$(mktemp -d "$directory/.static-XXXXXX")
  # shellcheck disable=SC2064 # now, while it is known
  trap "rm -rf '$work'" EXIT
  # What can be reached from the functions of the header, and nothing else.
  local roots=()
  mapfile -t roots < <(sed 's/^/-Wl,-u,/' "$root/tests/c/symbols.txt")
  "${compiler[@]}" -r -nostdlib -o "$work/all.o" -Wl,--gc-sections "${roots[@]}" \
    -Wl,--whole-archive "$directory/libbinlog.a" -Wl,--no-whole-archive
  "$objcopy" --wildcard --keep-global-symbol='binlog_*' --remove-section=.llvmbc --remove-section=.llvmcmd --strip-debug \
    "$work/all.o" "$work/binlog.o"
  ar rcsD "$work/libbinlog.a" "$work/binlog.o"
  mv "$work/libbinlog.a" "$directory/libbinlog.a"
}

# In this order: the shared one is linked from cargo's static one.
shared
static
