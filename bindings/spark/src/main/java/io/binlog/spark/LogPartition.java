package io.binlog.spark;

import org.apache.spark.sql.connector.read.InputPartition;
import org.jspecify.annotations.Nullable;

/** One log, which a task reads as a whole. */
final class LogPartition implements InputPartition {
  private static final long serialVersionUID = 1L;

  final String place;
  /** Null where no segment can be read. */
  final @Nullable String log;

  LogPartition(String place, @Nullable String log) {
    this.place = place;
    this.log = log;
  }
}
