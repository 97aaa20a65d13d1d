package io.binlog;

import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermission;
import java.time.Duration;
import java.util.Arrays;
import java.util.Objects;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Where a log is shipped to, and how. What is not said is the library's default. Immutable, and good for any number of
 * shippers and writers. There is no secret in it: credentials are in the environment or in a file.
 */
public final class ArchiveOptions {
  private static final int NO_ROLL_AT_CLOSE = 1;
  private static final int DRY_RUN = 2;

  private final Builder set;

  private ArchiveOptions(Builder set) {
    this.set = set;
  }

  /**
   * Begins with a store and the defaults.
   *
   * @param url the store: {@code s3://BUCKET/PREFIX?region=...}, {@code gs://BUCKET/PREFIX},
   *     {@code az://CONTAINER/PREFIX?account=...}, {@code swift://CONTAINER/PREFIX?auth=...}, {@code
   *     file:///DIRECTORY}, or {@code exec:COMMAND}, which finds the file's path in the environment variable
   *     {@code BINLOG_PATH} and its name in {@code BINLOG_NAME}; docs/stores.md tells all of their options. One with
   *     something secret in it is refused when it is used
   * @return a new builder
   */
  public static Builder builder(String url) {
    return new Builder(Objects.requireNonNull(url, "url"));
  }

  NativeOptions.Archive toNative() {
    Library.stores(set.url);
    NativeOptions.Archive options = new NativeOptions.Archive();
    options.flags = set.flags;
    options.inFlight = set.inFlight;
    options.threads = set.threads;
    options.url = Text.terminated(set.url);
    options.credentials = Text.terminatedOrNull(set.credentials);
    options.keep = set.keep == null ? null : set.keep.toNative();
    options.keepRemote = set.keepRemote == null ? null : set.keepRemote.toNative();
    options.compress = set.compress == null ? null : set.compress.toNative();
    options.partBytes = set.partBytes;
    options.bandwidth = set.bandwidth;
    options.timeoutMillis = set.timeoutMillis;
    options.firstDelayMillis = set.firstDelayMillis;
    options.longestDelayMillis = set.longestDelayMillis;
    options.patienceMillis = set.patienceMillis;
    options.staleMillis = set.staleMillis;
    options.closeWaitMillis = set.closeWaitMillis;
    options.fileMode = set.fileMode;
    return options;
  }

  /** Names and values, which equality and text go by. */
  private Object[] said() {
    return new Object[] {
      "url", set.url,
      "noRollAtClose", (set.flags & NO_ROLL_AT_CLOSE) != 0,
      "dryRun", (set.flags & DRY_RUN) != 0,
      "inFlight", set.inFlight,
      "threads", set.threads,
      "credentials", set.credentials,
      "keep", set.keep,
      "keepRemote", set.keepRemote,
      "compress", set.compress,
      "partBytes", set.partBytes,
      "bandwidth", set.bandwidth,
      "timeoutMillis", set.timeoutMillis,
      "firstDelayMillis", set.firstDelayMillis,
      "longestDelayMillis", set.longestDelayMillis,
      "patienceMillis", set.patienceMillis,
      "staleMillis", set.staleMillis,
      "closeWaitMillis", set.closeWaitMillis,
      "fileMode", Text.octal(set.fileMode)
    };
  }

  /**
   * Whether the other says the same. Functions are the same only if they are one object.
   *
   * @param other what it is compared with
   * @return true for the same
   */
  @Override
  public boolean equals(@Nullable Object other) {
    return other instanceof ArchiveOptions && Arrays.deepEquals(said(), ((ArchiveOptions) other).said());
  }

  @Override
  public int hashCode() {
    return Arrays.deepHashCode(said());
  }

  /**
   * What was said, for messages; of the URL without its options, where one may have put a secret.
   *
   * @return such as {@code ArchiveOptions{...}}, without what is the default
   */
  @Override
  public String toString() {
    Object[] said = said();
    said[1] = Text.harmless(set.url);
    return Text.said("ArchiveOptions", said);
  }

