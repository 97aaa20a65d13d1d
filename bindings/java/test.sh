#!/usr/bin/env bash
# Builds the jar with the library in it, and tests it as users run it, on each JDK of the machine: the unit tests with
# the JVM's checks of JNI, and the examples. A warning of those checks fails.
#
#   test.sh [build]    with "build" only the jar and the test classes, which other tests run: target/binlog.jar
#   test.sh stores     only what runs against real stores, which tests/archive/servers.py has started for it
#
#   JDKS  homes of the JDKs, with spaces in between (default: the default one, and those below /usr/lib/jvm)
set -euo pipefail
cd "$(dirname "$0")"
root=$(cd ../.. && pwd)

maven() { mvn --quiet --batch-mode -Dstyle.color=never "$@"; }

default_jdk=$(dirname "$(dirname "$(readlink -f "$(command -v javac)")")")
export JAVA_HOME=$default_jdk

if [ "${1:-}" = build ]; then
  maven package
  exit
fi

work=$(mktemp -d "${TMPDIR:-/tmp}/binlog-java-tests-XXXXXX")
trap 'rm -rf "$work"' EXIT
passed=0
failed=0

# check NAME COMMAND...: runs the command and prints one line; the end of its output only if it fails.
check() {
  local name=$1
  shift
  if "$@" >"$work/output" 2>&1 </dev/null; then
    passed=$((passed + 1))
    echo "ok    $name"
  else
    failed=$((failed + 1))
    echo "FAIL  $name (exit $?)"
    grep -v '^$' "$work/output" | tail -n 60 | sed 's/^/      /'
  fi
}

# Each once, though some are there under several names.
jdks=()
for home in ${JDKS:-"$default_jdk" /usr/lib/jvm/*}; do
  home=$(readlink -f "$home")
  [ -x "$home/bin/javac" ] || continue
  case " ${jdks[*]:-} " in *" $home "*) ;; *) jdks+=("$home") ;; esac
done

major() { "$1/bin/java" -XshowSettings:properties -version 2>&1 | sed -n 's/ *java.specification.version = //p'; }

# The options with which this JDK loads a library without a warning.
native_access() { if [ "$(major "$1")" -ge 22 ]; then echo --enable-native-access=ALL-UNNAMED; fi; }

# unit_tests JDK [OPTION...]: a summary line, and the messages of the checks of JNI about the library.
unit_tests() {
  local jdk=$1 status=0
  shift
  # Printed, because surefire passes on what the JVM prints as a message of its own.
  mvn --batch-mode -Dstyle.color=never surefire:test@default-test "-Djvm=$jdk/bin/java" \
    "-Djvm.extra=$(native_access "$jdk")" "$@" >"$work/tests" 2>&1 || status=$?
  grep -E 'Tests run:.*[0-9]$|^\[ERROR\]' "$work/tests" || status=1
  if grep -E 'WARNING in native method|WARNING: JNI|FATAL ERROR' -A 12 "$work/tests"; then status=1; fi
  cat "$work/tests" >>"$work/all-tests"
  return "$status"
}

documentation() {
  maven dependency:build-classpath -Dmdep.outputFile="$work/class-path" -DincludeScope=provided &&
    "$default_jdk/bin/javadoc" --release 11 -Xdoclint:all -Werror -quiet -d target/javadoc -cp "$(cat "$work/class-path")" \
      src/main/java/io/binlog/*.java
}

# The checker finds uses of values that may be null. It runs in the compiler of Java 21 or newer.
nullness() {
  local jdk=$1 options=() package checker
  maven dependency:copy-dependencies -f nullness.xml -DoutputDirectory="$PWD/target/nullness" || return
  checker=$(printf '%s:' target/nullness/*.jar)
  for package in api file main model parser processing tree util; do
    options+=("-J--add-exports=jdk.compiler/com.sun.tools.javac.$package=ALL-UNNAMED")
  done
  for package in code comp; do options+=("-J--add-opens=jdk.compiler/com.sun.tools.javac.$package=ALL-UNNAMED"); done
  "$jdk/bin/javac" "${options[@]}" --release 11 -XDcompilePolicy=simple --should-stop=ifError=FLOW \
    -XDaddTypeAnnotationsToSymbol=true -processorpath "$checker" -cp "$checker" -d "$work/nullness" \
    '-Xplugin:ErrorProne -XepDisableAllChecks -Xep:NullAway:ERROR -XepOpt:NullAway:OnlyNullMarked=true' \
    src/main/java/io/binlog/*.java
}

# example JDK NAME: in a directory of its own. An example that does not get the expected result throws.
example() {
  local directory
  directory=$(mktemp -d "$work/example-XXXXXX")
  # shellcheck disable=SC2046  # no word, or one
  (cd "$directory" && timeout 120 "$1/bin/java" $(native_access "$1") -XX:TieredStopAtLevel=1 \
    -cp "$root/bindings/java/target/binlog.jar" "$root/examples/java/$2.java")
}

# The README's first program is the one that is run.
quick_start() {
  awk '$0 == "```java" { inside = 1; next } $0 == "```" && inside { exit } inside' README.md |
    diff - "$root/examples/java/QuickStart.java"
}

# archive URL OUTPUT: the example that ships, with this store.
archive() {
  local directory
  directory=$(mktemp -d "$work/example-XXXXXX")
  # shellcheck disable=SC2046  # no word, or one
  (cd "$directory" && timeout 120 "$default_jdk/bin/java" $(native_access "$default_jdk") \
    -cp "$root/bindings/java/target/binlog.jar" "$root/examples/java/Archive.java" "$1")
}

if [ "${1:-}" = stores ]; then
  check "build" maven package
  for store in S3 SWIFT; do
    variable=BINLOG_TEST_${store}_URL
    [ -n "${!variable:-}" ] || continue
    place=${!variable%%\?*}
    check "examples/java/Archive with $store" archive "${place%/}/java-example-$$?${!variable#*\?}"
  done
  check "unit tests with stores" unit_tests "$default_jdk" -Dtest=StoresTest
  sed -n 's/^\[.*\] \(Tests run:.*[0-9]\)$/note  \1/p' "$work/all-tests" 2>/dev/null || true
  echo "$passed passed, $failed failed"
  [ "$failed" -eq 0 ]
  exit
fi

check "build" maven package
check "README.md shows examples/java/QuickStart.java" quick_start
check "javadoc of the public classes" documentation
for jdk in "${jdks[@]}"; do
  [ "$(major "$jdk")" -lt 21 ] || { check "null where it may be, by NullAway" nullness "$jdk"; break; }
done
for jdk in "${jdks[@]}"; do
  check "unit tests on Java $(major "$jdk")" unit_tests "$jdk"
  for file in "$root"/examples/java/*.java; do
    name=$(basename "$file" .java)
    check "examples/java/$name on Java $(major "$jdk")" example "$jdk" "$name"
  done
done
sed -n 's/^\[.*\] \(Tests run:.*[0-9]\)$/note  \1/p' "$work/all-tests" 2>/dev/null || true

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
