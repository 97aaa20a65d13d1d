#!/usr/bin/env bash
# Builds the programs of the peers in Java and Go into bench/target/peers, where the benchmark looks for them, and downloads
# what they need. Does nothing, quickly, when they are newer than their sources. A language of which something cannot be
# downloaded is left out, as it is where there is no compiler: the report says so. What does not compile is an error.
set -euo pipefail
cd "$(dirname "$0")"
target=$PWD/../target/peers
mkdir -p "$target"

# is_new PROGRAM SOURCE...
is_new() {
  local program=$1 source
  shift
  [ -e "$program" ] || return 1
  for source; do [ "$program" -nt "$source" ] || return 1; done
}

without() {
  echo "bench: no peers in $1: $2" >&2
  rm -rf "$3"
}

java_peers() {
  ! is_new "$target/java/built" java/pom.xml java/peers/*.java peers.sh || return 0
  if ! command -v mvn >/dev/null || ! command -v javac >/dev/null; then
    without Java "mvn or javac is missing" "$target/java"
    return 0
  fi
  rm -rf "$target/java"
  if ! mvn --quiet --batch-mode -Dstyle.color=never -f java/pom.xml dependency:copy-dependencies -DincludeScope=runtime \
    -DoutputDirectory="$target/java/lib" >"$target/maven.log" 2>&1; then
    without Java "$(grep -m 1 ERROR "$target/maven.log" | cut -c 1-200)" "$target/java"
    return 0
  fi
  # The jars name other jars in their manifests, which are not there.
  javac --release 11 -proc:none -Xlint:all,-path -Werror -cp "$target/java/lib/*" -d "$target/java/classes" java/peers/*.java
  touch "$target/java/built"
}

go_peers() {
  ! is_new "$target/go" go/go.mod go/go.sum go/*.go peers.sh || return 0
  command -v go >/dev/null || PATH=$PATH:/usr/local/go/bin
  export GOTOOLCHAIN=local GOWORK=off GOFLAGS=-buildvcs=false
  if ! command -v go >/dev/null; then
    without Go "go is missing" "$target/go"
    return 0
  fi
  # What the program is built from alone: its dependencies' tests need more.
  if ! (cd go && go list -deps ./... >/dev/null 2>"$target/go.log"); then
    without Go "$(tail -n 1 "$target/go.log" | cut -c 1-200)" "$target/go"
    return 0
  fi
  (cd go && go vet ./... && go build -o "$target/go" .)
}

java_peers
go_peers
