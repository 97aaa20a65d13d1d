package io.binlog.spark;

import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import org.apache.spark.sql.execution.vectorized.WritableColumnVector;
import org.apache.spark.sql.types.ArrayType;
import org.apache.spark.sql.types.BooleanType;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.Decimal;
import org.apache.spark.sql.types.DecimalType;
import org.apache.spark.sql.types.DoubleType;
import org.apache.spark.sql.types.FloatType;
import org.apache.spark.sql.types.IntegerType;
import org.apache.spark.sql.types.DateType;
import org.apache.spark.sql.types.MapType;
import org.apache.spark.sql.types.StructType;
import org.jspecify.annotations.Nullable;

/** Puts decoded values into a column of Spark's, and into those of which it consists. */
final class ColumnWriter {
  private final WritableColumnVector vector;
  private final DataType type;
  /** Of an array its elements, of a map keys and values, of a struct its fields. */
  private final ColumnWriter[] children;
  /** Elements of all arrays or pairs of all maps so far. */
  private int used;

  ColumnWriter(WritableColumnVector vector, DataType type) {
    this.vector = vector;
    this.type = type;
    if (type instanceof ArrayType) {
      children = new ColumnWriter[] {new ColumnWriter(vector.arrayData(), ((ArrayType) type).elementType())};
    } else if (type instanceof MapType) {
      MapType map = (MapType) type;
      children = new ColumnWriter[] {child(0, map.keyType()), child(1, map.valueType())};
    } else if (type instanceof StructType) {
      StructType struct = (StructType) type;
      children = new ColumnWriter[struct.size()];
      for (int i = 0; i < children.length; i++) children[i] = child(i, struct.apply(i).dataType());
    } else {
      children = new ColumnWriter[0];
    }
  }

  private ColumnWriter child(int at, DataType of) {
    return new ColumnWriter(vector.getChild(at), of);
  }

  WritableColumnVector vector() {
    return vector;
  }

  /** Forgets all values. */
  void reset() {
    vector.reset();
    forget();
  }

  private void forget() {
    used = 0;
    for (ColumnWriter child : children) child.forget();
  }

  /**
   * Puts one value: a Long, Integer, Double, Float, Boolean or Decimal, byte[] for bytes and String for text, List, Map with
   * text as keys, and Object[] for a struct, as the column's type says.
   */
  void put(int row, @Nullable Object value) {
    vector.reserve(row + 1);
    if (value == null) {
      vector.putNull(row);
      if (type instanceof StructType) for (ColumnWriter child : children) child.put(row, null);
    } else if (value instanceof String) {
      byte[] text = ((String) value).getBytes(StandardCharsets.UTF_8);
      vector.putByteArray(row, text, 0, text.length);
    } else if (value instanceof byte[]) {
      vector.putByteArray(row, (byte[]) value, 0, ((byte[]) value).length);
    } else if (type instanceof StructType) {
      Object[] fields = (Object[]) value;
      for (int i = 0; i < children.length; i++) children[i].put(row, fields[i]);
    } else if (type instanceof ArrayType) {
      putArray(row, (List<?>) value);
    } else if (type instanceof MapType) {
      putMap(row, (Map<?, ?>) value);
    } else {
      putNumber(row, value);
    }
  }

  private void putNumber(int row, Object value) {
    if (type instanceof BooleanType) vector.putBoolean(row, (Boolean) value);
    else if (type instanceof IntegerType || type instanceof DateType) vector.putInt(row, (Integer) value);
    else if (type instanceof FloatType) vector.putFloat(row, (Float) value);
    else if (type instanceof DoubleType) vector.putDouble(row, (Double) value);
    else if (type instanceof DecimalType) vector.putDecimal(row, (Decimal) value, ((DecimalType) type).precision());
    else vector.putLong(row, (Long) value);
  }

  private void putArray(int row, List<?> values) {
    vector.putArray(row, used, values.size());
    for (Object value : values) children[0].put(used++, value);
  }

  private void putMap(int row, Map<?, ?> pairs) {
    vector.putArray(row, used, pairs.size());
    for (Map.Entry<?, ?> pair : pairs.entrySet()) {
      children[0].put(used, pair.getKey());
      children[1].put(used++, pair.getValue());
    }
  }
}
