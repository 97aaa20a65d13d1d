package io.binlog.spark;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.apache.spark.sql.connector.expressions.Expression;
import org.apache.spark.sql.connector.expressions.Literal;
import org.apache.spark.sql.connector.expressions.NamedReference;
import org.apache.spark.sql.connector.expressions.filter.And;
import org.apache.spark.sql.connector.expressions.filter.Or;
import org.apache.spark.sql.connector.expressions.filter.Predicate;
import org.apache.spark.unsafe.types.UTF8String;
import org.jspecify.annotations.Nullable;

/** Spark's conditions as a {@link Selection}. */
final class Predicates {
  private final List<String> metadataColumns;

  /** {@code metadataColumns} are the keys of metadata that are columns. */
  Predicates(List<String> metadataColumns) {
    this.metadataColumns = metadataColumns;
  }

  /** A selection after a condition. */
  static final class Narrowed {
    final Selection selection;
    /** False where the selection contains records that the condition excludes: Spark looks at them again. */
    final boolean isExact;

    private Narrowed(Selection selection, boolean isExact) {
      this.selection = selection;
      this.isExact = isExact;
    }

    private static @Nullable Narrowed exact(@Nullable Selection selection) {
      return selection == null ? null : new Narrowed(selection, true);
    }
  }

  /** The selection with one more condition; null for a condition that is Spark's alone. */
  @Nullable Narrowed narrow(Selection selection, Predicate condition) {
    if (condition instanceof And) return narrow(selection, ((And) condition).left(), ((And) condition).right());
    if (condition instanceof Or) return either(selection, (Or) condition);
    if (condition.name().equals("ALWAYS_FALSE")) return Narrowed.exact(Selection.NOTHING);
    Expression[] children = condition.children();
    String column = children.length == 0 ? null : column(children[0]);
    if (column == null) return mirrored(selection, condition);
    if (condition.name().equals("IS_NOT_NULL")) return notNull(selection, column);
    List<Object> values = new ArrayList<>();
    for (int i = 1; i < children.length; i++) {
      if (!(children[i] instanceof Literal)) return null;
      Object value = ((Literal<?>) children[i]).value();
      if (value != null) values.add(value); // nothing equals null
    }
    if (values.isEmpty()) return null;
    return compare(selection, column, condition.name(), values);
  }

  private @Nullable Narrowed narrow(Selection selection, Predicate left, Predicate right) {
    Narrowed first = narrow(selection, left);
    if (first == null) return null;
    Narrowed both = narrow(first.selection, right);
    return both == null ? null : new Narrowed(both.selection, first.isExact && both.isExact);
  }

  /** One of several types, or one of several names. */
  private @Nullable Narrowed either(Selection selection, Or condition) {
    Narrowed left = narrow(Selection.ALL, condition.left());
    Narrowed right = narrow(Selection.ALL, condition.right());
    if (left == null || right == null || !left.isExact || !right.isExact) return null;
    return Narrowed.exact(selection.either(left.selection, right.selection));
  }

  /** {@code 5 < id} is {@code id > 5}. */
  private @Nullable Narrowed mirrored(Selection selection, Predicate condition) {
    Expression[] children = condition.children();
    if (children.length != 2 || !(children[0] instanceof Literal) || column(children[1]) == null) return null;
    String name;
    switch (condition.name()) {
      case "=":
        name = "=";
        break;
      case "<":
        name = ">";
        break;
      case "<=":
        name = ">=";
        break;
      case ">":
        name = "<";
        break;
      case ">=":
        name = "<=";
        break;
      default:
        return null;
    }
    return narrow(selection, new Predicate(name, new Expression[] {children[1], children[0]}));
  }

  private static @Nullable String column(Expression expression) {
    if (!(expression instanceof NamedReference)) return null;
    String[] names = ((NamedReference) expression).fieldNames();
    return names.length == 1 ? names[0] : null;
  }

