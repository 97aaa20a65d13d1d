package io.binlog;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Map;

/**
 * Records that are appended together: all of them or, on an error or by a crash, none. They are copied when they are
 * added, and appended by one call to the library. After {@link #clear} a batch can be reused. Not for several threads
 * at once.
 */
public final class Batch {
  private static final int INITIAL_BYTES = 16384;

  private ByteBuffer frames;
  private int count;
  /** While the library reads it. */
  private volatile boolean appending;

  /** An empty batch. */
  public Batch() {
    this(INITIAL_BYTES);
  }

  /**
   * An empty batch with room for so many bytes of records and their headers of 40 bytes; it grows as necessary.
   *
   * @param bytes how much memory it takes outside of the heap
   * @throws IllegalArgumentException for less than 0
   */
  public Batch(int bytes) {
    frames = allocate(Math.max(64, (int) Text.notNegative(bytes, "room")));
  }

  private static ByteBuffer allocate(int bytes) {
    return ByteBuffer.allocateDirect(bytes).order(ByteOrder.LITTLE_ENDIAN);
  }

  /**
   * Adds a record of type 0.
   *
   * @param payload its bytes
   * @return this
   */
  public Batch add(byte[] payload) {
    return add(0, payload);
  }

  /**
   * Adds a record.
   *
   * @param type its type
   * @param payload its bytes
   * @return this
   */
  public Batch add(int type, byte[] payload) {
    int end = begin(type, 0, 0, 0, payload.length);
    frames.put(payload);
    return end(end);
  }

  /**
   * Adds a record.
   *
   * @param type its type
   * @param payload an array that holds its bytes
   * @param offset where they begin
   * @param length how many they are
   * @return this
   * @throws IndexOutOfBoundsException when they are not in the array
   */
  public Batch add(int type, byte[] payload, int offset, int length) {
    java.util.Objects.checkFromIndexSize(offset, length, payload.length);
    int end = begin(type, 0, 0, 0, length);
    frames.put(payload, offset, length);
    return end(end);
  }

  /**
   * Adds a record.
   *
   * @param type its type
   * @param payload its bytes, from the buffer's position to its limit, which stay as they are
   * @return this
   */
  public Batch add(int type, ByteBuffer payload) {
    int end = begin(type, 0, 0, 0, payload.remaining());
    frames.put(payload.duplicate());
    return end(end);
  }

  /**
   * Adds a record with metadata.
   *
   * @param type its type
   * @param headers the strings that go with it
   * @param payload its bytes
   * @return this
   * @throws IllegalArgumentException for text that UTF-8 cannot hold
   */
  public Batch add(int type, Map<String, String> headers, byte[] payload) {
    return add(NewRecord.of(type, payload).metadata(headers));
  }

  /**
   * Adds a record with a time or metadata of its own.
   *
   * @param record the record
   * @return this
   */
  public Batch add(NewRecord record) {
    byte[] metadata = record.metadata().bytes();
    int metadataLength = metadata == null ? 0 : metadata.length;
    ByteBuffer payload = record.payload();
    int end = begin(record.type(), record.timeNanos(), record.flags(), metadataLength, payload.remaining());
    if (metadata != null) frames.put(metadata);
    frames.put(payload.duplicate());
    return end(end);
  }

  /** Writes the header and the zeros at the end; returns where that is. The position is after the header. */
  private int begin(int type, long time, int flags, int metadataLength, int payloadLength) {
    if (appending) throw new IllegalStateException("the batch is being appended by another thread");
    long size = Frame.size(metadataLength, payloadLength);
    if (size > frames.remaining()) grow(size);
    ByteBuffer to = frames;
    int at = to.position();
    int end = at + (int) size;
    to.putLong(end - 8, 0);
    to.putLong(at, size | (long) type << 32);
    to.putLong(at + Frame.TIME, time);
    to.putLong(at + Frame.METADATA_LENGTH, metadataLength | (long) payloadLength << 32);
    to.putLong(at + Frame.FLAGS, flags);
    to.position(at + Frame.HEADER);
    return end;
  }

  private Batch end(int end) {
    frames.position(end);
    count++;
    return this;
  }

  private void grow(long more) {
    long wanted = frames.position() + more;
    if (wanted > Integer.MAX_VALUE - 8) {
      throw new IllegalArgumentException("a batch of " + wanted + " bytes: it is over 2 GiB");
    }
    ByteBuffer larger = allocate((int) Math.min(Integer.MAX_VALUE - 8, Math.max(wanted, 2L * frames.capacity())));
    larger.put(frames.flip());
    frames = larger;
  }

  /**
   * The number of its records.
   *
   * @return 0 or more
   */
  public int size() {
    return count;
  }

  /**
   * The length of its records with their headers.
   *
   * @return 0 or more
   */
  public int bytes() {
    return frames.position();
  }

  /**
   * Removes all records. The memory is kept for the next ones.
   *
   * @return this
   */
  public Batch clear() {
    if (appending) throw new IllegalStateException("the batch is being appended by another thread");
    frames.clear();
    count = 0;
    return this;
  }

  /** Appends them through an appender; false when they were dropped. */
  boolean appendTo(long appender) throws BinlogException {
    appending = true;
    try {
      return Native.appenderPacked(appender, frames, frames.position());
    } finally {
      appending = false;
    }
  }

  long append(long writer) throws BinlogException {
    // The library would return the next id, which no record has yet.
    if (count == 0) return 0;
    appending = true;
    try {
      return Native.appendPacked(writer, frames, frames.position());
    } finally {
      appending = false;
    }
  }
}
