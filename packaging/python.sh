#!/usr/bin/env bash
# Builds the wheels of the Python package into bindings/python/target/wheels.
#
#   packaging/python.sh build   for this machine: one for CPython 3.11 and later, and one for each free-threaded Python on
#                               the PATH. They need the glibc that their names state, at most this system's
#   packaging/python.sh all     for others: linux x86_64 and aarch64 with glibc 2.17 and later, for CPython 3.11 and
#                               later, and on this processor for each free-threaded Python on the PATH; and the sdist,
#                               from which one more is built
#
#   BINLOG_PYTHON_PROFILE  how Rust builds it: release (the default), or another profile of bindings/python/Cargo.toml
#
# Needs python3 with venv, and Rust. What builds wheels (bindings/python/requirements-build.txt) is installed into
# target/tools/python-build.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
package=$root/bindings/python
tools=$root/target/tools/python-build
list=$package/requirements-build.txt
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1 CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$root/target/beside}
unset PYTHONPATH PYTHONHOME VIRTUAL_ENV

# The stamp is the last file that is made; it contains the versions.
if ! cmp -s "$list" "$tools/stamp"; then
  rm -rf "$tools"
  python3 -m venv "$tools"
  "$tools/bin/pip" install --quiet --only-binary :all: -r "$list" >&2
  cp "$list" "$tools/stamp"
fi
PATH=$tools/bin:$PATH
wheels=$package/target/wheels

build() { maturin build --quiet --profile "${BINLOG_PYTHON_PROFILE:-release}" --locked --manifest-path "$package/Cargo.toml" --out "$wheels" "$@"; }
# It has no stable ABI yet: one wheel for each of its versions.
free_threaded() {
  local python
  for python in python3.13t python3.14t python3.15t; do
    if command -v "$python" >/dev/null; then build --no-default-features --features stores --interpreter "$python" "$@"; fi
  done
}

case "${1:-}" in
  build)
    rm -rf "$wheels"
    build --interpreter python3
    free_threaded
    ;;
  all)
    rm -rf "$wheels"
    for processor in x86_64 aarch64; do
      target=$processor-unknown-linux-gnu
      if command -v rustup >/dev/null; then rustup --quiet target add "$target"; fi
      build --zig --target "$target" --compatibility manylinux2014 --interpreter python3.11
      [ "$processor" != "$(uname -m)" ] || free_threaded --zig --target "$target" --compatibility manylinux2014
    done
    maturin sdist --manifest-path "$package/Cargo.toml" --out "$wheels" >&2
    # It contains all that it is built from.
    rm -rf "$package/target/from-sdist"
    pip wheel --quiet --no-deps --no-build-isolation --no-index --wheel-dir "$package/target/from-sdist" "$wheels"/*.tar.gz
    # maturin leaves a copy there, which is for this system alone.
    rm -f "$wheels"/*-linux_*.whl
    ;;
  *)
    sed -n 's/^#   //p' "$0" >&2
    exit 2
    ;;
esac
python3 packaging/wheel.py "$wheels"/*.whl
