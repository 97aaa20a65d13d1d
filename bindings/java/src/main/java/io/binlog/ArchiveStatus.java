package io.binlog;

import java.time.Duration;
import java.time.Instant;
import java.util.Optional;

/**
 * How far the shipping of a log is, at one moment: see {@link Shipper#status} and {@link BinlogWriter#archiveStatus}.
 * What is counted is counted since the shipper or the writer was opened.
 */
public final class ArchiveStatus {
  /** What is being done. */
  public enum State {
    /** Nothing waits, or nobody has begun. */
    IDLE,
    /** Segments are being shipped. */
    WORKING,
    /** Something has failed, and is tried again later. */
    WAITING
  }

  private final String log;
  private final String store;
  private final State state;
  private final long waitingSegments;
  private final long waitingBytes;
  private final long oldestWaiting;
  private final long uploadedSegments;
  private final long uploadedBytes;
  private final long sentBytes;
  private final long prunedSegments;
  private final long failures;
  private final long lastFailure;
  private final long lastUpload;
  private final long shippedUpTo;
  private final long damagedSegments;
  private final long missingSegments;

  /** The numbers in the order of the accessors. */
  ArchiveStatus(String log, String store, State state, long[] numbers) {
    this.log = log;
    this.store = store;
    this.state = state;
    waitingSegments = numbers[0];
    waitingBytes = numbers[1];
    oldestWaiting = numbers[2];
    uploadedSegments = numbers[3];
    uploadedBytes = numbers[4];
    sentBytes = numbers[5];
    prunedSegments = numbers[6];
    failures = numbers[7];
    lastFailure = numbers[8];
    lastUpload = numbers[9];
    shippedUpTo = numbers[10];
    damagedSegments = numbers[11];
    missingSegments = numbers[12];
  }

  /**
   * The log's name.
   *
   * @return the name
   */
  public String log() {
    return log;
  }

  /**
   * The store.
   *
   * @return its URL without options
   */
  public String store() {
    return store;
  }

  /**
   * What is being done.
   *
   * @return the state
   */
  public State state() {
    return state;
  }

  /**
   * Closed segments that the store does not hold yet.
   *
   * @return 0 or more
   */
  public long waitingSegments() {
    return waitingSegments;
  }

  /**
   * Their length.
   *
   * @return bytes
   */
  public long waitingBytes() {
    return waitingBytes;
  }

  /**
   * Closed segments whose files are damaged: they are not sent, and count as waiting.
   *
   * @return 0 or more
   */
  public long damagedSegments() {
    return damagedSegments;
  }

  /**
   * Segments that are neither here nor in the store, although the log tells of them, and whose loss nobody has accepted.
   *
   * @return 0 or more
   */
  public long missingSegments() {
    return missingSegments;
  }

  /**
   * How long ago the oldest that waits was closed.
   *
   * @return zero when none waits
   */
  public Duration oldestWaiting() {
    return Duration.ofNanos(oldestWaiting);
  }

  /**
   * Segments that the store was found to hold.
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
   * What the store has taken, also in vain; what it had already is not counted.
   *
   * @return bytes
   */
  public long sentBytes() {
    return sentBytes;
  }

  /**
   * Segments whose files were removed here.
   *
   * @return 0 or more
   */
  public long prunedSegments() {
    return prunedSegments;
  }

  /**
   * Steps that have failed; {@link Shipper#lastFailure} or {@link BinlogWriter#archiveFailure} has the last one.
   *
   * @return 0 or more
   */
  public long failures() {
    return failures;
  }

  /**
   * When the last one failed.
   *
   * @return empty when none has
   */
  public Optional<Instant> lastFailure() {
    return lastFailure == 0 ? Optional.empty() : Optional.of(Text.instant(lastFailure));
  }

  /**
   * When a segment was found in the store last.
   *
   * @return empty when none was
   */
  public Optional<Instant> lastUpload() {
    return lastUpload == 0 ? Optional.empty() : Optional.of(Text.instant(lastUpload));
  }

  /**
   * The newest segment up to which all closed ones are in the store.
   *
   * @return its number; 0 = of none
   */
  public long shippedUpTo() {
    return shippedUpTo;
  }

  /**
   * The facts in one line.
   *
   * @return text for people
   */
  @Override
  public String toString() {
    return log + " to " + store + ": " + state + ", " + uploadedSegments + " segments uploaded, " + waitingSegments
        + " waiting (" + waitingBytes + " bytes), " + damagedSegments + " damaged, " + missingSegments + " missing, " + prunedSegments + " removed here, " + failures + " failures";
  }
}
