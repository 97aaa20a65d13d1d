package io.binlog.spark;

import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import org.apache.spark.sql.connector.catalog.MetadataColumn;
import org.apache.spark.sql.connector.catalog.SupportsMetadataColumns;
import org.apache.spark.sql.connector.catalog.SupportsRead;
import org.apache.spark.sql.connector.catalog.SupportsWrite;
import org.apache.spark.sql.connector.catalog.TableCapability;
import org.apache.spark.sql.connector.read.ScanBuilder;
import org.apache.spark.sql.connector.write.LogicalWriteInfo;
import org.apache.spark.sql.connector.write.WriteBuilder;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.sql.util.CaseInsensitiveStringMap;

/** Logs as a table. */
final class BinlogTable implements SupportsRead, SupportsWrite, SupportsMetadataColumns {
  private final Map<String, String> properties;
  private final ReadOptions options;
  private final Decoding decoding;
  private final StructType schema;

  private BinlogTable(Map<String, String> properties, ReadOptions options) {
    this.properties = properties;
    this.options = options;
    this.decoding = options.losses ? Decoding.NONE : Decoding.of(options);
    this.schema = options.losses ? LossScan.SCHEMA : Columns.schema(options, decoding.columns);
  }

  static BinlogTable of(CaseInsensitiveStringMap properties) {
    return new BinlogTable(properties.asCaseSensitiveMap(), ReadOptions.of(properties));
  }

  @Override
  public String name() {
    return "binlog " + String.join(", ", options.paths);
  }

  @Override
  @SuppressWarnings("deprecation") // the newer method converts it
  public StructType schema() {
    return schema;
  }

  @Override
  public Map<String, String> properties() {
    return properties;
  }

  @Override
  public Set<TableCapability> capabilities() {
    return Set.of(
        TableCapability.BATCH_READ,
        TableCapability.MICRO_BATCH_READ,
        // So that it is this class that refuses, whatever is written.
        TableCapability.V1_BATCH_WRITE,
        TableCapability.TRUNCATE,
        TableCapability.OVERWRITE_BY_FILTER,
        TableCapability.ACCEPT_ANY_SCHEMA);
  }

  /** A column that a query has only by its name. */
  private static MetadataColumn hidden(String name, DataType type, String comment) {
    return new MetadataColumn() {
      @Override
      public String name() {
        return name;
      }

      @Override
      public DataType dataType() {
        return type;
      }

      @Override
      public boolean isNullable() {
        return false;
      }

      @Override
      public String comment() {
        return comment;
      }
    };
  }

  @Override
  public MetadataColumn[] metadataColumns() {
    if (options.losses) return new MetadataColumn[0];
    return new MetadataColumn[] {
      hidden(Columns.SEGMENT, DataTypes.StringType, "The file of the segment that contains the record"),
      hidden(Columns.LOG, DataTypes.StringType, "The name of the log that contains the record"),
    };
  }

  @Override
  public ScanBuilder newScanBuilder(CaseInsensitiveStringMap scanOptions) {
    Map<String, String> all = new HashMap<>(properties);
    all.keySet().removeIf(scanOptions::containsKey);
    all.putAll(scanOptions.asCaseSensitiveMap());
    ReadOptions merged = ReadOptions.of(new CaseInsensitiveStringMap(all));
    merged.mustHaveTheColumnsOf(options);
    if (options.losses) return () -> new LossScan(merged);
    return new BinlogScanBuilder(merged, schema, decoding);
  }

  /** What to do instead of writing. */
  static UnsupportedOperationException refusal() {
    return new UnsupportedOperationException(
        "Spark does not write logs: a log has one writer, which gives each record its id, and tasks that are retried would "
            + "write records twice. Append with binlog's own writer, BinlogWriter in Java or import libbinlog in Python, for "
            + "example in foreachBatch on the driver");
  }

  @Override
  public WriteBuilder newWriteBuilder(LogicalWriteInfo info) {
    throw refusal();
  }
}
