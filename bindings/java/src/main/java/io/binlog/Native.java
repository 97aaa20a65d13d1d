package io.binlog;

import java.nio.ByteBuffer;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Every call into C, one method for each function of binlog.h that is used. Handles are addresses; 0 is none. Text is
 * UTF-8: arguments end with a NUL ({@link Text#terminated}), results do not. Errors are thrown by the call that found
 * them. Only the handles' owners may call these: nothing is checked here.
 */
final class Native {
  static {
    Library.load();
  }

  private Native() {}

  /** The number of Java objects that the library holds for its callbacks. */
  static native long liveCallbacks();

  static native int versionNumber();

  static native byte[] version();

  static native byte[] statusName(int status);

  static native long writerOpen(byte[] path, boolean singleFile, NativeOptions.Writer options) throws BinlogException;

  static native void writerClose(long writer) throws BinlogException;

  static native void writerFlush(long writer) throws BinlogException;

  static native void writerSync(long writer) throws BinlogException;

  static native void writerTick(long writer) throws BinlogException;

  static native void writerHeartbeat(long writer) throws BinlogException;

  static native void writerRoll(long writer) throws BinlogException;

  static native void writerRollBecause(long writer, byte[] reason) throws BinlogException;

  static native void writerSetRoll(long writer, NativeOptions.@Nullable Roll roll) throws BinlogException;

  static native int writerType(long writer, byte[] name, byte @Nullable [] contentType) throws BinlogException;

  /** The texts end with a NUL, the schema does not. */
  static native int writerTypeOf(
      long writer, byte[] name, byte[] contentType, byte[] encoding, byte[] message, byte[] schema)
      throws BinlogException;

  /** Appended, flushed and durable id, into {@code out}. */
  static native void writerPosition(long writer, long[] out) throws BinlogException;

  static native long writerDropped(long writer) throws BinlogException;

  static native long writerFailures(long writer) throws BinlogException;

  static native long append(long writer, int type, byte[] data, int offset, int length) throws BinlogException;

  /** {@code metadata} is encoded, or null; {@code flags} is {@link #TIME} when {@code time} is used, else 0. */
  static native long appendRecord(
      long writer, int type, long time, int flags, byte @Nullable [] metadata, byte[] data, int offset, int length)
      throws BinlogException;

  /**
   * {@code parts} are byte[] and direct buffers; for each there are two numbers in {@code ranges}: where it begins, and
   * its length, which is {@code -1 - length} for a direct buffer.
   */
  static native long gather(
      long writer, int type, long time, int flags, byte @Nullable [] metadata, Object[] parts, int[] ranges, int count)
      throws BinlogException;

  static native long appendPacked(long writer, ByteBuffer frames, int length) throws BinlogException;

  /** {@code area} has to be kept reachable until the appender is closed. */
  static native long appenderOpen(long writer, long handOverBytes, ByteBuffer area, int size) throws BinlogException;

  /** As {@link #appendRecord}; false when the record was dropped. */
  static native boolean appenderAppend(
      long appender, int type, long time, int flags, byte @Nullable [] metadata, byte[] data, int offset, int length)
      throws BinlogException;

  /** As {@link #gather}; false when the record was dropped. */
  static native boolean appenderGather(
      long appender, int type, long time, int flags, byte @Nullable [] metadata, Object[] parts, int[] ranges, int count)
      throws BinlogException;

  static native boolean appenderPacked(long appender, ByteBuffer frames, int length) throws BinlogException;

  static native void appenderSettle(long appender) throws BinlogException;

  /** The id of its last record. */
  static native long appenderFlush(long appender) throws BinlogException;

  static native void appenderClose(long appender) throws BinlogException;

  static native long readerOpen(byte[] path, NativeOptions.Reader options) throws BinlogException;

  static native long splitOpen(byte[] token, NativeOptions.Reader options) throws BinlogException;

  static native void readerClose(long reader);

  static native void readerSegments(long reader, List<Segment> into) throws BinlogException;

  static native void readerCounts(long reader, List<TypeCount> into) throws BinlogException;

  static native void readerTypes(long reader, List<TypeInfo> into) throws BinlogException;

  static native void readerPlan(long reader, NativeOptions.Filter filter, NativeOptions.Plan options, List<Split> into)
      throws BinlogException;

  static native long tableOpen(long reader, NativeOptions.Filter filter, NativeOptions.Table options)
      throws BinlogException;

  static native void tableClose(long table);

  /** The columns are the children of the one that it returns. */
  static native TableColumn tableColumns(long table) throws BinlogException;

  /**
   * The address of a batch, and its numbers: of an array its length, its nulls, its offset, the number of its buffers
   * and their addresses; then those of its children and of its dictionary. Null at the end.
   */
  static native long @Nullable [] tableNext(long table) throws BinlogException;

  static native void batchRelease(long batch);

  static native ByteBuffer bufferAt(long address, long length);

  /** {@code seeks} unless it shows the newest first or salvages. */
  static native long cursorOpen(long reader, NativeOptions.Filter filter, boolean seeks) throws BinlogException;

  static native void cursorClose(long cursor);

  /** Packed frames of at least one record, or null at the end. */
  static native byte @Nullable [] cursorFetch(long cursor) throws BinlogException;

  /** One packed frame, or null when the record is not there. */
  static native byte[] cursorGet(long cursor, long id) throws BinlogException;

  static native void cursorSeek(long cursor, long id) throws BinlogException;

  static native void cursorSeekTime(long cursor, long time) throws BinlogException;

  static native void cursorSeekEnd(long cursor) throws BinlogException;

  /** Whether the next call has a record to return or an error to throw. Does not wait. */
  static native boolean cursorLook(long cursor) throws BinlogException;

  /**
   * A descriptor that is readable when it is time to look again, or -1 when the system has none; and after how many
   * nanoseconds to look anyway, into {@code lookAfter}.
   */
  static native int cursorDescriptor(long cursor, long[] lookAfter) throws BinlogException;

  static native Tail cursorTail(long cursor) throws BinlogException;

  /** Null when the type has no name. */
  static native byte @Nullable [] cursorTypeName(long cursor, int type) throws BinlogException;

  /** Null when the type has no name. */
  static native @Nullable TypeInfo cursorType(long cursor, int type) throws BinlogException;

  /** In place when {@code target} is null. Records, lost records, losses and segments, into {@code out}. */
  static native void recover(byte[] source, byte @Nullable [] target, Upcalls.@Nullable Losses listener, long[] out) throws BinlogException;

  static native long rebuildIndex(byte[] path) throws BinlogException;

  static native long shipperOpen(byte[] directory, byte @Nullable [] log, NativeOptions.Ship options) throws BinlogException;

  static native void shipperClose(long shipper);

  static native void shipperStop(long shipper);

  /**
   * Uploaded segments and bytes, segments that were found, pruned segments and bytes, and 1 when it was stopped, into
   * {@code out}. A listener may be null, here and below.
   */
  static native void shipperRun(long shipper, Upcalls.@Nullable Listener<ShipEvent> listener, long[] out)
      throws BinlogException;

  static native void shipperFollow(long shipper, Upcalls.@Nullable Listener<ShipEvent> listener) throws BinlogException;

  /**
   * Sound segments and bytes, waiting segments, first and last sequence, and 1 when it was stopped, into {@code out}.
   */
  static native void shipperVerify(
      long shipper, int flags, Upcalls.@Nullable Listener<ShipEvent> listener, Upcalls.Found into, long[] out)
      throws BinlogException;

  static native void shipperAccept(long shipper, byte[] segment) throws BinlogException;

  static native void shipperReplace(long shipper, byte[] segment) throws BinlogException;

  static native void shipperForget(long shipper) throws BinlogException;

  static native ShipStatus shipperStatus(long shipper) throws BinlogException;

  static native byte[] shipperMetrics(long shipper) throws BinlogException;

  /** Null when nothing has failed. */
  static native @Nullable BinlogException shipperLastFailure(long shipper);

  static native ShipStatus writerShipStatus(long writer) throws BinlogException;

  static native byte[] writerShipMetrics(long writer) throws BinlogException;

  /** Null when nothing has failed. */
  static native @Nullable BinlogException writerShipFailure(long writer);

  /** Decompresses when {@code back}. */
  static native void compress(
      boolean back, byte[] path, byte @Nullable [] log, NativeOptions.Compress options, Upcalls.@Nullable Listener<Progress> listener,
      List<Compressed> into)
      throws BinlogException;

  static native void prune(byte[] path, byte @Nullable [] log, NativeOptions.Keep keep, int flags, List<Pruned> into)
      throws BinlogException;

  /** A new descriptor that {@link #pollRing} makes readable; -1 when the system has none. */
  static native int pollOpen();

  static native void pollClose(int bell);

  static native void pollRing(int bell);

  /**
   * Waits until one of the descriptors is readable, the bell is rung, or the time is up. Each descriptor is replaced by
   * 1 when it is readable, or no longer valid, else by 0. True when the bell was rung, which is silent then.
   */
  static native boolean poll(int bell, int[] descriptors, int millis) throws BinlogException;

  /** BINLOG_RECORD_TIME. */
  static final int TIME = 1;
}
