package io.binlog.spark;

import io.binlog.BinlogReader;
import java.io.IOException;
import java.util.Arrays;
import org.apache.spark.sql.execution.vectorized.OnHeapColumnVector;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.sql.vectorized.ColumnVector;
import org.apache.spark.unsafe.Platform;

/** The columns of one type's own, decoded batch by batch into the same memory. */
final class DecodedColumns {
  private final LogRead read;
  private final PayloadDecoder decoder;
  private final ColumnWriter[] writers;
  /** The fields of a payload. */
  private final Object[] fields;
  private final Misfits misfits = new Misfits();
  private byte[] scratch = new byte[4096];

  /** {@code wanted} are some of the columns of the decoding. */
  DecodedColumns(LogRead read, StructType wanted, BinlogReader reader) {
    // They grow when there are more.
    int rows = Math.min(4096, TableColumns.rowsOf(wanted));
    this.read = read;
    StructType inner = read.decoding.isSingle() ? (StructType) wanted.apply(0).dataType() : wanted;
    decoder = read.decoding.decoder(inner, reader);
    fields = new Object[inner.size()];
    writers = new ColumnWriter[wanted.size()];
    for (int i = 0; i < writers.length; i++) {
      StructField field = wanted.apply(i);
      writers[i] = new ColumnWriter(new OnHeapColumnVector(rows, field.dataType()), field.dataType());
    }
  }

  ColumnVector vector(int column) {
    return writers[column].vector();
  }

  /** Decodes the payloads of a batch, in place of those of the batch before. */
  void decode(int rows, ColumnVector ids, ColumnVector types, BytesVector payloads) throws IOException {
    for (ColumnWriter writer : writers) writer.reset();
    for (int row = 0; row < rows; row++) {
      int length = payloads.length(row);
      if (length > scratch.length) scratch = new byte[Math.max(length, 2 * scratch.length)];
      Platform.copyMemory(null, payloads.address(row), scratch, Platform.BYTE_ARRAY_OFFSET, length);
      put(row, isDecoded(ids, types.getLong(row), row, length));
    }
  }

  private boolean isDecoded(ColumnVector ids, long type, int row, int length) throws IOException {
    Arrays.fill(fields, null);
    misfits.clear();
    try {
      decoder.decode(type, scratch, length, fields, misfits);
      if (misfits.first() != null) refuse(ids.getLong(row), misfits.first());
      return true;
    } catch (PayloadDecoder.Malformed e) {
      refuse(ids.getLong(row), e.getMessage());
      return false;
    }
  }

  private void put(int row, boolean isDecoded) {
    if (read.decoding.isSingle()) {
      writers[0].put(row, isDecoded ? fields : null);
      return;
    }
    for (int i = 0; i < writers.length; i++) writers[i].put(row, isDecoded ? fields[i] : null);
  }

  private void refuse(long id, String why) throws IOException {
    if (!read.options.failsOnMalformed) return;
    throw new IOException(
        "the payload of record " + id + " is not what the schema of the type " + read.decoding.type + " says: " + why
            + "; without decodeMode=fail, what does not fit is NULL");
  }

  void close() {
    for (ColumnWriter writer : writers) writer.vector().close();
  }
}
