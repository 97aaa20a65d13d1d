package io.binlog;

import java.lang.ref.Cleaner;
import java.lang.ref.Reference;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Spliterator;
import java.util.Spliterators;
import java.util.concurrent.locks.ReentrantLock;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.jspecify.annotations.Nullable;

/**
 * Records of a log, one after the other. Belongs to one thread at a time, but any thread may close it: a later call
 * throws an {@link IllegalStateException}, and never returns an end of the log.
 *
 * <p>Records are fetched up to 64 KiB at once, from one block, into an array of their own: see {@link Record}. A longer
 * one is fetched alone.
 */
public final class Cursor implements AutoCloseable, Iterable<Record> {
  private static final byte[] NOTHING = new byte[0];

  /** How often a waiting cursor checks when the system has no descriptor left for it. */
  private static final long LOOK_NANOS = 100_000_000L;

  private final Raw raw;
  private final Cleaner.Cleanable net;
  private final Upcalls.@Nullable Losses losses;
  private final boolean isNewestFirst;

  /**
   * This and the next two fields belong to the thread that reads; a close from another one leaves them. The records
   * that were fetched last, the position of the next one, and the known names of their types. */
  private byte[] frames = NOTHING;
  private int at;
  private TypeNames names = TypeNames.NONE;

  Cursor(long address, Filter filter, Upcalls.@Nullable Losses losses) {
    this.raw = new Raw(address);
    this.losses = losses;
    this.isNewestFirst = filter.isNewestFirst();
    this.net = Binlog.CLEANER.register(this, raw);
  }

  /** The library's cursor, and the lock around every call on it. It has no reference to the Cursor, which can be
   * freed. */
  private static final class Raw implements Runnable {
    private final ReentrantLock lock = new ReentrantLock();
    private volatile boolean closed;
    private long address;
    /** For cursors that wait, or have waited; null before. */
    private @Nullable Waiter waiter;

    Raw(long address) {
      this.address = address;
    }

    long enter() {
      if (lock.isHeldByCurrentThread()) {
        throw new IllegalStateException("the cursor must not be used by a function that it calls");
      }
      lock.lock();
      if (closed) {
        lock.unlock();
        throw isClosed();
      }
      return address;
    }

    private static IllegalStateException isClosed() {
      return new IllegalStateException("the cursor is closed");
    }

    /** For calls that do not use the library's cursor. */
    void checkOpen() {
      if (closed) throw isClosed();
    }

    @Override
    public void run() {
      if (lock.isHeldByCurrentThread()) {
        throw new IllegalStateException("the cursor must not be closed by a function that it calls");
      }
      closed = true;
      lock.lock();
      try {
        if (waiter != null) waiter.call();
        if (address != 0) Native.cursorClose(address);
        address = 0;
      } finally {
        lock.unlock();
      }
    }
  }

  private void leave() {
    raw.lock.unlock();
    Reference.reachabilityFence(this);
  }

  /** Gets the next records; false at the end. */
  private boolean fetch() throws BinlogException {
    long cursor = raw.enter();
    try {
      show(Native.cursorFetch(cursor));
    } finally {
      leave();
      Upcalls.Losses.rethrow(losses);
    }
    return frames.length > 0;
  }

  private void show(byte @Nullable [] fetched) {
    frames = fetched == null ? NOTHING : fetched;
    at = 0;
    // Several logs of a pattern may use one number for several names.
    names = TypeNames.NONE;
  }

  boolean hasNext() throws BinlogException {
    raw.checkOpen();
    return at < frames.length || fetch();
  }

  /** The next of the fetched records: there is one. */
  Record take() throws BinlogException {
    byte[] from = frames;
    int begin = at;
    int type = Frame.intAt(from, begin + Frame.TYPE);
    if (type >= Record.FIRST_NAMED_TYPE && !names.knows(type)) names = names.with(type, typeName(type));
    Record record = new Record(from, begin, names);
    // Last: without memory for it the record remains the next one.
    at = begin + Frame.intAt(from, begin);
    return record;
  }

