package io.binlog;

import java.io.ByteArrayInputStream;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * A record that was read. Immutable and valid for as long as it is held, in any thread, whatever happens to the
 * cursor: its bytes are never reused.
 *
 * <p>Records that were fetched together, up to 64 KiB of them, share one array. One that is held for long holds its
 * neighbours' bytes too; {@link #compact} returns one that does not.
 */
public final class Record {
  /** The first of the types that {@link BinlogWriter#type} returns for names; lower ones are the user's own. */
  public static final int FIRST_NAMED_TYPE = 0x40000000;

  private static final int IS_EVENT = 2;
  private static final int NO_PAYLOAD = 4;

  private final byte[] frames;
  private final int at;
  private final TypeNames names;

  Record(byte[] frames, int at, TypeNames names) {
    this.frames = frames;
    this.at = at;
    this.names = names;
  }

  /**
   * The record's number in the whole log.
   *
   * @return 1, 2, 3 and so on; of an event, the id of the record that follows it
   */
  public long id() {
    return Frame.longAt(frames, at + Frame.ID);
  }

  /**
   * The time of writing, or the time that its writer gave.
   *
   * @return nanoseconds since the Unix epoch
   */
  public long timeNanos() {
    return Frame.longAt(frames, at + Frame.TIME);
  }

  /**
   * The time of writing, or the time that its writer gave.
   *
   * @return the time
   */
  public Instant time() {
    return Text.instant(timeNanos());
  }

  /**
   * The number of its type.
   *
   * @return the user's own below {@link #FIRST_NAMED_TYPE}; a named type's from there on; less than 0 for an
   *     {@link Event}
   */
  public int type() {
    return Frame.intAt(frames, at + Frame.TYPE);
  }

  /**
   * The name of its type.
   *
   * @return null for a type without a name
   */
  public @Nullable String typeName() {
    return names.of(type());
  }

  /**
   * Whether it is an event of the library: see {@link Filter.Builder#events}.
   *
   * @return true for an event
   */
  public boolean isEvent() {
    return (Frame.intAt(frames, at + Frame.FLAGS) & IS_EVENT) != 0;
  }

  /**
   * Its metadata.
   *
   * @return pairs, perhaps none
   */
  public Metadata metadata() {
    int length = metadataLength();
    return length == 0 ? Metadata.none() : new Metadata(frames, at + Frame.HEADER, at + Frame.HEADER + length);
  }

  /**
   * The value of the first metadata pair with this key.
   *
   * @param key the key
   * @return null when there is no such pair
   */
  public @Nullable String metadata(String key) {
    return metadataLength() == 0 ? null : metadata().get(key);
  }

  private int metadataLength() {
    return Frame.intAt(frames, at + Frame.METADATA_LENGTH);
  }

  /**
   * The length of the payload, also when it was not read.
   *
   * @return bytes
   */
  public int length() {
    return Frame.intAt(frames, at + Frame.PAYLOAD_LENGTH);
  }

  /**
   * Whether the payload was read.
   *
   * @return false when the filter asked for headers only
   */
  public boolean hasPayload() {
    return (Frame.intAt(frames, at + Frame.FLAGS) & NO_PAYLOAD) == 0;
  }

  private int payloadAt() {
    if (!hasPayload()) throw new IllegalStateException("of record " + id() + " only the header was read");
    return at + Frame.HEADER + metadataLength();
  }

  /**
   * A copy of the payload.
   *
   * @return a new array
   * @throws IllegalStateException when only headers were read
   */
  public byte[] payload() {
    int from = payloadAt();
    return Arrays.copyOfRange(frames, from, from + length());
  }

  /**
   * The payload without a copy.
   *
   * @return a read-only buffer, big-endian, from 0 to the payload's length
   * @throws IllegalStateException when only headers were read
   */
  public ByteBuffer buffer() {
    return ByteBuffer.wrap(frames, payloadAt(), length()).slice().asReadOnlyBuffer();
  }

  /**
   * One byte of the payload.
   *
   * @param index from 0
   * @return the byte
   * @throws IndexOutOfBoundsException outside of the payload
   * @throws IllegalStateException when only headers were read
   */
  public byte byteAt(int index) {
    if (index < 0 || index >= length()) throw new IndexOutOfBoundsException(index + " of " + length() + " bytes");
    return frames[payloadAt() + index];
  }

  /**
   * The payload as a stream, without a copy.
   *
   * @return a stream that need not be closed
   * @throws IllegalStateException when only headers were read
   */
  public InputStream stream() {
    return new ByteArrayInputStream(frames, payloadAt(), length());
  }

  /**
   * The payload as text.
   *
   * @return its bytes as UTF-8; invalid ones become U+FFFD
   * @throws IllegalStateException when only headers were read
   */
  public String text() {
    return new String(frames, payloadAt(), length(), StandardCharsets.UTF_8);
  }

  /**
   * The same record with an array of its own, for one that is held for long.
   *
   * @return this, when it has one already
   */
  public Record compact() {
    int size = Frame.intAt(frames, at);
    return size == frames.length ? this : new Record(Arrays.copyOfRange(frames, at, at + size), 0, names);
  }

  /**
   * The record for people.
   *
   * @return id, time, type, metadata and length
   */
  @Override
  public String toString() {
    String name = isEvent() ? Event.name(type()) : typeName();
    return "record " + id() + " of " + time() + ", type " + (name == null ? Integer.toUnsignedString(type()) : name)
        + (metadataLength() == 0 ? "" : ", " + metadata()) + ", " + length() + " bytes";
  }
}
