package io.binlog;

import java.lang.ref.Cleaner;
import java.util.concurrent.atomic.AtomicLong;

/**
 * Rows of a {@link Table}, independent of the table and of other batches. Any thread may close it; nobody may read its
 * buffers then.
 */
public final class TableBatch implements AutoCloseable {
  private final TableArray columns;
  private final Cleaner.Cleanable net;

  TableBatch(TableColumn columns, long[] numbers) {
    Memory memory = new Memory(numbers[0]);
    net = Binlog.CLEANER.register(this, memory);
    this.columns = new TableArray.Numbers(numbers, 1).array(columns);
  }

  /** The batch in C. It has no reference to the TableBatch, which can be freed. */
  private static final class Memory implements Runnable {
    private final AtomicLong address;

    Memory(long address) {
      this.address = new AtomicLong(address);
    }

    @Override
    public void run() {
      long batch = address.getAndSet(0);
      if (batch != 0) Native.batchRelease(batch);
    }
  }

  /**
   * The number of rows.
   *
   * @return 1 or more
   */
  public int rows() {
    return columns.length();
  }

  /**
   * The number of columns.
   *
   * @return as many as the table has
   */
  public int columns() {
    return columns.children();
  }

  /**
   * The values of a column.
   *
   * @param column its number, from 0
   * @return the values, valid until the batch is closed
   * @throws IndexOutOfBoundsException beyond the last
   */
  public TableArray column(int column) {
    return columns.child(column);
  }

  /** Frees the memory of all columns. Closing again does nothing. */
  @Override
  public void close() {
    net.clean();
  }
}
