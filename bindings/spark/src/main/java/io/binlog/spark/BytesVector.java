package io.binlog.spark;

import io.binlog.TableArray;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.unsafe.Platform;
import org.apache.spark.unsafe.types.UTF8String;

/** A column of text or bytes, with offsets of 32 bits. */
final class BytesVector extends ArrowVector {
  private final long offsets;
  private final long bytes;

  BytesVector(DataType type, TableArray array) {
    super(type, array);
    offsets = array.address(1) + 4L * offset;
    bytes = array.address(2);
  }

  private int begin(int row) {
    return Platform.getInt(null, offsets + 4L * row);
  }

  int length(int row) {
    return begin(row + 1) - begin(row);
  }

  /** Where the bytes of a value are. */
  long address(int row) {
    return bytes + begin(row);
  }

  /** Refers to the buffer: whoever keeps it for longer than the batch copies it, as Spark's operators do. */
  @Override
  public UTF8String getUTF8String(int row) {
    if (isNullAt(row)) return null;
    int begin = begin(row);
    return UTF8String.fromAddress(null, bytes + begin, begin(row + 1) - begin);
  }

  @Override
  public byte[] getBinary(int row) {
    if (isNullAt(row)) return null;
    int begin = begin(row);
    byte[] copy = new byte[begin(row + 1) - begin];
    Platform.copyMemory(null, bytes + begin, copy, Platform.BYTE_ARRAY_OFFSET, copy.length);
    return copy;
  }

  /** Whether two values are the same bytes. */
  boolean isSame(int one, int other) {
    int length = begin(one + 1) - begin(one);
    if (length != begin(other + 1) - begin(other)) return false;
    for (int i = 0; i < length; i++) {
      if (Platform.getByte(null, bytes + begin(one) + i) != Platform.getByte(null, bytes + begin(other) + i)) return false;
    }
    return true;
  }
}
