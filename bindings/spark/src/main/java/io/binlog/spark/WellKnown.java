package io.binlog.spark;

import com.google.protobuf.BoolValue;
import com.google.protobuf.BytesValue;
import com.google.protobuf.Descriptors.Descriptor;
import com.google.protobuf.Descriptors.FieldDescriptor;
import com.google.protobuf.DoubleValue;
import com.google.protobuf.Duration;
import com.google.protobuf.FloatValue;
import com.google.protobuf.Int32Value;
import com.google.protobuf.Int64Value;
import com.google.protobuf.ListValue;
import com.google.protobuf.StringValue;
import com.google.protobuf.Struct;
import com.google.protobuf.Timestamp;
import com.google.protobuf.UInt32Value;
import com.google.protobuf.UInt64Value;
import com.google.protobuf.Value;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/** The messages that have a type of Spark's own. A schema has its own copy of them, which may have other fields: such a one is like any other. */
enum WellKnown {
  TIMESTAMP(Timestamp.getDescriptor()),
  DURATION(Duration.getDescriptor()),
  /** Any value of JSON. */
  JSON(Struct.getDescriptor(), Value.getDescriptor(), ListValue.getDescriptor()),
  /** There for a value that may be missing. */
  WRAPPER(
      DoubleValue.getDescriptor(), FloatValue.getDescriptor(), Int64Value.getDescriptor(), UInt64Value.getDescriptor(),
      Int32Value.getDescriptor(), UInt32Value.getDescriptor(), BoolValue.getDescriptor(), StringValue.getDescriptor(),
      BytesValue.getDescriptor()),
  NONE;

  private final List<Descriptor> messages;

  WellKnown(Descriptor... messages) {
    this.messages = List.of(messages);
  }

  static WellKnown of(Descriptor message) {
    for (WellKnown one : values()) {
      for (Descriptor known : one.messages) {
        if (known.getFullName().equals(message.getFullName())) return isAlike(message, known, new HashSet<>()) ? one : NONE;
      }
    }
    return NONE;
  }

  private static boolean isAlike(Descriptor one, Descriptor other, Set<String> seen) {
    if (!one.getFullName().equals(other.getFullName()) || one.getFields().size() != other.getFields().size()) return false;
    if (!seen.add(one.getFullName())) return true;
    for (FieldDescriptor field : other.getFields()) {
      FieldDescriptor same = one.findFieldByNumber(field.getNumber());
      if (same == null || same.getType() != field.getType() || same.isRepeated() != field.isRepeated()) return false;
      if (same.isMapField() != field.isMapField() || isOfOneof(same) != isOfOneof(field)) return false;
      boolean isMessage = field.getJavaType() == FieldDescriptor.JavaType.MESSAGE;
      if (isMessage && !isAlike(same.getMessageType(), field.getMessageType(), seen)) return false;
    }
    return true;
  }

  private static boolean isOfOneof(FieldDescriptor field) {
    return field.getRealContainingOneof() != null;
  }
}
