package io.binlog.spark;

import java.io.IOException;
import java.util.HashMap;
import java.util.Map;
import org.apache.avro.AvroRuntimeException;
import org.apache.avro.LogicalType;
import org.apache.avro.LogicalTypes;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericData;
import org.apache.avro.generic.GenericDatumReader;
import org.apache.avro.generic.GenericRecord;
import org.apache.avro.io.ResolvingDecoder;

/** Reads payloads within limits: a few bytes may state any number of items, and records within each other, of no bytes each. */
final class AvroReader extends GenericDatumReader<GenericRecord> {
  private static final int MOST_LEVELS = 100;
  /** Items that a payload may have besides one for each of its bytes. */
  private static final int MORE_ITEMS = 100;

  private long items;
  private int level;

  /**
   * For payloads of the schema {@code written}, as records of {@code wanted}.
   *
   * @throws AvroRuntimeException if one and the same number means different things in both
   */
  AvroReader(Schema written, Schema wanted) {
    super(written, wanted, data());
    mustMeanTheSame(AvroSchemas.withoutNull(written), wanted, new HashMap<>());
  }

  /** The faster reader of newer versions has no methods that could count. */
  private static GenericData data() {
    GenericData data = new GenericData();
    data.setFastReaderEnabled(false);
    return data;
  }

  /** Begins a payload of so many bytes. */
  void begin(int length) {
    items = (long) MORE_ITEMS + length;
    level = 0;
  }

  /** Avro resolves 1500 ms to 1500 us, and 1.00 to 0.100 where the scale is another one. */
  private static void mustMeanTheSame(Schema written, Schema wanted, Map<String, Schema> seen) {
    if (written.getType() != wanted.getType()) return;
    LogicalType one = written.getLogicalType();
    LogicalType other = wanted.getLogicalType();
    if (one != null && other != null && !isAlike(one, other)) {
      throw new AvroRuntimeException("its schema has " + one.getName() + " where the newest has another " + other.getName());
    }
    switch (written.getType()) {
      case ARRAY:
        mustMeanTheSame(AvroSchemas.withoutNull(written.getElementType()), AvroSchemas.withoutNull(wanted.getElementType()), seen);
        break;
      case MAP:
        mustMeanTheSame(AvroSchemas.withoutNull(written.getValueType()), AvroSchemas.withoutNull(wanted.getValueType()), seen);
        break;
      case RECORD:
        if (seen.put(written.getFullName(), wanted) != null) break;
        for (Schema.Field field : wanted.getFields()) {
          Schema.Field before = written.getField(field.name());
          if (before == null) continue;
          mustMeanTheSame(AvroSchemas.withoutNull(before.schema()), AvroSchemas.withoutNull(field.schema()), seen);
        }
        break;
      default:
    }
  }

  private static boolean isAlike(LogicalType one, LogicalType other) {
    if (one instanceof LogicalTypes.Decimal && other instanceof LogicalTypes.Decimal) {
      return ((LogicalTypes.Decimal) one).getScale() == ((LogicalTypes.Decimal) other).getScale();
    }
    return one.getName().equals(other.getName());
  }

  @Override
  protected Object readRecord(Object old, Schema expected, ResolvingDecoder in) throws IOException {
    if (level == MOST_LEVELS) throw new AvroRuntimeException("it has more than " + MOST_LEVELS + " levels of records");
    level++;
    Object record = super.readRecord(old, expected, in);
    level--;
    return record;
  }

  private void take(long count) {
    items -= count;
    if (items < 0) throw new AvroRuntimeException("it has more items than bytes");
  }

  @Override
  protected Object newArray(Object old, int size, Schema schema) {
    if (size > items) take(size);
    return super.newArray(old, size, schema);
  }

  @Override
  protected void addToArray(Object array, long at, Object item) {
    take(1);
    super.addToArray(array, at, item);
  }

  @Override
  protected Object newMap(Object old, int size) {
    if (size > items) take(size);
    return super.newMap(old, size);
  }
}
