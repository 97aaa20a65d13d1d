package io.binlog;

import java.lang.ref.Cleaner;
import java.lang.ref.Reference;
import java.util.List;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * The records of a log as columns, in batches. Belongs to one thread at a time, but any thread may close it: a later
 * call throws an {@link IllegalStateException}.
 *
 * <pre>{@code
 * try (Table table = reader.table(Filter.all(), TableOptions.builder().plain().build())) {
 *   for (TableBatch batch = table.next(); batch != null; batch = table.next()) {
 *     try (batch) {
 *       long ids = batch.column(0).address(1); // of batch.rows() numbers of 8 bytes
 *     }
 *   }
 * }
 * }</pre>
 */
public final class Table implements AutoCloseable {
  private final Raw raw;
  private final Cleaner.Cleanable net;
  private final Upcalls.@Nullable Losses losses;
  private final TableColumn columns;

  private Table(Raw raw, TableColumn columns, Upcalls.@Nullable Losses losses) {
    this.raw = raw;
    this.columns = columns;
    this.losses = losses;
    this.net = Binlog.CLEANER.register(this, raw);
  }

  static Table open(long address, Upcalls.@Nullable Losses losses) throws BinlogException {
    Raw raw = new Raw(address);
    try {
      return new Table(raw, Native.tableColumns(address), losses);
    } catch (BinlogException | RuntimeException | Error e) {
      raw.run();
      throw e;
    }
  }

  /** The library's stream, and the lock around every call on it. It has no reference to the Table, which can be
   * freed. */
  private static final class Raw implements Runnable {
    private final ReentrantLock lock = new ReentrantLock();
    private long address;

    Raw(long address) {
      this.address = address;
    }

    long enter() {
      refuseWithin();
      lock.lock();
      if (address != 0) return address;
      lock.unlock();
      throw new IllegalStateException("the table is closed");
    }

    private void refuseWithin() {
      if (lock.isHeldByCurrentThread()) {
        throw new IllegalStateException("the table must not be used by a function that it calls");
      }
    }

    @Override
    public void run() {
      refuseWithin();
      lock.lock();
      try {
        if (address != 0) Native.tableClose(address);
        address = 0;
      } finally {
        lock.unlock();
      }
    }
  }

  /**
   * The columns of each batch.
   *
   * @return a list that cannot be changed
   */
  public List<TableColumn> columns() {
    return columns.children();
  }

  /**
   * The next rows.
   *
   * @return a batch to be closed; null when the log has no more rows, and again then
   * @throws BinlogException after all whole rows before it, and again in every later call: {@link
   *     BinlogException.Corrupt} at damage; {@link BinlogException.Missed} when the next records were removed with old
   *     segments, whose message contains their ids, while its methods return 0; {@link BinlogException.TooLarge};
   *     {@link BinlogException.NoMemory}; {@link BinlogException.Unsupported}; {@link Status#IO}
   * @throws IllegalStateException when the table is closed
   */
  public @Nullable TableBatch next() throws BinlogException {
    long[] numbers;
    long table = raw.enter();
    try {
      numbers = Native.tableNext(table);
    } finally {
      raw.lock.unlock();
      Reference.reachabilityFence(this);
    }
    TableBatch batch = numbers == null ? null : new TableBatch(columns, numbers);
    try {
      Upcalls.Losses.rethrow(losses);
    } catch (RuntimeException | Error e) {
      if (batch != null) batch.close();
      throw e;
    }
    return batch;
  }

  /**
   * Frees the table after a call in progress; batches stay valid. Closing again does nothing.
   *
   * @throws IllegalStateException when called by a loss listener that the table calls
   */
  @Override
  public void close() {
    raw.run();
    net.clean(); // closed already: only unregisters
  }
}
