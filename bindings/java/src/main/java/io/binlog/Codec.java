package io.binlog;

import java.io.IOException;

/**
 * How objects of a class become payloads and come back. Used by several threads at the same time.
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
   * The object of a record, which knows its payload, time and metadata.
   *
   * @param record a record that was written with this codec
   * @return the object
   * @throws IOException when the payload is not what {@link #encode} makes
   */
  T decode(Record record) throws IOException;

  /**
   * What the payloads are.
   *
   * @return a MIME type
   */
  default String contentType() {
    return "application/octet-stream";
  }
}
