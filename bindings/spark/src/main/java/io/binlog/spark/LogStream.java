package io.binlog.spark;

import io.binlog.BinlogException;
import io.binlog.BinlogReader;
import io.binlog.Cursor;
import io.binlog.Filter;
import io.binlog.Record;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.spark.sql.connector.read.InputPartition;
import org.apache.spark.sql.connector.read.PartitionReaderFactory;
import org.apache.spark.sql.connector.read.streaming.MicroBatchStream;
import org.apache.spark.sql.connector.read.streaming.Offset;
import org.apache.spark.sql.connector.read.streaming.ReadLimit;
import org.apache.spark.sql.connector.read.streaming.ReadMaxRows;
import org.apache.spark.sql.connector.read.streaming.SupportsTriggerAvailableNow;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Reads logs in micro-batches. Used by one thread at a time. */
final class LogStream implements MicroBatchStream, SupportsTriggerAvailableNow {
  private static final Logger LOG = LoggerFactory.getLogger(LogStream.class);

  private final LogRead read;
  private final LogFinder finder;
  /** As they were found last, by the log's id. */
  private Map<String, LogFinder.Found> logs = new HashMap<>();
  /** Whether it ends behind what is there when it begins. */
  private boolean ends;
  /** Where such a stream ends; null before its first batch, and for one that does not end. */
  private @Nullable LogOffset target;

  LogStream(LogRead read) {
    this.read = read;
    this.finder = new LogFinder(read.options);
  }

  @Override
  public Offset initialOffset() {
    Map<String, LogOffset.Position> begins = new TreeMap<>();
    try {
      find(new LogOffset(Map.of()));
      for (LogFinder.Found log : logs.values()) begins.put(log.id, begin(log));
    } catch (BinlogException e) {
      throw new UncheckedIOException(e.getMessage(), e);
    }
    return new LogOffset(begins);
  }

  /** The first record that a stream without a checkpoint shows. */
  private LogOffset.Position begin(LogFinder.Found log) throws BinlogException {
    Start start = read.options.start;
    if (start.timeNs != null) return new LogOffset.Position(log.name, begin(log, start.timeNs));
    if (start.id >= log.next) return LogOffset.Position.unread(log.name, start.id);
    if (start.id > 1 && start.id < log.first) lost(log.name, log.place, start.id, log.first - 1);
    return new LogOffset.Position(log.name, Math.max(start.id, log.first));
  }

  private long begin(LogFinder.Found log, long timeNs) throws BinlogException {
    if (timeNs == 0) return log.first; // the filter has no bound there, nor does anybody write such times
    Filter later = Filter.builder().headersOnly().fromNanos(timeNs).build();
    try (BinlogReader reader = Planner.open(log.place, read.options.readerOf(log.name));
        Cursor cursor = reader.cursor(later)) {
      Record first = cursor.next();
      return first == null ? log.next : first.id();
    }
  }

  /** Finds the logs, and what became of those that the stream was reading. */
  private void find(LogOffset since) throws BinlogException {
    Map<String, LogFinder.Found> found = new HashMap<>();
    for (LogFinder.Found log : finder.find(since.logs)) found.put(log.id, log);
    logs = found;
  }

  @Override
  public Offset latestOffset() {
    throw new UnsupportedOperationException("a limit is given");
  }

  @Override
  public ReadLimit getDefaultReadLimit() {
    long most = read.options.maxRecordsPerTrigger;
    return most == 0 ? ReadLimit.allAvailable() : ReadLimit.maxRows(most);
  }

  @Override
  public void prepareForTriggerAvailableNow() {
    ends = true;
  }

  private LogOffset ends() {
    Map<String, LogOffset.Position> ends = new TreeMap<>();
    for (LogFinder.Found log : logs.values()) ends.put(log.id, new LogOffset.Position(log.name, log.next));
    return new LogOffset(ends);
  }

  @Override
  public Offset reportLatestOffset() {
    return logs.isEmpty() ? null : ends();
  }

  @Override
  public Offset latestOffset(Offset start, ReadLimit limit) {
    LogOffset since = (LogOffset) start;
    try {
      find(since);
    } catch (BinlogException e) {
      throw new UncheckedIOException(e.getMessage(), e);
    }
    if (ends && target == null) target = ends();
    Map<String, LogOffset.Position> positions = new TreeMap<>(since.logs);
    since.logs.forEach((id, log) -> {
      if (!logs.containsKey(id) && isReplaced(log)) positions.remove(id);
    });
    for (LogFinder.Found log : logs.values()) {
      LogOffset.Position position = since.logs.get(log.id);
      // Where nothing was read, no end is missing.
      if (position == null || position.isUnread || log.next >= position.next) continue;
      lostEnd(log, position.next, "the stream has read up to record " + (position.next - 1));
      positions.put(log.id, new LogOffset.Position(log.name, log.next));
    }
    Map<String, Long> begins = new TreeMap<>();
    Map<String, Long> available = new TreeMap<>();
    for (LogFinder.Found log : logs.values()) {
      long begin = begin(log, since);
      long end = end(log);
      if (end <= begin) continue;
      begins.put(log.id, begin);
      available.put(log.id, end - begin);
    }
    long most = limit instanceof ReadMaxRows ? ((ReadMaxRows) limit).maxRows() : Long.MAX_VALUE;
    ReadShares.of(available, most).forEach((id, count) -> {
      if (count > 0) positions.put(id, new LogOffset.Position(logs.get(id).name, begins.get(id) + count));
    });
    return new LogOffset(positions);
  }

