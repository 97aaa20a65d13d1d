package io.binlog;

import java.nio.file.Path;
import java.nio.file.Paths;
import java.time.Duration;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** Something that happens while a {@link Shipper} ships or compares. */
public final class ShipEvent {
  /** The kind of an event. */
  public enum Kind {
    /** A segment is about to be sent, or compared. */
    BEGINS,
    /** So many more bytes of it were sent, or were found in the store from an earlier attempt. */
    SENT,
    /** The store holds it. */
    UPLOADED,
    /** Its file here was removed. */
    PRUNED,
    /** A step has failed. */
    FAILED
  }

  private final Kind kind;
  private final boolean found;
  private final @Nullable String path;
  private final long sequence;
  private final long bytes;
  private final @Nullable BinlogException failure;
  private final long waitNanos;

  /** The kind for a number of C, from 1. */
  ShipEvent(
      int kind, boolean found, @Nullable String path, long sequence, long bytes, @Nullable BinlogException failure, long waitNanos) {
    this.kind = Kind.values()[kind - 1];
    this.found = found;
    this.path = path;
    this.sequence = sequence;
    this.bytes = bytes;
    this.failure = failure;
    this.waitNanos = waitNanos;
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
   * With {@link Kind#UPLOADED}, whether the store held the segment already.
   *
   * @return false otherwise
   */
  public boolean found() {
    return found;
  }

  /**
   * The segment's file, with {@link Kind#BEGINS}, {@link Kind#UPLOADED} and {@link Kind#PRUNED}.
   *
   * @return empty otherwise
   * @throws java.nio.file.InvalidPathException when the locale of this JVM has no way to name the file
   */
  public Optional<Path> path() {
    return Optional.ofNullable(path).map(Paths::get);
  }

  /**
   * Its number in the log, with the same kinds.
   *
   * @return 0 otherwise
   */
  public long sequence() {
    return sequence;
  }

  /**
   * The length of its file, with the same kinds; with {@link Kind#SENT}, the number of further bytes.
   *
   * @return bytes; 0 with {@link Kind#FAILED}
   */
  public long bytes() {
    return bytes;
  }

  /**
   * With {@link Kind#FAILED}, the failure.
   *
   * @return empty otherwise
   */
  public Optional<BinlogException> failure() {
    return Optional.ofNullable(failure);
  }

  /**
   * With {@link Kind#FAILED}, the time until it is retried.
   *
   * @return empty when it is not retried, and otherwise
   */
  public Optional<Duration> retryIn() {
    return failure == null || waitNanos < 0 ? Optional.empty() : Optional.of(Duration.ofNanos(waitNanos));
  }

  /**
   * The facts in one line.
   *
   * @return text for people
   */
  @Override
  public String toString() {
    if (failure != null) return kind + ": " + failure.getMessage();
    return kind + ": " + (path == null ? "" : path + ", ") + bytes + " bytes" + (found ? ", found" : "");
  }
}