  /** Collects options. The library judges them when they are used: {@link Status#INVALID}. */
  public static final class Builder implements Cloneable {
    private final String url;
    private int flags;
    private int inFlight;
    private int threads;
    private @Nullable String credentials;
    private @Nullable Retention keep;
    private @Nullable Retention keepRemote;
    private @Nullable CompressOptions compress;
    private long partBytes;
    private long bandwidth;
    private long timeoutMillis;
    private long firstDelayMillis;
    private long longestDelayMillis;
    private long patienceMillis;
    private long staleMillis;
    private long closeWaitMillis;
    private int fileMode;

    private Builder(String url) {
      this.url = url;
    }

    /**
     * A file with the credentials. Without it the environment has them, or the machine itself.
     *
     * @param file lines of KEY=VALUE, which others must not be able to read
     * @return this
     */
    public Builder credentials(Path file) {
      credentials = file.toString();
      return this;
    }

    /**
     * Which segments stay here once the store holds them. A segment that the store does not hold stays in any case, and
     * so do those behind it. Before a file is removed the store is asked once more.
     *
     * @param keep the rules; all segments stay when this is not called
     * @return this
     */
    public Builder keep(Retention keep) {
      this.keep = Objects.requireNonNull(keep, "keep");
      return this;
    }

    /**
     * Which segments stay in the store; the others are removed there when one was shipped, and once an hour.
     *
     * @param keep the rules; all segments stay when this is not called
     * @return this
     */
    public Builder keepRemote(Retention keep) {
      keepRemote = Objects.requireNonNull(keep, "keep");
      return this;
    }

    /**
     * Compresses each segment before it is shipped, and removes the source.
     *
     * @param compress how: not as a whole, without {@link CompressOptions.Builder#keepSource},
     *     {@link CompressOptions.Builder#removeSingle}, {@link CompressOptions.Builder#dryRun} and
     *     {@link CompressOptions.Builder#onProgress}; segments go as they are when this is not called
     * @return this
     * @throws IllegalArgumentException for options with a listener
     */
    public Builder compress(CompressOptions compress) {
      if (compress.onProgress() != null) {
        throw new IllegalArgumentException("nobody is told of the progress of compression when a log is shipped");
      }
      this.compress = compress;
      return this;
    }

    /**
     * Segments over this size go in parts of it, or in larger ones where it would take more than 1000. An upload holds
     * as many parts in memory as are in flight.
     *
     * @param bytes up to 1 GiB; 0 = 8 MiB. S3, Google and Azure want 5 MiB at least
     * @return this
     * @throws IllegalArgumentException for less than 0
     */
    public Builder partBytes(long bytes) {
      partBytes = Text.notNegative(bytes, "parts");
      return this;
    }

    /**
     * Requests at a time, for the parts of one segment.
     *
     * @param requests 1 to 64; 0 = 4
     * @return this
     * @throws IllegalArgumentException for less than 0
     */
    public Builder inFlight(int requests) {
      inFlight = (int) Text.notNegative(requests, "a number of requests");
      return this;
    }

    /**
     * Threads at work. With more than one, so many compute the checksums of a segment that goes in parts, and while one
     * becomes an object, as many less one that come next are read already, and their parts are sent. They become objects
     * in their order all the same.
     *
     * @param number 1 to 64; 0 = 1, which is only the one that ships
     * @return this
     * @throws IllegalArgumentException for less than 0
     */
    public Builder threads(int number) {
      threads = (int) Text.notNegative(number, "a number of threads");
      return this;
    }

    /**
     * How much is sent at most.
     *
     * @param bytesPerSecond 0 = no limit
     * @return this
     * @throws IllegalArgumentException for less than 0
     */
    public Builder bandwidth(long bytesPerSecond) {
      bandwidth = Text.notNegative(bytesPerSecond, "a bandwidth");
      return this;
    }

