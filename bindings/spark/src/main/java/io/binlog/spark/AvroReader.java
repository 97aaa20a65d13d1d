package io.binlog.spark;

import java.io.IOException;
import org.apache.avro.AvroRuntimeException;
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
  private long fields;
  private int level;

  /**
   * For payloads of the schema {@code written}, as records of {@code wanted}.
   *
   * @throws AvroRuntimeException if one and the same number means different things in both
   */
  AvroReader(Schema written, Schema wanted) {
    super(written, wanted, data());
    AvroMeaning.mustBeKept(written, wanted);
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
    fields = Misfits.MOST_VALUES;
    level = 0;
  }

  /** As they are: what is no UTF-8 is seen then. */
  @Override
  protected Class<?> findStringClass(Schema schema) {
    return CharSequence.class;
  }

  @Override
  protected Object readRecord(Object old, Schema expected, ResolvingDecoder in) throws IOException {
    if (level == MOST_LEVELS) throw new AvroRuntimeException("it has more than " + MOST_LEVELS + " levels of records");
    fields -= expected.getFields().size();
    if (fields < 0) throw new AvroRuntimeException("it has more than " + Misfits.MOST_VALUES + " fields");
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
