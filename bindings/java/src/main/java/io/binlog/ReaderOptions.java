package io.binlog;

import java.nio.file.Path;
import java.util.Arrays;
import java.util.Objects;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** How a log is read. Options that are not set have the library's defaults. Immutable, and usable for any number of
 * readers. */
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

  /** Null for no listener. */
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

  /** Names and values, for equality and text. */
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
   * Whether the other has the same options. Functions are equal only if they are the same object.
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
   * The options, for messages.
   *
   * @return such as {@code ReaderOptions{...}}, without defaults
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
     * What the reader does at damage.
     *
     * @param mode {@link ReaderMode#PREFIX} when this is not called
     * @return this
     */
    public Builder mode(ReaderMode mode) {
      this.mode = Objects.requireNonNull(mode, "mode");
      return this;
    }

    /**
     * With {@link ReaderMode#SALVAGE}, sets a listener that each cursor calls with each loss that it meets, in the
     * thread that reads, before it returns the records after it. Cursors in several threads call it at the same time.
     * It must not use the cursor that calls it: that is an {@link IllegalStateException}. If it throws, the call that
     * reads finishes its work and then throws the same; no record is lost by it.
     *
     * @param listener the listener
     * @return this
     */
    public Builder onLoss(Consumer<? super Loss> listener) {
      onLoss = Objects.requireNonNull(listener, "listener");
      return this;
    }

    /**
     * Properties that the log must have.
     *
     * @param required the requirements
     * @return this
     */
    public Builder require(Required required) {
      require = Objects.requireNonNull(required, "required");
      return this;
    }

    /**
     * Of the logs of a directory or a pattern, reads only the one of this name, whatever the state of the others.
     * Without it all are read, one after the other.
     *
     * @param name the log's name; {@link BinlogException.NotFound} when none has it
     * @return this
     */
    public Builder log(String name) {
      log = Objects.requireNonNull(name, "name");
      return this;
    }

    /**
     * For a log in a store: keeps what was fetched, and does not fetch it again. Any number of processes of one user
     * may share the directory. One that others may write is refused: they could put records into the log.
     *
     * @param directory on this machine, created if necessary; nothing is kept when this is not called
     * @return this
     */
    public Builder cache(Path directory) {
      cache = directory.toString();
      return this;
    }

    /**
     * How much that directory may hold; the least recently used is removed first.
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
     * The most memory that reading one block may take: its stored bytes, and its decompressed bytes. A block that takes
     * more is {@link BinlogException.TooLarge}, and a loss for a reader that salvages. Use less than the default for
     * logs from others.
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
     * For a log in a store: a file with the credentials. Without it, they come from the environment, or from the
     * machine itself.
     *
     * @param file lines of KEY=VALUE, which others must not be able to read
     * @return this
     */
    public Builder credentials(Path file) {
      credentials = file.toString();
      return this;
    }

    /**
     * Builds the options.
     *
     * @return the options set so far
     */
    public ReaderOptions build() {
      return new ReaderOptions(this);
    }
  }
}
