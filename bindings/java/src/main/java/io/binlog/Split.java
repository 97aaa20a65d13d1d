package io.binlog;

import java.time.Instant;
import org.jspecify.annotations.Nullable;

/** A part of a log that is read independently of the others: see {@link BinlogReader#plan(Filter, PlanOptions)}. */
public final class Split {
  private final String token;
  private final String location;
  private final long firstId;
  private final long lastId;
  private final long records;
  private final long bytes;
  private final long firstTime;
  private final long lastTime;

  Split(
      String token, String location, long firstId, long lastId, long records, long bytes, long firstTime,
      long lastTime) {
    this.token = token;
    this.location = location;
    this.firstId = firstId;
    this.lastId = lastId;
    this.records = records;
    this.bytes = bytes;
    this.firstTime = firstTime;
    this.lastTime = lastTime;
  }

  /** Where the token's log is, if it is a token. */
  static String place(String token) {
    String[] parts = token.split(":", 8);
    return parts.length < 8 ? "" : parts[7];
  }

  /**
   * The name by which {@link BinlogReader#openSplit(String, ReaderOptions)} opens it, in this process or another one.
   *
   * @return one line of text without spaces; it contains no credentials
   */
  public String token() {
    return token;
  }

  /**
   * Where the log is.
   *
   * @return an absolute path, a pattern, or a URL with its options
   */
  public String location() {
    return location;
  }

  /**
   * The first record that can be in it. The splits of a plan do not overlap.
   *
   * @return its id
   */
  public long firstId() {
    return firstId;
  }

  /**
   * The last record that can be in it.
   *
   * @return its id; {@code firstId() - 1} if there are only events in it
   */
  public long lastId() {
    return lastId;
  }

  /**
   * How many of its records the filter may want, by the index. Times and metadata are known for blocks only: fewer
   * records may match, but never more.
   *
   * @return a number of records
   */
  public long records() {
    return records;
  }

  /**
   * The length of the blocks that contain these records, as they are stored; of the whole file where blocks are not
   * known.
   *
   * @return bytes
   */
  public long bytes() {
    return bytes;
  }

  /**
   * No record in these blocks has an earlier time.
   *
   * @return the time; null when it is not known
   */
  public @Nullable Instant firstTime() {
    return firstTime == Long.MIN_VALUE ? null : Text.instant(firstTime);
  }

  /**
   * No record in these blocks has a later time.
   *
   * @return the time; null when it is not known
   */
  public @Nullable Instant lastTime() {
    return lastTime == Long.MAX_VALUE ? null : Text.instant(lastTime);
  }

  /**
   * The facts in one line.
   *
   * @return text for people
   */
  @Override
  public String toString() {
    return "records " + firstId + " to " + lastId + " of " + location + ": " + records + " records, " + bytes + " bytes";
  }
}
