package io.binlog;

import java.nio.file.attribute.PosixFilePermission;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** How a log is written. Options that are not set have the library's defaults. Immutable, and usable for any number
 * of writers. */
public final class WriterOptions {
  private static final int NEVER = 0xFFFFFFFF;
  private static final int BACKGROUND = 1;

  private final Builder set;

  private WriterOptions(Builder set) {
    this.set = set;
  }

  /**
   * Begins with the defaults.
   *
   * @return a new builder
   */
  public static Builder builder() {
    return new Builder();
  }

  boolean flushesAtShutdown() {
    return set.flushAtShutdown;
  }

  Upcalls.@Nullable FailureTarget failures(Handle owner) {
    return set.onFailure == null ? null : new Upcalls.FailureTarget(owner, set.onFailure);
  }

  NativeOptions.Writer toNative(Handle owner, Upcalls.@Nullable FailureTarget failures) {
    NativeOptions.Writer options = new NativeOptions.Writer();
    options.flags = set.background ? BACKGROUND : 0;
    options.codec = set.compression.ordinal();
    options.codecLevel = set.compressionLevel;
    options.blockBytes = set.blockBytes;
    options.name = Text.terminatedOrNull(set.name);
    options.contentType = Text.terminatedOrNull(set.contentType);
    options.parameters = Text.terminated(set.parameters);
    options.segmentBytes = set.segmentBytes;
    options.recordMaxBytes = set.recordMaxBytes;
    options.flushRecords = set.flushRecords;
    options.flushBytes = set.flushBytes;
    options.syncRecords = set.syncRecords;
    options.syncBytes = set.syncBytes;
    options.flushIntervalMillis = set.flushIntervalMillis;
    options.syncIntervalMillis = set.syncIntervalMillis;
    options.fileMode = set.fileMode;
    options.fullDisk = set.fullDisk.ordinal();
    options.fullDiskWaitMillis = set.fullDiskWaitMillis;
    options.indexBytes = set.indexBytes;
    options.fillAheadBytes = set.fillAheadBytes;
    options.schemaBytes = set.schemaBytes;
    options.roll = set.roll == null ? null : set.roll.toNative(owner, failures);
    options.keep = set.keep == null ? null : set.keep.toNative();
    options.require = set.require == null ? null : set.require.toNative();
    options.onOpen = NativeOptions.steps(set.onOpen, owner, failures);
    options.onClose = NativeOptions.steps(set.onClose, owner, failures);
    options.onFailure = failures;
    options.heartbeatMillis = set.heartbeatMillis;
    options.fileGroup = Text.terminatedOrNull(set.fileGroup);
    options.ship = set.ship == null ? null : set.ship.toNative();
    return options;
  }

