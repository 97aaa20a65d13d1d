#!/usr/bin/env bash
# Installs what building and testing need and is missing here. Does nothing, quickly, when nothing is missing.
# With the argument demo: what `make demo` needs.
set -euo pipefail

missing=()
need() { command -v "$1" >/dev/null 2>&1 || missing+=("$2"); }
# What building and testing need besides a C compiler and Rust.
for_tests() {
  need c++ g++
  need pkg-config pkg-config
  need valgrind valgrind
  need readelf binutils
  need python3 python3
  # Debian has a separate package for virtual environments.
  python3 -c 'import ensurepip' 2>/dev/null || missing+=(python3-venv)
  need column bsdextrautils
  # The benchmark compares it with `binlog compress`.
  need zstd zstd
  # Go is often installed but not on the PATH.
  [ -x /usr/local/go/bin/go ] || need go golang-go
  need strace strace
  need mount mount
  need javac default-jdk-headless
  need mvn maven
  need prlimit util-linux
  need abidiff abigail-tools
  need cmake cmake
  need groff groff-base
  need man man-db
  need zsh zsh
  need fish fish
  need lnav lnav
  # Not on every user's PATH.
  [ -x /sbin/mkfs.ext4 ] || [ -x /usr/sbin/mkfs.ext4 ] || need mkfs.ext4 e2fsprogs
}
need cc gcc
need make make
[ "${1:-}" = demo ] || for_tests

if [ ${#missing[@]} -gt 0 ]; then
  if ! command -v apt-get >/dev/null 2>&1; then
    echo "setup: please install: ${missing[*]}" >&2
    exit 1
  fi
  sudo=()
  [ "$(id -u)" = 0 ] || sudo=(sudo)
  echo "setup: installing ${missing[*]}" >&2
  "${sudo[@]}" apt-get update -qq >&2
  DEBIAN_FRONTEND=noninteractive "${sudo[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >&2
fi

# A Rust toolchain may be installed but not on the PATH, as in a fresh shell after its installation.
if ! command -v cargo >/dev/null 2>&1; then
  echo "setup: no cargo on the PATH. Install Rust 1.88 or newer (rustup is the usual way), then run this again." >&2
  exit 1
fi
[ "${1:-}" != demo ] || exit 0
go=$(command -v go || echo /usr/local/go/bin/go)
if ! "$go" version | grep -qE 'go(1\.(2[4-9]|[3-9][0-9])|[2-9])'; then
  echo "setup: $("$go" version) is too old: install Go 1.24 or newer, then run this again." >&2
  exit 1
fi
for part in clippy fmt; do
  if ! cargo "$part" --version >/dev/null 2>&1; then
    echo "setup: adding cargo $part" >&2
    rustup component add clippy rustfmt >&2
    break
  fi
done
