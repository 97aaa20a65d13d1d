package io.binlog;

/** Where a cursor came to an end, and why. */
public final class Tail {
  /** What kind of end it is. */
  public enum State {
    /** The cursor has not come to an end. */
    MORE,
    /** The log was closed cleanly, or the filter's range is passed: everything was read. */
    CLOSED,
    /** A writer has the log open; more may come. */
    LIVE,
    /**
     * No writer has it open and it was never closed; it ends with a whole block. A strict reader fails there with {@link
     * BinlogException.Corrupt}; this state tells that from damage.
     */
    UNCLOSED,
    /**
     * No writer has it open, and behind the last whole block is the torn tail that a crash left. A strict reader fails
     * there with {@link BinlogException.Corrupt}; this state tells that from damage.
     */
    TORN,
    /** The cursor stopped at damage. */
    CORRUPT
  }

  private final State state;
  private final long nextId;
  private final long offset;
  private final long unreadBytes;
  private final String path;
  private final String reason;

  Tail(State state, long nextId, long offset, long unreadBytes, String path, String reason) {
    this.state = state;
    this.nextId = nextId;
    this.offset = offset;
    this.unreadBytes = unreadBytes;
    this.path = path;
    this.reason = reason;
  }

  /** As seen by a cursor that has records in hand which nobody has asked for yet. */
  Tail before(long id) {
    return new Tail(State.MORE, id, offset, unreadBytes, path, reason);
  }

  /**
   * What kind of end it is.
   *
   * @return the state
   */
  public State state() {
    return state;
  }

  /**
   * The id that the next record would have.
   *
   * @return what to give to {@link Filter.Builder#fromId} to go on reading later
   */
  public long nextId() {
    return nextId;
  }

  /**
   * Where in the file that was read last the library stopped reading.
   *
   * @return bytes from its beginning
   */
  public long offset() {
    return offset;
  }

  /**
   * How many bytes follow there.
   *
   * @return bytes
   */
  public long unreadBytes() {
    return unreadBytes;
  }

  /**
   * The file that was read last.
   *
   * @return its path; "" when none was
   */
  public String path() {
    return path;
  }

  /**
   * What was wrong with the unread bytes.
   *
   * @return one line; "" when nothing was
   */
  public String reason() {
    return reason;
  }

  /**
   * The facts in one line.
   *
   * @return text for people
   */
  @Override
  public String toString() {
    return state + " before record " + nextId + (path.isEmpty() ? "" : ", " + path + " at " + offset)
        + (reason.isEmpty() ? "" : ": " + reason);
  }
}
