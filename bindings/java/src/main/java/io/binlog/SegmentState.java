package io.binlog;

import java.nio.file.Path;
import java.nio.file.Paths;
import java.time.Instant;

/** The segment that is being written, as a {@link RollCheck} sees it. */
public final class SegmentState {
  private final String path;
  private final long sequence;
  private final long created;
  private final long now;
  private final long bytes;
  private final long firstId;
  private final long records;

  SegmentState(String path, long sequence, long created, long now, long bytes, long firstId, long records) {
    this.path = path;
    this.sequence = sequence;
    this.created = created;
    this.now = now;
    this.bytes = bytes;
    this.firstId = firstId;
    this.records = records;
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
   * Its number in the log.
   *
   * @return from 1
   */
  public long sequence() {
    return sequence;
  }

  /**
   * When it was begun.
   *
   * @return the time
   */
  public Instant created() {
    return Text.instant(created);
  }

  /**
   * The current time.
   *
   * @return the time of the call
   */
  public Instant now() {
    return Text.instant(now);
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
   * The number of its records.
   *
   * @return 0 or more
   */
  public long records() {
    return records;
  }

  /**
   * The facts in one line.
   *
   * @return text for people
   */
  @Override
  public String toString() {
    return "segment " + sequence + ": " + path + ", " + records + " records, " + bytes + " bytes";
  }
}
