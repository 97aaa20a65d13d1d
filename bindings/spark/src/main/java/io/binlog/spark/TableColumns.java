package io.binlog.spark;

import io.binlog.TableOptions;
import io.binlog.TableOptions.Column;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
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

  private final Set<Column> columns = new LinkedHashSet<>();
  private final Set<String> keys = new LinkedHashSet<>();

  private TableColumns() {}

  static TableColumns of(StructType wanted, Decoding decoding) {
    TableColumns all = new TableColumns();
    for (String name : wanted.fieldNames()) {
      Column column = OF_RECORDS.get(name);
      if (column != null) all.columns.add(column);
      else if (decoding.has(name)) all.columns.addAll(List.of(Column.ID, Column.TYPE, Column.PAYLOAD));
      else if (!name.equals(Columns.LOG)) all.keys.add(name);
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

  /** {@code rows} is 0 for the default. */
  TableOptions options(int rows) {
    return TableOptions.builder()
        .columns(columns.toArray(new Column[0]))
        .metadata(keys.toArray(new String[0]))
        .batchRows(rows)
        .build();
  }
}
