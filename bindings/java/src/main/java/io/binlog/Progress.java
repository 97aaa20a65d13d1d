package io.binlog;

import java.nio.file.Path;
import java.nio.file.Paths;

/** The progress of {@link Binlog#compress} or {@link Binlog#decompress} with one segment. */
public final class Progress {
  private final String path;
  private final long done;
  private final long bytes;

  Progress(String path, long done, long bytes) {
    this.path = path;
    this.done = done;
    this.bytes = bytes;
  }

  /**
   * The file that is being read.
   *
   * @return the path
   * @throws java.nio.file.InvalidPathException when the locale of this JVM has no way to name the file
   */
  public Path path() {
    return Paths.get(path);
  }

  /**
   * Bytes of it that were read, to be written and to be compared with what was written.
   *
   * @return twice {@link #bytes} in the end
   */
  public long done() {
    return done;
  }

  /**
   * The length of the file.
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
    return path + ": " + done / 2 + " of " + bytes + " bytes";
  }
}
