package io.binlog.spark;

import io.binlog.Segment;
import java.util.List;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.unsafe.types.UTF8String;

/** The metadata columns: where a record is. */
final class SegmentVectors {
  private SegmentVectors() {}

  /** The same text in each row. */
  static final class Constant extends ReadOnlyVector {
    private final UTF8String text;

    Constant(String text) {
      super(DataTypes.StringType);
      this.text = UTF8String.fromString(text);
    }

    @Override
    public UTF8String getUTF8String(int row) {
      return text;
    }
  }

  /** The files of the segments of one split, in the order of writing. */
  static final class Files {
    private final long[] firstIds;
    private final UTF8String[] files;

    Files(List<Segment> segments) {
      firstIds = new long[segments.size()];
      files = new UTF8String[segments.size()];
      for (int i = 0; i < files.length; i++) {
        firstIds[i] = segments.get(i).firstId();
        files[i] = UTF8String.fromString(segments.get(i).location());
      }
    }

    /** The last one that begins at or before the id. */
    UTF8String of(long id) {
      int low = 0;
      for (int high = firstIds.length - 1; low < high; ) {
        int middle = (low + high + 1) >>> 1;
        if (Long.compareUnsigned(firstIds[middle], id) <= 0) low = middle;
        else high = middle - 1;
      }
      return files[low];
    }
  }

  /** The file that contains the record, by its id. */
  static final class OfIds extends ReadOnlyVector {
    private final NumberVectors.Longs ids;
    private final Files files;

    OfIds(NumberVectors.Longs ids, Files files) {
      super(DataTypes.StringType);
      this.ids = ids;
      this.files = files;
    }

    @Override
    public UTF8String getUTF8String(int row) {
      return files.of(ids.getLong(row));
    }
  }
}
