package io.binlog;

/** What a recovery saved, and what it could not save. */
public final class Recovery {
  private final long records;
  private final long lostRecords;
  private final long losses;
  private final long segments;

  Recovery(long records, long lostRecords, long losses, long segments) {
    this.records = records;
    this.lostRecords = lostRecords;
    this.losses = losses;
    this.segments = segments;
  }

  /**
   * Records in the segments that were written.
   *
   * @return 0 or more
   */
  public long records() {
    return records;
  }

  /**
   * Records that are known to be lost.
   *
   * @return 0 or more
   */
  public long lostRecords() {
    return lostRecords;
  }

  /**
   * Losses that were reported.
   *
   * @return 0 or more; a loss need not cost a record
   */
  public long losses() {
    return losses;
  }

  /**
   * Segments that were written.
   *
   * @return 0 or more
   */
  public long segments() {
    return segments;
  }

  /**
   * The facts in one line.
   *
   * @return text for people
   */
  @Override
  public String toString() {
    return records + " records in " + segments + " segments, " + lostRecords + " lost in " + losses + " losses";
  }
}
