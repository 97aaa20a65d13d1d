package io.binlog.spark;

import io.binlog.BinlogException;
import io.binlog.BinlogReader;
import io.binlog.Cursor;
import io.binlog.Table;
import io.binlog.TableBatch;
import java.io.IOException;
import org.apache.spark.sql.connector.metric.CustomTaskMetric;
import org.apache.spark.sql.connector.read.PartitionReader;
import org.apache.spark.sql.vectorized.ColumnarBatch;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Reads a split in batches. One batch is in memory at a time: it is freed when the next one is asked for. */
final class RecordsReader implements PartitionReader<ColumnarBatch> {
  private static final Logger LOG = LoggerFactory.getLogger(RecordsReader.class);

  private final LogRead read;
  private final SplitPartition partition;
  private final LossMetrics losses = new LossMetrics();
  /** Null until the split is open. */
  private @Nullable BinlogReader reader;
  private @Nullable Table table;
  private @Nullable BatchColumns columns;
  private @Nullable TableBatch batch;
  private @Nullable ColumnarBatch shown;
  private long left;

  RecordsReader(LogRead read, SplitPartition partition) {
    this.read = read;
    this.partition = partition;
    this.left = read.limit == 0 ? Long.MAX_VALUE : read.limit;
  }

  @Override
  public boolean next() throws IOException {
    free();
    if (left == 0) return false;
    try {
      batch = fetch();
    } catch (BinlogException.Corrupt e) {
      throw new IOException(e.getMessage() + "; with the option onDamage=skip, what follows is read", e);
    } catch (BinlogException.Missed e) {
      throw new IOException(e.getMessage() + "; they were removed after the read was planned, or their file cannot be read: run it "
          + "again, or read what is left with onDamage=skip (in a stream: failOnDataLoss=false)", e);
    }
    if (batch == null) return false;
    int rows = (int) Math.min(batch.rows(), left);
    left -= rows;
    shown = new ColumnarBatch(columns.vectors(batch), rows);
    return true;
  }

  private @Nullable TableBatch fetch() throws BinlogException {
    try {
      if (table == null) open(partition.selection);
      return table.next();
    } catch (BinlogException.Missed e) {
      if (read.options.failOnDataLoss && !read.options.skipsDamage) throw e;
      LOG.warn("{}; the read continues behind them", e.getMessage());
    }
    if (reader == null) return null; // all of them were removed
    if (table != null) table.close();
    long first = firstLeft();
    losses.addRecords(first - Math.max(partition.firstId, partition.selection.fromId()));
    open(partition.selection.ids(first, Long.MAX_VALUE));
    return fetch();
  }

  /** The first record that was not removed. */
  private long firstLeft() throws BinlogException {
    long first = partition.selection.fromId();
    try (Cursor cursor = reader.cursor(partition.selection.filter(true))) {
      for (;;) {
        try {
          cursor.next();
          return first;
        } catch (BinlogException.Missed e) {
          first = e.lastId() + 1;
        }
      }
    }
  }

  private void open(Selection selection) throws BinlogException {
    TableColumns wanted = read.tableColumns();
    if (reader == null) reader = BinlogReader.openSplit(partition.token, read.options.split(losses));
    table = reader.table(selection.filter(wanted.isHeadersOnly()), wanted.options(read.limit));
    if (columns != null) columns.close();
    columns = new BatchColumns(read, table.columns(), reader);
  }

  @Override
  public ColumnarBatch get() {
    return shown;
  }

  @Override
  public CustomTaskMetric[] currentMetricsValues() {
    return losses.values();
  }

  private void free() {
    if (batch != null) batch.close();
    batch = null;
    shown = null;
  }

  @Override
  public void close() {
    free();
    if (columns != null) columns.close();
    if (table != null) table.close();
    if (reader != null) reader.close();
  }
}
