#!/usr/bin/env bash
# Engines read the library's Arrow streams, other programs read what `binlog export` writes, and DuckDB reads logs by the
# extension of examples/duckdb. They are compared with `binlog cat`. Arguments go to unittest; BINLOG_BUILD is the directory of another build.
# `run.sh --python PROGRAM ARGUMENT...` runs another program in the same environment.
set -euo pipefail
cd "$(dirname "$0")/../.."
export PYTHONDONTWRITEBYTECODE=1 BINLOG_BUILD=${BINLOG_BUILD:-$PWD/target/release}

tools=target/tools/engines
# The stamp is the last file that is made; it contains the versions.
if ! cmp -s tests/engines/packages.txt "$tools/stamp"; then
  rm -rf "$tools"
  python3 -m venv "$tools"
  "$tools/bin/pip" install --quiet --disable-pip-version-check --no-input --only-binary :all: -r tests/engines/packages.txt >&2
  cp tests/engines/packages.txt "$tools/stamp"
fi

if [ "${1-}" = --python ]; then
  exec "$tools/bin/python" "${@:2}"
fi

# The library under the name that the extension asks for.
build=$PWD/target/engines
mkdir -p "$build/lib"
ln -sf "$BINLOG_BUILD/libbinlog.so" "$build/lib/libbinlog.so.0"
make --quiet -C examples/duckdb BUILD="$build/duckdb" CFLAGS="-O2 -Wall -Wextra -Werror" BINLOG_CFLAGS="-I$PWD/include" \
  BINLOG_LIBS="-L$BINLOG_BUILD -lbinlog -Wl,-rpath,$build/lib"
export BINLOG_EXTENSION=$build/duckdb/binlog.duckdb_extension

"$tools/bin/python" -m unittest discover --quiet --start-directory tests/engines "$@"
"$tools/bin/python" tests/engines/streams.py "$BINLOG_BUILD/libbinlog.so" "$BINLOG_BUILD/binlog"
