#!/usr/bin/env bash
# Links the shared library anew from the static one, so that it exports what begins with binlog_ and nothing else: cargo exports
# the C functions of dependencies too (those of crc-fast, which object_store brings along).
set -euo pipefail
directory=${1:?the directory with libbinlog.a}
root=$(cd "$(dirname "$0")/.." && pwd)
[ "$(uname -s)" = Linux ] || exit 0
# Nothing to do when cargo's own exports nothing else.
nm -D --defined-only "$directory/libbinlog.so" | awk '$3 !~ /^binlog_/ { found = 1 } END { exit !found }' || exit 0
soname=$(readelf -d "$directory/libbinlog.so" | sed -n 's/.*SONAME.*\[\(.*\)\]/\1/p')
"${CC:-cc}" -shared -o "$directory/.libbinlog.so.new" -Wl,-soname,"$soname" -Wl,-z,nodelete -Wl,-z,relro -Wl,-z,now \
  -Wl,--gc-sections -Wl,--version-script="$root/packaging/exports.map" \
  -Wl,--whole-archive "$directory/libbinlog.a" -Wl,--no-whole-archive -lgcc_s -lpthread -ldl -lm -lc
mv "$directory/.libbinlog.so.new" "$directory/libbinlog.so"
