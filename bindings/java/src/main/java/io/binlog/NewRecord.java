package io.binlog;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.Map;
import java.util.Objects;

/**
 * A record to be appended, with a time or metadata of its own. It refers to the bytes it was given, which are read when
 * it is appended; it may be appended any number of times. Not for several threads at once.
 */
public final class NewRecord {
  private final ByteBuffer payload;
  private int type;
  private long timeNanos;
  private boolean hasTime;
  private Metadata metadata = Metadata.none();

  private NewRecord(int type, ByteBuffer payload) {
    this.type = type;
    this.payload = payload;
  }

  /**
   * A record of type 0.
   *
   * @param payload its bytes
   * @return a new one
   */
  public static NewRecord of(byte[] payload) {
    return of(0, payload);
  }

  /**
   * A record.
   *
   * @param type its type
   * @param payload its bytes
   * @return a new one
   */
  public static NewRecord of(int type, byte[] payload) {
    return new NewRecord(type, ByteBuffer.wrap(payload));
  }

  /**
   * A record.
   *
   * @param type its type
   * @param payload its bytes, from the buffer's current position to its limit
   * @return a new one
   */
  public static NewRecord of(int type, ByteBuffer payload) {
    return new NewRecord(type, payload.duplicate());
  }

  /**
   * A record of text.
   *
   * @param type its type
   * @param text its payload, as UTF-8
   * @return a new one
   */
  public static NewRecord of(int type, String text) {
    return of(type, text.getBytes(StandardCharsets.UTF_8));
  }

  /**
   * Its type.
   *
   * @param type a number below {@link Record#FIRST_NAMED_TYPE}, or one that {@link BinlogWriter#type} returned
   * @return this
   */
  public NewRecord type(int type) {
    this.type = type;
    return this;
  }

  /**
   * Its time, rather than that of the append.
   *
   * @param time the time
   * @return this
   * @throws ArithmeticException for a time that 64 bits of nanoseconds do not hold
   */
  public NewRecord time(Instant time) {
    return timeNanos(Text.nanos(time));
  }

  /**
   * Its time, rather than that of the append.
   *
   * @param nanos nanoseconds since the Unix epoch
   * @return this
   */
  public NewRecord timeNanos(long nanos) {
    timeNanos = nanos;
    hasTime = true;
    return this;
  }

  /**
   * The strings that go with it.
   *
   * @param metadata replaces the previous ones
   * @return this
   */
  public NewRecord metadata(Metadata metadata) {
    this.metadata = Objects.requireNonNull(metadata, "metadata");
    return this;
  }

  /**
   * The strings that go with it.
   *
   * @param metadata replaces the previous ones
   * @return this
   * @throws IllegalArgumentException for text that UTF-8 cannot hold
   */
  public NewRecord metadata(Map<String, String> metadata) {
    return metadata(Metadata.of(metadata));
  }

  int type() {
    return type;
  }

  long timeNanos() {
    return timeNanos;
  }

  /** For binlog_record. */
  int flags() {
    return hasTime ? Native.TIME : 0;
  }

  Metadata metadata() {
    return metadata;
  }

  ByteBuffer payload() {
    return payload;
  }
}
