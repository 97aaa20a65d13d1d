package io.binlog;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.lang.ref.Cleaner;
import java.lang.ref.Reference;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.time.Clock;
import java.time.Instant;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * Appends records to the log of a {@link BinlogWriter} from one thread at a time: a record is staged in memory of the
 * appender, without a lock and without a call into C. Any number of appenders can be open on a writer. It pays where
 * several threads append; for one thread {@link BinlogWriter#write} is as fast, and a {@link Batch} is faster.
 *
 * <p>A record gets its id when what is staged is handed over: when the memory is full, at {@link #flush} and {@link
 * #close}, and when the writer is flushed, synced, rolled or closed, by a call or by a policy; such a call collects from
 * all appenders what was appended before it. The records of one appender keep their order; otherwise records follow in
 * the order in which they are handed over. Their times may therefore run back by as long as records are staged.
 *
 * <p>Staged records are not in {@link BinlogWriter#position}, and are lost when the process ends without a close or
 * {@link WriterOptions.Builder#flushAtShutdown}. The flush interval of the writer bounds how long they are staged: with
 * a background thread or {@link BinlogWriter#tick} also when the appender gets no further record. Nothing is staged, and
 * an append is then the writer's, in a log that rolls by its number of records, with a policy for each record, and for
 * records and batches that are larger than a block.
 *
 * <p>The writer may be closed while other threads append: each record is then in the log, or its append throws.
 *
 * <p>Use {@link BinlogWriter#write} where the id is needed at once, or where several threads share one object.
 */
public final class Appender implements AutoCloseable {
  /** Bytes for staged records. So much is copied in one call. */
  private static final int ROOM = 64 << 10;

  /** The head of the area, as binlog_area in binlog.h. */
  private static final int HEAD = 128;

  private static final int END = 0;
  private static final int LIMIT = 64;
  private static final int TAKEN = 72;
  private static final int FROM = 80;
  private static final int UNTIL = 88;
  private static final int TYPES_END = 96;
  private static final int PAYLOAD_MAX = 100;

  /** The wall clock is read again when so many nanoseconds have passed: it may have been set. */
  private static final long CLOCK_NANOS = 1_000_000;

  private static final VarHandle WORD =
      MethodHandles.byteBufferViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);

  private static final VarHandle CALLING;

  static {
    try {
      CALLING = MethodHandles.lookup().findVarHandle(Appender.class, "calling", boolean.class);
    } catch (ReflectiveOperationException e) {
      throw new ExceptionInInitializerError(e);
    }
  }

  private final Handle handle;
  private final Handle writer;
  private final Cleaner.Cleanable net;
  private final ByteBuffer area;
  /** Set during a call of C: threads that use an appender at once, against its rules, must not meet there. */
  @SuppressWarnings("unused") // through CALLING
  private volatile boolean calling;
  /** Bytes of complete frames, and what the library has said about them, as of its last call. */
  private int end;
  private long from;
  private long until;
  private int typesEnd;
  private final int payloadMax;
  /** The wall clock at a moment of {@link System#nanoTime}. */
  private long clockTime;
  private long clockNanos;

  Appender(Handle writer, long opened, int handOverBytes) throws BinlogException {
    this.writer = writer;
    area = ByteBuffer.allocateDirect(HEAD + ROOM + 64).alignedSlice(64).order(ByteOrder.LITTLE_ENDIAN);
    ByteBuffer memory = area;
    handle =
        new Handle(
            "the appender",
            address -> {
              try {
                Native.appenderClose(address);
              } finally {
                Reference.reachabilityFence(memory);
              }
            });
    handle.opened(Native.appenderOpen(opened, handOverBytes, area, HEAD + ROOM));
    net = Binlog.CLEANER.register(this, handle);
    payloadMax = area.getInt(PAYLOAD_MAX);
    readRules();
  }

  /**
   * Appends a record of type 0 with the current time.
   *
   * @param payload its bytes
   * @return false when {@link FullDisk#DROP} has dropped it
   * @throws BinlogException as {@link #append(NewRecord)}
   * @throws IllegalStateException when the appender is closed
   */
  public boolean append(byte[] payload) throws BinlogException {
    return append(0, payload, 0, payload.length);
  }

  /**
   * Appends a record with the current time.
   *
   * @param type its type: a number below {@link Record#FIRST_NAMED_TYPE}, or one that {@link BinlogWriter#type} returned
   * @param payload its bytes
   * @return false when {@link FullDisk#DROP} has dropped it
   * @throws BinlogException as {@link #append(NewRecord)}
   * @throws IllegalStateException when the appender is closed
   */
  public boolean append(int type, byte[] payload) throws BinlogException {
    return append(type, payload, 0, payload.length);
  }

  /**
   * Appends a record with the current time.
   *
   * @param type its type
   * @param payload an array that holds its bytes
   * @param offset where they begin
   * @param length how many they are
   * @return false when {@link FullDisk#DROP} has dropped it
   * @throws IndexOutOfBoundsException when they are not in the array
   * @throws BinlogException as {@link #append(NewRecord)}
   * @throws IllegalStateException when the appender is closed
   */
  public boolean append(int type, byte[] payload, int offset, int length) throws BinlogException {
    Objects.checkFromIndexSize(offset, length, payload.length);
    long now = now();
    int size = begin(type, now, now, Native.TIME, 0, length);
    if (size == 0) return appendByCall(type, 0, 0, null, payload, offset, length);
    area.put(payload, offset, length);
    complete(size);
    return true;
  }

  /**
   * Appends a record with the current time.
   *
   * @param type its type
   * @param payload its bytes, from the buffer's position to its limit, which stay as they are
   * @return false when {@link FullDisk#DROP} has dropped it
   * @throws BinlogException as {@link #append(NewRecord)}
   * @throws IllegalStateException when the appender is closed
   */
  public boolean append(int type, ByteBuffer payload) throws BinlogException {
    long now = now();
    int size = begin(type, now, now, Native.TIME, 0, payload.remaining());
    if (size == 0) return appendByCall(type, 0, 0, null, new ByteBuffer[] {payload});
    area.put(payload.duplicate());
    complete(size);
    return true;
  }

  /**
   * Appends a record with a time or metadata of its own.
   *
   * @param record the record
   * @return false when {@link FullDisk#DROP} has dropped it
   * @throws BinlogException {@link BinlogException.TooLarge} over {@link WriterOptions.Builder#recordMaxBytes};
   *     {@link BinlogException.NoSpace} or {@link Status#IO} when the log cannot be written: the record was not taken and
   *     may be appended again, unless {@link BinlogException#recordId} is not 0; {@link BinlogException.Failed} after an
   *     fsync has failed; {@link Status#INVALID} for a type that is not the user's, and when the writer is closed
   * @throws IllegalStateException when the appender is closed
   */
  public boolean append(NewRecord record) throws BinlogException {
    byte @Nullable [] metadata = record.metadata().bytes();
    int metadataLength = metadata == null ? 0 : metadata.length;
    ByteBuffer payload = record.payload();
    long now = now();
    long time = record.flags() == 0 ? now : record.timeNanos();
    int size = begin(record.type(), now, time, Native.TIME, metadataLength, payload.remaining());
    if (size == 0) {
      return appendByCall(record.type(), record.timeNanos(), record.flags(), metadata, new ByteBuffer[] {payload});
    }
    if (metadata != null) area.put(metadata);
    area.put(payload.duplicate());
    complete(size);
    return true;
  }

  /**
   * Appends one record whose payload is the parts, one after the other.
   *
   * @param type its type
   * @param parts the parts, each from the buffer's position to its limit
   * @return false when {@link FullDisk#DROP} has dropped it
   * @throws BinlogException as {@link #append(NewRecord)}
   * @throws IllegalStateException when the appender is closed
   */
  public boolean gather(int type, ByteBuffer... parts) throws BinlogException {
    return appendByCall(type, 0, 0, null, parts);
  }

  /**
   * Appends all records of a batch or, on an error, none; a crash too keeps all or none. The batch is not changed.
   *
   * @param batch the records
   * @return false when {@link FullDisk#DROP} has dropped them
   * @throws BinlogException as {@link #append(NewRecord)}
   * @throws IllegalStateException when the appender is closed
   */
  public boolean append(Batch batch) throws BinlogException {
    Objects.requireNonNull(batch, "batch");
    return calling(batch::appendTo);
  }

  /**
   * Passes the records of this appender to the system, and all that are before them in the log, as {@link
   * BinlogWriter#flush} does for all.
   *
   * @return the id of the last record of this appender; 0 when it has appended none
   * @throws BinlogException as {@link BinlogWriter#flush}; {@link Status#INVALID} when the writer is closed
   * @throws IllegalStateException when the appender is closed
   */
  public long flush() throws BinlogException {
    long[] last = new long[1];
    calling(
        appender -> {
          last[0] = Native.appenderFlush(appender);
          return true;
        });
    return last[0];
  }

  /**
   * Flushes as {@link #flush} does, and ends the appender, whatever the outcome. After the writer was closed, which has
   * collected what was staged, this succeeds. An appender that is not closed is closed when it is collected as garbage,
   * until which it keeps its memory; its records are collected by the writer.
   *
   * <p>Any thread may close an appender. While another one appends, each record is then in the log, or its append
   * throws.
   *
   * @throws BinlogException as {@link BinlogWriter#flush}
   * @throws IllegalStateException when called by a function that the writer calls, such as a hook; it stays open
   */
  @Override
  public void close() throws BinlogException {
    writer.refuseWithin();
    handle.close();
    net.clean(); // closed already: only unregisters
    WORD.setVolatile(area, LIMIT, 0L);
  }

  /**
   * Writes the head of a frame, and leaves the area's position after it. Returns the size of the frame, 0 when the
   * library has to be called instead.
   */
  private int begin(int type, long now, long time, int flags, int metadataLength, int payloadLength) {
    long size = Frame.size(metadataLength, payloadLength);
    long limit = (long) WORD.getOpaque(area, LIMIT);
    int at = HEAD + end;
    boolean isKnown = type >= 0 && (type < Record.FIRST_NAMED_TYPE || type < typesEnd);
    if (end + size > limit || payloadLength > payloadMax || !isKnown || now < from || now >= until) return 0;
    ByteBuffer to = area;
    to.putLong(at, size | (long) type << 32);
    to.putLong(at + Frame.TIME, time);
    to.putLong(at + Frame.METADATA_LENGTH, metadataLength | (long) payloadLength << 32);
    to.putLong(at + Frame.FLAGS, flags);
    to.position(at + Frame.HEADER);
    return (int) size;
  }

  /** Completes the frame. Both accesses are sequentially consistent with those of the library. */
  private void complete(int size) throws BinlogException {
    end += size;
    WORD.setVolatile(area, END, (long) end);
    if ((long) WORD.getVolatile(area, LIMIT) == 0) settle();
  }

  private void settle() throws BinlogException {
    long mine = end;
    try {
      calling(
          appender -> {
            Native.appenderSettle(appender);
            return true;
          });
    } catch (IllegalStateException e) {
      if (!handle.isClosed()) throw e;
      // Waits for the thread that closes, which may have taken the record.
      handle.close();
      if ((long) WORD.getVolatile(area, TAKEN) < mine) throw e;
    }
  }

  /** Nanoseconds since the Unix epoch. */
  private long now() {
    long nanos = System.nanoTime();
    long since = nanos - clockNanos;
    if (since < 0 || since >= CLOCK_NANOS) return readClock();
    return clockTime + since;
  }

  private long readClock() {
    Instant instant = Clock.systemUTC().instant();
    clockNanos = System.nanoTime();
    clockTime = Math.addExact(Math.multiplyExact(instant.getEpochSecond(), 1_000_000_000L), instant.getNano());
    return clockTime;
  }

  private boolean appendByCall(
      int type, long time, int flags, byte @Nullable [] metadata, byte[] payload, int offset, int length)
      throws BinlogException {
    return calling(appender -> Native.appenderAppend(appender, type, time, flags, metadata, payload, offset, length));
  }

  private boolean appendByCall(int type, long time, int flags, byte @Nullable [] metadata, ByteBuffer[] parts)
      throws BinlogException {
    Parts all = new Parts(parts);
    return calling(
        appender -> Native.appenderGather(appender, type, time, flags, metadata, all.objects, all.ranges, parts.length));
  }

  /** A call that may change the area. */
  interface Call {
    boolean on(long appender) throws BinlogException;
  }

  private boolean calling(Call call) throws BinlogException {
    long appender = handle.enter();
    boolean mine = CALLING.compareAndSet(this, false, true);
    try {
      if (!mine) throw new IllegalStateException("the appender is in use, by another thread or around this call");
      return call.on(appender);
    } finally {
      if (mine) {
        readRules();
        calling = false;
      }
      handle.exit();
      Reference.reachabilityFence(this);
    }
  }

  /** The library has changed the area. */
  private void readRules() {
    end = (int) (long) WORD.getVolatile(area, END);
    from = area.getLong(FROM);
    until = area.getLong(UNTIL);
    typesEnd = area.getInt(TYPES_END);
  }
}
