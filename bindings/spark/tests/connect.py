#!/usr/bin/env python3
"""Reads, counts and streams a log through Spark Connect, whose client has no JVM: the server has the jar.

    PYSPARK_SUBMIT_ARGS='--jars binlog-spark.jar' connect.py
"""

import tempfile

import libbinlog as binlog
from pyspark.sql import SparkSession

with tempfile.TemporaryDirectory(prefix="binlog-spark-connect-") as work:
    log = f"{work}/log"
    with binlog.Writer(log, roll={"records": 500}) as writer:
        for at in range(2000):
            writer.append(b'{"total": %d}' % at, type=("paid", "placed")[at % 2], metadata={"host": "a"})
    spark = SparkSession.builder.remote("local[2]").getOrCreate()
    assert "connect" in type(spark).__module__, type(spark)
    frame = spark.read.format("binlog").option("metadataColumns", "host").load(log)
    assert frame.where("type_name = 'paid' and host = 'a'").count() == 1000
    assert {row[0]: row[1] for row in frame.groupBy("type_name").count().collect()} == {"paid": 1000, "placed": 1000}
    assert [row["id"] for row in frame.where("id > 1998").orderBy("id").collect()] == [1999, 2000]
    (spark.readStream.format("binlog").load(log).select("id", "_log").writeStream.format("parquet").option("path", f"{work}/sink")
     .option("checkpointLocation", f"{work}/checkpoint").trigger(availableNow=True).start().awaitTermination())
    assert sorted(row["id"] for row in spark.read.parquet(f"{work}/sink").collect()) == list(range(1, 2001))
    try:
        spark.read.format("binlog").load(f"{work}/absent").count()
        raise SystemExit("nothing failed")
    except Exception as error:
        assert f"{work}/absent: cannot open" in str(error), error
    spark.stop()
print("ok    Spark Connect: conditions, counts, a stream, a wrong path")
