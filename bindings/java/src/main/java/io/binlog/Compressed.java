package io.binlog;

import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** A segment that was compressed, or made an ordinary one again. */
public final class Compressed {
  private final String path;
  private final String source;
  private final @Nullable String sha256;
  private final long sequence;
  private final long records;
  private final long bytesBefore;
  private final long bytesAfter;
  private final boolean sourceRemoved;

  Compressed(
      String path, String source, @Nullable String sha256, long sequence, long records, long bytesBefore, long bytesAfter,
      boolean sourceRemoved) {
    this.path = path;
    this.source = source;
    this.sha256 = sha256;
    this.sequence = sequence;
    this.records = records;
    this.bytesBefore = bytesBefore;
    this.bytesAfter = bytesAfter;
    this.sourceRemoved = sourceRemoved;
  }

  /**
   * The new file, which this run or an earlier one has made.
   *
   * @return the path
   * @throws java.nio.file.InvalidPathException when the locale of this JVM has no way to name the file
   */
  public Path path() {
    return Paths.get(path);
  }

  /**
   * The file it was made from.
   *
   * @return the path
   * @throws java.nio.file.InvalidPathException when the locale of this JVM has no way to name the file
   */
  public Path source() {
    return Paths.get(source);
  }

  /**
   * The SHA-256 of the new file, with {@link CompressOptions.Builder#sha256Name}.
   *
   * @return hexadecimal digits
   */
  public Optional<String> sha256() {
    return Optional.ofNullable(sha256);
  }

  /**
   * The segment's number in its log.
   *
   * @return from 1
   */
  public long sequence() {
    return sequence;
  }

  /**
   * The number of its records without events.
   *
   * @return 0 after a dry run
   */
  public long records() {
    return records;
  }

  /**
   * The length of the source.
   *
   * @return bytes
   */
  public long bytesBefore() {
    return bytesBefore;
  }

  /**
   * The length of the new file.
   *
   * @return bytes; 0 after a dry run
   */
  public long bytesAfter() {
    return bytesAfter;
  }

  /**
   * Whether the source was removed.
   *
   * @return true when it was
   */
  public boolean sourceRemoved() {
    return sourceRemoved;
  }

  /**
   * The facts in one line.
   *
   * @return text for people
   */
  @Override
  public String toString() {
    return path + ": " + records + " records, " + bytesBefore + " to " + bytesAfter + " bytes, from " + source;
  }
}
