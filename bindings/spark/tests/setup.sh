#!/usr/bin/env bash
# Installs Spark, which only the tests, the examples and the benchmark of the connector need, into target/tools/spark, with the
# wheel of this repository's Python package, which writes their logs and judges what Spark reads. Returns quickly when
# everything is there. Prints the interpreter to run with.
#
#   setup.sh [WHEEL]    with this wheel (default: the one in bindings/python/target/wheels, which is built if it is not there)
#
#   SPARK  another version of Spark than that of packages.txt, in a directory of its own: 4.0.5
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
tools=$root/target/tools/spark${SPARK:+-$SPARK}
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1 PYTHONNOUSERSITE=1
unset PYTHONPATH PYTHONHOME VIRTUAL_ENV

packages=$(cat "$here/packages.txt")
[ -z "${SPARK:-}" ] || packages=$(sed "s/^pyspark==.*/pyspark==$SPARK/" <<<"$packages")

# The stamp is the last file that is made; it contains the versions.
if [ "$packages" != "$(cat "$tools/stamp" 2>/dev/null)" ]; then
  echo "setup: installing Spark into target/tools (440 MB the first time)" >&2
  rm -rf "$tools"
  python3 -m venv "$tools"
  # There is no wheel of it.
  "$tools/bin/pip" install --quiet -r <(echo "$packages") >&2
  echo "$packages" >"$tools/stamp"
fi

wheels=$root/bindings/python/target/wheels
wheel=${1:-$(find "$wheels" -name "*-abi3-*$(uname -m).whl" -print -quit 2>/dev/null || true)}
if [ -z "$wheel" ]; then
  "$root/packaging/python.sh" build >&2
  wheel=$(find "$wheels" -name "*-abi3-*$(uname -m).whl" -print -quit)
fi
if ! cmp -s "$wheel" "$tools/wheel"; then
  "$tools/bin/pip" install --quiet --no-index --no-deps --force-reinstall "$wheel" >&2
  cp "$wheel" "$tools/wheel"
fi
echo "$tools/bin/python"
