package io.binlog;

import java.util.Collections;
import java.util.List;

/** The result of {@link Shipper#verify}. */
public final class ShipVerified {
  private final List<ShipProblem> problems;
  private final List<String> foreign;
  private final long soundSegments;
  private final long soundBytes;
  private final long waitingSegments;
  private final long firstSequence;
  private final long lastSequence;
  private final boolean stopped;
  private final long acceptedSegments;

  /** The numbers in the order of the accessors. */
  ShipVerified(List<ShipProblem> problems, List<String> foreign, long[] numbers) {
    this.problems = Collections.unmodifiableList(problems);
    this.foreign = Collections.unmodifiableList(foreign);
    soundSegments = numbers[0];
    soundBytes = numbers[1];
    waitingSegments = numbers[2];
    firstSequence = numbers[3];
    lastSequence = numbers[4];
    stopped = numbers[5] != 0;
    acceptedSegments = numbers[6];
  }

  /**
   * The problems, in the order of the segments.
   *
   * @return a list that cannot be changed, empty when all is well
   */
  public List<ShipProblem> problems() {
    return problems;
  }

  /**
   * Objects whose names begin with the log's, and that are no segments of it. They are left alone.
   *
   * @return their names, in a list that cannot be changed
   */
  public List<String> foreign() {
    return foreign;
  }

  /**
   * Segments that the store holds as they were shipped.
   *
   * @return 0 or more
   */
  public long soundSegments() {
    return soundSegments;
  }

  /**
   * Their length.
   *
   * @return bytes
   */
  public long soundBytes() {
    return soundBytes;
  }

  /**
   * Closed segments that wait to be shipped.
   *
   * @return 0 or more
   */
  public long waitingSegments() {
    return waitingSegments;
  }

  /**
   * The oldest segment that is here or there.
   *
   * @return its number in the log; 0 when there is none
   */
  public long firstSequence() {
    return firstSequence;
  }

  /**
   * The newest segment that is here or there.
   *
   * @return its number in the log; 0 when there is none
   */
  public long lastSequence() {
    return lastSequence;
  }

  /**
   * Segments that are neither here nor there, and whose loss was accepted.
   *
   * @return 0 or more
   */
  public long acceptedSegments() {
    return acceptedSegments;
  }

  /**
   * Whether it was stopped before all was compared.
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
    return soundSegments + " segments sound (" + soundBytes + " bytes), " + waitingSegments + " waiting, "
        + problems.size() + " problems" + (stopped ? ", stopped" : "");
  }
}
