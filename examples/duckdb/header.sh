#!/usr/bin/env bash
# Puts duckdb.h and duckdb_extension.h, DuckDB's C extension API, into a directory. They come from the crate libduckdb-sys,
# which contains DuckDB's sources; Cargo downloads it and compares its checksum.
#
#   header.sh DIRECTORY
set -euo pipefail
version=1.20000.1
mkdir -p "$1"
directory=$(cd "$1" && pwd)
[ ! -e "$directory/duckdb_extension.h" ] || exit 0

package=$directory/package
mkdir -p "$package/src"
cat > "$package/Cargo.toml" <<MANIFEST
[package]
name = "header"
version = "0.0.0"
edition = "2021"

[workspace]

[dependencies]
libduckdb-sys = { version = "=$version", default-features = false }
MANIFEST
: > "$package/src/lib.rs"
manifest=$(cd "$package" && cargo metadata --quiet --format-version 1 | python3 -c '
import json, sys
print(*(p["manifest_path"] for p in json.load(sys.stdin)["packages"] if p["name"] == "libduckdb-sys"))')
# The first is the other one's last: an interrupted run begins again.
for header in duckdb.h duckdb_extension.h; do
  tar -xzOf "$(dirname "$manifest")/duckdb.tar.gz" "duckdb/src/include/$header" > "$directory/$header.new"
  mv "$directory/$header.new" "$directory/$header"
done
rm -rf "$package"
