package io.binlog.spark;

import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import org.apache.avro.Schema;

/** Refuses schemas that Avro's library cannot go through: it does so by recursion, and without a bound. */
final class AvroBounds {
  /** The records, by name, and the deepest level at which each was found. */
  private final Map<String, Schema> records = new HashMap<>();
  private final Map<String, Integer> levels = new HashMap<>();
  /** Names of the records that are being walked through. */
  private final Set<String> open = new HashSet<>();

  private AvroBounds() {}

  /**
   * Looks at all parts of a schema, also at those that become text.
   *
   * @throws IllegalArgumentException if it has too many levels, or a record that has no end
   */
  static void check(Schema schema) {
    AvroBounds bounds = new AvroBounds();
    bounds.walk(schema, 0);
    Set<String> ending = new HashSet<>();
    for (Schema record : bounds.records.values()) mustEnd(record, new HashSet<>(), ending);
  }

  private void walk(Schema schema, int level) {
    if (level > SchemaWalk.MOST_LEVELS) throw SchemaWalk.tooDeep();
    switch (schema.getType()) {
      case UNION:
        for (Schema one : schema.getTypes()) walk(one, level);
        break;
      case ARRAY:
        walk(schema.getElementType(), level + 1);
        break;
      case MAP:
        walk(schema.getValueType(), level + 1);
        break;
      case RECORD:
        record(schema, level);
        break;
      default:
    }
  }

  /** Again only where it is deeper than before. */
  private void record(Schema schema, int level) {
    String name = schema.getFullName();
    if (levels.getOrDefault(name, -1) >= level || !open.add(name)) return;
    records.put(name, schema);
    levels.put(name, level);
    for (Schema.Field field : schema.getFields()) walk(field.schema(), level + 1);
    open.remove(name);
  }

  /** A record always contains its fields: in itself it would have no end. Through a union, an array or a map it may end. */
  private static void mustEnd(Schema schema, Set<String> open, Set<String> ending) {
    if (schema.getType() != Schema.Type.RECORD || ending.contains(schema.getFullName())) return;
    if (!open.add(schema.getFullName())) {
      throw new IllegalArgumentException("the record " + schema.getFullName() + " always contains itself");
    }
    for (Schema.Field field : schema.getFields()) mustEnd(field.schema(), open, ending);
    open.remove(schema.getFullName());
    ending.add(schema.getFullName());
  }
}
