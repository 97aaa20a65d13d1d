package io.binlog.spark;

import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.apache.avro.AvroRuntimeException;
import org.apache.avro.LogicalType;
import org.apache.avro.LogicalTypes;
import org.apache.avro.Schema;
import org.jspecify.annotations.Nullable;

/**
 * Compares what numbers mean in two schemas. Avro resolves the numbers alone: 1500 ms to 1500 us, and 1.00 to 0.100 where the scale is
 * another one.
 */
final class AvroMeaning {
  /** Pairs of records that were compared. */
  private final Set<String> seen = new HashSet<>();

  private AvroMeaning() {}

  /**
   * Compares the schema of payloads with the one that they are read by.
   *
   * @throws AvroRuntimeException if one and the same number means different things in both
   */
  static void mustBeKept(Schema written, Schema wanted) {
    // As when payloads are resolved, parts that have other names now get those.
    new AvroMeaning().compare(Schema.applyAliases(written, wanted), wanted);
  }

  private void compare(Schema written, Schema wanted) {
    if (written.getType() == Schema.Type.UNION) {
      for (Schema one : written.getTypes()) compare(one, wanted);
      return;
    }
    @Nullable Schema read = wanted.getType() == Schema.Type.UNION ? branch(written, wanted.getTypes()) : wanted;
    if (read == null) return; // Avro refuses it, or the payload that has it
    LogicalType one = written.getLogicalType();
    LogicalType other = read.getLogicalType();
    if (one != null && other != null && !isAlike(one, other)) {
      throw new AvroRuntimeException("its schema has " + one.getName() + " where the newest has another " + other.getName());
    }
    if (written.getType() == read.getType()) compareParts(written, read);
  }

  private void compareParts(Schema written, Schema read) {
    switch (written.getType()) {
      case ARRAY:
        compare(written.getElementType(), read.getElementType());
        break;
      case MAP:
        compare(written.getValueType(), read.getValueType());
        break;
      case RECORD:
        if (!seen.add(written.getFullName() + " " + read.getFullName())) break;
        for (Schema.Field field : read.getFields()) {
          Schema.Field before = written.getField(field.name());
          if (before != null) compare(before.schema(), field.schema());
        }
        break;
      default:
    }
  }

  /** The one of a union that values of {@code written} are read as: of the same type, or else the first that takes them. */
  private static @Nullable Schema branch(Schema written, List<Schema> union) {
    for (Schema one : union) {
      if (one.getType() == written.getType() && isNamedAlike(written, one)) return one;
    }
    for (Schema one : union) {
      if (isPromoted(written.getType(), one.getType()) || one.getType() == written.getType()) return one;
    }
    return null;
  }

  private static boolean isNamedAlike(Schema one, Schema other) {
    switch (one.getType()) {
      case RECORD:
      case ENUM:
      case FIXED:
        return one.getFullName().equals(other.getFullName());
      default:
        return true;
    }
  }

  private static boolean isPromoted(Schema.Type from, Schema.Type to) {
    switch (from) {
      case INT:
        return to == Schema.Type.LONG || to == Schema.Type.FLOAT || to == Schema.Type.DOUBLE;
      case LONG:
        return to == Schema.Type.FLOAT || to == Schema.Type.DOUBLE;
      case FLOAT:
        return to == Schema.Type.DOUBLE;
      case STRING:
        return to == Schema.Type.BYTES;
      case BYTES:
        return to == Schema.Type.STRING;
      default:
        return false;
    }
  }

  private static boolean isAlike(LogicalType one, LogicalType other) {
    if (one instanceof LogicalTypes.Decimal && other instanceof LogicalTypes.Decimal) {
      return ((LogicalTypes.Decimal) one).getScale() == ((LogicalTypes.Decimal) other).getScale();
    }
    return one.getName().equals(other.getName());
  }
}
