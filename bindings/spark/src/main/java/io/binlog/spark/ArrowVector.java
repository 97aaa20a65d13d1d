package io.binlog.spark;

import io.binlog.TableArray;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.unsafe.Platform;

/** A column whose values are in Arrow's buffers, valid as long as their batch is. */
abstract class ArrowVector extends ReadOnlyVector {
  /** Bits of values that are not null; 0 = none is null. */
  private final long validity;
  private final int nulls;
  final int offset;

  ArrowVector(DataType type, TableArray array) {
    super(type);
    offset = array.offset();
    validity = array.nulls() == 0 ? 0 : array.address(0);
    nulls = validity == 0 ? 0 : array.nulls() > 0 ? array.nulls() : count(array.length());
  }

  private int count(int rows) {
    int found = 0;
    for (int row = 0; row < rows; row++) found += isNullAt(row) ? 1 : 0;
    return found;
  }

  @Override
  public final boolean hasNull() {
    return nulls > 0;
  }

  @Override
  public final int numNulls() {
    return nulls;
  }

  @Override
  public final boolean isNullAt(int row) {
    if (validity == 0) return false;
    int bit = offset + row;
    return (Platform.getByte(null, validity + (bit >>> 3)) >> (bit & 7) & 1) == 0;
  }
}
