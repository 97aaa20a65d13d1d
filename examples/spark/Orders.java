import static org.apache.spark.sql.functions.col;
import static org.apache.spark.sql.functions.get_json_object;
import static org.apache.spark.sql.functions.sum;

import io.binlog.BinlogWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Map;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;

/**
 * A log in Spark from plain Java: written by the Java binding, which is in the connector's jar, and queried.
 *
 * <pre>
 * javac -cp 'SPARK/jars/*:binlog-spark.jar' -d classes Orders.java && jar --create --file orders.jar -C classes .
 * spark-submit --master 'local[2]' --jars binlog-spark.jar --class Orders orders.jar
 * </pre>
 */
public class Orders {
  public static void main(String[] arguments) throws Exception {
    SparkSession spark = SparkSession.builder().appName("orders").getOrCreate();

    try (BinlogWriter writer = BinlogWriter.open(Path.of("orders"))) {
      int placed = writer.type("order.placed", "application/json");
      int paid = writer.type("order.paid", "application/json");
      for (int number = 0; number < 9000; number++) {
        byte[] order = ("{\"order\": " + number + ", \"total\": " + number % 50 + "}").getBytes(StandardCharsets.UTF_8);
        writer.write(number % 3 == 0 ? paid : placed, Map.of("host", number % 2 == 0 ? "a" : "b"), order);
      }
    }

    Dataset<Row> orders = spark.read().format("binlog").option("metadataColumns", "host").load("orders");
    for (Row row : orders.groupBy("type_name").count().orderBy("type_name").collectAsList()) { // no task runs
      System.out.println(row.getString(0) + " " + row.getLong(1));
    }
    Dataset<Row> totals =
        orders
            .where(col("type_name").equalTo("order.paid"))
            .groupBy("host")
            .agg(sum(get_json_object(col("text"), "$.total").cast("long")).alias("total"))
            .orderBy("host");
    for (Row row : totals.collectAsList()) {
      System.out.println(row.getString(0) + " " + row.getLong(1));
    }
    spark.stop();
  }
}
