package io.binlog;

import java.nio.file.Path;
import java.util.Arrays;
import java.util.Objects;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** How a log is read. What is not said is the library's default. Immutable, and good for any number of readers. */
public final class ReaderOptions {
  private final ReaderMode mode;
  private final @Nullable Consumer<? super Loss> onLoss;
  private final @Nullable Required require;
  private final @Nullable String cache;
  private final long cacheBytes;
  private final @Nullable String credentials;
  private final long blockMaxBytes;
  private final @Nullable String log;

  private ReaderOptions(Builder set) {
    mode = set.mode;
    onLoss = set.onLoss;
    require = set.require;
    cache = set.cache;
    cacheBytes = set.cacheBytes;
    credentials = set.credentials;
    blockMaxBytes = set.blockMaxBytes;
    log = set.log;
  }

  /**
   * Begins with the defaults.
   *
   * @return a new builder
   */
  public static Builder builder() {
    return new Builder();
  }

  /** Null when nobody is to be told. */
  Upcalls.@Nullable Losses losses() {
    return onLoss == null ? null : new Upcalls.Losses(onLoss);
  }

  boolean salvages() {
    return mode == ReaderMode.SALVAGE;
  }

  NativeOptions.Reader toNative(Upcalls.@Nullable Losses losses) {
    NativeOptions.Reader options = new NativeOptions.Reader();
    options.mode = mode.ordinal();
    options.onLoss = losses;
    options.require = require == null ? null : require.toNative();
    options.cache = Text.terminatedOrNull(cache);
    options.cacheBytes = cacheBytes;
    options.credentials = Text.terminatedOrNull(credentials);
    options.blockMaxBytes = blockMaxBytes;
    options.log = Text.terminatedOrNull(log);
    return options;
  }

  /** Names and values, which equality and text go by. */
  private Object[] said() {
    return new Object[] {
      "mode", mode,
      "onLoss", onLoss,
      "require", require,
      "cache", cache,
      "cacheBytes", cacheBytes,
      "credentials", credentials,
      "blockMaxBytes", blockMaxBytes,
      "log", log
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
    return other instanceof ReaderOptions && Arrays.deepEquals(said(), ((ReaderOptions) other).said());
  }

  @Override
  public int hashCode() {
    return Arrays.deepHashCode(said());
  }

  /**
   * What was said, for messages.
   *
   * @return such as {@code ReaderOptions{...}}, without what is the default
   */
  @Override
  public String toString() {
    return Text.said("ReaderOptions", said());
  }

  /** Collects options. */
  public static final class Builder {
    private ReaderMode mode = ReaderMode.PREFIX;
    private @Nullable Consumer<? super Loss> onLoss;
    private @Nullable Required require;
    private @Nullable String cache;
    private long cacheBytes;
    private @Nullable String credentials;
    private long blockMaxBytes;
    private @Nullable String log;

    private Builder() {}

    /**
     * What the reader makes of damage.
     *
     * @param mode {@link ReaderMode#PREFIX} when this is not called
     * @return this
     */
    public Builder mode(ReaderMode mode) {
      this.mode = Objects.requireNonNull(mode, "mode");
      return this;
    }

    /**
     * With {@link ReaderMode#SALVAGE}, is told of each loss by each cursor that meets it, in the thread that reads,
     * before that gets the records behind it. Cursors in several threads call it at the same time. It must not use the
     * cursor that it is told by: that is an {@link IllegalStateException}. What it throws comes out of the call that
     * reads, when that has gone on to its end; no record is lost by it.
     *
     * @param listener is told
     * @return this
     */
    public Builder onLoss(Consumer<? super Loss> listener) {
      onLoss = Objects.requireNonNull(listener, "listener");
      return this;
    }

    /**
     * What the log must be.
     *
     * @param required the requirements
     * @return this
     */
    public Builder require(Required required) {
      require = Objects.requireNonNull(required, "required");
      return this;
    }

    /**
     * Of the logs of a directory or a pattern, reads the one of this name alone, whatever happens to the others. Without
     * it all are read, one after the other.
     *
     * @param name the log's name; {@link BinlogException.NotFound} when none has it
     * @return this
     */
    public Builder log(String name) {
      log = Objects.requireNonNull(name, "name");
      return this;
    }

    /**
     * For a log in a store: keeps what was fetched, so that it is not fetched again. Any number of processes of one user
     * may share the directory. One that others may write is refused: they could put records into the log.
     *
     * @param directory of this machine, made when it is not there; nothing is kept when this is not called
     * @return this
     */
    public Builder cache(Path directory) {
      cache = directory.toString();
      return this;
    }

    /**
     * How much that directory may hold; what was not used for longest goes first.
     *
     * @param bytes 0 = 1 GiB
     * @return this
     * @throws IllegalArgumentException for less than 0
     */
    public Builder cacheBytes(long bytes) {
      cacheBytes = Text.notNegative(bytes, "a number of bytes");
      return this;
    }

    /**
     * The most memory that reading one block may take: its bytes as they are stored, and those they are decompressed
     * to. A block that takes more is {@link BinlogException.TooLarge}, and a loss for a reader that salvages. A log from
     * somebody else is better read with less than the default.
     *
     * @param bytes 0 = 4 GiB: every block that a writer makes without compression
     * @return this
     * @throws IllegalArgumentException for less than 0
     */
    public Builder blockMaxBytes(long bytes) {
      blockMaxBytes = Text.notNegative(bytes, "a number of bytes");
      return this;
    }

    /**
     * For a log in a store: a file with the credentials. Without it the environment has them, or the machine itself.
     *
     * @param file lines of KEY=VALUE, which others must not be able to read
     * @return this
     */
    public Builder credentials(Path file) {
      credentials = file.toString();
      return this;
    }

    /**
     * Ends.
     *
     * @return the options as they are by now
     */
    public ReaderOptions build() {
      return new ReaderOptions(this);
    }
  }
}
