package io.binlog.spark;

import io.binlog.BinlogReader;
import io.binlog.TableArray;
import io.binlog.TableBatch;
import io.binlog.TableColumn;
import java.io.IOException;
import java.util.List;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.sql.vectorized.ColumnVector;
import org.jspecify.annotations.Nullable;

/** Makes Spark's columns of the batches of a split. */
final class BatchColumns {
  /** Makes one of the columns. */
  private interface Maker {
    ColumnVector of(TableBatch batch);
  }

  private final Maker[] makers;
  private final List<TableColumn> columns;
  /** Null unless some of the columns are a type's own. */
  private final @Nullable DecodedColumns decoded;

  BatchColumns(LogRead read, List<TableColumn> columns, BinlogReader reader) {
    this.columns = columns;
    SegmentVectors.Segments segments = new SegmentVectors.Segments(reader);
    StructField[] fields = read.columns.fields();
    StructType own = new StructType();
    for (StructField field : fields) {
      if (read.decoding.has(field.name())) own = own.add(field);
    }
    decoded = own.isEmpty() ? null : new DecodedColumns(read, own, reader);
    makers = new Maker[fields.length];
    for (int i = 0; i < fields.length; i++) {
      if (read.decoding.has(fields[i].name())) {
        ColumnVector vector = decoded.vector(own.fieldIndex(fields[i].name()));
        makers[i] = batch -> vector;
      } else {
        makers[i] = maker(fields[i], columns, segments);
      }
    }
  }

  private static Maker maker(StructField field, List<TableColumn> columns, SegmentVectors.Segments segments) {
    String name = field.name();
    int at = at(TableColumns.source(name), columns);
    switch (name) {
      case Columns.LOG:
        ColumnVector log = new SegmentVectors.Log(segments);
        return batch -> log;
      case Columns.SEGMENT:
        return batch -> new SegmentVectors.File(longs(batch.column(at)), segments);
      case Columns.ID:
      case Columns.TIME_NS:
      case Columns.LENGTH:
        return batch -> longs(batch.column(at));
      case Columns.TIME:
        return batch -> new NumberVectors.Times(batch.column(at));
      case Columns.TYPE:
        return batch -> new NumberVectors.UnsignedInts(batch.column(at));
      case Columns.TYPE_NAME:
        return batch -> new WordsVector(batch.column(at));
      case Columns.METADATA:
        return batch -> new PairsVector(batch.column(at));
      default:
        return batch -> new BytesVector(field.dataType(), batch.column(at));
    }
  }

  private static NumberVectors.Longs longs(TableArray array) {
    return new NumberVectors.Longs(DataTypes.LongType, array);
  }

  private static int at(String source, List<TableColumn> columns) {
    for (int i = 0; i < columns.size(); i++) {
      if (columns.get(i).name().equals(source)) return i;
    }
    return -1; // of a column that no table has
  }

  private void decode(TableBatch batch, DecodedColumns into) throws IOException {
    ColumnVector ids = longs(batch.column(at(Columns.ID, columns)));
    ColumnVector types = new NumberVectors.UnsignedInts(batch.column(at(Columns.TYPE, columns)));
    TableArray payloads = batch.column(at(Columns.PAYLOAD, columns));
    into.decode(batch.rows(), ids, types, new BytesVector(DataTypes.BinaryType, payloads));
  }

  ColumnVector[] vectors(TableBatch batch) throws IOException {
    if (decoded != null) decode(batch, decoded);
    ColumnVector[] vectors = new ColumnVector[makers.length];
    for (int i = 0; i < vectors.length; i++) vectors[i] = makers[i].of(batch);
    return vectors;
  }

  void close() {
    if (decoded != null) decoded.close();
  }
}
