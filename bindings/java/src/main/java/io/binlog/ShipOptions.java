package io.binlog;

import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermission;
import java.time.Duration;
import java.util.Arrays;
import java.util.Objects;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Where a log is shipped to, and how. Options that are not set have the library's defaults. Immutable, and usable for
 * any number of shippers and writers. They contain no secret: credentials are in the environment or in a file.
 */
public final class ShipOptions {
  private static final int NO_ROLL_AT_CLOSE = 1;
  private static final int DRY_RUN = 2;

  private final Builder set;

  private ShipOptions(Builder set) {
    this.set = set;
  }

  /**
   * Begins with a store and the defaults.
   *
   * @param url the store: {@code s3://BUCKET/PREFIX?region=...}, {@code gs://BUCKET/PREFIX},
   *     {@code az://CONTAINER/PREFIX?account=...}, {@code swift://CONTAINER/PREFIX?auth=...}, {@code
   *     file:///DIRECTORY}, or {@code exec:COMMAND}, which finds the file's path in the environment variable
   *     {@code BINLOG_PATH} and its name in {@code BINLOG_NAME}; docs/stores.md describes all options. One with a
   * secret in it is refused when it is used
   * @return a new builder
   */
  public static Builder builder(String url) {
    return new Builder(Objects.requireNonNull(url, "url"));
  }

  NativeOptions.Ship toNative() {
    Library.stores(set.url);
    NativeOptions.Ship options = new NativeOptions.Ship();
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

  /** Names and values, for equality and text. */
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
   * Whether the other has the same options. Functions are equal only if they are the same object.
   *
   * @param other what it is compared with
   * @return true for the same
   */
  @Override
  public boolean equals(@Nullable Object other) {
    return other instanceof ShipOptions && Arrays.deepEquals(said(), ((ShipOptions) other).said());
  }

  @Override
  public int hashCode() {
    return Arrays.deepHashCode(said());
  }

  /**
   * The options, for messages; the URL without its own options, which might contain a secret.
   *
   * @return such as {@code ShipOptions{...}}, without defaults
   */
  @Override
  public String toString() {
    Object[] said = said();
    said[1] = Text.harmless(set.url);
    return Text.said("ShipOptions", said);
  }

  /** Collects options. The library checks them when they are used: {@link Status#INVALID}. */
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
     * A file with the credentials. Without it, they come from the environment, or from the machine itself.
     *
     * @param file lines of KEY=VALUE, which others must not be able to read
     * @return this
     */
    public Builder credentials(Path file) {
      credentials = file.toString();
      return this;
    }

    /**
     * Which segments stay here after the store holds them. A segment that the store does not hold stays in any case,
     * and so do those after it. Before a file is removed, the store is checked once more.
     *
     * @param keep the rules; all segments stay when this is not called
     * @return this
     */
    public Builder keep(Retention keep) {
      this.keep = Objects.requireNonNull(keep, "keep");
      return this;
    }

    /**
     * Which segments stay in the store; the others are removed there after a segment was shipped, and once an hour.
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
     *     {@link CompressOptions.Builder#onProgress}; segments are shipped as they are when this is not called
     * @return this
     * @throws IllegalArgumentException for options with a listener
     */
    public Builder compress(CompressOptions compress) {
      if (compress.onProgress() != null) {
        throw new IllegalArgumentException("compression reports no progress when a log is shipped");
      }
      this.compress = compress;
      return this;
    }

    /**
     * Larger segments are sent in parts of this size, or in larger ones where there would be more than 1000. An upload
     * holds as many parts in memory as are in flight.
     *
     * @param bytes up to 1 GiB; 0 = 8 MiB. S3, Google and Azure require at least 5 MiB
     * @return this
     * @throws IllegalArgumentException for less than 0
     */
    public Builder partBytes(long bytes) {
      partBytes = Text.notNegative(bytes, "parts");
      return this;
    }

    /**
     * The maximum number of concurrent requests, for the parts of one segment.
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
     * The number of threads. With more than one, so many compute the checksums of a segment that is sent in parts.
     * While one segment becomes an object, up to {@code number - 1} following ones are read already, and their parts
     * are sent. They still become objects in their order.
     *
     * @param number 1 to 64; 0 = 1, which is the shipping thread alone
     * @return this
     * @throws IllegalArgumentException for less than 0
     */
    public Builder threads(int number) {
      threads = (int) Text.notNegative(number, "a number of threads");
      return this;
    }

    /**
     * The maximum rate of sending.
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
     * A request fails after so long without any progress.
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
     * The maximum delay after a first failure; twice as long after each further one, up to {@link #longestDelay}. The
     * delay is chosen at random between 0 and that: many shippers that fail together do not come back together.
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
     * The maximum delay after many failures.
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
     * How long {@link Shipper#run} retries without progress before it fails.
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
     * Unfinished uploads of this log that were begun longer ago than this, by any process, are aborted at the start,
     * and cost nothing any longer.
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
     * Within a writer: how long {@link BinlogWriter#close} continues shipping. Segments that are left then are shipped
     * when the log is opened again.
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
     * Within a writer: whether closing it rolls first, which puts all records into segments that can be shipped.
     *
     * @param roll true when this is not called; with false the records of the newest segment are shipped after the log
     * was opened again and has rolled
     * @return this
     */
    public Builder rollAtClose(boolean roll) {
      flags = roll ? flags & ~NO_ROLL_AT_CLOSE : flags | NO_ROLL_AT_CLOSE;
      return this;
    }

    /**
     * Writes, sends and removes nothing: {@link Shipper#run} only reports what it would do. Not within a writer.
     *
     * @return this
     */
    public Builder dryRun() {
      flags |= DRY_RUN;
      return this;
    }

    /**
     * Permissions of {@code <log>.archive}, the ledger in the log's directory, which records the state of each segment.
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
     * Builds the options.
     *
     * @return the options set so far
     */
    public ShipOptions build() {
      return new ShipOptions(clone());
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
