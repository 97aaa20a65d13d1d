#!/usr/bin/env bash
# Tests the Go module as its users do: formatted, vetted, with the race detector against the shared library, with strict
# checks of what is passed to C against the static one, and the examples with what they print. `make prefix` comes
# before it. One line a check; exits with 1 if any failed.
#
#   test.sh          all of it
#   test.sh stores   what is shipped to the object stores of tests/archive/servers.py and read from there; it runs this
#
#   BINLOG_PREFIX  where the library is installed (default: target/prefix of this repository)
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
prefix=${BINLOG_PREFIX:-$root/target/prefix}
[ -e "$prefix/lib/pkgconfig/binlog.pc" ] || {
  echo "there is no $prefix/lib/pkgconfig/binlog.pc: \`make prefix\` installs it" >&2
  exit 1
}
command -v go >/dev/null 2>&1 || PATH=$PATH:/usr/local/go/bin
export PKG_CONFIG_PATH=$prefix/lib/pkgconfig LD_LIBRARY_PATH=$prefix/lib
# Nothing is downloaded: the module depends on nothing.
export GOTOOLCHAIN=local GOPROXY=off GOFLAGS=-buildvcs=false GOWORK=off CGO_ENABLED=1
unset CGO_CFLAGS CGO_LDFLAGS GOEXPERIMENT

work=$(mktemp -d "${TMPDIR:-/tmp}/binlog-go-tests-XXXXXX")
trap 'rm -rf "$work"' EXIT
passed=0
failed=0
# check NAME COMMAND...: runs the command and prints one line; what it printed only if it fails.
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
    head -n 100 "$work/output" | sed 's/^/      /'
    return 1
  fi
}
says_nothing() { ! "$@" 2>&1 | grep .; }
in_directory() { (cd "$1" && shift && "$@"); }

cd "$here" || exit 1
# The example, with a store that is not its own directory.
prints_with_store() {
  mkdir "$work/store-$1" && cd "$work/store-$1" || return 1
  # In a new place: what is in a store is never replaced.
  "$work/archive" archive-log "${2/\/\?//go-example-$$-$RANDOM?}" >printed && diff "$root/examples/go/archive/expected.txt" printed
}
if [ "${1-}" = stores ]; then
  : "${BINLOG_TEST_S3_URL:?tests/archive/servers.py run -- $0 stores}" "${BINLOG_TEST_SWIFT_URL:?}"
  check "Go ships to each object store and reads from it" timeout 300 go test -race -count=1 -run ObjectStores .
  check "build the example archive" in_directory "$root/examples/go" go build -o "$work/archive" ./archive
  check "example archive, S3" eval '(prints_with_store s3 "$BINLOG_TEST_S3_URL")'
  check "example archive, Swift" eval '(prints_with_store swift "$BINLOG_TEST_SWIFT_URL")'
  echo "$passed passed, $failed failed"
  [ "$failed" = 0 ]
  exit
fi
check "formatted" says_nothing gofmt -l "$here" "$root/examples/go"
check "vetted" go vet ./...
check "vetted, linked statically" go vet -tags binlog_static ./...
check "vetted, views overwritten" go vet -tags binlog_poison ./...
check "the examples are vetted" in_directory "$root/examples/go" go vet ./...
for module in "$here" "$root/examples/go"; do
  check "${module#"$root"/}/go.mod is tidy" in_directory "$module" go mod tidy -diff
done
warnings="-O1 -Wall -Wextra -Werror -Wno-unused-parameter -Wno-error=cpp"
check "C without warnings" env CGO_CFLAGS="$warnings" go build -o "$work/warned" ./internal/conform

check "tests, shared library, race detector" timeout 300 go test -race -count=1 ./...
check "tests, static library, strict checks of pointers" \
  env GOEXPERIMENT=cgocheck2 timeout 300 go test -tags binlog_static -count=1 ./...
check "tests, views overwritten as soon as their time is over" \
  timeout 300 go test -tags binlog_poison -count=1 ./...

# Without cgo a build fails with one line that says why, and nothing is "undefined".
says_why_not() {
  ! CGO_ENABLED=0 go build -o "$work/none" ./internal/conform >"$work/said" 2>&1 &&
    grep -q 'binlog calls a C library: build with CGO_ENABLED=1' "$work/said" && ! grep undefined "$work/said"
}
check "without cgo, a build says what it needs" says_why_not

