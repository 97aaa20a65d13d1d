package io.binlog.spark;

import io.binlog.TableOptions;
import io.binlog.TableOptions.Column;
import java.util.Arrays;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.spark.sql.types.ArrayType;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.MapType;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;

/** The columns of the library's table that Spark's columns are made of. */
final class TableColumns {
  private static final Map<String, Column> OF_RECORDS =
      Map.of(
          Columns.ID, Column.ID,
          Columns.TIME, Column.TIME,
          Columns.TIME_NS, Column.TIME,
          Columns.TYPE, Column.TYPE,
          Columns.TYPE_NAME, Column.TYPE_NAME,
          Columns.METADATA, Column.METADATA,
          Columns.LENGTH, Column.LENGTH,
          Columns.PAYLOAD, Column.PAYLOAD,
          Columns.TEXT, Column.TEXT,
          // Ids say which segment a record is in.
          Columns.SEGMENT, Column.ID);

  /** Rows of a batch, if its columns are few. */
  private static final int MOST_ROWS = 65_536;
  /** Values of a batch in the columns that are decoded, which are on the heap; those within arrays and maps are beside them. */
  private static final int MOST_VALUES = 2_000_000;

  private final Set<Column> columns = new LinkedHashSet<>();
  private final Set<String> keys = new LinkedHashSet<>();

  /** Those of a type's own. */
  private StructType decoded = new StructType();

  private TableColumns() {}

  static TableColumns of(StructType wanted, Decoding decoding) {
    TableColumns all = new TableColumns();
    for (StructField field : wanted.fields()) {
      String name = field.name();
      Column column = OF_RECORDS.get(name);
      if (column != null) {
        all.columns.add(column);
      } else if (decoding.has(name)) {
        all.columns.addAll(List.of(Column.ID, Column.TYPE, Column.PAYLOAD));
        all.decoded = all.decoded.add(field);
      } else if (!name.equals(Columns.LOG)) {
        all.keys.add(name);
      }
    }
    // A table without any of these has all of them.
    if (all.columns.isEmpty()) all.columns.add(Column.ID);
    return all;
  }

  boolean isHeadersOnly() {
    return !columns.contains(Column.PAYLOAD) && !columns.contains(Column.TEXT);
  }

  /** The name in the table of a column of Spark's. */
  static String source(String name) {
    Column column = OF_RECORDS.get(name);
    return column == null ? "metadata." + name : column.name().toLowerCase(java.util.Locale.ROOT);
  }

  /** How many rows a batch may have with these decoded columns. */
  static int rowsOf(StructType decoded) {
    return Math.max(1, Math.min(MOST_ROWS, MOST_VALUES / Math.max(1, values(decoded))));
  }

  /** Values of a row in a column of this type, each array and map with one. */
  private static int values(DataType type) {
    if (type instanceof StructType) {
      return Arrays.stream(((StructType) type).fields()).mapToInt(field -> values(field.dataType())).sum();
    }
    if (type instanceof ArrayType) return values(((ArrayType) type).elementType());
    return type instanceof MapType ? 1 + values(((MapType) type).valueType()) : 1;
  }

  /** {@code limit} is the most rows that are wanted; 0 = no limit. */
  TableOptions options(int limit) {
    int most = rowsOf(decoded);
    int rows = limit == 0 ? most : Math.min(limit, most);
    return TableOptions.builder()
        .columns(columns.toArray(new Column[0]))
        .metadata(keys.toArray(new String[0]))
        .batchRows(rows == MOST_ROWS ? 0 : rows)
        .build();
  }
}
