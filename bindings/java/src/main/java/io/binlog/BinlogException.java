package io.binlog;

import java.io.IOException;
import java.util.OptionalInt;
import java.util.OptionalLong;

/**
 * A call of the library failed. The message is one line with file, offset and reason; methods return the single facts.
 * Errors on which callers decide have classes of their own, nested here: {@code catch (BinlogException.NoSpace e)}.
 */
public class BinlogException extends IOException {
  private static final long serialVersionUID = 1L;

  /** The status's number. */
  private final int code;
  /** The file; "" when none. */
  private final String path;
  /** Where in it; -1 for no particular place. */
  private final long offset;
  /** The errno; 0 when none. */
  private final int osCode;
  /** The last record that was accepted; 0 when none was. */
  private final long recordId;

  BinlogException(Facts facts) {
    super(facts.message);
    code = facts.code;
    path = facts.path;
    offset = facts.offset;
    osCode = facts.osCode;
    recordId = facts.recordId;
  }

  /**
   * The kind of failure.
   *
   * @return an error, never an outcome
   */
  public final Status status() {
    return Status.of(code);
  }

  /**
   * The number of the status in the C interface, also when this version has no name for it.
   *
   * @return less than 0
   */
  public final int code() {
    return code;
  }

  /**
   * The file or directory it happened in.
   *
   * @return its path; "" when none
   */
  public final String path() {
    return path;
  }

  /**
   * Where in that file.
   *
   * @return bytes from its beginning; empty for no particular place
   */
  public final OptionalLong offset() {
    return offset < 0 ? OptionalLong.empty() : OptionalLong.of(offset);
  }

  /**
   * The system's {@code errno}.
   *
   * @return empty when no system call failed
   */
  public final OptionalInt osCode() {
    return osCode == 0 ? OptionalInt.empty() : OptionalInt.of(osCode);
  }

  /**
   * The id of the last record that a failed append accepted: the record waits in the writer's memory, and only the
   * flush or sync that a policy asked for failed. Do not append it again.
   *
   * @return empty when nothing was accepted: append it again
   */
  public final OptionalLong recordId() {
    return recordId == 0 ? OptionalLong.empty() : OptionalLong.of(recordId);
  }

  /** Another writer has the log open; the message names its process. */
  public static final class Locked extends BinlogException {
    private static final long serialVersionUID = 1L;

    Locked(Facts facts) {
      super(facts);
    }
  }

  /** The bytes of a file differ from what a writer wrote: {@link #path}, {@link #offset}. */
  public static final class Corrupt extends BinlogException {
    private static final long serialVersionUID = 1L;

    Corrupt(Facts facts) {
      super(facts);
    }
  }

  /** There is no such file or log. */
  public static final class NotFound extends BinlogException {
    private static final long serialVersionUID = 1L;

    NotFound(Facts facts) {
      super(facts);
    }
  }

  /** The disk, the quota or the file size limit is full. Writing works again once there is space. */
  public static final class NoSpace extends BinlogException {
    private static final long serialVersionUID = 1L;

    NoSpace(Facts facts) {
      super(facts);
    }
  }

  /**
   * The next records were removed with old segments. Thrown once: the next call continues after them.
   */
  public static final class Missed extends BinlogException {
    private static final long serialVersionUID = 1L;

    /** The first id. */
    private final long firstId;
    /** The last id. */
    private final long lastId;

    Missed(Facts facts) {
      super(facts);
      firstId = facts.firstMissed;
      lastId = facts.lastMissed;
    }

    /**
     * The first record that is no longer in the log.
     *
     * @return its id
     */
    public long firstId() {
      return firstId;
    }

    /**
     * The last record that is no longer in the log.
     *
     * @return its id
     */
    public long lastId() {
      return lastId;
    }
  }

  /** The log is not the required one: see {@link Required}. */
  public static final class Mismatch extends BinlogException {
    private static final long serialVersionUID = 1L;

    Mismatch(Facts facts) {
      super(facts);
    }
  }

  /**
   * The system has no memory outside of the heap for what a file, the caller or another machine asked for. Nothing was
   * done, and the same call may be repeated.
   */
  public static final class NoMemory extends BinlogException {
    private static final long serialVersionUID = 1L;

    NoMemory(Facts facts) {
      super(facts);
    }
  }

  /** A record, a batch or a block is over its limit. */
  public static final class TooLarge extends BinlogException {
    private static final long serialVersionUID = 1L;

    TooLarge(Facts facts) {
      super(facts);
    }
  }

  /** This build, this format version or this kind of log cannot do it. */
  public static final class Unsupported extends BinlogException {
    private static final long serialVersionUID = 1L;

    Unsupported(Facts facts) {
      super(facts);
    }
  }

  /** An fsync has failed: what is on the disk is not known, and the writer refuses everything. Open the log anew. */
  public static final class Failed extends BinlogException {
    private static final long serialVersionUID = 1L;

    Failed(Facts facts) {
      super(facts);
    }
  }

  /** The writer was opened before a fork, and this is the child. */
  public static final class Forked extends BinlogException {
    private static final long serialVersionUID = 1L;

    Forked(Facts facts) {
      super(facts);
    }
  }

  /** The contents of an error object of the library. */
  static final class Facts {
    final int code;
    final String message;
    final String path;
    final long offset;
    final int osCode;
    final long recordId;
    final long firstMissed;
    final long lastMissed;

    Facts(
        int code, String message, String path, long offset, int osCode, long recordId, long firstMissed,
        long lastMissed) {
      this.code = code;
      this.message = message;
      this.path = path;
      this.offset = offset;
      this.osCode = osCode;
      this.recordId = recordId;
      this.firstMissed = firstMissed;
      this.lastMissed = lastMissed;
    }

    /** An exception of the class for the status. */
    BinlogException exception() {
      switch (Status.of(code)) {
        case LOCKED:
          return new Locked(this);
        case CORRUPT:
          return new Corrupt(this);
        case NOT_FOUND:
          return new NotFound(this);
        case NO_SPACE:
          return new NoSpace(this);
        case MISSED:
          return new Missed(this);
        case MISMATCH:
          return new Mismatch(this);
        case NO_MEMORY:
          return new NoMemory(this);
        case TOO_LARGE:
          return new TooLarge(this);
        case UNSUPPORTED:
          return new Unsupported(this);
        case FAILED:
          return new Failed(this);
        case FORKED:
          return new Forked(this);
        default:
          return new BinlogException(this);
      }
    }
  }
}
