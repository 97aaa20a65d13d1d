package io.binlog.spark;

import io.binlog.BinlogException;
import io.binlog.BinlogReader;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.apache.spark.sql.connector.read.Batch;
import org.apache.spark.sql.connector.read.InputPartition;
import org.apache.spark.sql.connector.read.PartitionReaderFactory;
import org.apache.spark.sql.connector.read.Scan;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;

/** A read of everything, which has a row for each loss. */
final class LossScan implements Scan, Batch {
  static final StructType SCHEMA =
      new StructType()
          .add("log", DataTypes.StringType, false)
          .add("segment", DataTypes.StringType, false)
          .add("offset", DataTypes.LongType, false)
          .add("bytes", DataTypes.LongType, false)
          .add("first_id", DataTypes.LongType, true)
          .add("last_id", DataTypes.LongType, true)
          .add("records", DataTypes.LongType, false)
          .add("reason", DataTypes.StringType, false);

  private final ReadOptions options;

  LossScan(ReadOptions options) {
    this.options = options;
  }

  @Override
  public StructType readSchema() {
    return SCHEMA;
  }

  @Override
  public String description() {
    return "losses of binlog " + String.join(", ", options.paths);
  }

  @Override
  public Batch toBatch() {
    return this;
  }

  @Override
  public InputPartition[] planInputPartitions() {
    List<InputPartition> all = new ArrayList<>();
    try {
      for (String place : Places.of(options.paths)) {
        try (BinlogReader reader = Planner.open(place, options.reader())) {
          Set<String> names = LogFinder.names(reader);
          for (String log : names) all.add(new LogPartition(place, log));
          if (names.isEmpty()) all.add(new LogPartition(place, null));
        }
      }
    } catch (BinlogException e) {
      throw new UncheckedIOException(e.getMessage(), e);
    }
    return all.toArray(new InputPartition[0]);
  }

  @Override
  public PartitionReaderFactory createReaderFactory() {
    ReadOptions read = options;
    return partition -> new LossReader(read, (LogPartition) partition);
  }
}
