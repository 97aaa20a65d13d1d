"""Hours of a service's log by Polars: only the blocks, columns and types that the query needs are read."""

from datetime import datetime, timedelta, timezone

import polars as pl

import libbinlog as binlog

MIDNIGHT = datetime(2026, 3, 1, tzinfo=timezone.utc)

with binlog.Writer("service", roll={"records": 2000}) as writer:
    writer.type("request", encoding="json")
    for number in range(10_000):
        moment = MIDNIGHT + timedelta(seconds=number)
        path, host = ("/pay", "a") if number % 4 == 0 else ("/cart", "b")
        writer.append(b'{"path": "%s", "ms": %d}' % (path.encode(), number % 97), "request", {"host": host}, moment)
        if number % 1000 == 0:
            writer.append(b"disk is slow", "warning", {"host": host}, moment)

# The comparisons of type, time and metadata become conditions of the log; Polars does the rest.
slow = (
    binlog.scan("service", metadata=["host"])
    .filter(
        (pl.col("type_name") == "request")
        & (pl.col("metadata.host") == "a")
        & (pl.col("time") >= MIDNIGHT + timedelta(hours=1))
        & (pl.col("time") < MIDNIGHT + timedelta(hours=2))
    )
    .with_columns(pl.col("text").str.json_path_match("$.ms").cast(pl.Int64).alias("ms"))
    .group_by(pl.col("time").dt.truncate("30m").alias("half_hour"))
    .agg(pl.len().alias("requests"), pl.col("ms").max().alias("slowest"))
    .sort("half_hour")
    .collect()
)
for half_hour, requests, slowest in slow.iter_rows():
    print(f"{half_hour:%H:%M}  {requests} requests, slowest {slowest} ms")

# A table is read by whatever takes Arrow data.
counts = pl.DataFrame(binlog.open("service").table(columns=["type_name"]))["type_name"].value_counts(sort=True)
for name, count in counts.iter_rows():
    print(f"{name}: {count}")
