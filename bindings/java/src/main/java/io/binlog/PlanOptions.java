package io.binlog;

import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/** How a log is divided into splits. Options that are not set have the library's defaults. Immutable. */
public final class PlanOptions {
  private final long targetBytes;
  private final long most;

  private PlanOptions(Builder set) {
    targetBytes = set.targetBytes;
    most = set.most;
  }

  /**
   * Begins with the defaults.
   *
   * @return a new builder
   */
  public static Builder builder() {
    return new Builder();
  }

  NativeOptions.Plan toNative() {
    NativeOptions.Plan options = new NativeOptions.Plan();
    options.targetBytes = targetBytes;
    options.most = most;
    return options;
  }

  /** Names and values, for equality and text. */
  private Object[] said() {
    return new Object[] {
      "targetBytes", targetBytes,
      "most", most
    };
  }

  /**
   * Whether the other has the same options.
   *
   * @param other what it is compared with
   * @return true for the same
   */
  @Override
  public boolean equals(@Nullable Object other) {
    return other instanceof PlanOptions && Arrays.deepEquals(said(), ((PlanOptions) other).said());
  }

  @Override
  public int hashCode() {
    return Arrays.deepHashCode(said());
  }

  /**
   * The options, for messages.
   *
   * @return such as {@code PlanOptions{...}}, without defaults
   */
  @Override
  public String toString() {
    return Text.said("PlanOptions", said());
  }

  /** Collects options. */
  public static final class Builder {
    private long targetBytes;
    private long most;

    private Builder() {}

    /**
     * The length of a split. One is shorter where the log ends, and longer where a segment cannot be cut.
     *
     * @param bytes of its blocks, as they are stored; 0 = 64 MiB
     * @return this
     * @throws IllegalArgumentException for less than 0
     */
    public Builder targetBytes(long bytes) {
      targetBytes = Text.notNegative(bytes, "a number of bytes");
      return this;
    }

    /**
     * No more splits than this, as far as possible: each log has at least one, and two where something is wrong in it.
     *
     * @param splits 0 = no limit
     * @return this
     * @throws IllegalArgumentException for less than 0
     */
    public Builder most(long splits) {
      most = Text.notNegative(splits, "a number of splits");
      return this;
    }

    /**
     * Builds the options.
     *
     * @return the options set so far
     */
    public PlanOptions build() {
      return new PlanOptions(this);
    }
  }
}
