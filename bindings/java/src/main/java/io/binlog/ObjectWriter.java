package io.binlog;

import java.io.IOException;
import java.util.concurrent.ConcurrentHashMap;

/** Writes objects to a log by their codecs: see {@link Codecs}. Threads may share it. It has nothing to be closed. */
public final class ObjectWriter {
  private final BinlogWriter writer;
  private final Codecs codecs;
  private final ConcurrentHashMap<Class<?>, Integer> types = new ConcurrentHashMap<>();

  ObjectWriter(BinlogWriter writer, Codecs codecs) {
    this.writer = writer;
    this.codecs = codecs;
  }

  /**
   * Appends an object.
   *
   * @param value the object
   * @return its record's id; 0 when {@link FullDisk#DROP} has dropped it
   * @throws IOException when its codec cannot encode it; otherwise as {@link BinlogWriter#write(NewRecord)}
   * @throws IllegalArgumentException when there is no codec for its class
   * @throws IllegalStateException when the writer is closed
   */
  public long write(Object value) throws IOException {
    return write(value, Metadata.none());
  }

  /**
   * Appends an object with metadata.
   *
   * @param value the object
   * @param headers the strings that go with it
   * @return its record's id; 0 when {@link FullDisk#DROP} has dropped it
   * @throws IOException when its codec cannot encode it; otherwise as {@link BinlogWriter#write(NewRecord)}
   * @throws IllegalArgumentException when there is no codec for its class
   * @throws IllegalStateException when the writer is closed
   */
  public long write(Object value, Metadata headers) throws IOException {
    return write(value, codecs.of(classOf(value)), headers);
  }

  @SuppressWarnings("unchecked") // every object is of its own class
  private static Class<Object> classOf(Object value) {
    return (Class<Object>) value.getClass();
  }

  private <T> long write(T value, Codecs.Entry<T> entry, Metadata headers) throws IOException {
    byte[] payload = entry.codec.encode(value);
    Integer type = types.get(entry.type);
    if (type == null) {
      type = writer.type(entry.name, entry.codec.contentType());
      types.put(entry.type, type);
    }
    return writer.write(type, headers, payload);
  }
}
