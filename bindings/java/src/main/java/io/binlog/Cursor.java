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
 * Records of a log, one after the other. Belongs to one thread at a time, but any thread may close it: a call that
 * comes later is an {@link IllegalStateException}, never an end of the log.
 *
 * <p>Records are fetched up to 64 KiB at once, and of one block, into an array that is theirs: see {@link Record}. A
 * longer one comes alone.
 */
public final class Cursor implements AutoCloseable, Iterable<Record> {
  private static final byte[] NOTHING = new byte[0];

  /** How often a waiting cursor looks when the system has no descriptor left to be woken by. */
  private static final long LOOK_NANOS = 100_000_000L;

  private final Raw raw;
  private final Cleaner.Cleanable net;
  private final Upcalls.@Nullable Losses losses;
  private final boolean isNewestFirst;

  /**
   * Belongs, as what follows, to the thread that reads; a close from another one leaves it as it is. What was fetched
   * last, where in it the next record is, and the names of its types that are known. */
  private byte[] frames = NOTHING;
  private int at;
  private TypeNames names = TypeNames.NONE;

  Cursor(long address, Filter filter, Upcalls.@Nullable Losses losses) {
    this.raw = new Raw(address);
    this.losses = losses;
    this.isNewestFirst = filter.isNewestFirst();
    this.net = Binlog.CLEANER.register(this, raw);
  }

  /** The library's cursor, and the lock around every call on it. It does not know the Cursor, so that that can be freed. */
  private static final class Raw implements Runnable {
    private final ReentrantLock lock = new ReentrantLock();
    private volatile boolean closed;
    private long address;
    /** Who waits for more, or has waited; null before. */
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

    /** For calls that need nothing of the library's cursor. */
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
    // Several logs of a pattern may have given one number to several names.
    names = TypeNames.NONE;
  }

  boolean hasNext() throws BinlogException {
    raw.checkOpen();
    return at < frames.length || fetch();
  }

  /** The next of the records that were fetched: there is one. */
  Record take() throws BinlogException {
    byte[] from = frames;
    int begin = at;
    int type = Frame.intAt(from, begin + Frame.TYPE);
    if (type >= Record.FIRST_NAMED_TYPE && !names.knows(type)) names = names.with(type, typeName(type));
    Record record = new Record(from, begin, names);
    // Last, so that without memory for it the record is the next one again.
    at = begin + Frame.intAt(from, begin);
    return record;
  }

  /**
   * The next record.
   *
   * @return null when there is no more for now: the same call goes on when more has been appended meanwhile, and
   *     {@link #tail} tells why there is no more
   * @throws BinlogException {@link BinlogException.Missed} when the records that come next were removed with old
   *     segments: once, and the next call goes on behind them; {@link BinlogException.Corrupt} at damage, once
   *     everything before it has been shown, whole records of a damaged block among that, and again in every later call
   *     (to a strict reader a torn tail and an end without a close are that too: the state of {@link #tail} tells them
   *     from damage); {@link Status#IO} when reading fails, which may be tried again; {@link BinlogException.TooLarge} for a record that is longer than an array of the JVM can
   *     be
   * @throws IllegalStateException when the cursor is closed
   */
  public @Nullable Record next() throws BinlogException {
    return hasNext() ? take() : null;
  }

  /**
   * The next records that can be had without reading again: all that were fetched at once.
   *
   * @return empty when there is no more for now
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
      at = begin; // nobody has seen any of them
      throw e;
    }
    return all;
  }

  /**
   * What is left to be shown. At the end of the log {@code hasNext()} is false, and true again when more was appended.
   *
   * @return an iterator, which throws {@link java.io.UncheckedIOException} of a {@link BinlogException}
   */
  @Override
  public Iterator<Record> iterator() {
    return new RecordIterator(this, false);
  }

  /**
   * What is left to be shown, up to the end of the log.
   *
   * @return a stream in the cursor's order, which throws {@link java.io.UncheckedIOException} of a
   *     {@link BinlogException}
   */
  public Stream<Record> stream() {
    return StreamSupport.stream(
        Spliterators.spliteratorUnknownSize(
            iterator(), Spliterator.ORDERED | Spliterator.NONNULL | Spliterator.IMMUTABLE),
        false);
  }

  /**
   * Waits until the next call has a record to show, or something to tell, such as {@link BinlogException.Missed}. It
   * goes on over rolls, and over a writer that ends and begins anew. A cursor that shows the newest first sees nothing
   * new.
   *
   * <p>Takes no thread for each cursor that waits: one daemon thread, {@code binlog-waiting}, wakes those of the process, and a
   * virtual thread leaves its carrier while it waits. A cursor that has waited holds two descriptors until it is closed;
   * without any left it looks ten times a second.
   *
   * @param timeout how long at the most; zero or less only looks
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
   * The record with this id, wherever the cursor is. Reading goes on behind it, whether it is there or not.
   *
   * @param id its id
   * @return null when the log has no such record, or the filter does not let it through
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
      show(NOTHING); // it is elsewhere by now
      throw e;
    } finally {
      leave();
    }
    return frames.length == 0 ? null : take();
  }

  /**
   * Goes to the record with this id, or to the first behind it that the filter lets through: the next record shown is
   * that one. When records from this id on were removed with old segments, the next call that reads says once which, by
   * {@link BinlogException.Missed}.
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
   * from there on. {@link BinlogException.Missed} follows, as behind {@link #seek}, when the log still says that records
   * of this time or later were removed, with the ids among which they were.
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
   * Goes behind the newest record that is there, whatever the filter lets through: what is shown next was appended later.
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
   * Where the cursor came to an end and why.
   *
   * @return {@link Tail.State#MORE} while it has not
   * @throws BinlogException when it cannot be told
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
   * The name that a type's number was given for, as far as the log has told by now. {@link Record#typeName} is the same
   * for a record's own.
   *
   * @param type the number
   * @return null when it has none
   * @throws BinlogException when it cannot be told
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
   * Frees the cursor, once a call that is under way has ended; {@link #await} ends at once. A record that was read stays
   * good. Closing again only waits until the first close is done.
   *
   * @throws IllegalStateException when a loss listener that the cursor tells does it
   */
  @Override
  public void close() {
    raw.run();
    net.clean(); // closed already: only forgotten
  }
}
