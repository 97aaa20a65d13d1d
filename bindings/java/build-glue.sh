#!/bin/sh
# Builds libbinlog_jni.so, the C code in src/main/c with libbinlog.a inside, into the directory that the jar takes it
# from, and copies the library of stores there.
#
#   build-glue.sh VERSION
#
#   BINLOG_LIB_DIR      where libbinlog.a is, and libbinlog_stores.so (default: target/release of this repository)
#   BINLOG_INCLUDE_DIR  where binlog.h is (default: include of this repository)
#   CC                  the compiler (default: cc)
#   JAVA_HOME           a JDK, for jni.h (default: that of the javac on the PATH)
set -eu

version=$1
here=$(cd "$(dirname "$0")" && pwd)
lib=${BINLOG_LIB_DIR:-$here/../../target/release}
include=${BINLOG_INCLUDE_DIR:-$here/../../include}
CC=${CC:-cc}

if [ ! -f "$lib/libbinlog.a" ]; then
  echo "no $lib/libbinlog.a: build the library first (cargo build --release)" >&2
  exit 1
fi
if [ ! -f "${JAVA_HOME:-}/include/jni.h" ]; then
  JAVA_HOME=$(dirname "$(dirname "$(readlink -f "$(command -v javac)")")")
fi

# The name that Library.java looks for.
system=$(uname -s | tr '[:upper:]' '[:lower:]')-$(uname -m)
if "$CC" -dumpmachine | grep -q musl; then system=$system-musl; fi
out=$here/target/jar/native/$system
so=$out/libbinlog_jni-$version.so

# A jar without it reads from and ships to directories only.
stores=$lib/libbinlog_stores.so
if [ -f "$stores" ] && [ -n "$(find "$stores" -newer "$out/libbinlog_stores.so.0" 2>/dev/null || echo new)" ]; then
  mkdir -p "$out"
  "${STRIP:-strip}" --strip-unneeded -o "$out/.stores.new" "$stores"
  mv "$out/.stores.new" "$out/libbinlog_stores.so.0"
fi

# Nothing to do: it is newer than all its sources.
if [ -f "$so" ] && [ -z "$(find "$here/src/main/c" "$here/build-glue.sh" "$lib/libbinlog.a" "$include/binlog.h" \
  -newer "$so" 2>/dev/null)" ]; then
  exit 0
fi

mkdir -p "$out"
# Only what the JVM looks up is exported (exports.map). The library is never unloaded (nodelete): its threads may end
# after the class loader.
"$CC" -std=c11 -O2 -g0 -fPIC -fvisibility=hidden -Wall -Wextra -Wpedantic -Werror -D_GNU_SOURCE \
  -I"$include" -I"$JAVA_HOME/include" -I"$JAVA_HOME/include/linux" \
  -shared -o "$so.new" "$here"/src/main/c/*.c "$lib/libbinlog.a" \
  -Wl,--version-script="$here/src/main/c/exports.map" -Wl,--gc-sections -Wl,-s -Wl,-z,now -Wl,-z,nodelete \
  -Wl,-z,noexecstack -Wl,--no-undefined -lpthread -ldl -lm -Wl,--as-needed -lgcc_s -Wl,--no-as-needed
mv "$so.new" "$so"
