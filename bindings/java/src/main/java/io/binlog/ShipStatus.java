package io.binlog;

import java.time.Duration;
import java.time.Instant;
import java.util.Optional;

/**
 * The progress of the shipping of a log: see {@link Shipper#status} and {@link BinlogWriter#shipStatus}. Counters begin
 * at 0 when the shipper or the writer is opened.
 */
public final class ShipStatus {
  /** The state of a shipper. */
  public enum State {
    /** Nothing waits, or it was not started. */
    IDLE,
    /** Segments are being shipped. */
    WORKING,
    /** A step has failed, and is retried later. */
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
  ShipStatus(String log, String store, State state, long[] numbers) {
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
   * The current state.
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
   * Segments that are neither here nor in the store, although the log records them, and whose loss was not accepted.
   *
   * @return 0 or more
   */
  public long missingSegments() {
    return missingSegments;
  }

  /**
   * The time since the oldest waiting segment was closed.
   *
   * @return zero when none waits
   */
  public Duration oldestWaiting() {
    return Duration.ofNanos(oldestWaiting);
  }

  /**
   * Segments that were confirmed to be in the store.
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
   * The bytes that the store has received, also in failed attempts; what it had already is not counted.
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
   * Failed steps; {@link Shipper#lastFailure} or {@link BinlogWriter#shipFailure} returns the last failure.
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
   * When a segment was last confirmed to be in the store.
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