  /**
   * The next record.
   *
   * @return null when there are no more for now: after more were appended, the same call continues, and     {@link
   * #tail} returns why there are no more
   * @throws BinlogException {@link BinlogException.Missed} when the next records were removed with old     segments:
   * once, and the next call continues after them; {@link BinlogException.Corrupt} at damage, after everything before it
   * was shown, including whole records of a damaged block, and again in every later call (for a strict reader a torn
   * tail and an end without a close are that too: the state of {@link #tail} distinguishes them from damage); {@link
   * Status#IO} when reading fails, after which the call may be repeated; {@link BinlogException.TooLarge} for a record
   * that is longer than an array of the JVM can be
   * @throws IllegalStateException when the cursor is closed
   */
  public @Nullable Record next() throws BinlogException {
    return hasNext() ? take() : null;
  }

  /**
   * The next records that are available without reading again: all that were fetched at once.
   *
   * @return empty when there are no more for now
   * @throws BinlogException as {@link #next}
   * @throws IllegalStateException when the cursor is closed
   */
  public List<Record> nextBatch() throws BinlogException {
    List<Record> all = new ArrayList<>();
    if (!hasNext()) return all;
    int begin = at;
    try {
      do all.add(take()); while (at < frames.length);
    } catch (BinlogException | RuntimeException | Error e) {
      at = begin; // none of them was shown
      throw e;
    }
    return all;
  }

  /**
   * The remaining records. At the end of the log {@code hasNext()} is false, and true again when more was appended.
   *
   * @return an iterator, which throws a {@link BinlogException} within {@link java.io.UncheckedIOException}
   */
  @Override
  public Iterator<Record> iterator() {
    return new RecordIterator(this, false);
  }

  /**
   * The remaining records, up to the end of the log.
   *
   * @return a stream in the cursor's order, which throws a {@link BinlogException} within     {@link
   * java.io.UncheckedIOException}
   */
  public Stream<Record> stream() {
    return StreamSupport.stream(
        Spliterators.spliteratorUnknownSize(
            iterator(), Spliterator.ORDERED | Spliterator.NONNULL | Spliterator.IMMUTABLE),
        false);
  }

  /**
   * Waits until the next call has a record to return, or an exception to throw, such as {@link BinlogException.Missed}.
   * It continues over rolls, and from one writer to the next. A cursor that shows the newest first sees nothing new.
   *
   * <p>A cursor that waits takes no thread: one daemon thread, {@code binlog-waiting}, wakes those of the process, and
   * a virtual thread leaves its carrier while it waits. A cursor that has waited holds two descriptors until it is
   * closed; at the limit of descriptors it checks ten times a second.
   *
   * @param timeout the longest time; zero or less only checks
   * @return false when the time was up
   * @throws InterruptedException when the thread is interrupted
   * @throws BinlogException as {@link #next}
   * @throws IllegalStateException when the cursor is closed, also while it waits
   */
  public boolean await(Duration timeout) throws BinlogException, InterruptedException {
    long left;
    try {
      left = timeout.toNanos();
    } catch (ArithmeticException e) {
      left = timeout.isNegative() ? 0 : Long.MAX_VALUE;
    }
    long begun = System.nanoTime();
    raw.checkOpen();
    if (at < frames.length) return true;
    long[] lookAfter = new long[1];
    Waiter waiter = new Waiter();
    try {
      for (;;) {
        if (Thread.interrupted()) throw new InterruptedException();
        long rest = left - (System.nanoTime() - begun);
        long cursor = raw.enter();
        try {
          waiter.prepare();
          if (Native.cursorLook(cursor)) return true;
          if (rest > 0) {
            raw.waiter = waiter;
            int descriptor = Native.cursorDescriptor(cursor, lookAfter);
            if (descriptor >= 0 && !waiter.watch(descriptor)) lookAfter[0] = Math.min(lookAfter[0], LOOK_NANOS);
          }
        } finally {
          leave();
          Upcalls.Losses.rethrow(losses);
        }
        if (rest <= 0) return false;
        waiter.sleep(Math.min(rest, lookAfter[0]));
      }
    } finally {
      waiter.end();
    }
  }

  /**
   * The record with this id, wherever the cursor is. Reading continues after it, whether it exists or not.
   *
   * @param id its id
   * @return null when the log has no such record, or the filter does not match it
   * @throws BinlogException {@link BinlogException.Missed} when it was removed with old segments;
   *     {@link BinlogException.Unsupported} for a cursor that shows the newest first or salvages,
   *     which stays where it is; otherwise as {@link #next}
   * @throws IllegalStateException when the cursor is closed
   */
  public @Nullable Record get(long id) throws BinlogException {
    long cursor = raw.enter();
    try {
      show(Native.cursorGet(cursor, id));
    } catch (BinlogException.Unsupported e) {
      throw e;
    } catch (BinlogException | Error e) {
      show(NOTHING); // it has moved
      throw e;
    } finally {
      leave();
    }
    return frames.length == 0 ? null : take();
  }

