package io.binlog;

import java.nio.file.Path;
import java.nio.file.Paths;

/** A segment that was removed, or would be. */
public final class Pruned {
  private final String path;
  private final String reason;
  private final long sequence;
  private final long bytes;
  private final long firstId;
  private final long lastId;

  Pruned(String path, String reason, long sequence, long bytes, long firstId, long lastId) {
    this.path = path;
    this.reason = reason;
    this.sequence = sequence;
    this.bytes = bytes;
    this.firstId = firstId;
    this.lastId = lastId;
  }

  /**
   * Its file.
   *
   * @return the path
   * @throws java.nio.file.InvalidPathException when the locale of this JVM has no way to name the file
   */
  public Path path() {
    return Paths.get(path);
  }

  /**
   * The rule that it went by.
   *
   * @return "age", "segments" or "bytes"
   */
  public String reason() {
    return reason;
  }

  /**
   * Its number in the log.
   *
   * @return from 1
   */
  public long sequence() {
    return sequence;
  }

  /**
   * The length of its file.
   *
   * @return bytes
   */
  public long bytes() {
    return bytes;
  }

  /**
   * The first record in it.
   *
   * @return its id
   */
  public long firstId() {
    return firstId;
  }

  /**
   * The last record in it.
   *
   * @return its id; {@code firstId() - 1} when it holds none
   */
  public long lastId() {
    return lastId;
  }

  /**
   * The facts in one line.
   *
   * @return text for people
   */
  @Override
  public String toString() {
    return path + ": records " + firstId + " to " + lastId + ", " + bytes + " bytes, by " + reason;
  }
}
