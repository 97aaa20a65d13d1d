package io.binlog;

/**
 * The outcome of a call of the library: a closed list, with numbers that are never reused. Methods return outcomes
 * that are no errors with their results; all others are a {@link BinlogException}, which contains its status.
 */
public enum Status {
  /** Done. */
  OK(0),
  /** There is no more, for now. */
  END(1),
  /** The time was up. */
  TIMEOUT(2),
  /** The disk is full, and the records were dropped and counted: see {@link FullDisk#DROP}. */
  DROPPED(3),
  /** The arguments are wrong; nothing was done. */
  INVALID(-1),
  /** The system failed to read or write; {@link BinlogException#osCode} says why. */
  IO(-2),
  /** The bytes of a file differ from what a writer wrote. */
  CORRUPT(-3),
  /** There is no such file, log, record, type or key. */
  NOT_FOUND(-4),
  /** Another writer has the log open. */
  LOCKED(-5),
  /** A record or a batch is over its limit. */
  TOO_LARGE(-6),
  /** This build, this format version or this kind of log cannot do it. */
  UNSUPPORTED(-7),
  /** An fsync failed earlier: the writer refuses everything until the log is opened anew. */
  FAILED(-8),
  /** The disk, the quota or the file size limit is full. Writing works again once there is space. */
  NO_SPACE(-9),
  /** The handle was made before a fork, and this is the child. */
  FORKED(-10),
  /** The requested records were removed with old segments. */
  MISSED(-11),
  /** The log is not the required one. */
  MISMATCH(-12),
  /** There is no memory for what a file, the caller or another machine asked for; the call may be repeated. */
  NO_MEMORY(-13),
  /** A wait of C was interrupted. {@link Cursor#await} throws {@link InterruptedException} instead. */
  INTERRUPTED(-14),
  /** A defect of the library. */
  PANIC(-100),
  /** A number that this version does not know. */
  UNKNOWN(Integer.MIN_VALUE);

  private final int code;

  Status(int code) {
    this.code = code;
  }

  /**
   * The number in the C interface.
   *
   * @return 0 when done, greater for an outcome that is no error, less for an error
   */
  public int code() {
    return code;
  }

  /**
   * The status for a number of the C interface.
   *
   * @param code the number
   * @return its status, or {@link #UNKNOWN}
   */
  public static Status of(int code) {
    for (Status status : values()) {
      if (status.code == code) return status;
    }
    return UNKNOWN;
  }
}