  /** Spark adds it to other conditions. */
  private @Nullable Narrowed notNull(Selection selection, String column) {
    switch (column) {
      case Columns.ID:
      case Columns.TIME:
      case Columns.TIME_NS:
      case Columns.TYPE:
        return Narrowed.exact(selection);
      case Columns.TYPE_NAME:
        return selection.hasName() ? Narrowed.exact(selection) : null;
      default:
        return null;
    }
  }

  private @Nullable Narrowed compare(Selection selection, String column, String name, List<Object> values) {
    switch (column) {
      case Columns.ID:
        return ids(selection, name, values);
      case Columns.TIME:
        return Narrowed.exact(times(selection, name, values, 1000));
      case Columns.TIME_NS:
        return Narrowed.exact(times(selection, name, values, 1));
      case Columns.TYPE:
        return name.equals("=") || name.equals("IN") ? Narrowed.exact(selection.types(numbers(values))) : null;
      case Columns.TYPE_NAME:
        return Narrowed.exact(names(selection, name, values));
      default:
        return metadata(selection, column, name, values);
    }
  }

  private static List<Long> numbers(List<Object> values) {
    List<Long> all = new ArrayList<>();
    for (Object value : values) all.add(((Number) value).longValue());
    return all;
  }

  private static List<String> texts(List<Object> values) {
    List<String> all = new ArrayList<>();
    for (Object value : values) all.add(((UTF8String) value).toString());
    return all;
  }

  private static @Nullable Narrowed ids(Selection selection, String name, List<Object> values) {
    List<Long> ids = numbers(values);
    long id = ids.get(0);
    long last = Long.MAX_VALUE;
    switch (name) {
      case "=":
        return Narrowed.exact(selection.ids(id, id));
      case ">=":
        return Narrowed.exact(selection.ids(id, last));
      case ">":
        return Narrowed.exact(id == last ? Selection.NOTHING : selection.ids(id + 1, last));
      case "<=":
        return Narrowed.exact(selection.ids(1, id));
      case "<":
        return Narrowed.exact(id <= 1 ? Selection.NOTHING : selection.ids(1, id - 1));
      case "IN":
        // What is between them is Spark's.
        return new Narrowed(selection.ids(Collections.min(ids), Collections.max(ids)), false);
      default:
        return null;
    }
  }

  /**
   * The value is a number of units of so many nanoseconds. A time in Spark is rounded down: it is less than a value
   * exactly if its nanoseconds are less than the value's.
   */
  private static @Nullable Selection times(Selection selection, String name, List<Object> values, long unit) {
    long value = numbers(values).get(0);
    try {
      long begin = Math.multiplyExact(value, unit);
      switch (name) {
        case "=":
          Selection later = selection.from(begin);
          return later == null ? null : later.before(Math.addExact(begin, unit));
        case ">=":
          return selection.from(begin);
        case ">":
          return selection.from(Math.addExact(begin, unit));
        case "<=":
          return selection.before(Math.addExact(begin, unit));
        case "<":
          return selection.before(begin);
        default:
          return null;
      }
    } catch (ArithmeticException e) {
      return null; // beyond the times of the library
    }
  }

  private static @Nullable Selection names(Selection selection, String name, List<Object> values) {
    switch (name) {
      case "=":
      case "IN":
        return selection.names(texts(values));
      case "STARTS_WITH":
        return selection.prefix(texts(values).get(0));
      default:
        return null;
    }
  }

  /** The filter looks at all pairs of a key, a column has the first: Spark looks at what the filter selects. */
  private @Nullable Narrowed metadata(Selection selection, String column, String name, List<Object> values) {
    if (!name.equals("=") || !metadataColumns.contains(column)) return null;
    String value = texts(values).get(0);
    if (value.indexOf('\0') >= 0) return null;
    return new Narrowed(selection.metadata(column, value), false);
  }
}
