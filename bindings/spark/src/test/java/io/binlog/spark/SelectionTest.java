package io.binlog.spark;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.io.ObjectOutputStream;
import java.util.List;
import java.util.Set;
import org.apache.spark.sql.connector.expressions.Expression;
import org.apache.spark.sql.connector.expressions.Expressions;
import org.apache.spark.sql.connector.expressions.LiteralValue;
import org.apache.spark.sql.connector.expressions.filter.And;
import org.apache.spark.sql.connector.expressions.filter.Or;
import org.apache.spark.sql.connector.expressions.filter.Predicate;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.unsafe.types.UTF8String;
import org.junit.jupiter.api.Test;

/** Conditions that are left to the library. */
class SelectionTest {
  private final Predicates predicates = new Predicates(List.of("host"));

  private static Predicate condition(String column, String name, Object... values) {
    Expression[] children = new Expression[values.length + 1];
    children[0] = Expressions.column(column);
    for (int i = 0; i < values.length; i++) {
      boolean isText = values[i] instanceof String;
      children[i + 1] =
          new LiteralValue<>(
              isText ? UTF8String.fromString((String) values[i]) : values[i],
              isText ? DataTypes.StringType : DataTypes.LongType);
    }
    return new Predicate(name, children);
  }

  /** What is selected, with a "?" where Spark has to look again; "Spark" when it is Spark's alone. */
  private String narrowed(Predicate... conditions) {
    Selection selection = Selection.ALL;
    boolean isExact = true;
    for (Predicate condition : conditions) {
      Predicates.Narrowed narrowed = predicates.narrow(selection, condition);
      if (narrowed == null) return "Spark";
      selection = narrowed.selection;
      isExact &= narrowed.isExact;
    }
    return selection + (isExact ? "" : "?");
  }

  @Test
  void ids_are_ranges() {
    assertEquals("id >= 5 AND id <= 5", narrowed(condition("id", "=", 5L)));
    assertEquals("id >= 6 AND id <= 9", narrowed(condition("id", ">", 5L), condition("id", "<", 10L)));
    assertEquals("id >= 2 AND id <= 8?", narrowed(condition("id", "IN", 8L, 2L)));
    assertEquals("", narrowed(condition("id", ">=", -3L)));
    assertEquals("nothing", narrowed(condition("id", "<=", 0L)));
    assertEquals("nothing", narrowed(condition("id", "<", Long.MIN_VALUE)));
    assertEquals("nothing", narrowed(condition("id", ">", Long.MAX_VALUE)));
    assertEquals("nothing", narrowed(condition("id", ">", 9L), condition("id", "<", 9L)));
    assertEquals("Spark", narrowed(condition("id", "<>", 9L)));
  }

  @Test
  void times_are_rounded_down_to_microseconds() {
    assertEquals("time_ns >= 5000 AND time_ns < 6000", narrowed(condition("time", "=", 5L)));
    assertEquals("time_ns >= 6000", narrowed(condition("time", ">", 5L)));
    assertEquals("time_ns < 6000", narrowed(condition("time", "<=", 5L)));
    assertEquals("time_ns < 5000", narrowed(condition("time", "<", 5L)));
    assertEquals("time_ns >= 5 AND time_ns < 6", narrowed(condition("time_ns", "=", 5L)));
    assertEquals("Spark", narrowed(condition("time", ">=", 0L)), "the filter has no bound there");
    assertEquals("Spark", narrowed(condition("time", ">=", Long.MAX_VALUE)), "beyond the library's times");
    assertEquals("nothing", narrowed(condition("time", ">", 5L), condition("time", "<", 5L)));
  }

  @Test
  void types_are_numbers_or_names() {
    assertEquals("type IN (3, 7)", narrowed(condition("type", "IN", 7L, 3L, -1L, 1L << 40)));
    assertEquals("nothing", narrowed(condition("type", "=", -5L)));
    assertEquals("type_name IN ('a', 'b')", narrowed(condition("type_name", "IN", "b", "a", "")));
    assertEquals("type_name LIKE 'ab%'", narrowed(condition("type_name", "STARTS_WITH", "a"), condition("type_name", "STARTS_WITH", "ab")));
    assertEquals("type_name IN ('ab')", narrowed(condition("type_name", "IN", "ab", "b"), condition("type_name", "STARTS_WITH", "a")));
    assertEquals("Spark", narrowed(condition("type", "=", 3L), condition("type_name", "=", "a")));
    assertEquals("type IN (3, 4)", narrowed(new Or(condition("type", "=", 3L), condition("type", "=", 4L))));
    assertEquals("Spark", narrowed(new Or(condition("type", "=", 3L), condition("type_name", "=", "a"))));
    assertEquals("Spark", narrowed(new Or(condition("type", "=", 3L), condition("id", "=", 4L))));
    assertEquals("type_name IN ('a')", narrowed(condition("type_name", "=", "a"), condition("type_name", "IS_NOT_NULL")));
    assertEquals("Spark", narrowed(condition("type", "=", 3L), condition("type_name", "IS_NOT_NULL")));
  }

  @Test
  void metadata_is_looked_at_again_because_a_key_may_be_there_twice() {
    assertEquals("metadata['host'] = 'a'?", narrowed(condition("host", "=", "a")));
    assertEquals("Spark", narrowed(condition("user", "=", "a")));
    assertEquals("Spark", narrowed(condition("text", "=", "a")));
  }

  @Test
  void both_sides_of_and_are_needed() {
    assertEquals("id >= 2 AND type IN (1)", narrowed(new And(condition("id", ">", 1L), condition("type", "=", 1L))));
    assertEquals("Spark", narrowed(new And(condition("id", ">", 1L), condition("length", "=", 1L))));
  }

  @Test
  void a_literal_may_come_first() {
    Expression five = new LiteralValue<>(5L, DataTypes.LongType);
    assertEquals("id >= 6", narrowed(new Predicate("<", new Expression[] {five, Expressions.column("id")})));
  }

  @Test
  void a_prefix_becomes_the_names_of_the_log() {
    Selection prefix = Selection.ALL.prefix("order.");
    assertTrue(prefix.hasPrefix());
    Selection resolved = prefix.resolved(Set.of("order.placed", "order", "login"));
    assertEquals("type_name IN ('order.placed')", resolved.toString());
    assertTrue(prefix.resolved(Set.of("login")).isNothing());
    assertTrue(resolved.matches(9, "order.placed"));
    assertFalse(resolved.matches(9, null));
  }

  @Test
  void a_selection_goes_to_executors() throws Exception {
    Selection all = Selection.ALL.ids(2, 9).types(List.of(4L)).metadata("a", "b").from(7);
    assertNull(all.names(List.of("x")));
    new ObjectOutputStream(new ByteArrayOutputStream()).writeObject(all);
  }
}
