package io.binlog.spark;

import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.function.Supplier;

/** The schemas of the types of one name, by their numbers. A stream meets numbers that are newer than it. */
final class TypeSchemas {
  private final Map<Long, PayloadSchema> known;
  private final Supplier<Map<Long, PayloadSchema>> current;
  /** Numbers that were looked for in {@link #current}. */
  private final Set<Long> asked = new HashSet<>();

  /** {@code current} are those that the log has now. */
  TypeSchemas(Map<Long, PayloadSchema> known, Supplier<Map<Long, PayloadSchema>> current) {
    this.known = new HashMap<>(known);
    this.current = current;
  }

  /**
   * By the number of a record's type.
   *
   * @throws PayloadDecoder.Malformed for a number without a schema of this encoding
   */
  PayloadSchema get(long type) throws PayloadDecoder.Malformed {
    if (!known.containsKey(type) && asked.add(type)) known.putAll(current.get());
    PayloadSchema schema = known.get(type);
    if (schema == null) throw new PayloadDecoder.Malformed("its type, number " + type + ", has no schema of this encoding in the log");
    return schema;
  }
}
