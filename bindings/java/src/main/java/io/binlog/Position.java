package io.binlog;

/** How far a log is written: ids of the last record in each state, 0 for
 * none. */
public final class Position {
  private final long appendedId;
  private final long flushedId;
  private final long durableId;

  Position(long appendedId, long flushedId, long durableId) {
    this.appendedId = appendedId;
    this.flushedId = flushedId;
    this.durableId = durableId;
  }

  /**
   * The last record that the writer has accepted.
   *
   * @return its id, or 0
   */
  public long appendedId() {
    return appendedId;
  }

  /**
   * The last record that was passed to the system: it survives the process.
   *
   * @return its id, or 0
   */
  public long flushedId() {
    return flushedId;
  }

  /**
   * The last record that is on the disk: it survives the machine.
   *
   * @return its id, or 0
   */
  public long durableId() {
    return durableId;
  }

  /**
   * The three ids.
   *
   * @return as text
   */
  @Override
  public String toString() {
    return "appended " + appendedId + ", flushed " + flushedId + ", durable " + durableId;
  }
}