  /**
   * Goes to the record with this id, or to the first after it that the filter matches: the next record shown is that
   * one. When records from this id on were removed with old segments, the next call that reads throws once a {@link
   * BinlogException.Missed} with their ids.
   *
   * @param id its id
   * @throws BinlogException {@link BinlogException.Unsupported} for a cursor that shows the newest first or salvages,
   *     which stays where it is; {@link Status#IO}. Damage is found by the next call that reads
   * @throws IllegalStateException when the cursor is closed
   */
  public void seek(long id) throws BinlogException {
    long cursor = raw.enter();
    try {
      Native.cursorSeek(cursor, id);
      show(NOTHING);
    } finally {
      leave();
    }
  }

  /**
   * Goes to the first record, in the order of writing, of this time or later; records of an earlier time are not shown
   * from there on. A {@link BinlogException.Missed} follows, as after {@link #seek}, when the log still records that
   * records of this time or later were removed, with the range of ids that contains them.
   *
   * @param time the earliest time that is shown
   * @throws ArithmeticException for a time that 64 bits of nanoseconds do not hold
   * @throws BinlogException as {@link #seek}
   * @throws IllegalStateException when the cursor is closed
   */
  public void seekTime(Instant time) throws BinlogException {
    seekTimeNanos(Text.nanos(time));
  }

  /**
   * As {@link #seekTime}.
   *
   * @param nanos nanoseconds since the Unix epoch
   * @throws BinlogException as {@link #seek}
   * @throws IllegalStateException when the cursor is closed
   */
  public void seekTimeNanos(long nanos) throws BinlogException {
    long cursor = raw.enter();
    try {
      Native.cursorSeekTime(cursor, nanos);
      show(NOTHING);
    } finally {
      leave();
    }
  }

  /**
   * Goes after the newest record, whatever the filter: records shown next were appended later.
   *
   * @throws BinlogException as {@link #seek}
   * @throws IllegalStateException when the cursor is closed
   */
  public void seekEnd() throws BinlogException {
    long cursor = raw.enter();
    try {
      Native.cursorSeekEnd(cursor);
      show(NOTHING);
    } finally {
      leave();
    }
  }

  /**
   * Where and why the cursor is at an end.
   *
   * @return {@link Tail.State#MORE} while it is not
   * @throws BinlogException when it cannot be determined
   * @throws IllegalStateException when the cursor is closed
   */
  public Tail tail() throws BinlogException {
    long cursor = raw.enter();
    try {
      Tail tail = Native.cursorTail(cursor);
      boolean hasSome = at < frames.length;
      return hasSome && !isNewestFirst ? tail.before(Frame.longAt(frames, at + Frame.ID)) : tail;
    } finally {
      leave();
    }
  }

  /**
   * The name that a type's number stands for, as far as the log has been read. {@link Record#typeName} is the same for
   * a record's own.
   *
   * @param type the number
   * @return null when it has none
   * @throws BinlogException when it cannot be determined
   * @throws IllegalStateException when the cursor is closed
   */
  public @Nullable String typeName(int type) throws BinlogException {
    long cursor = raw.enter();
    try {
      return Text.textOrNull(Native.cursorTypeName(cursor, type));
    } finally {
      leave();
    }
  }

  /**
   * What the log says of a type, in the segment of the record that was shown last.
   *
   * @param type the number
   * @return null when it has no name there
   * @throws BinlogException {@link Status#IO} when its schema cannot be read
   * @throws IllegalStateException when the cursor is closed
   */
  public @Nullable TypeInfo typeInfo(int type) throws BinlogException {
    long cursor = raw.enter();
    try {
      return Native.cursorType(cursor, type);
    } finally {
      leave();
    }
  }

  /**
   * Frees the cursor after a call in progress; {@link #await} ends at once. Records that were read stay valid. Closing
   * again only waits until the first close is done.
   *
   * @throws IllegalStateException when called by a loss listener that the cursor calls
   */
  @Override
  public void close() {
    raw.run();
    net.clean(); // closed already: only unregisters
  }
}
