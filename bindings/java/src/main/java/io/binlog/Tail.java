package io.binlog;

/** Where and why a cursor is at an end. */
public final class Tail {
  /** The kind of an end. */
  public enum State {
    /** The cursor is not at an end. */
    MORE,
    /** The log was closed cleanly, or the filter's range has ended: everything was read. */
    CLOSED,
    /** A writer has the log open; more may come. */
    LIVE,
    /**
     * No writer has it open and it was never closed; it ends with a whole block. A strict reader fails there with
     * {@link BinlogException.Corrupt}; this state distinguishes that from damage.
     */
    UNCLOSED,
    /**
     * No writer has it open, and after the last whole block is the torn tail that a crash left. A strict reader fails
     * there with {@link BinlogException.Corrupt}; this state distinguishes that from damage.
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

  /** For a cursor with fetched records that were not shown yet. */
  Tail before(long id) {
    return new Tail(State.MORE, id, offset, unreadBytes, path, reason);
  }

  /**
   * The kind of end.
   *
   * @return the state
   */
  public State state() {
    return state;
  }

  /**
   * The id that the next record would have.
   *
   * @return the value for {@link Filter.Builder#fromId} to continue reading later
   */
  public long nextId() {
    return nextId;
  }

  /**
   * The place in the file at which the library stopped reading.
   *
   * @return bytes from its beginning
   */
  public long offset() {
    return offset;
  }

  /**
   * The number of bytes that follow there.
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
