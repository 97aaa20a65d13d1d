package io.binlog.spark;

import io.binlog.BinlogException;
import io.binlog.BinlogReader;
import io.binlog.Cursor;
import io.binlog.Filter;
import io.binlog.ReaderOptions;
import io.binlog.Record;
import io.binlog.TypeInfo;
import java.io.Serializable;
import java.io.UncheckedIOException;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.apache.spark.sql.types.StructType;
import org.jspecify.annotations.Nullable;

/** How the payloads of one type become columns: by the schemas that the logs have for it. */
final class Decoding implements Serializable {
  private static final long serialVersionUID = 1L;

  static final Decoding NONE = new Decoding("", new PayloadSchema("", "", new byte[0]), new StructType(), null, new TreeMap<>());

  final String type;
  private final PayloadSchema newest;
  /** The columns, by the newest schema: one for each of its fields, or a single one. */
  final StructType columns;
  /** The name of the single column that has all fields; null where each has its own. */
  private final @Nullable String single;
  /** By the type's number, which is another one for each schema. */
  private final TreeMap<Long, PayloadSchema> schemas;

  private Decoding(
      String type, PayloadSchema newest, StructType columns, @Nullable String single, TreeMap<Long, PayloadSchema> schemas) {
    this.type = type;
    this.newest = newest;
    this.columns = columns;
    this.single = single;
    this.schemas = schemas;
  }

  /** Looks at the types of the logs, on the driver. */
  static Decoding of(ReadOptions options) {
    if (options.decode == null) return NONE;
    TreeMap<Long, TypeInfo> found = new TreeMap<>();
    TreeSet<String> names = new TreeSet<>();
    // What the logs say of the type; its versions within one log have different numbers.
    Map<String, TreeSet<String>> described = new TreeMap<>();
    NewestRecord newest = new NewestRecord();
    try {
      for (String place : Places.of(options.paths)) {
        try (BinlogReader reader = Planner.open(place, options.reader())) {
          for (String log : LogFinder.names(reader)) {
            try (BinlogReader one = Planner.open(place, options.readerOf(log))) {
              TreeMap<Long, TypeInfo> here = new TreeMap<>();
              for (TypeInfo info : one.types()) {
                names.add(info.name());
                if (!info.name().equals(options.decode)) continue;
                here.put(Integer.toUnsignedLong(info.type()), info);
                String schema = info.type() + " " + info.encoding() + " " + info.message() + " " + Arrays.toString(info.schemaSha256());
                described.computeIfAbsent(place + " " + log, key -> new TreeSet<>()).add(schema);
              }
              newest.look(place, options.endOf(log), here.values());
              found.putAll(here);
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
    return of(options, found, newest.type());
  }

  /** {@code newest} is the number of the newest record's type, if it is known. */
  private static Decoding of(ReadOptions options, TreeMap<Long, TypeInfo> found, @Nullable Long newest) {
    String type = options.decode;
    TypeInfo last = found.lastEntry().getValue();
    TypeInfo used = newest != null ? found.get(newest)
        : found.descendingMap().values().stream().filter(Decoding::isUsable).findFirst().orElse(null);
    if (used == null) {
      String has = last.encoding().isEmpty() ? "none"
          : last.schemaSha256() == null ? "the encoding " + last.encoding() + " without one"
          : last.schema() == null ? "lost its own" : "one of " + last.encoding();
      throw ReadOptions.wrong(
          "decode", type, "a type with a schema of " + PayloadSchema.KNOWN + " (this one has " + has + "); read others "
              + "without decode, and use from_json on text or a function of your own on payload");
    }
    PayloadSchema schema = Objects.requireNonNull(PayloadSchema.of(used));
    StructType fields;
    try {
      fields = schema.fields();
    } catch (IllegalArgumentException e) {
      throw new IllegalArgumentException("the schema of the type " + type + " in the log " + e.getMessage(), e);
    }
    String single = options.decodeAs;
    StructType columns = single == null ? fields : new StructType().add(single, fields, true);
    return new Decoding(type, schema, columns, single, new TreeMap<>(ofEncoding(found.values(), schema.encoding())));
  }

  private static boolean isUsable(TypeInfo info) {
    PayloadSchema schema = PayloadSchema.of(info);
    return schema != null && schema.isKnown();
  }

  /** The newest record of a type whose schema can be used: an older schema may be in use again. */
  private static final class NewestRecord {
    private @Nullable Long type;
    private long timeNs;

    /** {@code types} are those of one name. */
    void look(String place, ReaderOptions options, Collection<TypeInfo> types) {
      int[] usable = types.stream().filter(Decoding::isUsable).mapToInt(TypeInfo::type).toArray();
      if (usable.length < 2) return;
      try (BinlogReader log = Planner.open(place, options);
          Cursor cursor = log.cursor(Filter.builder().headersOnly().type(usable).last(1).build())) {
        Record record = cursor.next();
        if (record == null || type != null && record.timeNanos() <= timeNs) return;
        type = Integer.toUnsignedLong(record.type());
        timeNs = record.timeNanos();
      } catch (BinlogException e) {
        // The read says so; the last of the schemas is as good as any.
      }
    }

    @Nullable Long type() {
      return type;
    }
  }

  private static Map<Long, PayloadSchema> ofEncoding(Iterable<TypeInfo> types, String encoding) {
    Map<Long, PayloadSchema> found = new HashMap<>();
    for (TypeInfo info : types) {
      PayloadSchema schema = PayloadSchema.of(info);
      if (schema != null && schema.encoding().equals(encoding)) found.put(Integer.toUnsignedLong(info.type()), schema);
    }
    return found;
  }

  boolean isNone() {
    return columns.isEmpty();
  }

  boolean has(String column) {
    return columns.getFieldIndex(column).isDefined();
  }

  /** Whether a column, the only one, is a struct of the fields. */
  boolean isSingle() {
    return single != null;
  }

  /** Decodes the wanted ones of the fields. */
  PayloadDecoder decoder(StructType wanted, BinlogReader reader) {
    return newest.decoder(wanted, new TypeSchemas(schemas, () -> current(reader)));
  }

  /** As the log has them now. */
  private Map<Long, PayloadSchema> current(BinlogReader reader) {
    try {
      List<TypeInfo> types = reader.types().stream().filter(info -> info.name().equals(type)).collect(Collectors.toList());
      return ofEncoding(types, newest.encoding());
    } catch (BinlogException e) {
      throw new UncheckedIOException(e.getMessage(), e);
    }
  }
}
