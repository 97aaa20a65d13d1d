#!/usr/bin/env bash
# The long forms of the connector's tests: random logs and conditions with other random numbers each time, drivers and executors
# that are killed again and again, a log that is followed for minutes. Some 20 minutes a round.
#
#   soak.sh [ROUNDS]    default: 3
set -euo pipefail
cd "$(dirname "$0")"
for round in $(seq "${1:-3}"); do
  echo "round $round"
  ./test.sh --soak
done