  /** Names and values, for equality and text. */
  private Object[] said() {
    return new Object[] {
      "background", set.background,
      "compression", set.compression,
      "compressionLevel", set.compressionLevel,
      "blockBytes", set.blockBytes,
      "name", set.name,
      "contentType", set.contentType,
      "parameters", set.parameters,
      "segmentBytes", set.segmentBytes,
      "recordMaxBytes", set.recordMaxBytes,
      "flushRecords", set.flushRecords,
      "flushBytes", set.flushBytes,
      "syncRecords", set.syncRecords,
      "syncBytes", set.syncBytes,
      "flushIntervalMillis", set.flushIntervalMillis,
      "syncIntervalMillis", set.syncIntervalMillis,
      "fileMode", Text.octal(set.fileMode),
      "fullDisk", set.fullDisk,
      "fullDiskWaitMillis", set.fullDiskWaitMillis,
      "indexBytes", set.indexBytes,
      "fillAheadBytes", set.fillAheadBytes,
      "schemaBytes", set.schemaBytes,
      "roll", set.roll,
      "keep", set.keep,
      "require", set.require,
      "onOpen", set.onOpen,
      "onClose", set.onClose,
      "onFailure", set.onFailure,
      "heartbeatMillis", set.heartbeatMillis,
      "fileGroup", set.fileGroup,
      "ship", set.ship,
      "noFlushAtShutdown", !set.flushAtShutdown
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
    return other instanceof WriterOptions && Arrays.deepEquals(said(), ((WriterOptions) other).said());
  }

  @Override
  public int hashCode() {
    return Arrays.deepHashCode(said());
  }

  /**
   * The options, for messages.
   *
   * @return such as {@code WriterOptions{...}}, without defaults
   */
  @Override
  public String toString() {
    return Text.said("WriterOptions", said());
  }

  /** Collects options. The library checks them when a log is opened: {@link Status#INVALID}. */
  public static final class Builder implements Cloneable {
    /** BINLOG_FILL_NEVER. */
    private static final long FILL_NEVER = -1;

    private boolean background;
    private Compression compression = Compression.NONE;
    private int compressionLevel;
    private int blockBytes;
    private @Nullable String name;
    private @Nullable String contentType;
    private Map<String, String> parameters = new TreeMap<>();
    private long segmentBytes;
    private long recordMaxBytes;
    private long flushRecords;
    private long flushBytes;
    private long syncRecords;
    private long syncBytes;
    private int flushIntervalMillis;
    private int syncIntervalMillis;
    private int fileMode;
    private FullDisk fullDisk = FullDisk.FAIL;
    private long fullDiskWaitMillis;
    private long indexBytes;
    private long fillAheadBytes;
    private long schemaBytes;
    private @Nullable RollOptions roll;
    private @Nullable Retention keep;
    private @Nullable Required require;
    private List<Hook> onOpen = List.of();
    private List<Hook> onClose = List.of();
    private @Nullable Consumer<? super BinlogException> onFailure;
    private long heartbeatMillis;
    private @Nullable String fileGroup;
    private @Nullable ShipOptions ship;
    private boolean flushAtShutdown = true;

    private Builder() {}

    /**
     * Encodes and writes in a background thread, which also flushes, syncs and rolls on time when nothing is appended.
     *
     * @return this
     */
    public Builder background() {
      background = true;
      return this;
    }

    /**
     * Compresses payloads, block by block.
     *
     * @param compression how
     * @return this
     */
    public Builder compression(Compression compression) {
      this.compression = Objects.requireNonNull(compression, "compression");
      return this;
    }

    /**
     * Zstandard's level.
     *
     * @param level 0 = the library's default, 1
     * @return this
     */
    public Builder compressionLevel(int level) {
      compressionLevel = level;
      return this;
    }

    /**
     * Bytes of payload at which a block ends.
     *
     * @param bytes 4 KiB to 16 MiB; 0 = 128 KiB
     * @return this
     * @throws IllegalArgumentException for less than 0
     */
    public Builder blockBytes(int bytes) {
      blockBytes = (int) Text.notNegative(bytes, "blocks");
      return this;
    }

    /**
     * Name of the log, with which its files' names begin.
     *
     * @param name 1 to 128 bytes of UTF-8 without a slash; "default" when none is given
     * @return this
     */
    public Builder name(String name) {
      this.name = Objects.requireNonNull(name, "name");
      return this;
    }

    /**
     * The type of the payloads.
     *
     * @param contentType a MIME type; "application/octet-stream" when none is given
     * @return this
     */
    public Builder contentType(String contentType) {
      this.contentType = Objects.requireNonNull(contentType, "contentType");
      return this;
    }

    /**
     * A parameter of the user's own, stored in every segment's header.
     *
     * @param key its key
     * @param value its value
     * @return this
     */
    public Builder parameter(String key, String value) {
      parameters.put(Objects.requireNonNull(key, "key"), Objects.requireNonNull(value, "value"));
      return this;
    }

    /**
     * Rolls to a new segment before one grows over this size.
     *
     * @param bytes 0 = 1 GiB; {@link Long#MAX_VALUE} = never. A segment contains at least one block, and can be larger
     *     because of it: a block of small records has up to 256 KiB of entries
     * @return this
     * @throws IllegalArgumentException for less than 0
     */
    public Builder segmentBytes(long bytes) {
      segmentBytes = Text.notNegative(bytes, "segments") == Long.MAX_VALUE ? -1 : bytes;
      return this;
    }

    /**
     * The longest payload that is accepted.
     *
     * @param bytes up to 2 GiB - 1; 0 = 1 GiB
     * @return this
     * @throws IllegalArgumentException for less than 0
     */
    public Builder recordMaxBytes(long bytes) {
      recordMaxBytes = Text.notNegative(bytes, "records");
      return this;
    }

    /**
     * An append that would leave so many records unflushed flushes before it returns.
     *
     * @param records 0 = no rule
     * @return this
     * @throws IllegalArgumentException for less than 0
     */
    public Builder flushRecords(long records) {
      flushRecords = Text.notNegative(records, "a number of records");
      return this;
    }

    /**
     * An append that would leave so many bytes of payload unflushed flushes before it returns.
     *
     * @param bytes 0 = no rule
     * @return this
     * @throws IllegalArgumentException for less than 0
     */
    public Builder flushBytes(long bytes) {
      flushBytes = Text.notNegative(bytes, "a number of bytes");
      return this;
    }

    /**
     * An append that would leave so many records not durable syncs before it returns.
     *
     * @param records 1 makes every append durable before it returns; 0 = no rule
     * @return this
     * @throws IllegalArgumentException for less than 0
     */
    public Builder syncRecords(long records) {
      syncRecords = Text.notNegative(records, "a number of records");
      return this;
    }

    /**
     * An append that would leave so many bytes of payload not durable syncs before it returns.
     *
     * @param bytes 0 = no rule
     * @return this
     * @throws IllegalArgumentException for less than 0
     */
    public Builder syncBytes(long bytes) {
      syncBytes = Text.notNegative(bytes, "a number of bytes");
      return this;
    }

    /**
     * Flushes records that are so old: on time with the background thread, else in the next append or {@link
     * BinlogWriter#tick}.
     *
     * @param age at least a millisecond, 49 days at the most; a second when this is not called; null = never
     * @return this
     * @throws IllegalArgumentException for a time that is not positive, or too long
     */
    public Builder flushInterval(Duration age) {
      flushIntervalMillis = age == null ? NEVER : (int) Text.millis(age, 0xFFFFFFFEL);
      return this;
    }

    /**
     * Syncs records that are so old, likewise.
     *
     * @param age at least a millisecond, 49 days at the most; null = never, as when this is not called
     * @return this
     * @throws IllegalArgumentException for a time that is not positive, or too long
     */
    public Builder syncInterval(Duration age) {
      syncIntervalMillis = age == null ? NEVER : (int) Text.millis(age, 0xFFFFFFFEL);
      return this;
    }

    /**
     * Permissions of new files, whatever the umask is.
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
     * Group that owns new files.
     *
     * @param group its name, or its number in digits; as the system gives it when none is given
     * @return this
     */
    public Builder fileGroup(String group) {
      fileGroup = Objects.requireNonNull(group, "group");
      return this;
    }

    /**
     * What a call does when the disk is full.
     *
     * @param policy {@link FullDisk#FAIL} when this is not called
     * @return this
     */
    public Builder fullDisk(FullDisk policy) {
      fullDisk = Objects.requireNonNull(policy, "policy");
      return this;
    }

    /**
     * With {@link FullDisk#WAIT}, the longest wait of a call.
     *
     * @param time at least a millisecond; for ever when this is not called
     * @return this
     * @throws IllegalArgumentException for a time that is not positive
     */
    public Builder fullDiskWait(Duration time) {
      fullDiskWaitMillis = Text.millis(time, Long.MAX_VALUE);
      return this;
    }

    /**
     * Writes an INDEX block after so many bytes of the file: an opening after a crash may have to search as much.
     *
     * @param bytes at least 4096; 0 = 64 MiB
     * @return this
     * @throws IllegalArgumentException for less than 0
     */
    public Builder indexBytes(long bytes) {
      indexBytes = Text.notNegative(bytes, "an index for each number of bytes");
      return this;
    }

    /**
     * Fills a segment with zeros ahead of its blocks, so many bytes at a time: a sync then commits data alone, which on
     * ext4 takes two thirds of the time. The file is up to so much longer than its contents until it is closed, and
     * everything is written twice. Without this option, it is 1 MiB if the sync policy syncs at least each 64 records,
     * each 64 KiB or each 10 ms, and nothing otherwise.
     *
     * @param bytes up to 64 MiB; 0 = never
     * @return this
     * @throws IllegalArgumentException for less than 0
     */
    public Builder fillAheadBytes(long bytes) {
      fillAheadBytes = bytes == 0 ? FILL_NEVER : Text.notNegative(bytes, "a number of bytes to fill ahead");
      return this;
    }

    /**
     * How many bytes the schemas of the log's types may have together: each segment begins with all of them.
     *
     * @param bytes up to 64 MiB; 0 = 1 MiB
     * @return this
     * @throws IllegalArgumentException for less than 0
     */
    public Builder schemaBytes(long bytes) {
      schemaBytes = Text.notNegative(bytes, "a number of bytes of schemas");
      return this;
    }

    /**
     * When the log rolls besides its size, and the names of its segments.
     *
     * @param rules the rules
     * @return this
     */
    public Builder roll(RollOptions rules) {
      roll = Objects.requireNonNull(rules, "rules");
      return this;
    }

    /**
     * Which old segments are removed, after each roll and when the writer is opened; none when this is not called.
     *
     * @param rules the rules
     * @return this
     */
    public Builder keep(Retention rules) {
      keep = Objects.requireNonNull(rules, "rules");
      return this;
    }

    /**
     * Properties that an existing log must have.
     *
     * @param required the requirements
     * @return this
     */
    public Builder require(Required required) {
      require = Objects.requireNonNull(required, "required");
      return this;
    }

    /**
     * Hooks for a segment that is begun, or for an existing one that is continued.
     *
     * @param hooks in their order
     * @return this
     */
    public Builder onOpen(Hook... hooks) {
      onOpen = new ArrayList<>(List.of(hooks));
      return this;
    }

    /**
     * Hooks for a segment that was closed and is durable; also for the last one, when the writer is closed.
     *
     * @param hooks in their order
     * @return this
     */
    public Builder onClose(Hook... hooks) {
      onClose = new ArrayList<>(List.of(hooks));
      return this;
    }

    /**
     * Sets a listener for failures that no call returns: of a hook, a roll check, the removal of an old segment, the
     * {@code .active} file, an active file that was removed by others. It runs in the thread in which the failure
     * happened. It must not use the writer, which is an {@link IllegalStateException}; what it throws goes to the
     * thread's handler of uncaught exceptions.
     *
     * @param listener the listener; {@link BinlogWriter#failures} counts all but roll checks anyway
     * @return this
     */
    public Builder onFailure(Consumer<? super BinlogException> listener) {
      onFailure = Objects.requireNonNull(listener, "listener");
      return this;
    }

    /**
     * Writes a {@link Event#HEARTBEAT} so often, in the background thread or in {@link BinlogWriter#tick}: it shows a
     * reader that the writer of an idle log is alive.
     *
     * @param interval at least a millisecond; never when this is not called
     * @return this
     * @throws IllegalArgumentException for a time that is not positive
     */
    public Builder heartbeat(Duration interval) {
      heartbeatMillis = Text.millis(interval, Long.MAX_VALUE);
      return this;
    }

    /**
     * Ships closed segments to a store, in a thread of the library: {@link BinlogWriter#shipStatus} returns the
     * progress, and {@link #onFailure} is called with each failure. A log that is a single file has no closed segments,
     * and is refused with this option.
     *
     * @param ship where to, and how; nothing is shipped when this is not called
     * @return this
     */
    public Builder ship(ShipOptions ship) {
      this.ship = Objects.requireNonNull(ship, "ship");
      return this;
    }

    /**
     * Whether the writer, if it is still open when the JVM shuts down, is flushed then: it is, unless this is called
     * with false. It is not closed, because other threads may still append. This flush calls no hook, no check and no
     * {@link #onFailure}: one that ends the JVM would wait for it, and it for that.
     *
     * @param flush false to leave it alone
     * @return this
     */
    public Builder flushAtShutdown(boolean flush) {
      flushAtShutdown = flush;
      return this;
    }

    /**
     * Builds the options.
     *
     * @return the options set so far
     */
    public WriterOptions build() {
      return new WriterOptions(clone());
    }

    @Override
    protected Builder clone() {
      try {
        Builder copy = (Builder) super.clone();
        copy.parameters = new TreeMap<>(parameters);
        return copy;
      } catch (CloneNotSupportedException e) {
        throw new AssertionError(e);
      }
    }
  }
}
