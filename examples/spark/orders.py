"""A log in Spark from Python: a query, counts by type from the index, and a stream into Parquet that is continued.

    python orders.py JAR        with pyspark and libbinlog; JAR is binlog-spark.jar
"""

import sys

from pyspark.sql import SparkSession
from pyspark.sql import functions as f

import libbinlog


def write(first, last):
    with libbinlog.Writer("orders", roll={"records": 1000}) as writer:
        for number in range(first, last):
            kind = ("order.placed", "order.paid", "login")[number % 3]
            writer.append(b'{"order": %d, "total": %d}' % (number, number % 50), kind, {"host": "ab"[number % 2]})


def stream(spark):
    """Takes what is new into a directory of Parquet files. The checkpoint remembers how far it has come."""
    query = (
        spark.readStream.format("binlog").load("orders")
        .where("type_name = 'order.paid'")
        .select("id", "time", f.get_json_object("text", "$.total").cast("long").alias("total"))
        .writeStream.format("parquet").option("path", "paid").option("checkpointLocation", "paid-checkpoint")
        .trigger(availableNow=True).start()
    )
    query.awaitTermination()
    paid = spark.read.parquet("paid")
    print(paid.count(), "paid orders,", paid.agg(f.sum("total")).first()[0], "in total")


def main(jar):
    spark = SparkSession.builder.master("local[2]").config("spark.jars", jar).getOrCreate()
    write(0, 9000)

    orders = spark.read.format("binlog").option("metadataColumns", "host").load("orders")
    for row in orders.groupBy("type_name").count().orderBy("type_name").collect():  # no task runs
        print(row["type_name"], row["count"])
    by_host = orders.where("type_name like 'order.%'").groupBy("host").agg(f.sum("length").alias("bytes"))
    for row in by_host.orderBy("host").collect():
        print(f"{row['bytes']} bytes of orders on {row['host']}")

    stream(spark)
    write(9000, 12_000)
    stream(spark)
    spark.stop()


if __name__ == "__main__":
    main(sys.argv[1])
