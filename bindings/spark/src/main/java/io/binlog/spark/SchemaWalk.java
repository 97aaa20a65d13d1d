package io.binlog.spark;

import java.util.HashSet;
import java.util.Set;
import java.util.function.Supplier;
import org.apache.spark.sql.types.DataType;

/**
 * Bounds what a schema may give: by references, a few lines give any number of columns, at any depth, and the driver would not come
 * to the end of them.
 */
final class SchemaWalk {
  private static final int MOST_COLUMNS = 10_000;
  static final int MOST_LEVELS = 100;

  /** Names of what is being walked through. */
  private final Set<String> open = new HashSet<>();
  private int level;
  private int columns;

  /** The type of what has a name, or {@code otherwise} where it is within itself. */
  DataType within(String name, DataType otherwise, Supplier<DataType> type) {
    if (!open.add(name)) return otherwise;
    // Names that stand for nothing but other names.
    if (open.size() > 2 * MOST_LEVELS) throw tooDeep();
    DataType found = type.get();
    open.remove(name);
    return found;
  }

  /** The type of a part. */
  DataType deeper(Supplier<DataType> type) {
    if (level == MOST_LEVELS) throw tooDeep();
    level++;
    DataType found = type.get();
    level--;
    return found;
  }

  static IllegalArgumentException tooDeep() {
    return new IllegalArgumentException("it has more than " + MOST_LEVELS + " levels");
  }

  /** Counts a column, or a field of one. */
  void column() {
    if (++columns > MOST_COLUMNS) throw new IllegalArgumentException("it has more than " + MOST_COLUMNS + " columns and fields of them");
  }
}
