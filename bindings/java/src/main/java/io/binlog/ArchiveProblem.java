package io.binlog;

import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** Something that {@link Shipper#verify} has found wrong with what the store holds. */
public final class ArchiveProblem {
  /** What it is. */
  public enum Kind {
    /** A segment that was shipped is not in the store. */
    MISSING,
    /** The object in the store is another one than was shipped. */
    DIFFERENT,
    /** Segments of the log are neither here nor in the store. */
    GAP
  }

  private final Kind kind;
  private final boolean isHere;
  private final long sequence;
  private final long lastSequence;
  private final @Nullable String object;
  private final String message;

  ArchiveProblem(Kind kind, boolean isHere, long sequence, long lastSequence, @Nullable String object, String message) {
    this.kind = kind;
    this.isHere = isHere;
    this.sequence = sequence;
    this.lastSequence = lastSequence;
    this.object = object;
    this.message = message;
  }

  /**
   * What it is.
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
   * The object's name.
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
