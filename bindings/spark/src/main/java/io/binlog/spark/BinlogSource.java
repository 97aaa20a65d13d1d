package io.binlog.spark;

import java.util.Map;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SQLContext;
import org.apache.spark.sql.SaveMode;
import org.apache.spark.sql.connector.catalog.Table;
import org.apache.spark.sql.connector.catalog.TableProvider;
import org.apache.spark.sql.connector.expressions.Transform;
import org.apache.spark.sql.execution.streaming.Sink;
import org.apache.spark.sql.sources.BaseRelation;
import org.apache.spark.sql.sources.CreatableRelationProvider;
import org.apache.spark.sql.sources.DataSourceRegister;
import org.apache.spark.sql.sources.StreamSinkProvider;
import org.apache.spark.sql.streaming.OutputMode;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.sql.util.CaseInsensitiveStringMap;
import scala.collection.immutable.Seq;

/** The data source {@code binlog}: {@code spark.read.format("binlog").load(path)}. */
public final class BinlogSource implements TableProvider, DataSourceRegister, CreatableRelationProvider, StreamSinkProvider {
  /** For Spark, which makes it by its name. */
  public BinlogSource() {}

  @Override
  public String shortName() {
    return "binlog";
  }

  @Override
  public StructType inferSchema(CaseInsensitiveStringMap options) {
    return BinlogTable.of(options).schema();
  }

  @Override
  public Table getTable(StructType schema, Transform[] partitioning, Map<String, String> properties) {
    return BinlogTable.of(new CaseInsensitiveStringMap(properties));
  }

  /** Refuses in every mode of a save: Spark itself would refuse some of them without a reason. */
  @Override
  public BaseRelation createRelation(
      SQLContext context, SaveMode mode, scala.collection.immutable.Map<String, String> options, Dataset<Row> data) {
    throw BinlogTable.refusal();
  }

  /** Refuses before the stream begins. */
  @Override
  public Sink createSink(
      SQLContext context, scala.collection.immutable.Map<String, String> options, Seq<String> partitions, OutputMode mode) {
    throw BinlogTable.refusal();
  }
}
