package io.binlog.spark;

import io.binlog.BinlogException;
import io.binlog.BinlogReader;
import io.binlog.Loss;
import io.binlog.Table;
import io.binlog.TableBatch;
import io.binlog.TableOptions;
import java.io.IOException;
import java.util.ArrayDeque;
import java.util.Deque;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.catalyst.expressions.GenericInternalRow;
import org.apache.spark.sql.connector.read.PartitionReader;
import org.apache.spark.unsafe.types.UTF8String;
import org.jspecify.annotations.Nullable;

/** Reads a whole log with its payloads, for the losses alone: also for those that lie behind its last segment. */
final class LossReader implements PartitionReader<InternalRow> {
  private final ReadOptions options;
  private final LogPartition partition;
  private final Deque<Loss> found = new ArrayDeque<>();
  /** Null until the log is open. */
  private @Nullable BinlogReader reader;
  private @Nullable Table table;
  private UTF8String log = UTF8String.EMPTY_UTF8;
  private boolean isRead;
  private @Nullable Loss shown;

  LossReader(ReadOptions options, LogPartition partition) {
    this.options = options;
    this.partition = partition;
  }

  @Override
  public boolean next() throws IOException {
    if (table == null) open();
    while (found.isEmpty() && !isRead) {
      try (TableBatch batch = table.next()) {
        isRead = batch == null;
      }
    }
    shown = found.poll();
    return shown != null;
  }

  private void open() throws BinlogException {
    reader = Planner.open(partition.place, options.whole(partition.log, found::add));
    log = UTF8String.fromString(partition.log == null ? "" : partition.log);
    TableOptions payloads = TableOptions.builder().columns(TableOptions.Column.PAYLOAD).build();
    table = reader.table(Selection.ALL.filter(false), payloads);
  }

  @Override
  public InternalRow get() {
    Loss loss = shown;
    boolean hasIds = loss.firstId() != 0;
    return new GenericInternalRow(
        new Object[] {
          log,
          UTF8String.fromString(loss.location()),
          loss.offset(),
          loss.bytes(),
          hasIds ? loss.firstId() : null,
          hasIds ? loss.lastId() : null,
          LossMetrics.records(loss),
          UTF8String.fromString(loss.reason())
        });
  }

  @Override
  public void close() {
    if (table != null) table.close();
    if (reader != null) reader.close();
  }
}
