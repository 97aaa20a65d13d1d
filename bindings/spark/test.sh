#!/usr/bin/env bash
# Builds the jar of the Spark connector, with the Java binding and the library in it, and tests it as users run it: by PySpark,
# on executors of their own (tests/README.md). One line a check; exits with 1 if any failed.
#
#   test.sh build              only the jar: target/binlog-spark.jar
#   test.sh jdk                prints the home of the JDK that it runs with
#   test.sh [ARGUMENT...]      arguments as of tests/run.py: --soak, --only TEXT, --seed N, PROGRAM...
#   test.sh --python PROGRAM [ARGUMENT...]    another program in the environment of the tests
#
#   SPARK  another version of Spark to test with than that of tests/packages.txt: 4.0.5
#   JDK  the home of the JDK that Spark runs on, 17 or newer (default: the default one, or the first below /usr/lib/jvm)
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
jar=$here/target/binlog-spark.jar

major() { "$1/bin/java" -XshowSettings:properties -version 2>&1 | sed -n 's/ *java.specification.version = //p'; }

# What Spark 4 runs on: Java 17 and 21.
jdk() {
  local home
  for home in ${JDK:-"$(dirname "$(dirname "$(readlink -f "$(command -v javac)")")")" /usr/lib/jvm/*}; do
    [ -x "$home/bin/javac" ] || continue
    case $(major "$home") in 17 | 21) readlink -f "$home" && return ;; esac
  done
  echo "no JDK 17 or 21 is here, which Spark needs: 'make setup' installs the system's" >&2
  return 1
}
JAVA_HOME=$(jdk)
export JAVA_HOME

build() {
  "$root/bindings/java/test.sh" build
  (cd "$here" && mvn --quiet --batch-mode -Dstyle.color=never package)
}

case ${1:-} in
  build)
    build
    exit
    ;;
  jdk)
    echo "$JAVA_HOME"
    exit
    ;;
esac

# BINLOG_SPARK_JAR is one that is built already.
[ -n "${BINLOG_SPARK_JAR:-}" ] || build || { echo "FAIL  build" && echo "0 passed, 1 failed" && exit 1; }
export BINLOG_SPARK_JAR=${BINLOG_SPARK_JAR:-$jar} PATH=$JAVA_HOME/bin:$PATH
python=$("$here/tests/setup.sh")
if [ "${1:-}" = --python ]; then
  exec "$python" "${@:2}"
fi
exec "$python" "$here/tests/run.py" "$@"
