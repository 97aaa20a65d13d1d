package io.binlog.spark;

import io.binlog.BinlogException;
import io.binlog.BinlogReader;
import io.binlog.TypeInfo;
import java.io.Serializable;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import org.apache.spark.sql.types.StructType;
import org.jspecify.annotations.Nullable;

/** How the payloads of one type become columns: by the schemas that the logs have for it. */
final class Decoding implements Serializable {
  private static final long serialVersionUID = 1L;

  static final Decoding NONE = new Decoding("", "", new StructType(), new TreeMap<>());

  private static final String JSON = "jsonschema";
  private static final String AVRO = "avro";

  final String type;
  private final String encoding;
  /** The columns: those of the newest schema. */
  final StructType fields;
  /** By the type's number, which is another one for each schema. */
  private final TreeMap<Long, String> schemas;

  private Decoding(String type, String encoding, StructType fields, TreeMap<Long, String> schemas) {
    this.type = type;
    this.encoding = encoding;
    this.fields = fields;
    this.schemas = schemas;
  }

  /** Looks at the types of the logs, on the driver. */
  static Decoding of(ReadOptions options) {
    if (options.decode == null) return NONE;
    TreeMap<Long, TypeInfo> found = new TreeMap<>();
    TreeSet<String> names = new TreeSet<>();
    // What the logs say of the type; its versions within one log have different numbers.
    Map<String, TreeSet<String>> described = new TreeMap<>();
    try {
      for (String place : Places.of(options.paths)) {
        try (BinlogReader reader = Planner.open(place, options.reader())) {
          for (String log : LogFinder.names(reader)) {
            try (BinlogReader one = Planner.open(place, options.readerOf(log))) {
              for (TypeInfo info : one.types()) {
                names.add(info.name());
                if (!info.name().equals(options.decode)) continue;
                found.put(Integer.toUnsignedLong(info.type()), info);
                String schema = info.type() + " " + info.encoding() + " " + Arrays.toString(info.schemaSha256());
                described.computeIfAbsent(place + " " + log, key -> new TreeSet<>()).add(schema);
              }
            }
          }
        }
      }
    } catch (BinlogException e) {
      throw new UncheckedIOException(e.getMessage(), e);
    }
    if (found.isEmpty()) {
      throw ReadOptions.wrong(
          "decode", options.decode, "the name of a type of the log, which are: " + String.join(", ", names));
    }
    if (Set.copyOf(described.values()).size() > 1) {
      throw ReadOptions.wrong("decode", options.decode, "a type that all logs describe alike, or read one log, by path or by the "
          + "option log; these describe it in different ways: " + String.join(", ", described.keySet()));
    }
    return of(options.decode, found);
  }

  private static Decoding of(String type, TreeMap<Long, TypeInfo> found) {
    TypeInfo newest = found.lastEntry().getValue();
    TreeMap<Long, String> schemas = new TreeMap<>();
    found.forEach((number, info) -> {
      String schema = text(info);
      if (schema != null && info.encoding().equals(newest.encoding())) schemas.put(number, schema);
    });
    String schema = text(newest);
    boolean isKnown = newest.encoding().equals(JSON) || newest.encoding().equals(AVRO);
    if (!isKnown || schema == null) {
      String has = newest.encoding().isEmpty() ? "none" : schema == null ? "lost its own" : "one of " + newest.encoding();
      throw ReadOptions.wrong(
          "decode", type, "a type with a schema of " + JSON + " or " + AVRO + " (this one has " + has + "); read others "
              + "without decode, and use from_json or from_protobuf on text and payload");
    }
    try {
      StructType fields = newest.encoding().equals(JSON) ? JsonSchemas.fields(schema) : AvroSchemas.fields(schema);
      return new Decoding(type, newest.encoding(), fields, schemas);
    } catch (RuntimeException e) {
      throw new IllegalArgumentException("the schema of the type " + type + " in the log is no " + newest.encoding() + ": "
          + e.getMessage(), e);
    }
  }

  private static @Nullable String text(TypeInfo info) {
    byte[] schema = info.schema();
    return schema == null ? null : new String(schema, StandardCharsets.UTF_8);
  }

  boolean isNone() {
    return fields.isEmpty();
  }

  boolean has(String column) {
    return fields.getFieldIndex(column).isDefined();
  }

  /** Decodes the wanted ones of the columns. */
  PayloadDecoder decoder(StructType wanted, BinlogReader reader) {
    if (encoding.equals(JSON)) return new JsonDecoder(wanted);
    return new AvroDecoder(wanted, schemas, () -> schemas(reader));
  }

  /** As the log has them now: a stream meets types that are newer than it. */
  private Map<Long, String> schemas(BinlogReader reader) {
    Map<Long, String> found = new TreeMap<>();
    try {
      for (TypeInfo info : reader.types()) {
        String schema = text(info);
        boolean isOurs = info.name().equals(type) && info.encoding().equals(encoding);
        if (isOurs && schema != null) found.put(Integer.toUnsignedLong(info.type()), schema);
      }
    } catch (BinlogException e) {
      throw new UncheckedIOException(e.getMessage(), e);
    }
    return found;
  }
}
