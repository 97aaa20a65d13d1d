package io.binlog.spark;

import io.binlog.TableArray;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.vectorized.ColumnarMap;
import org.apache.spark.unsafe.Platform;
import org.apache.spark.unsafe.types.UTF8String;
import org.jspecify.annotations.Nullable;

/**
 * A column of metadata. Arrow's map has a key twice where the record has; Spark's has it once, with the value of the
 * first pair.
 */
final class PairsVector extends ArrowVector {
  private final long offsets;
  private final BytesVector keys;
  private final BytesVector values;
  /** Which pairs are shown, and where those of each row begin among them; null when all are. */
  private final int @Nullable [] kept;

  private final int @Nullable [] begins;

  PairsVector(TableArray array) {
    super(DataTypes.createMapType(DataTypes.StringType, DataTypes.StringType, false), array);
    offsets = array.address(1) + 4L * offset;
    TableArray pairs = array.child(0);
    keys = new BytesVector(DataTypes.StringType, pairs.child(0));
    values = new BytesVector(DataTypes.StringType, pairs.child(1));
    if (!hasTwice(array.length())) {
      kept = null;
      begins = null;
      return;
    }
    begins = new int[array.length() + 1];
    kept = new int[begin(array.length()) - begin(0)];
    int count = 0;
    for (int row = 0; row < array.length(); row++) {
      begins[row] = count;
      for (int pair = begin(row); pair < begin(row + 1); pair++) {
        if (isFirst(row, pair)) kept[count++] = pair;
      }
    }
    begins[array.length()] = count;
  }

  private int begin(int row) {
    return Platform.getInt(null, offsets + 4L * row);
  }

  private boolean hasTwice(int rows) {
    for (int row = 0; row < rows; row++) {
      for (int pair = begin(row) + 1; pair < begin(row + 1); pair++) {
        if (!isFirst(row, pair)) return true;
      }
    }
    return false;
  }

  private boolean isFirst(int row, int pair) {
    for (int before = begin(row); before < pair; before++) {
      if (keys.isSame(before, pair)) return false;
    }
    return true;
  }

  @Override
  public ColumnarMap getMap(int row) {
    if (begins == null) return new ColumnarMap(keys, values, begin(row), begin(row + 1) - begin(row));
    return new ColumnarMap(
        new Kept(keys, kept), new Kept(values, kept), begins[row], begins[row + 1] - begins[row]);
  }

  /** Some values of a column. */
  private static final class Kept extends ReadOnlyVector {
    private final BytesVector all;
    private final int[] rows;

    Kept(BytesVector all, int[] rows) {
      super(DataTypes.StringType);
      this.all = all;
      this.rows = rows;
    }

    @Override
    public UTF8String getUTF8String(int row) {
      return all.getUTF8String(rows[row]);
    }
  }
}
