package io.binlog;

import java.time.Duration;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * Which old segments are removed. All rules that are set apply; the segment that is being written stays in any case.
 * Immutable.
 */
public final class Retention {
  private static final int UNSHIPPED = 1;

  private final long ageMillis;
  private final long segments;
  private final long bytes;
  private final boolean unshipped;

  private Retention(Builder set) {
    ageMillis = set.ageMillis;
    segments = set.segments;
    bytes = set.bytes;
    unshipped = set.unshipped;
  }

  /**
   * Begins with no rules.
   *
   * @return a new builder
   */
  public static Builder builder() {
    return new Builder();
  }

  NativeOptions.Keep toNative() {
    NativeOptions.Keep keep = new NativeOptions.Keep();
    keep.ageMillis = ageMillis;
    keep.segments = segments;
    keep.bytes = bytes;
    keep.flags = unshipped ? UNSHIPPED : 0;
    return keep;
  }

  /** Names and values, for equality and text. */
  private Object[] said() {
    return new Object[] {
      "ageMillis", ageMillis,
      "segments", segments,
      "bytes", bytes,
      "unshipped", unshipped
    };
  }

  /**
   * Whether the other has the same rules. Functions are equal only if they are the same object.
   *
   * @param other what it is compared with
   * @return true for the same
   */
  @Override
  public boolean equals(@Nullable Object other) {
    return other instanceof Retention && Arrays.deepEquals(said(), ((Retention) other).said());
  }

  @Override
  public int hashCode() {
    return Arrays.deepHashCode(said());
  }

  /**
   * The rules, for messages.
   *
   * @return such as {@code Retention{...}}, without defaults
   */
  @Override
  public String toString() {
    return Text.said("Retention", said());
  }

  /** Collects rules. */
  public static final class Builder {
    private long ageMillis;
    private long segments;
    private long bytes;
    private boolean unshipped;

    private Builder() {}

    /**
     * Removes a segment when the one after it was begun longer ago than this.
     *
     * @param age at least a millisecond
     * @return this
     * @throws IllegalArgumentException for a time that is not positive
     */
    public Builder age(Duration age) {
      ageMillis = Text.millis(age, Long.MAX_VALUE);
      return this;
    }

    /**
     * Removes the oldest until no more than so many are there, including the one being written.
     *
     * @param segments 0 = no rule
     * @return this
     * @throws IllegalArgumentException for less than 0
     */
    public Builder segments(long segments) {
      this.segments = Text.notNegative(segments, "a number of segments");
      return this;
    }

    /**
     * Removes the oldest until all together take no more than so many bytes, including the one being written.
     *
     * @param bytes 0 = no rule
     * @return this
     * @throws IllegalArgumentException for less than 0
     */
    public Builder bytes(long bytes) {
      this.bytes = Text.notNegative(bytes, "a number of bytes");
      return this;
    }

    /**
     * Of a log that is shipped to a store, removes segments that no store holds, too. Without it such a segment
     * stays, with those after it, whatever the rules say. Not for {@link ShipOptions.Builder#keep}.
     *
     * @return this
     */
    public Builder unshipped() {
      unshipped = true;
      return this;
    }

    /**
     * Builds the rules.
     *
     * @return the rules set so far
     */
    public Retention build() {
      return new Retention(this);
    }
  }
}
