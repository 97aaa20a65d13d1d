package io.binlog;

import java.io.IOException;

/**
 * How objects of a class are encoded as payloads and decoded. Called by several threads at the
 * same time.
 *
 * @param <T> the class
 */
public interface Codec<T> {
  /**
   * The payload of an object.
   *
   * @param value the object
   * @return its bytes
   * @throws IOException when it cannot be encoded
   */
  byte[] encode(T value) throws IOException;

  /**
   * The object of a record, whose payload, time and metadata it may use.
   *
   * @param record a record that was written with this codec
   * @return the object
   * @throws IOException when the payload was not made by {@link #encode}
   */
  T decode(Record record) throws IOException;

  /**
   * The type of the payloads.
   *
   * @return a MIME type
   */
  default String contentType() {
    return "application/octet-stream";
  }
}
