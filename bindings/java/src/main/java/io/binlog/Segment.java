package io.binlog;

import java.nio.file.Path;
import java.time.Instant;
import java.util.Collections;
import java.util.Map;

/** The header of a segment of a log. */
public final class Segment {
  private final long sequence;
  private final long firstId;
  private final long created;
  private final long bytes;
  private final String path;
  private final String name;
  private final String contentType;
  private final Map<String, String> parameters;

  Segment(
      long sequence, long firstId, long created, long bytes, String path, String name, String contentType,
      Map<String, String> parameters) {
    this.sequence = sequence;
    this.firstId = firstId;
    this.created = created;
    this.bytes = bytes;
    this.path = path;
    this.name = name;
    this.contentType = contentType;
    this.parameters = Collections.unmodifiableMap(parameters);
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
   * The first record in it.
   *
   * @return its id
   */
  public long firstId() {
    return firstId;
  }

  /**
   * When it was created.
   *
   * @return the time
   */
  public Instant created() {
    return Text.instant(created);
  }

  /**
   * Its length when the reader was opened.
   *
   * @return bytes; 0 for a file that is compressed as a whole
   */
  public long bytes() {
    return bytes;
  }

  /**
   * Its file.
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
   * The log's name.
   *
   * @return the name
   */
  public String name() {
    return name;
  }

  /**
   * The type of the payloads.
   *
   * @return a MIME type
   */
  public String contentType() {
    return contentType;
  }

  /**
   * The parameters of its writer.
   *
   * @return an unmodifiable map, sorted by key
   */
  public Map<String, String> parameters() {
    return parameters;
  }

  /**
   * The facts in one line.
   *
   * @return text for people
   */
  @Override
  public String toString() {
    return "segment " + sequence + " of " + name + ": " + path
        + ", from record " + firstId + " on, " + bytes + " bytes";
  }
}
