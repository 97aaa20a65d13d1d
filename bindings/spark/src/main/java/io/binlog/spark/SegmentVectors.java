package io.binlog.spark;

import io.binlog.BinlogException;
import io.binlog.BinlogReader;
import io.binlog.Segment;
import java.io.UncheckedIOException;
import java.util.List;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.unsafe.types.UTF8String;
import org.jspecify.annotations.Nullable;

/** The metadata columns: where a record is. */
final class SegmentVectors {
  private SegmentVectors() {}

  /** The segments of one split, in the order of writing. Each of its files is opened when a query shows one of these columns. */
  static final class Segments {
    private final BinlogReader reader;
    private long @Nullable [] firstIds;
    private UTF8String[] files = {};
    private UTF8String log = UTF8String.EMPTY_UTF8;

    Segments(BinlogReader reader) {
      this.reader = reader;
    }

    private void find() {
      List<Segment> segments;
      try {
        segments = reader.segments();
      } catch (BinlogException e) {
        throw new UncheckedIOException(e.getMessage(), e);
      }
      firstIds = segments.stream().mapToLong(Segment::firstId).toArray();
      files = segments.stream().map(one -> UTF8String.fromString(one.location())).toArray(UTF8String[]::new);
      log = UTF8String.fromString(segments.get(0).name());
    }

    /** The last one that begins at or before the id. */
    UTF8String of(long id) {
      if (firstIds == null) find();
      int low = 0;
      for (int high = firstIds.length - 1; low < high; ) {
        int middle = (low + high + 1) >>> 1;
        if (Long.compareUnsigned(firstIds[middle], id) <= 0) low = middle;
        else high = middle - 1;
      }
      return files[low];
    }

    UTF8String log() {
      if (firstIds == null) find();
      return log;
    }
  }

  /** The name of the log, in each row. */
  static final class Log extends ReadOnlyVector {
    private final Segments segments;

    Log(Segments segments) {
      super(DataTypes.StringType);
      this.segments = segments;
    }

    @Override
    public UTF8String getUTF8String(int row) {
      return segments.log();
    }
  }

  /** The file that contains the record, by its id. */
  static final class File extends ReadOnlyVector {
    private final NumberVectors.Longs ids;
    private final Segments segments;

    File(NumberVectors.Longs ids, Segments segments) {
      super(DataTypes.StringType);
      this.ids = ids;
      this.segments = segments;
    }

    @Override
    public UTF8String getUTF8String(int row) {
      return segments.of(ids.getLong(row));
    }
  }
}
