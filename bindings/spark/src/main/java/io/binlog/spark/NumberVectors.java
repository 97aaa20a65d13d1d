package io.binlog.spark;

import io.binlog.TableArray;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.unsafe.Platform;

/** Columns of numbers, each of which is a BIGINT or a TIMESTAMP in Spark. */
final class NumberVectors {
  private NumberVectors() {}

  /** Of 64 bits, as they are. */
  static final class Longs extends ArrowVector {
    private final long values;

    Longs(DataType type, TableArray array) {
      super(type, array);
      values = array.address(1) + 8L * offset;
    }

    @Override
    public long getLong(int row) {
      return Platform.getLong(null, values + 8L * row);
    }
  }

  /** Of 32 bits without a sign. */
  static final class UnsignedInts extends ArrowVector {
    private final long values;

    UnsignedInts(TableArray array) {
      super(DataTypes.LongType, array);
      values = array.address(1) + 4L * offset;
    }

    @Override
    public long getLong(int row) {
      return Platform.getInt(null, values + 4L * row) & 0xFFFFFFFFL;
    }
  }

  /** Nanoseconds, which are microseconds in Spark, rounded down. */
  static final class Times extends ArrowVector {
    private final long values;

    Times(TableArray array) {
      super(DataTypes.TimestampType, array);
      values = array.address(1) + 8L * offset;
    }

    @Override
    public long getLong(int row) {
      return Math.floorDiv(Platform.getLong(null, values + 8L * row), 1000L);
    }
  }
}
