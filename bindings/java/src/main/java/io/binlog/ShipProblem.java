package io.binlog;

import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** A difference between the store and what it should hold, found by {@link Shipper#verify}. */
public final class ShipProblem {
  /** The kind of a problem. */
  public enum Kind {
    /** A segment that was shipped is not in the store. */
    MISSING,
    /** The object in the store is another one than was shipped. */
    DIFFERENT,
    /** Segments of the log are neither here nor in the store. */
    GAP,
    /** The file here is damaged, or is no longer what was shipped. The object in the store is reported separately. */
    CHANGED,
    /**
     * The object is what was shipped, but it was damaged then, and that was not accepted. Only found when objects are
     * read back.
     */
    DAMAGED,
    /** A kind that only a newer version of this class knows. */
    OTHER;

    /** For the library's numbers; foreign objects, which are number 4, are reported separately. */
    static Kind of(int number) {
      switch (number) {
        case 1:
          return MISSING;
        case 2:
          return DIFFERENT;
        case 3:
          return GAP;
        case 5:
          return CHANGED;
        case 6:
          return DAMAGED;
        default:
          return OTHER;
      }
    }
  }

  private final Kind kind;
  private final boolean isHere;
  private final long sequence;
  private final long lastSequence;
  private final @Nullable String object;
  private final String message;

  ShipProblem(Kind kind, boolean isHere, long sequence, long lastSequence, @Nullable String object, String message) {
    this.kind = kind;
    this.isHere = isHere;
    this.sequence = sequence;
    this.lastSequence = lastSequence;
    this.object = object;
    this.message = message;
  }

  /**
   * The kind.
   *
   * @return the kind
   */
  public Kind kind() {
    return kind;
  }

  /**
   * With {@link Kind#MISSING}, whether the segment's file is still here.
   *
   * @return false otherwise
   */
  public boolean isHere() {
    return isHere;
  }

  /**
   * The segment, with {@link Kind#GAP} the first one that is missing.
   *
   * @return its number in the log
   */
  public long sequence() {
    return sequence;
  }

  /**
   * With {@link Kind#GAP}, the last segment that is missing.
   *
   * @return its number in the log; otherwise {@link #sequence}
   */
  public long lastSequence() {
    return lastSequence;
  }

  /**
   * The object's name; with {@link Kind#CHANGED} the file's.
   *
   * @return empty with {@link Kind#GAP}
   */
  public Optional<String> object() {
    return Optional.ofNullable(object);
  }

  /**
   * The facts in one line.
   *
   * @return text for people
   */
  @Override
  public String toString() {
    return message;
  }
}
