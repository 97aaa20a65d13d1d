package io.binlog;

import org.jspecify.annotations.Nullable;

/** What a log says of a named type. */
public final class TypeInfo {
  private final int type;
  private final String name;
  private final String contentType;
  private final String encoding;
  private final String message;
  private final byte @Nullable [] schema;
  private final byte @Nullable [] schemaSha256;

  TypeInfo(
      int type, String name, String contentType, String encoding, String message, byte @Nullable [] schema,
      byte @Nullable [] schemaSha256) {
    this.type = type;
    this.name = name;
    this.contentType = contentType;
    this.encoding = encoding;
    this.message = message;
    this.schema = schema;
    this.schemaSha256 = schemaSha256;
  }

  /**
   * The number that its records have.
   *
   * @return as {@link Record#type}
   */
  public int type() {
    return type;
  }

  /**
   * The name that it was given.
   *
   * @return the name
   */
  public String name() {
    return name;
  }

  /**
   * What the payloads are.
   *
   * @return a MIME type; "" when the log says nothing
   */
  public String contentType() {
    return contentType;
  }

  /**
   * How payloads are encoded.
   *
   * @return as in {@link TypeOptions.Builder#encoding}; "" when the log says nothing
   */
  public String encoding() {
    return encoding;
  }

  /**
   * The message of the schema that payloads are.
   *
   * @return its name; "" when the log says nothing
   */
  public String message() {
    return message;
  }

  /**
   * The schema.
   *
   * @return a copy; null when there is none, and when the log has lost it
   */
  public byte @Nullable [] schema() {
    return schema == null ? null : schema.clone();
  }

  /**
   * The schema's SHA-256, also when the schema is lost.
   *
   * @return a copy of its 32 bytes; null when there is no schema
   */
  public byte @Nullable [] schemaSha256() {
    return schemaSha256 == null ? null : schemaSha256.clone();
  }

  /**
   * The facts in one line.
   *
   * @return text for people
   */
  @Override
  public String toString() {
    String of = encoding.isEmpty() ? "" : " (" + encoding + (message.isEmpty() ? "" : " " + message) + ")";
    return Integer.toUnsignedString(type) + ": " + name + of;
  }
}
