#!/usr/bin/env bash
# `make demo`: from C through the library into a log and back, on this machine's own data.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
lib=$root/${1:?the directory with the library and the command}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

compile() { # SOURCE PROGRAM
  ${CC:-cc} -std=c11 -O2 -Wall -Wextra -I"$root/include" "$1" -o "$2" -L"$lib" -lbinlog -Wl,-rpath,"$lib"
}

echo "== The quick start, compiled with the system's compiler =="
compile "$root/examples/c/quickstart.c" "$scratch/quickstart"
(cd "$scratch" && ./quickstart)

echo
echo "== This machine's counters and every line of its package manager's log, as typed records =="
compile "$root/examples/c/counters.c" "$scratch/counters"
"$scratch/counters" "$scratch/machine"

echo
echo "== binlog info =="
"$lib/binlog" info "$scratch/machine"

echo
echo "== What a record of 64 bytes takes on disk: metadata costs its text and 3 bytes a pair (the log above has two pairs a record) =="
for ((i = 1; i <= 10000; i++)); do printf '%064d\n' "$i"; done >"$scratch/lines"
takes() { # LABEL OPTION...
  "$lib/binlog" append --quiet "${@:2}" "$scratch/$1" <"$scratch/lines"
  "$lib/binlog" info "$scratch/$1" | awk -v label="$1:" '
    $1 == "on" { gsub(/[(,]/, "", $5); printf "%-45s %5.1f bytes\n", label, $5 / 10000 }'
}
takes "nothing but the payload"
takes "one pair of metadata, host=example.org" --meta host=example.org
takes "the same, compressed with lz4" --meta host=example.org --codec lz4

echo
echo "== binlog cat --type package.log --limit 3 =="
"$lib/binlog" cat --type package.log --limit 3 "$scratch/machine"
