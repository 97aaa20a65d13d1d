package io.binlog.spark;

import java.io.Serializable;
import org.apache.spark.sql.types.StructType;

/** What is read: by which options, which columns, and which records. */
final class LogRead implements Serializable {
  private static final long serialVersionUID = 1L;

  final ReadOptions options;
  final StructType columns;
  final Decoding decoding;
  final Selection selection;
  /** The most rows of a partition; 0 = no limit. */
  final int limit;

  LogRead(ReadOptions options, StructType columns, Decoding decoding, Selection selection, int limit) {
    this.options = options;
    this.columns = columns;
    this.decoding = decoding;
    this.selection = selection;
    this.limit = limit;
  }

  boolean wants(String column) {
    return columns.getFieldIndex(column).isDefined();
  }

  TableColumns tableColumns() {
    return TableColumns.of(columns, decoding);
  }

  LogRead with(Selection other) {
    return new LogRead(options, columns, decoding, other, limit);
  }
}
