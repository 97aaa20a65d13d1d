package io.binlog;

import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** Which records a cursor shows: those that meet all conditions. Immutable. */
public final class Filter {
  private static final int HEADERS = 1;
  private static final int EVENTS = 2;
  private static final int NEWEST_FIRST = 4;
  private static final Filter ALL = builder().build();

  private final int flags;
  private final long fromId;
  private final long toId;
  private final long fromTime;
  private final long toTime;
  private final int @Nullable [] types;
  private final List<String> typeNames;
  private final List<String> metadata;
  private final long last;

  private Filter(Builder set) {
    flags = set.flags;
    fromId = set.fromId;
    toId = set.toId;
    fromTime = set.fromTime;
    toTime = set.toTime;
    types = set.types.isEmpty() ? null : set.types.stream().mapToInt(Integer::intValue).toArray();
    typeNames = List.copyOf(set.typeNames);
    metadata = List.copyOf(set.metadata);
    last = set.last;
  }

  /**
   * Every record, and no event.
   *
   * @return the same filter always
   */
  public static Filter all() {
    return ALL;
  }

  /**
   * Begins with every record, and no event.
   *
   * @return a new builder
   */
  public static Builder builder() {
    return new Builder();
  }

  boolean isNewestFirst() {
    return (flags & NEWEST_FIRST) != 0;
  }

  NativeOptions.Filter toNative() {
    NativeOptions.Filter filter = new NativeOptions.Filter();
    filter.flags = flags;
    filter.fromId = fromId;
    filter.toId = toId;
    filter.fromTimeNanos = fromTime;
    filter.toTimeNanos = toTime;
    filter.types = types;
    filter.typeNames = Text.terminated(typeNames, typeNames.size());
    filter.metadata = Text.terminated(metadata, metadata.size());
    filter.last = last;
    return filter;
  }

  /** Names and values, for equality and text. */
  private Object[] said() {
    return new Object[] {
      "headersOnly", (flags & HEADERS) != 0,
      "events", (flags & EVENTS) != 0,
      "newestFirst", (flags & NEWEST_FIRST) != 0,
      "fromId", fromId,
      "toId", toId,
      "fromNanos", fromTime,
      "toNanos", toTime,
      "types", types,
      "typeNames", typeNames,
      "metadata", metadata,
      "last", last
    };
  }

  /**
   * Whether the other has the same conditions. Functions are equal only if they are the same object.
   *
   * @param other what it is compared with
   * @return true for the same
   */
  @Override
  public boolean equals(@Nullable Object other) {
    return other instanceof Filter && Arrays.deepEquals(said(), ((Filter) other).said());
  }

  @Override
  public int hashCode() {
    return Arrays.deepHashCode(said());
  }

  /**
   * The conditions, for messages.
   *
   * @return such as {@code Filter{...}}, without defaults
   */
  @Override
  public String toString() {
    return Text.said("Filter", said());
  }

  /** Collects conditions. */
  public static final class Builder {
    private int flags;
    private long fromId;
    private long toId;
    private long fromTime;
    private long toTime;
    private final List<Integer> types = new ArrayList<>();
    private final List<String> typeNames = new ArrayList<>();
    private final List<String> metadata = new ArrayList<>();
    private long last;

    private Builder() {}

    /**
     * Never touches the bytes of payloads: {@link Record#hasPayload} is false.
     *
     * @return this
     */
    public Builder headersOnly() {
      flags |= HEADERS;
      return this;
    }

    /**
     * Shows the library's own records too: see {@link Event}.
     *
     * @return this
     */
    public Builder events() {
      flags |= EVENTS;
      return this;
    }

    /**
     * From the newest record to the oldest; what is appended later is not shown. Not with {@link ReaderMode#SALVAGE}.
     *
     * @return this
     */
    public Builder newestFirst() {
      flags |= NEWEST_FIRST;
      return this;
    }

    /**
     * From this id on.
     *
     * @param id the first that is shown; 0 = no bound
     * @return this
     * @throws IllegalArgumentException for less than 0
     */
    public Builder fromId(long id) {
      fromId = Text.notNegative(id, "an id");
      return this;
    }

    /**
     * Up to this id.
     *
     * @param id the last that is shown; 0 = no bound
     * @return this
     * @throws IllegalArgumentException for less than 0
     */
    public Builder toId(long id) {
      toId = Text.notNegative(id, "an id");
      return this;
    }

    /**
     * From this time on.
     *
     * @param time the earliest that is shown; {@link Instant#EPOCH} shows a record of the nanosecond before it too
     * @return this
     * @throws ArithmeticException for a time that 64 bits of nanoseconds do not hold
     */
    public Builder from(Instant time) {
      return fromNanos(bound(time));
    }

    /**
     * Before this time.
     *
     * @param time the first that is not shown; {@link Instant#EPOCH} leaves out a record of the nanosecond before it
     * too
     * @return this
     * @throws ArithmeticException for a time that 64 bits of nanoseconds do not hold
     */
    public Builder to(Instant time) {
      return toNanos(bound(time));
    }

    /** The epoch itself is the 0 that means no bound: the nanosecond before replaces it. */
    private static long bound(Instant time) {
      long nanos = Text.nanos(time);
      return nanos == 0 ? -1 : nanos;
    }

    /**
     * From this time on.
     *
     * @param nanos nanoseconds since the Unix epoch; 0 = no bound
     * @return this
     */
    public Builder fromNanos(long nanos) {
      fromTime = nanos;
      return this;
    }

    /**
     * Before this time.
     *
     * @param nanos nanoseconds since the Unix epoch; 0 = no bound
     * @return this
     */
    public Builder toNanos(long nanos) {
      toTime = nanos;
      return this;
    }

    /**
     * Of one of these types, or of those that are named with {@link #typeName}.
     *
     * @param numbers added to those that were given before
     * @return this
     */
    public Builder type(int... numbers) {
      for (int number : numbers) types.add(number);
      return this;
    }

    /**
     * Of the types with these names, or of those that are given with {@link #type}.
     *
     * @param names added to those that were given before
     * @return this
     */
    public Builder typeName(String... names) {
      typeNames.addAll(List.of(names));
      return this;
    }

    /**
     * With this pair among its metadata; with all of them, when this is called again.
     *
     * @param key its key
     * @param value its value
     * @return this
     */
    public Builder metadata(String key, String value) {
      metadata.add(Objects.requireNonNull(key, "key"));
      metadata.add(Objects.requireNonNull(value, "value"));
      return this;
    }

    /**
     * Only the last so many of the records that match the rest, in the same order. Events do not count.
     *
     * @param records 0 = all
     * @return this
     * @throws IllegalArgumentException for less than 0
     */
    public Builder last(long records) {
      last = Text.notNegative(records, "a number of records");
      return this;
    }

    /**
     * Builds the filter.
     *
     * @return the conditions set so far
     */
    public Filter build() {
      return new Filter(this);
    }
  }
}