needs_library() { readelf -d "$1" | grep -q 'NEEDED.*libbinlog\.so\.0'; }
no() { ! "$@"; }
check "build, linked to the shared library" go build -o "$work/shared" ./internal/conform
check "it needs libbinlog.so.0" needs_library "$work/shared"
# The library of stores reports an option that it does not have: libbinlog has loaded it.
knows_stores() { "$1" read 's3://bucket/?colour=red' 2>&1 | grep -q '"error":"invalid"'; }
lacks_stores() { "$1" read 's3://bucket/?colour=red' 2>&1 | grep -q '"error":"unsupported"'; }
check "it loads the library of stores from beside libbinlog" knows_stores "$work/shared"
check "build, linked statically" go build -tags binlog_static -o "$work/static" ./internal/conform
check "it needs no libbinlog" no needs_library "$work/static"
check "it runs without one" env -u LD_LIBRARY_PATH "$work/static" read "$root/tests/golden/plain.binlog"
check "it loads the library of stores by the loader's path" knows_stores "$work/static"
check "it says what it lacks" env -u LD_LIBRARY_PATH bash -c "$(declare -f lacks_stores); lacks_stores $work/static"

check "build, all of it static" go build -tags binlog_static -ldflags '-linkmode external -extldflags -static' \
  -o "$work/all-static" ./internal/conform
needs_nothing() { ! readelf -d "$1" | grep NEEDED; }
check "it needs no library" needs_nothing "$work/all-static"
check "it runs" "$work/all-static" read "$root/tests/golden/plain.binlog"
check "build, all of it static, with the library of stores" go build -tags binlog_static,binlog_stores \
  -ldflags '-linkmode external -extldflags -static' -o "$work/all-static" ./internal/conform
check "it needs no library and has the stores" eval 'needs_nothing "$work/all-static" && knows_stores "$work/all-static"'

# A small run of each work of the benchmark, to see that it works.
benchmark() {
  "$work/bench" append 100 1000 "$work/bench-log" && "$work/bench" read 100 1000 "$work/bench-log" &&
    "$work/bench" append-batch 600 1000 "$work/bench-batches" && "$work/bench" plain-append 600 1000 "$work/bench-plain"
}
check "build the benchmark" go build -o "$work/bench" ./internal/bench
check "the benchmark works" benchmark

mkdir "$work/bin" "$work/run"
check "build the examples" in_directory "$root/examples/go" go build -o "$work/bin/" ./...
# prints_as_expected EXAMPLE ARGUMENTS...: it is run in one directory with the others.
prints_as_expected() {
  local example=$1
  shift
  (cd "$work/run" && timeout 60 "$work/bin/$example" "$@") >"$work/printed" || return 1
  diff "$root/examples/go/$example/expected.txt" "$work/printed"
}
for example in quickstart gather rolling migrate archive; do
  check "example $example" prints_as_expected "$example"
done
# It resumes twice, the second time before what it waits for is written.
tail_resumes() {
  cd "$work/run" || return 1
  {
    timeout 60 "$work/bin/tail" quickstart-log state 1 && timeout 60 "$work/bin/tail" quickstart-log state 1
  } >"$work/printed" || return 1
  timeout 60 "$work/bin/tail" quickstart-log state 2 >>"$work/printed" &
  local waiting=$!
  "$work/bin/quickstart" >/dev/null && wait "$waiting" && diff "$root/examples/go/tail/expected.txt" "$work/printed"
}
check "example tail" eval '(tail_resumes)'
check "README.md shows the quick start" diff "$root/examples/go/quickstart/main.go" \
  <(awk '/^```go$/ { inside = 1; next } /^```$/ { if (inside) exit } inside' "$here/README.md")

# The commands of the README, but for making the prefix.
documented() {
  mkdir "$work/documented" && cd "$work/documented" || return 1
  awk '/^```sh$/ { inside = 1; next } /^```$/ { inside = 0 } inside' "$here/README.md" | grep -v '^make ' >commands
  clone=$root bash -euo pipefail commands >printed && diff "$root/examples/go/quickstart/expected.txt" printed
}
check "README.md: from nothing to a program" eval '(documented)'

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
