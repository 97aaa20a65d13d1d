package io.binlog.spark;

import java.io.Serializable;
import java.time.DateTimeException;
import java.time.Instant;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.OffsetDateTime;
import java.time.ZoneId;
import org.apache.spark.sql.internal.SQLConf;
import org.jspecify.annotations.Nullable;

/** Where a stream begins that has no checkpoint: at an id, or at a time. */
final class Start implements Serializable {
  private static final long serialVersionUID = 1L;
  private static final String TIMES =
      "a time such as 2026-01-31T12:00:00Z or 2026-01-31 12:00:00, or nanoseconds since the Unix epoch";

  /** The first id; 1 = the beginning of each log. */
  final long id;
  /** Nanoseconds since the Unix epoch; null = the id counts. */
  final @Nullable Long timeNs;

  private Start(long id, @Nullable Long timeNs) {
    this.id = id;
    this.timeNs = timeNs;
  }

  static Start of(@Nullable String id, @Nullable String time) {
    if (id != null && time != null) {
      throw new IllegalArgumentException("the options startingId and startingTime exclude each other: give one of them");
    }
    if (time != null) return new Start(1, nanos(time.strip()));
    return new Start(id == null ? 1 : id(id.strip()), null);
  }

  private static long id(String text) {
    try {
      long id = Long.parseLong(text);
      if (id > 0) return id;
    } catch (NumberFormatException e) {
      // The message below says more.
    }
    throw ReadOptions.wrong("startingId", text, "the id of a record, from 1");
  }

  private static long nanos(String text) {
    try {
      if (text.matches("-?[0-9]+")) return Long.parseLong(text);
      Instant time = instant(text);
      return Math.addExact(Math.multiplyExact(time.getEpochSecond(), 1_000_000_000L), time.getNano());
    } catch (DateTimeException | ArithmeticException | NumberFormatException e) {
      throw ReadOptions.wrong("startingTime", text, TIMES);
    }
  }

  /** Times without a zone are of the session's. */
  private static Instant instant(String text) {
    String iso = text.replaceFirst("^([0-9-]+) +", "$1T");
    if (iso.matches(".*T.*(Z|[+-][0-9:]+)")) return OffsetDateTime.parse(iso).toInstant();
    LocalDateTime local = iso.contains("T") ? LocalDateTime.parse(iso) : LocalDate.parse(iso).atStartOfDay();
    return local.atZone(ZoneId.of(SQLConf.get().sessionLocalTimeZone())).toInstant();
  }
}
