package io.binlog;

import java.time.Duration;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * Which old segments are removed. All rules that are given are kept; the segment that is being written stays whatever
 * they say. Immutable.
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

  /** Names and values, which equality and text go by. */
  private Object[] said() {
    return new Object[] {
      "ageMillis", ageMillis,
      "segments", segments,
      "bytes", bytes,
      "unshipped", unshipped
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
    return other instanceof Retention && Arrays.deepEquals(said(), ((Retention) other).said());
  }

  @Override
  public int hashCode() {
    return Arrays.deepHashCode(said());
  }

  /**
   * What was said, for messages.
   *
   * @return such as {@code Retention{...}}, without what is the default
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
     * A segment goes when the one after it was begun longer ago than this.
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
     * The oldest go until no more than so many are there, the one being written among them.
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
     * The oldest go until all together take no more than so many bytes, the one being written among them.
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
     * Of a log that is shipped to a store, removes what is in none yet, too. Without it such a segment stays, with
     * those behind it, whatever the rules say. Not for {@link ArchiveOptions.Builder#keep}.
     *
     * @return this
     */
    public Builder unshipped() {
      unshipped = true;
      return this;
    }

    /**
     * Ends.
     *
     * @return the rules as they are by now
     */
    public Retention build() {
      return new Retention(this);
    }
  }
}
