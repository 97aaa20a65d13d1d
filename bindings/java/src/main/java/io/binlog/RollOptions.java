package io.binlog;

import java.time.Duration;
import java.time.ZoneId;
import java.time.ZoneOffset;
import java.util.Arrays;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * When a log rolls, besides {@link WriterOptions.Builder#segmentBytes}, and the names of its segments. The first rule
 * that is met rolls; a rule that is not set does not apply. Immutable.
 */
public final class RollOptions {
  private final Builder set;

  private RollOptions(Builder set) {
    this.set = set;
  }

  /**
   * Begins with no rules and the default names.
   *
   * @return a new builder
   */
  public static Builder builder() {
    return new Builder();
  }

  NativeOptions.Roll toNative(Handle owner, Upcalls.@Nullable FailureTarget failures) {
    NativeOptions.Roll roll = new NativeOptions.Roll();
    roll.periodSeconds = set.periodSeconds;
    roll.ageMillis = set.ageMillis;
    roll.records = set.records;
    roll.zone = Text.terminatedOrNull(set.zone);
    roll.nameTemplate = Text.terminatedOrNull(set.nameTemplate);
    roll.check = set.check == null ? null : new Upcalls.CheckTarget(owner, set.check, failures);
    return roll;
  }

  /** Names and values, for equality and text. */
  private Object[] said() {
    return new Object[] {
      "periodSeconds", set.periodSeconds,
      "ageMillis", set.ageMillis,
      "records", set.records,
      "zone", set.zone,
      "nameTemplate", set.nameTemplate,
      "check", set.check
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
    return other instanceof RollOptions && Arrays.deepEquals(said(), ((RollOptions) other).said());
  }

  @Override
  public int hashCode() {
    return Arrays.deepHashCode(said());
  }

  /**
   * The rules, for messages.
   *
   * @return such as {@code RollOptions{...}}, without defaults
   */
  @Override
  public String toString() {
    return Text.said("RollOptions", said());
  }

  /** Collects rules. The library checks them when they are used: {@link Status#INVALID}. */
  public static final class Builder implements Cloneable {
    private long periodSeconds;
    private long ageMillis;
    private long records;
    private @Nullable String zone;
    private @Nullable String nameTemplate;
    private @Nullable RollCheck check;

    private Builder() {}

    /**
     * Rolls at each multiple of a period, by the wall clock of the zone: one hour is each full hour, a day each
     * midnight. Periods of more than a day are counted from 1970-01-01.
     *
     * @param period whole seconds, up to 100 years
     * @return this
     * @throws IllegalArgumentException for a period that is not a positive number of whole seconds
     */
    public Builder period(Duration period) {
      if (period.isNegative() || period.isZero() || period.getNano() != 0) {
        throw new IllegalArgumentException("a period of " + period);
      }
      periodSeconds = period.getSeconds();
      return this;
    }

    /**
     * Rolls so long after the segment was begun.
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
     * Rolls after so many records: no segment holds more, except for a larger batch.
     *
     * @param records 0 = no rule
     * @return this
     * @throws IllegalArgumentException for less than 0
     */
    public Builder records(long records) {
      this.records = Text.notNegative(records, "a number of records");
      return this;
    }

    /**
     * The zone of the period and of the times in names: one of the IANA database, UTC, or a fixed offset of whole hours
     * from -12 to +14. {@code ZoneOffset.UTC}, "Z" and similar ids are UTC, and "UTC+02:00" is the database's
     * "Etc/GMT-2", whose sign is reversed.
     *
     * @param zone UTC when none is given
     * @return this
     * @throws IllegalArgumentException for another offset, which has no name in the database
     */
    public Builder zone(ZoneId zone) {
      this.zone = nameOf(zone);
      return this;
    }

    private static String nameOf(ZoneId zone) {
      if (ZoneId.getAvailableZoneIds().contains(zone.getId())) return zone.getId();
      ZoneId fixed = zone.normalized();
      if (!(fixed instanceof ZoneOffset)) return zone.getId();
      int seconds = ((ZoneOffset) fixed).getTotalSeconds();
      int hours = seconds / 3600;
      if (seconds == 0) return "UTC";
      if (seconds % 3600 != 0 || hours < -12 || hours > 14) {
        throw new IllegalArgumentException("the offset " + zone + " is not of whole hours from -12 to +14: take a zone by name");
      }
      return "Etc/GMT" + (hours > 0 ? "-" + hours : "+" + -hours);
    }

    /**
     * The names of segments: {@code {name}} is the log's name, {@code {seq}} the segment's number in ten digits, the
     * rest as in strftime(3), from a fixed set of conversions. ".binlog" is added.
     *
     * @param template such as {@code {name}.{seq}.%Y-%m-%dT%H}; without one {@code {name}.{seq}}
     * @return this
     */
    public Builder nameTemplate(String template) {
      nameTemplate = Objects.requireNonNull(template, "template");
      return this;
    }

    /**
     * Rolls when a function returns true.
     *
     * @param check the function
     * @return this
     */
    public Builder check(RollCheck check) {
      this.check = Objects.requireNonNull(check, "check");
      return this;
    }

    /**
     * Builds the rules.
     *
     * @return the rules set so far
     */
    public RollOptions build() {
      return new RollOptions(clone());
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
