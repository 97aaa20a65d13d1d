-- A log in Spark from SQL. It is made by
--
--   seq -f '{"order": %g, "total": 3}' 600 | binlog append --quiet --type order.placed --meta host=a orders
--   seq -f '{"order": %g, "paid": true}' 300 | binlog append --quiet --type order.paid --meta host=b orders
--
-- and this file is run by
--
--   spark-sql --jars binlog-spark.jar --conf spark.sql.catalog.binlog=io.binlog.spark.BinlogCatalog -f orders.sql

CREATE TEMPORARY VIEW orders USING binlog OPTIONS (path 'orders', metadataColumns 'host');

-- From the index alone: no task runs.
SELECT type_name, count(*) FROM orders GROUP BY type_name ORDER BY type_name;

SELECT host, count(*) AS records, sum(CAST(get_json_object(text, '$.total') AS BIGINT)) AS total
FROM orders
WHERE type_name LIKE 'order.%' AND id BETWEEN 1 AND 700
GROUP BY host ORDER BY host;

-- A file of the log, by its place in the catalog.
SELECT _log, max(id) FROM binlog.`orders/default.0000000001.binlog` GROUP BY _log;
