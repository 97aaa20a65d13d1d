package io.binlog.spark;

import java.util.ArrayList;
import java.util.List;
import java.util.OptionalLong;
import org.apache.spark.sql.connector.metric.CustomMetric;
import org.apache.spark.sql.connector.read.Batch;
import org.apache.spark.sql.connector.read.InputPartition;
import org.apache.spark.sql.connector.read.PartitionReaderFactory;
import org.apache.spark.sql.connector.read.Statistics;
import org.apache.spark.sql.connector.read.SupportsReportStatistics;
import org.apache.spark.sql.connector.read.streaming.MicroBatchStream;
import org.apache.spark.sql.types.StructType;
import org.jspecify.annotations.Nullable;

/** A read of records, planned once. */
final class BinlogScan implements SupportsReportStatistics, Batch {
  private final LogRead read;
  private final LogRead streamed;
  /** Null until it is planned. */
  private @Nullable List<SplitPartition> partitions;

  /** {@code streamed} is the same read as a stream. */
  BinlogScan(LogRead read, LogRead streamed) {
    this.read = read;
    this.streamed = streamed;
  }

  @Override
  public StructType readSchema() {
    return read.columns;
  }

  @Override
  public String description() {
    List<String> all = new ArrayList<>();
    all.add("binlog " + String.join(", ", read.options.paths));
    all.add("pushed: [" + read.selection + "]");
    if (read.limit > 0) all.add("limit: " + read.limit);
    all.add("reads: " + (read.tableColumns().isHeadersOnly() ? "headers" : "payloads"));
    return String.join(", ", all);
  }

  private synchronized List<SplitPartition> partitions() {
    if (partitions == null) partitions = cut(Planner.plan(read));
    return partitions;
  }

  /** Without the partitions behind a limit, where the index says exactly how many records those before have. */
  private List<SplitPartition> cut(List<SplitPartition> all) {
    if (read.limit == 0 || read.options.skipsDamage || !read.selection.isOfIdsAlone()) return all;
    long records = 0;
    for (int i = 0; i < all.size(); i++) {
      records += all.get(i).records;
      if (records >= read.limit) return all.subList(0, i + 1);
    }
    return all;
  }

  @Override
  public MicroBatchStream toMicroBatchStream(String checkpoint) {
    return new LogStream(streamed);
  }

  @Override
  public Batch toBatch() {
    return this;
  }

  @Override
  public InputPartition[] planInputPartitions() {
    return partitions().toArray(new InputPartition[0]);
  }

  @Override
  public PartitionReaderFactory createReaderFactory() {
    return new RecordsFactory(read);
  }

  @Override
  public CustomMetric[] supportedCustomMetrics() {
    return LossMetrics.all();
  }

  @Override
  public Statistics estimateStatistics() {
    long rows = 0;
    long stored = 0;
    for (SplitPartition partition : partitions()) {
      rows += partition.records;
      stored += partition.bytes;
    }
    // Without payloads a row is as long as the columns that are read.
    long width = 8 + read.columns.defaultSize();
    boolean isHeadersOnly = read.tableColumns().isHeadersOnly();
    OptionalLong bytes = OptionalLong.of(isHeadersOnly ? rows * width : Math.max(stored, rows * 8));
    OptionalLong records = OptionalLong.of(rows);
    return new Statistics() {
      @Override
      public OptionalLong sizeInBytes() {
        return bytes;
      }

      @Override
      public OptionalLong numRows() {
        return records;
      }
    };
  }
}
