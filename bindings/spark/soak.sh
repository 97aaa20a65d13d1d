#!/usr/bin/env bash
# The long forms of the connector's tests: random logs and conditions with other random numbers each time, drivers and executors
# that are killed again and again, a log that is followed for minutes: some 10 minutes a round. Before that, the tests with the
# older versions of Spark that the connector is for, and a session of Spark Connect.
#
#   soak.sh [ROUNDS]    default: 3
set -euo pipefail
cd "$(dirname "$0")"
for version in 4.0.5 4.1.4 4.2.1; do
  echo "Spark $version"
  SPARK=$version ./test.sh
done
# What the client of Spark Connect needs besides: a tenth of a gigabyte.
connect=../../target/tools/spark-connect
version=$(sed -n 's/^pyspark==//p' tests/packages.txt)
[ -d "$connect" ] || { python3 -m venv "$connect" && "$connect/bin/pip" install --quiet "pyspark[connect]==$version"; }
"$connect/bin/pip" install --quiet --no-index --no-deps --force-reinstall ../python/target/wheels/*-abi3-*"$(uname -m)".whl
JAVA_HOME=$(./test.sh jdk) PYSPARK_SUBMIT_ARGS="--jars $PWD/target/binlog-spark.jar pyspark-shell" "$connect/bin/python" tests/connect.py
for round in $(seq "${1:-3}"); do
  echo "round $round"
  ./test.sh --soak
done