    /**
     * After so long without any progress a request has failed.
     *
     * @param time at least a millisecond; 30 seconds when this is not called
     * @return this
     * @throws IllegalArgumentException for a time that is not positive
     */
    public Builder timeout(Duration time) {
      timeoutMillis = Text.millis(time, Long.MAX_VALUE);
      return this;
    }

    /**
     * How long to wait at most after a first failure; twice as long after each one that follows, up to
     * {@link #longestDelay}. The time is chosen at random between nothing and that, so that many who fail at once do
     * not come back at once.
     *
     * @param time at least a millisecond; a second when this is not called
     * @return this
     * @throws IllegalArgumentException for a time that is not positive
     */
    public Builder firstDelay(Duration time) {
      firstDelayMillis = Text.millis(time, Long.MAX_VALUE);
      return this;
    }

    /**
     * How long to wait at most after one of many failures.
     *
     * @param time at least a millisecond; 5 minutes when this is not called
     * @return this
     * @throws IllegalArgumentException for a time that is not positive
     */
    public Builder longestDelay(Duration time) {
      longestDelayMillis = Text.millis(time, Long.MAX_VALUE);
      return this;
    }

    /**
     * For how long {@link Shipper#run} tries again without getting any further before it fails.
     *
     * @param time at least a millisecond; 5 minutes when this is not called
     * @return this
     * @throws IllegalArgumentException for a time that is not positive
     */
    public Builder patience(Duration time) {
      patienceMillis = Text.millis(time, Long.MAX_VALUE);
      return this;
    }

    /**
     * What is left of uploads of this log that were begun, by whomever, longer ago than this is given up at the start,
     * so that it costs nothing any longer.
     *
     * @param age at least a millisecond; 7 days when this is not called
     * @return this
     * @throws IllegalArgumentException for a time that is not positive
     */
    public Builder stale(Duration age) {
      staleMillis = Text.millis(age, Long.MAX_VALUE);
      return this;
    }

    /**
     * Within a writer: for how long {@link BinlogWriter#close} goes on shipping. What is left then is shipped when the
     * log is opened again.
     *
     * @param time at least a millisecond; 5 seconds when this is not called
     * @return this
     * @throws IllegalArgumentException for a time that is not positive
     */
    public Builder closeWait(Duration time) {
      closeWaitMillis = Text.millis(time, Long.MAX_VALUE);
      return this;
    }

    /**
     * Within a writer: whether closing it rolls first, so that all records stand in segments that can be shipped.
     *
     * @param roll true when this is not called; with false the records of the newest segment are shipped when the log
     *     has been opened again and has rolled
     * @return this
     */
    public Builder rollAtClose(boolean roll) {
      flags = roll ? flags & ~NO_ROLL_AT_CLOSE : flags | NO_ROLL_AT_CLOSE;
      return this;
    }

    /**
     * Nothing is written, sent or removed: {@link Shipper#run} only tells what it would do. Not within a writer.
     *
     * @return this
     */
    public Builder dryRun() {
      flags |= DRY_RUN;
      return this;
    }

    /**
     * Permissions of {@code <log>.archive}, the file in the log's directory that says how far each segment is.
     *
     * @param permissions at least one; owner rw, group r when this is not called
     * @return this
     * @throws IllegalArgumentException for none
     */
    public Builder filePermissions(Set<PosixFilePermission> permissions) {
      fileMode = Text.mode(permissions);
      return this;
    }

    /**
     * Ends.
     *
     * @return the options as they are by now
     */
    public ArchiveOptions build() {
      return new ArchiveOptions(clone());
    }

    @Override
    protected Builder clone() {
      try {
        return (Builder) super.clone();
      } catch (CloneNotSupportedException e) {
        throw new AssertionError(e);
      }
    }
  }
}
