package io.binlog;

import java.util.Arrays;
import java.util.Objects;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * How finished segments are compressed, and what happens to the sources. Options that are not set have the library's
 * defaults. Immutable, and usable for any number of calls.
 */
public final class CompressOptions {
  private static final int KEEP_SOURCE = 1;
  private static final int SHA256_NAME = 2;
  private static final int NO_DICTIONARY = 4;
  private static final int DRY_RUN = 8;
  private static final int REMOVE_SINGLE = 16;

  /** Whether a file is compressed as a whole, for other tools. To read one record, all before it is read. */
  public enum Whole {
    /** It is not: a compressed segment is a segment like any other, of which one record can be read alone. */
    NONE,
    /** By gzip: {@code <name>.binlog.gz}. */
    GZIP,
    /** By zstd: {@code <name>.binlog.zst}. */
    ZSTD
  }

  private final Builder set;

  private CompressOptions(Builder set) {
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

  /** Null for no listener. */
  @Nullable Consumer<? super Progress> onProgress() {
    return set.onProgress;
  }

  NativeOptions.Compress toNative() {
    NativeOptions.Compress options = new NativeOptions.Compress();
    options.flags = set.flags;
    options.codec = set.compression.ordinal();
    options.level = set.level;
    options.threads = set.threads;
    options.blockBytes = set.blockBytes;
    options.whole = set.whole.ordinal();
    return options;
  }

  /** Names and values, for equality and text. */
  private Object[] said() {
    return new Object[] {
      "keepSource", (set.flags & KEEP_SOURCE) != 0,
      "sha256Name", (set.flags & SHA256_NAME) != 0,
      "noDictionary", (set.flags & NO_DICTIONARY) != 0,
      "dryRun", (set.flags & DRY_RUN) != 0,
      "removeSingle", (set.flags & REMOVE_SINGLE) != 0,
      "compression", set.compression,
      "level", set.level,
      "threads", set.threads,
      "blockBytes", set.blockBytes,
      "whole", set.whole,
      "onProgress", set.onProgress
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
    return other instanceof CompressOptions && Arrays.deepEquals(said(), ((CompressOptions) other).said());
  }

  @Override
  public int hashCode() {
    return Arrays.deepHashCode(said());
  }

  /**
   * The options, for messages.
   *
   * @return such as {@code CompressOptions{...}}, without defaults
   */
  @Override
  public String toString() {
    return Text.said("CompressOptions", said());
  }

  /** Collects options. The library checks them when they are used: {@link Status#INVALID}. */
  public static final class Builder implements Cloneable {
    private int flags;
    private Compression compression = Compression.ZSTD;
    private int level;
    private int threads;
    private int blockBytes;
    private Whole whole = Whole.NONE;
    private @Nullable Consumer<? super Progress> onProgress;

    private Builder() {}

    /**
     * The compression of blocks.
     *
     * @param compression {@link Compression#ZSTD} when this is not called
     * @return this
     * @throws IllegalArgumentException for {@link Compression#NONE}
     */
    public Builder compression(Compression compression) {
      if (compression == Compression.NONE) throw new IllegalArgumentException("segments compressed with NONE");
      this.compression = Objects.requireNonNull(compression, "compression");
      return this;
    }

    /**
     * Zstandard's level. LZ4 has none; gzip's end at 9.
     *
     * @param level 1 to 22, or below 0 for the fast ones; 0 = 3
     * @return this
     */
    public Builder level(int level) {
      this.level = level;
      return this;
    }

    /**
     * The number of threads that compress, including the calling one.
     *
     * @param threads 1 to 64; 0 = 1, and none is started
     * @return this
     * @throws IllegalArgumentException for less than 0
     */
    public Builder threads(int threads) {
      this.threads = (int) Text.notNegative(threads, "a number of threads");
      return this;
    }

    /**
     * Bytes of payload at which a block ends, which is read and decompressed to show one record.
     *
     * @param bytes 4 KiB to 16 MiB; 0 = 1 MiB
     * @return this
     * @throws IllegalArgumentException for less than 0
     */
    public Builder blockBytes(int bytes) {
      blockBytes = (int) Text.notNegative(bytes, "blocks");
      return this;
    }

    /**
     * Compresses files as a whole.
     *
     * @param whole {@link Whole#NONE} when this is not called
     * @return this
     */
    public Builder whole(Whole whole) {
      this.whole = Objects.requireNonNull(whole, "whole");
      return this;
    }

    /**
     * Keeps the source beside the result; readers use one of the two.
     *
     * @return this
     */
    public Builder keepSource() {
      flags |= KEEP_SOURCE;
      return this;
    }

    /**
     * Puts the SHA-256 into the file's name: {@code <stem>.z.<64 hexadecimal digits>.binlog}.
     *
     * @return this
     */
    public Builder sha256Name() {
      flags |= SHA256_NAME;
      return this;
    }

    /**
     * Gives no segment a Zstandard dictionary. Without this, one with blocks of 256 KiB or less gets one if a test with
     * some of them shows that it clearly saves more than it takes.
     *
     * @return this
     */
    public Builder noDictionary() {
      flags |= NO_DICTIONARY;
      return this;
    }

    /**
     * Writes nothing; returns what would be done.
     *
     * @return this
     */
    public Builder dryRun() {
      flags |= DRY_RUN;
      return this;
    }

    /**
     * Removes the source also when it is a log of one file, which is kept otherwise.
     *
     * @return this
     */
    public Builder removeSingle() {
      flags |= REMOVE_SINGLE;
      return this;
    }

    /**
     * Sets a listener for the progress, called about once for each 4 MiB, in the thread of the call. An exception of it
     * stops the work and is thrown by the call; the current segment stays as it was.
     *
     * @param listener the listener
     * @return this
     */
    public Builder onProgress(Consumer<? super Progress> listener) {
      onProgress = Objects.requireNonNull(listener, "listener");
      return this;
    }

    /**
     * Builds the options.
     *
     * @return the options set so far
     */
    public CompressOptions build() {
      return new CompressOptions(clone());
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
