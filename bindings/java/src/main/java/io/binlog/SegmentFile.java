package io.binlog;

import java.nio.file.Path;
import java.nio.file.Paths;
import java.time.Instant;

/** A segment that begins or was closed, as a {@link Hook} sees it. */
public final class SegmentFile {
  private final String path;
  private final String log;
  private final String reason;
  private final long sequence;
  private final long created;
  private final long firstId;
  private final long records;
  private final long bytes;

  SegmentFile(
      String path, String log, String reason, long sequence, long created, long firstId, long records, long bytes) {
    this.path = path;
    this.log = log;
    this.reason = reason;
    this.sequence = sequence;
    this.created = created;
    this.firstId = firstId;
    this.records = records;
    this.bytes = bytes;
  }

  /**
   * Where its file is now.
   *
   * @return the path
   * @throws java.nio.file.InvalidPathException when the locale of this JVM has no way to name the file
   */
  public Path path() {
    return Paths.get(path);
  }

  /**
   * The log's name.
   *
   * @return the name
   */
  public String log() {
    return log;
  }

  /**
   * Why it was closed.
   *
   * @return "bytes", "period", "age", "records", "check", "options", "moved", "close", or the reason given
   * to     {@link BinlogWriter#rollBecause}; "" when it is being opened
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
   * When it was begun.
   *
   * @return the time
   */
  public Instant created() {
    return Text.instant(created);
  }

  /**
   * The first record in it, or the one that will be the first.
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
   * The length of its file.
   *
   * @return bytes
   */
  public long bytes() {
    return bytes;
  }

  /**
   * The facts in one line.
   *
   * @return text for people
   */
  @Override
  public String toString() {
    return "segment " + sequence + " of " + log + ": " + path
        + (reason.isEmpty() ? "" : ", closed because of " + reason);
  }
}
