package io.binlog.spark;

import java.io.Serializable;
import org.apache.spark.sql.types.DataTypes;
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

  TableColumns tableColumns() {
    return TableColumns.of(columns, decoding);
  }

  LogRead with(Selection other) {
    return new LogRead(options, columns, decoding, other, limit);
  }

  /**
   * With the columns that queries name behind the others. Spark before 4.2 does not say which columns a stream needs, and takes these
   * to be there if a query names one of them.
   */
  LogRead withHiddenColumns() {
    StructType all = columns;
    for (String hidden : Columns.HIDDEN) all = all.add(hidden, DataTypes.StringType, false);
    return new LogRead(options, all, decoding, selection, limit);
  }
}
