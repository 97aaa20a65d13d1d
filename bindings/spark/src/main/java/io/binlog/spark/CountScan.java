package io.binlog.spark;

import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.connector.read.LocalScan;
import org.apache.spark.sql.types.StructType;

/** A read of numbers that the driver answers. */
final class CountScan implements LocalScan {
  private final ReadOptions options;
  private final Selection selection;
  private final Counts counts;
  private final InternalRow[] rows;

  CountScan(ReadOptions options, Selection selection, Counts counts, InternalRow[] rows) {
    this.rows = rows;
    this.options = options;
    this.selection = selection;
    this.counts = counts;
  }

  @Override
  public StructType readSchema() {
    return counts.schema();
  }

  @Override
  public InternalRow[] rows() {
    return rows;
  }

  @Override
  public String description() {
    return "binlog " + String.join(", ", options.paths) + ", pushed: [" + selection + "], " + counts + " from the index";
  }
}
