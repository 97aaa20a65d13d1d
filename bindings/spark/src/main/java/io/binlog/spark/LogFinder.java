package io.binlog.spark;

import io.binlog.BinlogException;
import io.binlog.BinlogReader;
import io.binlog.Cursor;
import io.binlog.Filter;
import io.binlog.PlanOptions;
import io.binlog.Record;
import io.binlog.Split;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Paths;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;

/** Finds the logs of a stream, and how far each of them goes now. */
final class LogFinder {
  /** A log that has records. */
  static final class Found {
    final String id;
    final String name;
    final String place;
    /** The first record, of those from the position on or just before it. */
    final long first;
    /** The record that will be appended next. */
    final long next;

    private Found(String id, String name, String place, long first, long next) {
      this.id = id;
      this.name = name;
      this.place = place;
      this.first = first;
      this.next = next;
    }
  }

  private static final PlanOptions ONE = PlanOptions.builder().most(1).build();

  private final ReadOptions options;
  private final LogNames names = new LogNames();

  LogFinder(ReadOptions options) {
    this.options = options;
  }

  /** The logs of all places. Only what is new behind the known positions is looked at, and the record before it. */
  List<Found> find(Map<String, LogOffset.Position> known) throws BinlogException {
    List<Found> all = new ArrayList<>();
    for (String place : Places.of(options.paths)) find(place, known, all);
    return all;
  }

  private void find(String place, Map<String, LogOffset.Position> known, List<Found> all) throws BinlogException {
    try (BinlogReader reader = Planner.open(place, options.reader())) {
      if (findOnly(reader, place, known, all)) return;
      for (String name : names.of(place, reader)) findNamed(place, name, known, all);
    } catch (BinlogException.NotFound e) {
      // A directory without a log yet is waited for.
      if (Places.isUrl(place) || !Files.isDirectory(Paths.get(place)) || options.log != null) throw e;
    }
  }

  private void findNamed(String place, String name, Map<String, LogOffset.Position> known, List<Found> all)
      throws BinlogException {
    try (BinlogReader reader = Planner.open(place, options.readerOf(name))) {
      if (!findOnly(reader, place, known, all)) find(reader, place, name, known, all);
    } catch (BinlogException.NotFound e) {
      // All of it was removed: nobody knows whether there was more than the stream has read.
    }
  }

  /**
   * Finds the log of a place that has only one, by a few of its segments. False for several logs, and where the newest
   * record cannot be read: then the headers of all segments tell more.
   */
  private boolean findOnly(
      BinlogReader reader, String place, Map<String, LogOffset.Position> known, List<Found> all) throws BinlogException {
    if (options.skipsDamage) return false; // a reader that salvages has no last record
    long last;
    try (Cursor cursor = reader.cursor(Filter.builder().headersOnly().last(1).build())) {
      Record newest = cursor.next();
      if (newest == null) return false;
      last = newest.id();
    } catch (BinlogException.Unsupported | BinlogException.Corrupt | BinlogException.Missed e) {
      return false;
    }
    List<Split> splits = splits(reader, last);
    if (splits.isEmpty()) return false;
    String token = splits.get(0).token();
    LogOffset.Position position = known.get(id(token));
    long next = splits.get(splits.size() - 1).lastId() + 1;
    long first = last;
    if (position == null) {
      first = firstId(reader);
    } else if (position.next <= last) {
      List<Split> unread = splits(reader, Math.max(1, position.next - 1));
      if (unread.isEmpty()) return false; // removed just now
      first = unread.get(0).firstId();
    }
    all.add(new Found(id(token), name(token), place, first, next));
    return true;
  }

  private static long firstId(BinlogReader reader) throws BinlogException {
    try (Cursor cursor = reader.cursor(Filter.builder().headersOnly().build())) {
      Record first = cursor.next();
      return first == null ? 1 : first.id();
    }
  }

  private static void find(
      BinlogReader reader, String place, String name, Map<String, LogOffset.Position> known, List<Found> all)
      throws BinlogException {
    long from = known.values().stream().filter(log -> log.name.equals(name)).mapToLong(log -> log.next - 1).min().orElse(1);
    List<Split> splits = splits(reader, from);
    // A log that was replaced by a shorter one has none there.
    if (splits.isEmpty() && from > 1) splits = splits(reader, 1);
    // Several logs may have one name.
    for (int begin = 0, end; begin < splits.size(); begin = end) {
      String id = id(splits.get(begin).token());
      for (end = begin + 1; end < splits.size() && id(splits.get(end).token()).equals(id); ) end++;
      all.add(new Found(id, name, place, splits.get(begin).firstId(), splits.get(end - 1).lastId() + 1));
    }
  }

  private static List<Split> splits(BinlogReader reader, long from) throws BinlogException {
    return reader.plan(Selection.ALL.ids(from, Long.MAX_VALUE).filter(true), ONE);
  }

  /** The first record from {@code first} to {@code last} that a log still has, whatever its type; {@code last + 1} without any. */
  static long firstOf(BinlogReader reader, String id, long first, long last) throws BinlogException {
    for (Split split : reader.plan(Selection.ALL.ids(first, last).filter(true), ONE)) {
      if (id(split.token()).equals(id)) return split.firstId();
    }
    return last + 1;
  }

  /** The names of the logs of a place. */
  static Set<String> names(BinlogReader reader) throws BinlogException {
    Set<String> names = new TreeSet<>();
    for (Split split : splits(reader, 1)) names.add(name(split.token()));
    return names;
  }

  /** The log's id in a token: see docs/splits.md. */
  static String id(String token) {
    return token.split(":", 4)[2];
  }

  /** The log's name in a token. */
  static String name(String token) {
    return URLDecoder.decode(token.split(":", 8)[6].replace("+", "%2B"), StandardCharsets.UTF_8);
  }
}