  /** What a batch may read of a log. */
  private long end(LogFinder.Found log) {
    if (target == null) return log.next;
    LogOffset.Position end = target.logs.get(log.id);
    return end == null ? 0 : Math.min(end.next, log.next);
  }

  /** The next record that there still is. */
  private long begin(LogFinder.Found log, LogOffset since) {
    LogOffset.Position position = since.logs.get(log.id);
    if (position == null) return log.first;
    if (log.first > position.next) lost(position.name, log.place, position.next, log.first - 1);
    return Math.max(position.next, log.first);
  }

  /** Whether a log that was not found is gone for good; unless the stream fails by that. */
  private boolean isReplaced(LogOffset.Position log) {
    // A log without any record now is read when there are more.
    if (logs.values().stream().noneMatch(other -> other.name.equals(log.name))) return false;
    String read = log.isUnread ? "of which the stream has read nothing" : "which the stream has read up to record " + (log.next - 1);
    lose("the log " + log.name + ", " + read + ", was replaced by another one of this name: what it had behind that is lost",
        "the stream reads the other one from its beginning");
    return true;
  }

  /** For a log of which a batch was planned, and that is not there any more when the batch is repeated. */
  private void gone(String id, String name, long first, long last) {
    boolean isReplaced = logs.values().stream().anyMatch(other -> other.name.equals(name));
    lose("a batch was planned that reads records " + first + " to " + last + " of the log " + name + " (" + id + "), which is not in "
        + String.join(", ", read.options.paths) + " any more: "
        + (isReplaced ? "it was replaced by another one of this name" : "if it was moved, put it back"),
        "the stream continues without these records");
  }

  private void lost(String name, String place, long first, long last) {
    lose("records " + first + " to " + last + " of the log " + name + " in " + place
        + " were removed before the stream has read them", "the stream continues behind them");
  }

  /** For a log whose last records, or ids, are not there any more. Nobody knows where the loss began. */
  private void lostEnd(LogFinder.Found log, long next, String expected) {
    String skipped = ", and skips what was appended after the loss up to record " + (log.next - 1);
    lose("the log " + log.name + " in " + log.place + " ends with record " + (log.next - 1) + ", and " + expected
        + ": the end of the log was lost or replaced, and its ids are given to other records",
        "the stream continues with record " + (log.next > next ? next : log.next + skipped));
  }

  private void lose(String what, String remedy) {
    if (read.options.failOnDataLoss) {
      throw new IllegalStateException(what + "; with the option failOnDataLoss=false, " + remedy);
    }
    LOG.warn("{}; {} (failOnDataLoss=false)", what, remedy);
  }

  @Override
  public InputPartition[] planInputPartitions(Offset start, Offset end) {
    LogOffset since = (LogOffset) start;
    List<InputPartition> all = new ArrayList<>();
    try {
      for (Map.Entry<String, LogOffset.Position> one : ((LogOffset) end).logs.entrySet()) {
        LogOffset.Position before = since.logs.get(one.getKey());
        if (before != null && before.next >= one.getValue().next) continue;
        // After a restart.
        if (!logs.containsKey(one.getKey())) find(since);
        all.addAll(plan(one.getKey(), before, one.getValue()));
      }
    } catch (BinlogException e) {
      throw new UncheckedIOException(e.getMessage(), e);
    }
    return all.toArray(new InputPartition[0]);
  }

  private List<SplitPartition> plan(String id, LogOffset.@Nullable Position before, LogOffset.Position end)
      throws BinlogException {
    long last = end.next - 1;
    long first = before == null ? 1 : before.next;
    LogFinder.Found log = logs.get(id);
    if (log == null) {
      gone(id, end.name, first, last);
      return List.of();
    }
    if (log.next <= last) lostEnd(log, first, "a batch was planned that reads up to record " + last);
    LogRead part = read.with(read.selection.ids(first, last));
    List<SplitPartition> splits = new ArrayList<>();
    try (BinlogReader reader = Planner.open(log.place, read.options.readerOf(log.name))) {
      for (SplitPartition split : Planner.plan(reader, log.place, part)) {
        if (LogFinder.id(split.token).equals(id)) splits.add(split);
      }
      // A log that the stream has not read before begins where it begins. Others may have been cut off, or have nothing wanted there.
      boolean isComplete = before == null || !splits.isEmpty() && splits.get(0).firstId == first;
      long there = isComplete ? first : LogFinder.firstOf(reader, id, first, last);
      if (there > first && log.next > first) lost(end.name, log.place, first, there - 1);
    }
    return splits;
  }

  @Override
  public PartitionReaderFactory createReaderFactory() {
    return new RecordsFactory(read);
  }

  @Override
  public Offset deserializeOffset(String json) {
    return LogOffset.of(json);
  }

  /** For the progress of a query. */
  @Override
  public String toString() {
    return "binlog " + String.join(", ", read.options.paths);
  }

  @Override
  public void commit(Offset end) {}

  @Override
  public void stop() {}
}
