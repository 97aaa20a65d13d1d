package io.binlog;

import java.util.Objects;
import java.util.function.Consumer;

/** How a log is read. What is not said is the library's default. Immutable, and good for any number of readers. */
public final class ReaderOptions {
  private final ReaderMode mode;
  private final Consumer<? super Loss> onLoss;
  private final Required require;

  private ReaderOptions(Builder set) {
    mode = set.mode;
    onLoss = set.onLoss;
    require = set.require;
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
  Upcalls.Losses losses() {
    return onLoss == null ? null : new Upcalls.Losses(onLoss);
  }

  NativeOptions.Reader toNative(Upcalls.Losses losses) {
    NativeOptions.Reader options = new NativeOptions.Reader();
    options.mode = mode.ordinal();
    options.onLoss = losses;
    options.require = require == null ? null : require.toNative();
    return options;
  }

  /** Collects options. */
  public static final class Builder {
    private ReaderMode mode = ReaderMode.PREFIX;
    private Consumer<? super Loss> onLoss;
    private Required require;

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
     * Ends.
     *
     * @return the options as they are by now
     */
    public ReaderOptions build() {
      return new ReaderOptions(this);
    }
  }
}
