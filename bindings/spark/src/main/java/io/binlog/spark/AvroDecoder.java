package io.binlog.spark;

import java.io.IOException;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.avro.LogicalTypes;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericData;
import org.apache.avro.generic.GenericEnumSymbol;
import org.apache.avro.generic.GenericFixed;
import org.apache.avro.generic.GenericRecord;
import org.apache.avro.generic.IndexedRecord;
import org.apache.avro.io.BinaryDecoder;
import org.apache.avro.io.DecoderFactory;
import org.apache.avro.util.Utf8;
import org.apache.spark.sql.types.ArrayType;
import org.apache.spark.sql.types.BinaryType;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.Decimal;
import org.apache.spark.sql.types.DecimalType;
import org.apache.spark.sql.types.MapType;
import org.apache.spark.sql.types.StringType;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.sql.types.TimestampType;
import org.jspecify.annotations.Nullable;

/** Payloads that are records of Avro, each written by the schema of its own type's number, and read by the newest. */
final class AvroDecoder implements PayloadDecoder {
  private final StructType wanted;
  private final Schema newest;
  private final Map<Long, AvroReader> readers = new HashMap<>();
  /** Why payloads of a number cannot be read by the newest schema. */
  private final Map<Long, String> refused = new HashMap<>();
  private final TypeSchemas all;
  private @Nullable BinaryDecoder decoder;
  private @Nullable GenericRecord record;

  AvroDecoder(StructType wanted, PayloadSchema newest, TypeSchemas all) {
    this.wanted = wanted;
    this.newest = AvroSchemas.withoutNull(AvroSchemas.parse(newest.text()));
    this.all = all;
  }

  @Override
  public void decode(long type, byte[] payload, int length, Object[] into, Misfits misfits) throws Malformed {
    AvroReader reader = reader(type);
    try {
      reader.begin(length);
      decoder = DecoderFactory.get().binaryDecoder(payload, 0, length, decoder);
      record = reader.read(record, decoder);
      if (!decoder.isEnd()) throw new Malformed("something follows the record");
      for (int i = 0; i < into.length; i++) {
        Schema.Field field = newest.getField(wanted.apply(i).name());
        into[i] = column(record.get(field.pos()), AvroSchemas.withoutNull(field.schema()), wanted.apply(i).dataType(), misfits);
      }
    } catch (IOException | RuntimeException | StackOverflowError e) {
      record = null; // half of it is of this payload
      throw new Malformed(e.toString());
    }
  }

  private AvroReader reader(long type) throws Malformed {
    AvroReader reader = readers.get(type);
    if (reader != null) return reader;
    String why = refused.get(type);
    if (why != null) throw new Malformed(why);
    PayloadSchema written = all.get(type);
    try {
      reader = new AvroReader(AvroSchemas.parse(written.text()), newest);
    } catch (RuntimeException | StackOverflowError e) {
      refused.put(type, e.toString());
      throw new Malformed(e.toString());
    }
    readers.put(type, reader);
    return reader;
  }

  private static @Nullable Object column(@Nullable Object value, Schema schema, DataType type, Misfits misfits) {
    misfits.beginColumn();
    try {
      return value(value, schema, type, misfits);
    } catch (Misfits.TooMany e) {
      return misfits.note(e.getMessage());
    }
  }

  private static @Nullable Object value(@Nullable Object value, Schema schema, DataType type, Misfits misfits) {
    if (value == null) return null;
    if (type instanceof StringType) return isText(value) ? text(value) : misfits.note("a text is not UTF-8");
    if (type instanceof StructType) return struct((IndexedRecord) value, schema, (StructType) type, misfits);
    if (type instanceof ArrayType) return array((List<?>) value, schema, (ArrayType) type, misfits);
    if (type instanceof MapType) return map((Map<?, ?>) value, schema, (MapType) type, misfits);
    if (type instanceof BinaryType) return bytes(value);
    if (type instanceof DecimalType) return decimal(bytes(value), (DecimalType) type, misfits);
    boolean isMillis = type instanceof TimestampType && schema.getLogicalType() instanceof LogicalTypes.TimestampMillis;
    if (!isMillis) return value;
    long millis = (Long) value;
    boolean fits = Math.abs(millis) <= Long.MAX_VALUE / 1000 && millis != Long.MIN_VALUE;
    return fits ? (Object) (millis * 1000) : misfits.note("a time is no " + type.simpleString());
  }

  /** Whether all texts in a value are. */
  private static boolean isText(@Nullable Object value) {
    if (value instanceof Utf8) return Texts.isUtf8(((Utf8) value).getBytes(), ((Utf8) value).getByteLength());
    if (value instanceof Collection) return ((Collection<?>) value).stream().allMatch(AvroDecoder::isText);
    if (value instanceof Map) return isText(((Map<?, ?>) value).keySet()) && isText(((Map<?, ?>) value).values());
    if (!(value instanceof IndexedRecord) || value instanceof GenericFixed) return true;
    IndexedRecord record = (IndexedRecord) value;
    for (Schema.Field field : record.getSchema().getFields()) {
      if (!isText(record.get(field.pos()))) return false;
    }
    return true;
  }

  /** A text or a name is itself, anything else is JSON. */
  private static String text(Object value) {
    boolean isText = value instanceof CharSequence || value instanceof GenericEnumSymbol;
    return isText ? value.toString() : GenericData.get().toString(value);
  }

  private static @Nullable Object decimal(byte[] bytes, DecimalType type, Misfits misfits) {
    BigDecimal number = bytes.length == 0 ? null : new BigDecimal(new BigInteger(bytes), type.scale());
    if (number == null || number.precision() > type.precision()) return misfits.note("a value is no " + type.simpleString());
    return Decimal.apply(number, type.precision(), type.scale());
  }

  private static byte[] bytes(Object value) {
    if (value instanceof GenericFixed) return ((GenericFixed) value).bytes();
    ByteBuffer buffer = ((ByteBuffer) value).duplicate();
    byte[] bytes = new byte[buffer.remaining()];
    buffer.get(bytes);
    return bytes;
  }

  private static Object[] struct(IndexedRecord record, Schema schema, StructType type, Misfits misfits) {
    misfits.take(type.size());
    Object[] values = new Object[type.size()];
    for (int i = 0; i < values.length; i++) {
      Schema.Field field = schema.getField(type.apply(i).name());
      values[i] = value(record.get(field.pos()), AvroSchemas.withoutNull(field.schema()), type.apply(i).dataType(), misfits);
    }
    return values;
  }

  private static List<Object> array(List<?> list, Schema schema, ArrayType type, Misfits misfits) {
    Schema element = AvroSchemas.withoutNull(schema.getElementType());
    misfits.take(list.size());
    List<Object> values = new ArrayList<>(list.size());
    for (Object one : list) values.add(value(one, element, type.elementType(), misfits));
    return values;
  }

  private static @Nullable Object map(Map<?, ?> pairs, Schema schema, MapType type, Misfits misfits) {
    // Several of them could become one.
    if (!isText(pairs.keySet())) return misfits.note("the key of a map is not UTF-8");
    misfits.take(pairs.size());
    Schema of = AvroSchemas.withoutNull(schema.getValueType());
    Map<String, Object> values = new LinkedHashMap<>();
    pairs.forEach((key, one) -> values.put(key.toString(), value(one, of, type.valueType(), misfits)));
    return values;
  }
}
