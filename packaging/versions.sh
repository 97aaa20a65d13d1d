#!/usr/bin/env bash
# Builds the library with other versions of its dependencies than those in Cargo.lock: a program that uses it has its
# own.
#
#   packaging/versions.sh               no dependency is pinned; builds with the lowest versions, and in a program that wants a newer libc
#   packaging/versions.sh test [ARG…]   the tests of the library and the command with the lowest versions, by cargo test ARG…
#   packaging/versions.sh write         packaging/lowest.lock anew, after a dependency was added or changed
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
tree=target/lowest

# This package with another lock file.
rm -rf "$tree"
mkdir -p "$tree"
for part in Cargo.toml build.rs cbindgen.toml src tests include cli decode stores docs bindings packaging README.md; do ln -s "$root/$part" "$tree/$part"; done
[ ! -e packaging/lowest.lock ] || cp packaging/lowest.lock "$tree/Cargo.lock"
export CARGO_TARGET_DIR="$root/target/versions"

pins() {
  cargo metadata --locked --no-deps --format-version 1 | python3 -c '
import json, sys
packages = json.load(sys.stdin)["packages"]
pins = ["{} wants {} {}".format(p["name"], d["name"], d["req"]) for p in packages for d in p["dependencies"] if d["req"].startswith("=")]
sys.exit("versions: pinned: " + ", ".join(pins) if pins else 0)'
}

lowest() {
  (cd "$tree" && cargo check --locked --quiet --package libbinlog --package binlog-stores) || {
    echo "versions: if Cargo.toml has changed, run make lowest" >&2
    return 1
  }
}

# A version newer than any that exists: ours under another number.
newer_libc() {
  local program=target/newer-libc libc
  rm -rf "$program"
  mkdir -p "$program/src"
  libc=$(cargo metadata --locked --format-version 1 | python3 -c '
import json, os, sys
print(*(os.path.dirname(p["manifest_path"]) for p in json.load(sys.stdin)["packages"] if p["name"] == "libc"))')
  cp -r "$libc" "$program/libc"
  sed -i '/^\[package\]/,/^\[/ s/^version = .*/version = "0.2.9999"/' "$program/libc/Cargo.toml"
  cp Cargo.lock "$program/Cargo.lock"
  cat > "$program/Cargo.toml" <<MANIFEST
[package]
name = "newer-libc"
version = "0.0.0"
edition = "2021"

[workspace]

[dependencies]
binlog = { package = "libbinlog", path = "../..", default-features = false }
libc = "0.2.9999"

[patch.crates-io]
libc = { path = "libc" }
MANIFEST
  echo 'fn main() { println!("{} {}", std::mem::size_of::<libc::stat>(), std::mem::size_of::<binlog::Position>()); }' > "$program/src/main.rs"
  (cd "$program" && cargo check --quiet && cargo tree --prefix none | grep -F 'libc v0.2.9999' > tree)
}

case "${1:-check}" in
  check)
    pins
    newer_libc
    lowest
    echo "builds with the lowest versions, and with a newer libc"
    ;;
  test)
    cd "$tree"
    cargo test --locked --workspace --quiet "${@:2}"
    ;;
  write)
    # The option exists in nightly Cargo only.
    (cd "$tree" && rm -f Cargo.lock && RUSTC_BOOTSTRAP=1 cargo generate-lockfile -Z direct-minimal-versions)
    cp "$tree/Cargo.lock" packaging/lowest.lock
    ;;
  *)
    sed -n 's/^#   //p' "$0" >&2
    exit 2
    ;;
esac
