#!/usr/bin/env bash
# Tests the wheel as its users get it: built, installed into a virtual environment with the engines that read its tables,
# and used there. Nothing of the package is imported from this directory. One line a check; exits with 1 if any failed.
#
#   PYTHONS  interpreters to test with, with spaces in between (default: python3, and free-threaded ones on the PATH)
#   CARGO_TARGET_DIR  where Rust builds (default: target/beside of this repository)
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1 PYTHONDONTWRITEBYTECODE=1 PYTHONNOUSERSITE=1
unset PYTHONPATH PYTHONHOME VIRTUAL_ENV

work=$(mktemp -d "${TMPDIR:-/tmp}/binlog-python-tests-XXXXXX")
trap 'rm -rf "$work"' EXIT
passed=0
failed=0
# check NAME COMMAND...: runs the command and prints one line; the end of its output only if it fails.
check() {
  local name=$1 code=0
  shift
  "$@" >"$work/output" 2>&1 </dev/null || code=$?
  if [ "$code" = 0 ]; then
    passed=$((passed + 1))
    echo "ok    $name"
  else
    failed=$((failed + 1))
    echo "FAIL  $name (exit $code)"
    tail -n 100 "$work/output" | sed 's/^/      /'
    return 1
  fi
}
finish() {
  echo "$passed passed, $failed failed"
  [ "$failed" = 0 ]
  exit
}

# The tests are copied, so that `libbinlog` is the one that was installed.
cp -r "$here/tests" "$here/pyproject.toml" "$here/README.md" "$here/bench.py" "$work"
mkdir -p "$work/docs" "$work/examples"
cp "$root/docs/python.md" "$root/docs/migrating.md" "$work/docs"
cp -r "$root/tests/data/legacy/maplogger" "$work/legacy"
cp -r "$root/examples/polars" "$root/examples/dask" "$work/examples"

is_free_threaded() { "$1" -c 'import sysconfig, sys; sys.exit(not sysconfig.get_config_var("Py_GIL_DISABLED"))'; }

# environment PYTHON: prints the directory of its virtual environment, with the packages that the tests need. It is made
# anew when their list changes; the stamp is the last file that is made.
environment() {
  local python=$1 name list directory
  name=$("$python" -c 'import sys, sysconfig; print(f"{sys.version_info[0]}.{sys.version_info[1]}{sys.abiflags}")')
  list=$here/requirements.txt
  directory=$root/target/tools/python-$name
  if ! cmp -s "$list" "$directory/stamp"; then
    rm -rf "$directory"
    "$python" -m venv "$directory" >&2 || return 1
    if is_free_threaded "$python"; then
      # Few of the engines have wheels for it.
      grep -E '^(hypothesis|pytest)==' "$list" >"$work/packages"
    else
      cp "$list" "$work/packages"
    fi
    "$directory/bin/pip" install --quiet --only-binary :all: -r "$work/packages" >&2 || return 1
    cp "$list" "$directory/stamp"
  fi
  echo "$directory"
}

# only_wheel DIRECTORY PATTERN: the one file of that pattern.
only_wheel() {
  local found=("$1"/$2)
  [ ${#found[@]} = 1 ] && [ -e "${found[0]}" ] && echo "${found[0]}"
}

# alone WHEEL PYTHON: in an environment without any other package.
alone() {
  local program='
import libbinlog as binlog
with binlog.Writer("alone-log") as writer:
    writer.append(b"42 apples", type="order.placed", metadata={"host": "a"})
    writer.sync()
[record] = binlog.open("alone-log").records(type="order.*")
assert (record.id, record.payload, record.metadata) == (1, b"42 apples", {"host": "a"})
assert binlog.open("alone-log").table().__arrow_c_stream__() is not None
assert binlog.__version__'
  rm -rf "$work/alone" "$work/alone-log"
  "$2" -m venv "$work/alone" && "$work/alone/bin/pip" install --quiet --no-index "$1" &&
    in_work "$work/alone/bin/python" -W error -c "$program"
}

# in_work COMMAND...
in_work() { (cd "$work" && "$@"); }

# example PYTHON NAME: in a directory of its own; prints what is expected.
example() {
  local directory=$work/examples/$2
  (mkdir "$directory/run" && cd "$directory/run" && timeout 120 "$1" ../main.py) >"$work/printed" &&
    diff "$directory/expected.txt" "$work/printed"
}

check "build the wheel" "$root/packaging/python.sh" build || finish
dist=$here/target/wheels

default_pythons() {
  echo python3
  for name in python3.13t python3.14t python3.15t; do command -v "$name" || true; done
}
for python in ${PYTHONS:-$(default_pythons)}; do
  version=$("$python" -c 'import sys; print(sys.version.split()[0])')
  if is_free_threaded "$python"; then
    version="$version, free-threaded"
    pattern=*-cp$("$python" -c 'import sys; print(f"{sys.version_info[0]}{sys.version_info[1]}")')t-*$(uname -m).whl
  else
    pattern=*-abi3-*$(uname -m).whl
  fi
  wheel=$(only_wheel "$dist" "$pattern") || { check "one wheel for Python $version in $dist" false; continue; }
  check "what $(basename "$wheel") contains" "$root/packaging/wheel.py" "$wheel"
  check "it needs no other package, Python $version" alone "$wheel" "$python"
  venv=$(environment "$python") || { check "packages for Python $version" false; continue; }
  check "install it, Python $version" "$venv/bin/pip" install --quiet --no-index --no-deps --force-reinstall "$wheel" || continue
  if ! is_free_threaded "$python"; then
    mypy=("$venv/bin/mypy" --strict --cache-dir "$work/mypy")
    check "types, by mypy --strict" in_work "${mypy[@]}" -p libbinlog
    check "types of the tests and the benchmark" in_work "${mypy[@]}" tests bench.py
    for name in polars dask; do check "types of examples/$name" in_work "${mypy[@]}" "examples/$name/main.py"; done
    check "the stubs are those of the module" in_work "$venv/bin/python" -m mypy.stubtest --concise libbinlog._libbinlog \
      --ignore-disjoint-bases
    check "the benchmark works" in_work "$venv/bin/python" bench.py --records 2000 --rounds 1
    check "examples/polars" example "$venv/bin/python" polars
    check "examples/dask" example "$venv/bin/python" dask
  fi
  check "tests, Python $version" in_work timeout 600 "$venv/bin/python" -X dev -m pytest -q -p no:cacheprovider tests
  grep -hE '^[0-9]+ passed' "$work/output" | sed 's/^/note  /' || true
done
finish
