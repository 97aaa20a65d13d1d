package io.binlog.spark;

import io.binlog.Split;
import org.apache.spark.sql.connector.read.InputPartition;

/** A split as a partition: whoever reads it opens its token and lists nothing. */
final class SplitPartition implements InputPartition {
  private static final long serialVersionUID = 1L;

  final String token;
  /** With the names that the driver has found for a prefix. */
  final Selection selection;
  /** The first record that can be in it. */
  final long firstId;
  /** By the index: no more records than these are selected. */
  final long records;
  final long bytes;
  private final String[] hosts;

  SplitPartition(Split split, Selection selection, String[] hosts) {
    this.token = split.token();
    this.selection = selection;
    this.firstId = split.firstId();
    this.records = split.records();
    this.bytes = split.bytes();
    this.hosts = hosts;
  }

  @Override
  public String[] preferredLocations() {
    return hosts;
  }
}
