package io.binlog.spark;

import java.io.IOException;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.avro.LogicalTypes;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericDatumReader;
import org.apache.avro.generic.GenericFixed;
import org.apache.avro.generic.GenericRecord;
import org.apache.avro.generic.IndexedRecord;
import org.apache.avro.io.BinaryDecoder;
import org.apache.avro.io.DecoderFactory;
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
  private final Map<Long, GenericDatumReader<GenericRecord>> readers = new HashMap<>();
  private final TypeSchemas all;
  private @Nullable BinaryDecoder decoder;
  private @Nullable GenericRecord record;

  AvroDecoder(StructType wanted, PayloadSchema newest, TypeSchemas all) {
    this.wanted = wanted;
    this.newest = AvroSchemas.parse(newest.text());
    this.all = all;
  }

  @Override
  public void decode(long type, byte[] payload, int length, Object[] into) throws Malformed {
    try {
      GenericDatumReader<GenericRecord> reader = readers.get(type);
      if (reader == null) {
        reader = new GenericDatumReader<>(AvroSchemas.parse(all.get(type).text()), newest);
        readers.put(type, reader);
      }
      decoder = DecoderFactory.get().binaryDecoder(payload, 0, length, decoder);
      record = reader.read(record, decoder);
      if (!decoder.isEnd()) throw new Malformed("something follows the record");
      for (int i = 0; i < into.length; i++) {
        Schema.Field field = newest.getField(wanted.apply(i).name());
        into[i] = value(record.get(field.pos()), AvroSchemas.withoutNull(field.schema()), wanted.apply(i).dataType());
      }
    } catch (IOException | RuntimeException e) {
      record = null; // half of it is of this payload
      throw new Malformed(e.toString());
    }
  }

  private static @Nullable Object value(@Nullable Object value, Schema schema, DataType type) {
    if (value == null) return null;
    if (type instanceof StringType) return value.toString();
    if (type instanceof StructType) return struct((IndexedRecord) value, schema, (StructType) type);
    if (type instanceof ArrayType) return array((List<?>) value, schema, (ArrayType) type);
    if (type instanceof MapType) return map((Map<?, ?>) value, schema, (MapType) type);
    if (type instanceof BinaryType) return bytes(value);
    if (type instanceof DecimalType) {
      int scale = ((LogicalTypes.Decimal) schema.getLogicalType()).getScale();
      return Decimal.apply(new BigDecimal(new BigInteger(bytes(value)), scale), ((DecimalType) type).precision(), scale);
    }
    boolean isMillis = type instanceof TimestampType && schema.getLogicalType() instanceof LogicalTypes.TimestampMillis;
    return isMillis ? Math.multiplyExact((Long) value, 1000L) : value;
  }

  private static byte[] bytes(Object value) {
    if (value instanceof GenericFixed) return ((GenericFixed) value).bytes();
    ByteBuffer buffer = ((ByteBuffer) value).duplicate();
    byte[] bytes = new byte[buffer.remaining()];
    buffer.get(bytes);
    return bytes;
  }

  private static Object[] struct(IndexedRecord record, Schema schema, StructType type) {
    Object[] values = new Object[type.size()];
    for (int i = 0; i < values.length; i++) {
      Schema.Field field = schema.getField(type.apply(i).name());
      values[i] = value(record.get(field.pos()), AvroSchemas.withoutNull(field.schema()), type.apply(i).dataType());
    }
    return values;
  }

  private static List<Object> array(List<?> list, Schema schema, ArrayType type) {
    Schema element = AvroSchemas.withoutNull(schema.getElementType());
    List<Object> values = new ArrayList<>(list.size());
    for (Object one : list) values.add(value(one, element, type.elementType()));
    return values;
  }

  private static Map<String, Object> map(Map<?, ?> pairs, Schema schema, MapType type) {
    Schema of = AvroSchemas.withoutNull(schema.getValueType());
    Map<String, Object> values = new LinkedHashMap<>();
    pairs.forEach((key, one) -> values.put(key.toString(), value(one, of, type.valueType())));
    return values;
  }
}
