package io.binlog;

/** What a {@link Shipper#run} has done, or would do. */
public final class ShipReport {
  private final long uploadedSegments;
  private final long uploadedBytes;
  private final long foundSegments;
  private final long prunedSegments;
  private final long prunedBytes;
  private final boolean stopped;

  /** The numbers in the order of the accessors. */
  ShipReport(long[] numbers) {
    uploadedSegments = numbers[0];
    uploadedBytes = numbers[1];
    foundSegments = numbers[2];
    prunedSegments = numbers[3];
    prunedBytes = numbers[4];
    stopped = numbers[5] != 0;
  }

  /**
   * Segments that the store holds now and was not known to hold before.
   *
   * @return 0 or more
   */
  public long uploadedSegments() {
    return uploadedSegments;
  }

  /**
   * Their length.
   *
   * @return bytes
   */
  public long uploadedBytes() {
    return uploadedBytes;
  }

  /**
   * The number of those that were there already.
   *
   * @return 0 or more
   */
  public long foundSegments() {
    return foundSegments;
  }

  /**
   * Segments that were removed here.
   *
   * @return 0 or more
   */
  public long prunedSegments() {
    return prunedSegments;
  }

  /**
   * Their length.
   *
   * @return bytes
   */
  public long prunedBytes() {
    return prunedBytes;
  }

  /**
   * Whether it was stopped before all was done.
   *
   * @return true when it was
   */
  public boolean stopped() {
    return stopped;
  }

  /**
   * The facts in one line.
   *
   * @return text for people
   */
  @Override
  public String toString() {
    return uploadedSegments + " segments uploaded (" + uploadedBytes + " bytes), " + foundSegments
        + " of them found there, " + prunedSegments + " removed here (" + prunedBytes + " bytes)"
        + (stopped ? ", stopped" : "");
  }
}
