package io.binlog;

/** What a writer does when the disk, the quota or the file size limit is full. */
public enum FullDisk {
  /** A call that finds it full fails with {@link BinlogException.NoSpace}, an append before it accepts its record. */
  FAIL,
  /**
   * Append, flush, sync, roll and close wait for space, and fail after {@link WriterOptions.Builder#fullDiskWait}.
   * Opening a log, {@link BinlogWriter#tick} and the background thread do not wait.
   */
  WAIT,
  /**
   * An append that finds no space drops its record, or all of its batch, counts it ({@link BinlogWriter#dropped}),
   * and returns 0 instead of an id. Other calls fail as long as accepted records cannot be written.
   */
  DROP
}
