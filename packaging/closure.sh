#!/usr/bin/env bash
# The library without the feature `upload` depends on little: nothing that speaks HTTP, TLS or runs tasks.
set -euo pipefail
closure=$(cargo tree --locked --package binlog --edges normal --prefix none | awk '{ print $1 }' | sort -u)
heavy=$(grep -xE 'tokio|reqwest|hyper|rustls|ring|object_store|url|serde|chrono' <<< "$closure" || true)
count=$(wc -l <<< "$closure")
if [ -n "$heavy" ] || [ "$count" -gt 45 ]; then
  echo "the library without \`upload\` depends on $count crates, among them: $heavy" >&2
  exit 1
fi
