package io.binlog.spark;

import io.binlog.TypeInfo;
import java.io.Serializable;
import java.nio.charset.StandardCharsets;
import org.apache.spark.sql.types.StructType;
import org.jspecify.annotations.Nullable;

/** How a log says that the payloads of a type are encoded. {@code message} is the name of one of the schema's messages. */
record PayloadSchema(String encoding, String message, byte[] schema) implements Serializable {
  private static final String JSON = "jsonschema";
  private static final String AVRO = "avro";
  private static final String PROTOBUF = "protobuf";

  /** The encodings whose payloads become columns, for sentences. */
  static final String KNOWN = JSON + ", " + AVRO + " or " + PROTOBUF;

  /** Null for a type without a schema, and for one whose schema is lost. */
  static @Nullable PayloadSchema of(TypeInfo info) {
    byte[] schema = info.schema();
    return schema == null ? null : new PayloadSchema(info.encoding(), info.message(), schema);
  }

  boolean isKnown() {
    return encoding.equals(JSON) || encoding.equals(AVRO) || encoding.equals(PROTOBUF);
  }

  /**
   * The columns of the payloads.
   *
   * @throws IllegalArgumentException for a schema that gives none
   */
  StructType fields() {
    try {
      switch (encoding) {
        case JSON:
          String text = text();
          return JsonSchemas.fields(text.startsWith("\uFEFF") ? text.substring(1) : text);
        case AVRO:
          return AvroSchemas.fields(text());
        default:
          return ProtobufSchemas.fields(this);
      }
    } catch (StackOverflowError e) {
      throw new IllegalArgumentException("is no " + encoding + " that gives columns: it has too many levels", e);
    } catch (RuntimeException e) {
      throw new IllegalArgumentException("is no " + encoding + " that gives columns: " + e.getMessage(), e);
    }
  }

  /** Decodes the wanted ones of the columns; {@code all} are the schemas that the payloads were written by. */
  PayloadDecoder decoder(StructType wanted, TypeSchemas all) {
    switch (encoding) {
      case JSON:
        return new JsonDecoder(wanted);
      case AVRO:
        return new AvroDecoder(wanted, this, all);
      default:
        return new ProtobufDecoder(wanted, this, all);
    }
  }

  String text() {
    return new String(schema, StandardCharsets.UTF_8);
  }
}
