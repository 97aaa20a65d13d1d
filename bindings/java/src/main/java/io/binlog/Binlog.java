package io.binlog;

import java.lang.ref.Cleaner;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** Operations on whole logs, and the library's version. */
public final class Binlog {
  /** Frees objects that were not closed. */
  static final Cleaner CLEANER = Cleaner.create();

  private Binlog() {}

  /**
   * The version of the library that is loaded.
   *
   * @return such as "0.1.0"
   */
  public static String version() {
    return Text.text(Native.version());
  }

  /**
   * The version of the library that is loaded.
   *
   * @return major &lt;&lt; 16 | minor &lt;&lt; 8 | patch
   */
  public static int versionNumber() {
    return Native.versionNumber();
  }

  /**
   * Where the library was loaded from: see the README of the binding.
   *
   * @return text for people
   */
  public static String libraryOrigin() {
    Native.versionNumber(); // loads it
    return Library.origin();
  }

  /**
   * Writes everything that can be read of a log to a new one: segments of the same names in a directory, which is
   * created if necessary and must hold no segment. The source is only read. Ids stay as they are; where records are
   * lost, an event records which.
   *
   * @param source a file or a directory
   * @param target the directory of the new log
   * @param onLoss is called with each loss when it is found, in this thread; may be null. If it throws, this     call
   * finishes its work and then throws the same
   * @return what was saved and what was not
   * @throws BinlogException {@link BinlogException.NotFound} when nothing is there, or the target is no directory;
   *     {@link BinlogException.Corrupt} when there is no block in any of its files; {@link BinlogException.Unsupported}
   *     when it is of a newer version; {@link Status#INVALID} when the target holds segments already;
   *     {@link BinlogException.NoSpace}, {@link Status#IO}. The target keeps what was written before the error
   */
  public static Recovery recover(Path source, Path target, @Nullable Consumer<? super Loss> onLoss) throws BinlogException {
    return recover(Text.terminated(source.toString()), Text.terminated(target.toString()), onLoss);
  }

  /**
   * Writes the damaged segments of a log anew, under their names, after keeping the damaged files as {@code
   * <segment>.damaged}. No writer may have the log open. A crash in the middle leaves every segment either as it was or
   * recovered; another call continues.
   *
   * @param path a directory or a file
   * @param onLoss as {@link #recover}
   * @return what was saved and what was not
   * @throws BinlogException {@link BinlogException.Locked} when a writer has the log open; otherwise as
   *     {@link #recover}
   */
  public static Recovery recoverInPlace(Path path, @Nullable Consumer<? super Loss> onLoss) throws BinlogException {
    return recover(Text.terminated(path.toString()), null, onLoss);
  }

  private static Recovery recover(byte[] source, byte @Nullable [] target, @Nullable Consumer<? super Loss> onLoss) throws BinlogException {
    Upcalls.@Nullable Losses losses = onLoss == null ? null : new Upcalls.Losses(onLoss);
    long[] sums = new long[4];
    try {
      Native.recover(source, target, losses, sums);
    } finally {
      Upcalls.Losses.rethrow(losses);
    }
    return new Recovery(sums[0], sums[1], sums[2], sums[3]);
  }

  /**
   * Appends a complete index to each segment whose index is incomplete, and closes the segment. Reads headers, no
   * payload. No writer may have the log open.
   *
   * @param path a directory or a file
   * @return the number of segments that were changed
   * @throws BinlogException {@link BinlogException.Corrupt} when a segment is damaged or ends with a torn tail and has
   *     to be recovered first; {@link BinlogException.Locked} when a writer has the log open;
   *     {@link BinlogException.NotFound}, {@link BinlogException.Unsupported}, {@link BinlogException.NoSpace},
   *     {@link Status#IO}
   */
  public static long rebuildIndex(Path path) throws BinlogException {
    return Native.rebuildIndex(Text.terminated(path.toString()));
  }

  /**
   * Removes old segments. A log's last segment always stays, and a writer may have the log open. Only files whose
   * headers make them segments of the log are removed, and never through a symbolic link.
   *
   * @param directory where the log is
   * @param log its name; null = each log there, by itself
   * @param keep the rules, at least one
   * @param dryRun true to remove nothing, and return what would be removed
   * @return the removed segments, log by log, the oldest first
   * @throws BinlogException {@link BinlogException.NotFound} when there is no such directory or log;
   *     {@link Status#INVALID} without a rule; {@link Status#IO}: some may have been removed before, the message says
   * how many
   */
  public static List<Pruned> prune(Path directory, @Nullable String log, Retention keep, boolean dryRun) throws BinlogException {
    List<Pruned> gone = new ArrayList<>();
    Native.prune(
        Text.terminated(directory.toString()), Text.terminatedOrNull(log), keep.toNative(), dryRun ? 1 : 0, gone);
    return Collections.unmodifiableList(gone);
  }

  /**
   * Compresses finished segments: those in a directory that have a successor, one file, or the files that match a
   * pattern. The newest segment of each log, which a writer may continue, and compressed segments are skipped in a
   * directory; a log of one file is compressed when it is named and was closed, and is kept beside the result. No
   * writer or reader is disturbed.
   *
   * <p>At each moment, also when the power fails, each segment is whole in one of its two forms: the result is made
   * durable, read back and compared record by record before the source is removed. A later run finishes or removes what
   * an interrupted one has left.
   *
   * @param path a directory, a file or a pattern
   * @param log the log's name; null = each log there
   * @param options how
   * @return the segments, log by log, the oldest first
   * @throws BinlogException {@link Status#INVALID} for wrong options, the URL of a store, and a file that cannot be
   *     compressed, which is the newest of its log, not closed, or compressed already; {@link BinlogException.NotFound}
   *     when nothing is there; {@link BinlogException.Locked} when a writer or another process has the segment;
   *     {@link BinlogException.Corrupt} when it is damaged; {@link BinlogException.Unsupported} when this build lacks
   *     the codec; {@link BinlogException.NoSpace}, {@link Status#IO}. The segment that failed is as it was; the others
   *     of a directory are compressed nevertheless, and the error is the first one
   */
  public static List<Compressed> compress(Path path, @Nullable String log, CompressOptions options) throws BinlogException {
    return compress(false, path, log, options);
  }

  /**
   * Makes ordinary segments from compressed ones, with the same records and ids; a file that was compressed as a whole
   * becomes the original, byte for byte.
   *
   * @param path a directory, a file or a pattern
   * @param log the log's name; null = each log there
   * @param options of which it uses {@code keepSource}, {@code removeSingle}, {@code dryRun} and {@code onProgress}
   * @return the segments, log by log, the oldest first
   * @throws BinlogException as {@link #compress}
   */
  public static List<Compressed> decompress(Path path, @Nullable String log, CompressOptions options) throws BinlogException {
    return compress(true, path, log, options);
  }

  private static List<Compressed> compress(boolean back, Path path, @Nullable String log, CompressOptions options)
      throws BinlogException {
    List<Compressed> made = new ArrayList<>();
    Upcalls.@Nullable Listener<Progress> listener = Upcalls.Listener.of(null, options.onProgress());
    try {
      Native.compress(
          back, Text.terminated(path.toString()), Text.terminatedOrNull(log), options.toNative(), listener, made);
    } finally {
      Upcalls.Listener.rethrow(listener);
    }
    return Collections.unmodifiableList(made);
  }
}
