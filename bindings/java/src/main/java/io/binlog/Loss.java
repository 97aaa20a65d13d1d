package io.binlog;

import java.nio.file.Path;

/** Something that a cursor or a recovery could not read, or skipped. */
public final class Loss {
  /** The kind of a loss. Later versions may add kinds. */
  public enum Kind {
    /** A kind that this version of the wrapper does not know. */
    OTHER,
    /** Bytes that differ from what was written. */
    DAMAGE,
    /** The end of a log that a crash tore: its bytes had never been durable. */
    TORN_TAIL,
    /** Bytes, records or segments that should be there are not. */
    MISSING,
    /** The beginning of a segment is damaged, or nothing is left of it. */
    HEADER_LOST,
    /** Bytes were removed from the file, or inserted; the following ones are read at their new
     * place. */
    SHIFTED,
    /** Bytes left by a power cut, which are no blocks, as a later segment of the log records. */
    HOLE,
    /** A file whose segment is read from another file; no record is lost. */
    DOUBLE,
    /** A file that has the name of another segment; it is read in its place, and no record is lost. */
    MISNAMED,
    /** A damaged file whose segment is read from its other form; no record is lost. */
    OTHER_FORM,
    /** Something that only a newer version of the library can read. */
    NEWER,
    /** The name of a type. */
    TYPE_NAME,
    /** A damaged INDEX block; no record is lost. */
    INDEX,
    /** A block that takes more memory than the reader's options allow. */
    TOO_LARGE;

    static Kind of(int number) {
      return number > 0 && number < values().length ? values()[number] : OTHER;
    }
  }

  private final Kind kind;
  private final String path;
  private final String reason;
  private final long offset;
  private final long bytes;
  private final long firstId;
  private final long lastId;
  private final long firstPage;
  private final long pageCount;
  private final boolean durable;

  Loss(
      Kind kind, String path, String reason, long offset, long bytes, long firstId, long lastId, long firstPage,
      long pageCount, boolean durable) {
    this.kind = kind;
    this.path = path;
    this.reason = reason;
    this.offset = offset;
    this.bytes = bytes;
    this.firstId = firstId;
    this.lastId = lastId;
    this.firstPage = firstPage;
    this.pageCount = pageCount;
    this.durable = durable;
  }

  /**
   * The kind.
   *
   * @return the kind; new ones may come with later versions
   */
  public Kind kind() {
    return kind;
  }

  /**
   * The file it was in, or that shows that it is missing.
   *
   * @return the path
   * @throws java.nio.file.InvalidPathException when the locale of this JVM has no way to name the file
   * @throws UnsupportedOperationException when it is in a store: see {@link #location}
   */
  public Path path() {
    return Text.path(path);
  }

  /**
   * Where that is.
   *
   * @return the path, or the URL of an object in a store
   */
  public String location() {
    return path;
  }

  /**
   * What is wrong with the bytes.
   *
   * @return one line
   */
  public String reason() {
    return reason;
  }

  /**
   * Where the skipped bytes begin.
   *
   * @return bytes from the beginning of the file
   */
  public long offset() {
    return offset;
  }

  /**
   * The number of skipped bytes.
   *
   * @return 0 when the bytes that should follow are missing
   */
  public long bytes() {
    return bytes;
  }

  /**
   * The first record that is lost.
   *
   * @return its id; 0 when there is none, or it is unknown
   */
  public long firstId() {
    return firstId;
  }

  /**
   * The last record that is lost.
   *
   * @return its id; 0 when there is none, or it is unknown
   */
  public long lastId() {
    return lastId;
  }

  /**
   * The first damaged page of 4 KiB of the block's payload.
   *
   * @return its number from 0
   */
  public long firstPage() {
    return firstPage;
  }

  /**
   * How many damaged pages the block's payload has.
   *
   * @return 0 when the damage is not in pages
   */
  public long pageCount() {
    return pageCount;
  }

  /**
   * Whether the bytes had been made durable: a disk or a person damaged them, and not a crash.
   *
   * @return true when they had
   */
  public boolean durable() {
    return durable;
  }

  /**
   * The facts in one line.
   *
   * @return text for people
   */
  @Override
  public String toString() {
    return path + ": " + bytes + " bytes at " + offset + ": " + reason
        + (lastId == 0 ? "" : ", records " + firstId + " to " + lastId);
  }
}
