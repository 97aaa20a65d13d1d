package io.binlog;

import java.lang.ref.Cleaner;
import java.lang.ref.Reference;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * A log being written. Threads may share it, also for closing: a call after the close throws an {@link
 * IllegalStateException}, and the close waits for earlier ones.
 *
 * <p>A record is in the writer's memory when a write returns. {@link #flush} passes it to the system, where it survives
 * this process; {@link #sync} makes it durable, and it survives the machine; the policies of {@link WriterOptions} do
 * so automatically. A write that fails has not accepted its record, unless {@link BinlogException#recordId} says so.
 *
 * <p>A buffer that is written is not changed: neither its position nor its limit moves. Its contents are not needed
 * after the call. A direct buffer is read in place; bytes of the heap are copied once.
 */
public final class BinlogWriter implements AutoCloseable {
  private final Handle handle;
  private final Cleaner.Cleanable net;
  private final Upcalls.@Nullable FailureTarget failures;

  private BinlogWriter(Path path, boolean singleFile, WriterOptions options) throws BinlogException {
    handle = new Handle("the writer", Native::writerClose);
    failures = options.failures(handle);
    handle.opened(
        Native.writerOpen(Text.terminated(path.toString()), singleFile, options.toNative(handle, failures)));
    Handle closed = handle;
    net =
        Binlog.CLEANER.register(
            this,
            () -> {
              ShutdownFlush.remove(closed);
              closed.run();
            });
    if (options.flushesAtShutdown()) ShutdownFlush.add(handle);
  }

  /**
   * Opens the log in a directory with the default options: see {@link #open(Path, WriterOptions)}.
   *
   * @param directory the directory
   * @return a writer to be closed
   * @throws BinlogException as there
   */
  public static BinlogWriter open(Path directory) throws BinlogException {
    return open(directory, WriterOptions.builder().build());
  }

  /**
   * Opens the log in a directory for writing; both are created if necessary, and appends continue after the last
   * record. A torn tail, as a crash leaves it, is cut after its bytes have been kept in {@code SEGMENT.torn-OFFSET}.
   *
   * @param directory the directory
   * @param options how it is written
   * @return a writer to be closed
   * @throws BinlogException {@link BinlogException.Locked} when another writer has the log open;
   *     {@link BinlogException.Corrupt} when its end is damaged; {@link BinlogException.Mismatch} when it is not what
   *     is required; {@link Status#INVALID} for invalid options; {@link BinlogException.NoSpace},
   *     {@link BinlogException.NotFound}, {@link BinlogException.Unsupported}, {@link Status#IO}
   */
  public static BinlogWriter open(Path directory, WriterOptions options) throws BinlogException {
    return new BinlogWriter(directory, false, options);
  }

  /**
   * Opens a log that is a single file; it is created if necessary, in an existing directory. Such a log never rolls:
   * rules for rolling, names and retention do nothing.
   *
   * @param file the file
   * @param options how it is written
   * @return a writer to be closed
   * @throws BinlogException as {@link #open(Path, WriterOptions)}
   */
  public static BinlogWriter openFile(Path file, WriterOptions options) throws BinlogException {
    return new BinlogWriter(file, true, options);
  }

  /**
   * Appends a record of type 0.
   *
   * @param payload its bytes
   * @return its id; 0 when {@link FullDisk#DROP} has dropped it
   * @throws BinlogException as {@link #write(NewRecord)}
   * @throws IllegalStateException when the writer is closed
   */
  public long write(byte[] payload) throws BinlogException {
    return write(0, payload);
  }

  /**
   * Appends a record.
   *
   * @param type its type: a number below {@link Record#FIRST_NAMED_TYPE}, or one that {@link #type} returned
   * @param payload its bytes
   * @return its id; 0 when {@link FullDisk#DROP} has dropped it
   * @throws BinlogException as {@link #write(NewRecord)}
   * @throws IllegalStateException when the writer is closed
   */
  public long write(int type, byte[] payload) throws BinlogException {
    int length = payload.length;
    long writer = handle.enter();
    try {
      return Native.append(writer, type, payload, 0, length);
    } finally {
      leave();
    }
  }

  /**
   * Appends a record.
   *
   * @param type its type
   * @param payload an array that holds its bytes
   * @param offset where they begin
   * @param length how many they are
   * @return its id; 0 when {@link FullDisk#DROP} has dropped it
   * @throws IndexOutOfBoundsException when they are not in the array
   * @throws BinlogException as {@link #write(NewRecord)}
   * @throws IllegalStateException when the writer is closed
   */
  public long write(int type, byte[] payload, int offset, int length) throws BinlogException {
    Objects.checkFromIndexSize(offset, length, payload.length);
    long writer = handle.enter();
    try {
      return Native.append(writer, type, payload, offset, length);
    } finally {
      leave();
    }
  }

  /**
   * Appends a record of type 0.
   *
   * @param payload its bytes, from the buffer's position to its limit
   * @return its id; 0 when {@link FullDisk#DROP} has dropped it
   * @throws BinlogException as {@link #write(NewRecord)}
   * @throws IllegalStateException when the writer is closed
   */
  public long write(ByteBuffer payload) throws BinlogException {
    return write(0, payload);
  }

  /**
   * Appends a record.
   *
   * @param type its type
   * @param payload its bytes, from the buffer's position to its limit
   * @return its id; 0 when {@link FullDisk#DROP} has dropped it
   * @throws BinlogException as {@link #write(NewRecord)}
   * @throws IllegalStateException when the writer is closed
   */
  public long write(int type, ByteBuffer payload) throws BinlogException {
    if (payload.hasArray()) {
      return write(type, payload.array(), payload.arrayOffset() + payload.position(), payload.remaining());
    }
    return gather(type, 0, 0, null, new ByteBuffer[] {payload});
  }

  /**
   * Appends a record with metadata.
   *
   * @param type its type
   * @param headers the strings that go with it
   * @param payload its bytes
   * @return its id; 0 when {@link FullDisk#DROP} has dropped it
   * @throws IllegalArgumentException for text that UTF-8 cannot hold
   * @throws BinlogException as {@link #write(NewRecord)}
   * @throws IllegalStateException when the writer is closed
   */
  public long write(int type, Map<String, String> headers, byte[] payload) throws BinlogException {
    return write(type, Metadata.of(headers), payload);
  }

  /**
   * Appends a record with metadata.
   *
   * @param type its type
   * @param headers the strings that go with it
   * @param payload its bytes
   * @return its id; 0 when {@link FullDisk#DROP} has dropped it
   * @throws BinlogException as {@link #write(NewRecord)}
   * @throws IllegalStateException when the writer is closed
   */
  public long write(int type, Metadata headers, byte[] payload) throws BinlogException {
    return append(type, 0, 0, headers.bytes(), payload, 0, payload.length);
  }

  /**
   * Appends a record with metadata.
   *
   * @param type its type
   * @param headers the strings that go with it
   * @param payload its bytes, from the buffer's position to its limit
   * @return its id; 0 when {@link FullDisk#DROP} has dropped it
   * @throws IllegalArgumentException for text that UTF-8 cannot hold
   * @throws BinlogException as {@link #write(NewRecord)}
   * @throws IllegalStateException when the writer is closed
   */
  public long write(int type, Map<String, String> headers, ByteBuffer payload) throws BinlogException {
    return write(NewRecord.of(type, payload).metadata(headers));
  }

  /**
   * Appends a record with a time or metadata of its own.
   *
   * @param record the record
   * @return its id; 0 when {@link FullDisk#DROP} has dropped it
   * @throws BinlogException {@link BinlogException.TooLarge} over {@link WriterOptions.Builder#recordMaxBytes};
   *     {@link BinlogException.NoSpace} or {@link Status#IO} when the log cannot be written, before the record is
   * accepted: appending it again then repeats nothing, unless {@link BinlogException#recordId} says that it was
   * accepted; {@link BinlogException.Failed} after an fsync has failed; {@link Status#INVALID} for a type that is not
   * the user's
   * @throws IllegalStateException when the writer is closed
   */
  public long write(NewRecord record) throws BinlogException {
    ByteBuffer payload = record.payload();
    byte @Nullable [] metadata = record.metadata().bytes();
    if (payload.hasArray()) {
      return append(record.type(), record.timeNanos(), record.flags(), metadata, payload.array(),
          payload.arrayOffset() + payload.position(), payload.remaining());
    }
    return gather(record.type(), record.timeNanos(), record.flags(), metadata, new ByteBuffer[] {payload});
  }

  private long append(int type, long time, int flags, byte @Nullable [] metadata, byte[] payload, int offset, int length)
      throws BinlogException {
    long writer = handle.enter();
    try {
      return Native.appendRecord(writer, type, time, flags, metadata, payload, offset, length);
    } finally {
      leave();
    }
  }

  /**
   * Appends all records of a batch or, on an error, none; a crash too keeps all or none. The batch is not changed.
   *
   * @param batch the records
   * @return the id of the first, which the others follow; 0 for a batch without a record, which appends nothing, and when
   *     {@link FullDisk#DROP} has dropped them
   * @throws BinlogException as {@link #write(NewRecord)}
   * @throws IllegalStateException when the writer is closed
   */
  public long write(Batch batch) throws BinlogException {
    Objects.requireNonNull(batch, "batch");
    long writer = handle.enter();
    try {
      return batch.append(writer);
    } finally {
      leave();
    }
  }

  /**
   * Appends one record whose payload is the parts, one after the other. A large direct buffer is written from where it
   * is, without a copy.
   *
   * @param type its type
   * @param parts the parts, each from the buffer's position to its limit
   * @return its id; 0 when {@link FullDisk#DROP} has dropped it
   * @throws BinlogException as {@link #write(NewRecord)}
   * @throws IllegalStateException when the writer is closed
   */
  public long gather(int type, ByteBuffer... parts) throws BinlogException {
    return gather(type, 0, 0, null, parts);
  }

  /**
   * Appends one record with metadata whose payload is the parts, one after the other.
   *
   * @param type its type
   * @param headers the strings that go with it
   * @param parts the parts, each from the buffer's position to its limit
   * @return its id; 0 when {@link FullDisk#DROP} has dropped it
   * @throws IllegalArgumentException for text that UTF-8 cannot hold
   * @throws BinlogException as {@link #write(NewRecord)}
   * @throws IllegalStateException when the writer is closed
   */
  public long gather(int type, Map<String, String> headers, ByteBuffer... parts) throws BinlogException {
    return gather(type, 0, 0, Metadata.of(headers).bytes(), parts);
  }

  /**
   * Appends one record with a time or metadata of its own, whose payload is that of {@code head} and then the parts.
   *
   * @param head type, time, metadata, and the first bytes, which may be none
   * @param parts the parts, each from the buffer's position to its limit
   * @return its id; 0 when {@link FullDisk#DROP} has dropped it
   * @throws BinlogException as {@link #write(NewRecord)}
   * @throws IllegalStateException when the writer is closed
   */
  public long gather(NewRecord head, ByteBuffer... parts) throws BinlogException {
    ByteBuffer[] all = new ByteBuffer[parts.length + 1];
    all[0] = head.payload();
    System.arraycopy(parts, 0, all, 1, parts.length);
    return gather(head.type(), head.timeNanos(), head.flags(), head.metadata().bytes(), all);
  }

  private long gather(int type, long time, int flags, byte @Nullable [] metadata, ByteBuffer[] parts) throws BinlogException {
    Parts all = new Parts(parts);
    long writer = handle.enter();
    try {
      return Native.gather(writer, type, time, flags, metadata, all.objects, all.ranges, parts.length);
    } finally {
      leave();
    }
  }

  /**
   * Opens an appender on this log: a way to append without a lock and without ids, from one thread at a time.
   *
   * @return an appender to be closed, before or after the writer
   * @throws BinlogException {@link BinlogException.Failed} after an fsync has failed
   * @throws IllegalStateException when the writer is closed
   */
  public Appender appender() throws BinlogException {
    return appender(0);
  }

  /**
   * As {@link #appender()}, with the number of bytes at which records are handed over.
   *
   * @param handOverBytes payload bytes at which what is staged is handed over: 65,536 to 262,144; 0 = 262,144
   * @return an appender to be closed, before or after the writer
   * @throws BinlogException {@link Status#INVALID} for another number; {@link BinlogException.Failed} after an fsync has
   *     failed
   * @throws IllegalStateException when the writer is closed
   */
  public Appender appender(int handOverBytes) throws BinlogException {
    Text.notNegative(handOverBytes, "the bytes at which records are handed over");
    long writer = handle.enter();
    try {
      return new Appender(handle, writer, handOverBytes);
    } finally {
      leave();
    }
  }

  /**
   * The number that stands for a type's name in this log; a new name gets one.
   *
   * @param name the name
   * @return the number, for {@link #write(int, byte[])}
   * @throws BinlogException as {@link #write(NewRecord)}
   * @throws IllegalStateException when the writer is closed
   */
  public int type(String name) throws BinlogException {
    return type(name, null);
  }

  /**
   * The number that stands for a type's name in this log; a new name gets one.
   *
   * @param name the name
   * @param contentType the MIME type of its payloads; used only when the name is new; may be null
   * @return the number, for {@link #write(int, byte[])}
   * @throws BinlogException as {@link #write(NewRecord)}
   * @throws IllegalStateException when the writer is closed
   */
  public int type(String name, @Nullable String contentType) throws BinlogException {
    byte[] called = Text.terminated(Objects.requireNonNull(name, "name"));
    byte @Nullable [] content = Text.terminatedOrNull(contentType);
    long writer = handle.enter();
    try {
      return Native.writerType(writer, called, content);
    } finally {
      leave();
    }
  }

  /**
   * The number of a type in this log. A type that differs in anything from those of the log gets a new number, also
   * under a name that other types have. The log tells its readers all of it: {@link Cursor#typeInfo},
   * {@link BinlogReader#types}.
   *
   * @param type the type
   * @return the number, for {@link #write(int, byte[])}
   * @throws BinlogException {@link Status#INVALID} for texts that are too long in all or a schema without an encoding;
   *     {@link BinlogException.TooLarge} for a schema over 1 MiB, or over what all schemas may have together
   *     ({@link WriterOptions.Builder#schemaBytes}); else as {@link #write(NewRecord)}
   * @throws IllegalStateException when the writer is closed
   */
  public int typeOf(TypeOptions type) throws BinlogException {
    byte[] name = Text.terminated(type.name);
    byte[] contentType = Text.terminated(type.contentType);
    byte[] encoding = Text.terminated(type.encoding);
    byte[] message = Text.terminated(type.message);
    long writer = handle.enter();
    try {
      return Native.writerTypeOf(writer, name, contentType, encoding, message, type.schema);
    } finally {
      leave();
    }
  }

  /** A call without arguments. */
  private interface Call {
    void on(long writer) throws BinlogException;
  }

  private void call(Call call) throws BinlogException {
    long writer = handle.enter();
    try {
      call.on(writer);
    } finally {
      leave();
    }
  }

  private void leave() {
    handle.exit();
    Reference.reachabilityFence(this);
  }

  /**
   * Passes everything appended so far to the system, where it survives the end of this process, however it ends.
   *
   * @throws BinlogException {@link BinlogException.NoSpace} or {@link Status#IO}: what could not be written waits for
   * the next attempt; {@link BinlogException.Failed}
   * @throws IllegalStateException when the writer is closed
   */
  public void flush() throws BinlogException {
    call(Native::writerFlush);
  }

  /**
   * Makes everything appended so far durable: it survives the end of the machine. Threads that sync at the same time
   * share one fdatasync.
   *
   * @throws BinlogException as {@link #flush}; {@link BinlogException.Failed} when the fsync fails, and from all later
   * calls until the log is opened anew: what is on the disk is then unknown
   * @throws IllegalStateException when the writer is closed
   */
  public void sync() throws BinlogException {
    call(Native::writerSync);
  }

  /**
   * Does what is due by time: the intervals of flushing and syncing, rolling, heartbeats; and what rolls have deferred:
   * it prepares the next file, makes closed segments durable, calls hooks, removes old segments. Only a writer without
   * a background thread needs it, at intervals, from a thread of its own: when its log may be idle, or when no write
   * may wait for the disk because of a roll.
   *
   * @throws BinlogException as {@link #sync}
   * @throws IllegalStateException when the writer is closed
   */
  public void tick() throws BinlogException {
    call(Native::writerTick);
  }

  /**
   * Writes a {@link Event#HEARTBEAT} now, and passes it to the system.
   *
   * @throws BinlogException as {@link #flush}
   * @throws IllegalStateException when the writer is closed
   */
  public void heartbeat() throws BinlogException {
    call(Native::writerHeartbeat);
  }

  /**
   * Ends the current segment and continues in a new one; nothing happens while the current one holds no record.
   *
   * @throws BinlogException as {@link #sync}; {@link BinlogException.Unsupported} for a log that is a single file
   * @throws IllegalStateException when the writer is closed
   */
  public void roll() throws BinlogException {
    call(Native::writerRoll);
  }

  /**
   * As {@link #roll}, with a reason.
   *
   * @param reason 1 to 256 bytes of UTF-8, which the event {@link Event#ROTATE_NEXT} and the hooks get
   * @throws BinlogException as {@link #roll}
   * @throws IllegalStateException when the writer is closed
   */
  public void rollBecause(String reason) throws BinlogException {
    byte[] why = Text.terminated(Objects.requireNonNull(reason, "reason"));
    call(writer -> Native.writerRollBecause(writer, why));
  }

  /**
   * Gives the log new rules for rolling and new names, which replace those of the options; they begin with a new
   * segment at once.
   *
   * @param rules the rules; null means the defaults
   * @throws BinlogException {@link Status#INVALID} for an invalid rule, zone or template: then the     old ones stay;
   * otherwise as {@link #roll}
   * @throws IllegalStateException when the writer is closed
   */
  public void setRoll(@Nullable RollOptions rules) throws BinlogException {
    NativeOptions.@Nullable Roll roll = rules == null ? null : rules.toNative(handle, failures);
    call(writer -> Native.writerSetRoll(writer, roll));
  }

  /**
   * How far the log is appended, flushed and durable. Never waits.
   *
   * @return the current ids
   * @throws BinlogException {@link BinlogException.Forked}
   * @throws IllegalStateException when the writer is closed
   */
  public Position position() throws BinlogException {
    long[] ids = new long[3];
    long writer = handle.enterFromAnywhere();
    try {
      Native.writerPosition(writer, ids);
    } finally {
      leave();
    }
    return new Position(ids[0], ids[1], ids[2]);
  }

  /**
   * The number of records dropped by {@link FullDisk#DROP} since the writer was opened. Never waits.
   *
   * @return 0 or more
   * @throws BinlogException {@link BinlogException.Forked}
   * @throws IllegalStateException when the writer is closed
   */
  public long dropped() throws BinlogException {
    long writer = handle.enterFromAnywhere();
    try {
      return Native.writerDropped(writer);
    } finally {
      leave();
    }
  }

  /**
   * The number of failures apart from the writing of records since the writer was opened: of a hook, the removal of an
   * old segment, the {@code .active} file, an active file that was removed by others. Never waits.
   *
   * @return 0 or more
   * @throws BinlogException {@link BinlogException.Forked}
   * @throws IllegalStateException when the writer is closed
   */
  public long failures() throws BinlogException {
    long writer = handle.enterFromAnywhere();
    try {
      return Native.writerFailures(writer);
    } finally {
      leave();
    }
  }

  /**
   * The progress of the shipping that {@link WriterOptions.Builder#ship} has asked for. Never waits.
   *
   * @return the current state
   * @throws BinlogException {@link BinlogException.NotFound} when the writer ships nothing;
   *     {@link BinlogException.Forked}
   * @throws IllegalStateException when the writer is closed
   */
  public ShipStatus shipStatus() throws BinlogException {
    long writer = handle.enterFromAnywhere();
    try {
      return Native.writerShipStatus(writer);
    } finally {
      leave();
    }
  }

  /**
   * The same in the text format of Prometheus.
   *
   * @return lines
   * @throws BinlogException as {@link #shipStatus}
   * @throws IllegalStateException when the writer is closed
   */
  public String shipMetrics() throws BinlogException {
    long writer = handle.enterFromAnywhere();
    try {
      return Text.text(Native.writerShipMetrics(writer));
    } finally {
      leave();
    }
  }

  /**
   * The last failure of shipping since the writer was opened. {@link WriterOptions.Builder#onFailure} is called with
   * each failure when it happens.
   *
   * @return empty when nothing has failed
   * @throws IllegalStateException when the writer is closed
   */
  public Optional<BinlogException> shipFailure() {
    long writer = handle.enterFromAnywhere();
    try {
      return Optional.ofNullable(Native.writerShipFailure(writer));
    } finally {
      leave();
    }
  }

  /**
   * Waits for calls in progress in other threads, writes what is still in memory, closes the last segment and makes it
   * durable. A writer that ships its log continues shipping for as long as {@link ShipOptions.Builder#closeWait} says.
   * The writer is closed whatever the outcome. Closing again only waits until that is done.
   *
   * @throws BinlogException as {@link #sync}; the message says which records could not be written
   * @throws IllegalStateException when called by a function that the writer calls, such as a hook
   */
  @Override
  public void close() throws BinlogException {
    ShutdownFlush.remove(handle);
    handle.close();
    net.clean(); // closed already: only unregisters
  }
}
