package io.binlog;

import java.util.Arrays;
import java.util.Objects;

/** A type of records, for {@link BinlogWriter#typeOf}. All of it is the type's identity. */
public final class TypeOptions {
  final String name;
  final String contentType;
  final String encoding;
  final String message;
  final byte[] schema;

  private TypeOptions(Builder set) {
    name = set.name;
    contentType = set.contentType;
    encoding = set.encoding;
    message = set.message;
    schema = set.schema;
  }

  /**
   * A builder.
   *
   * @param name the type's name; several types of a log may have the same, and filters take the records of all
   * @return a builder of a type that is nothing else than this name
   */
  public static Builder builder(String name) {
    return new Builder(name);
  }

  /**
   * What is set, in one line.
   *
   * @return text for people
   */
  @Override
  public String toString() {
    return Text.said(
        "TypeOptions",
        new Object[] {
          "name", name, "contentType", contentType, "encoding", encoding, "message", message, "schemaBytes", schema.length
        });
  }

  /** Sets what a type is. */
  public static final class Builder {
    private final String name;
    private String contentType = "";
    private String encoding = "";
    private String message = "";
    private byte[] schema = {};

    private Builder(String name) {
      this.name = Objects.requireNonNull(name, "name");
    }

    /**
     * What the payloads are.
     *
     * @param mimeType a MIME type
     * @return this
     */
    public Builder contentType(String mimeType) {
      contentType = Objects.requireNonNull(mimeType, "mimeType");
      return this;
    }

    /**
     * How payloads are encoded.
     *
     * @param name {@code protobuf} (the schema is a FileDescriptorSet), {@code jsonschema}, {@code avro} or {@code arrow},
     *     which have a schema; {@code json}, {@code msgpack} or {@code cbor}, which need none; or any other
     * @return this
     */
    public Builder encoding(String name) {
      encoding = Objects.requireNonNull(name, "name");
      return this;
    }

    /**
     * The message of the schema that payloads are.
     *
     * @param name its name
     * @return this
     */
    public Builder message(String name) {
      message = Objects.requireNonNull(name, "name");
      return this;
    }

    /**
     * The schema, which needs an encoding.
     *
     * @param bytes up to 1 MiB; they are copied
     * @return this
     */
    public Builder schema(byte[] bytes) {
      schema = Arrays.copyOf(bytes, bytes.length);
      return this;
    }

    /**
     * The type.
     *
     * @return what is set now
     */
    public TypeOptions build() {
      return new TypeOptions(this);
    }
  }
}
