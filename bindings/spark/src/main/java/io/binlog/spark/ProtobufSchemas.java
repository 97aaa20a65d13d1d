package io.binlog.spark;

import com.google.protobuf.DescriptorProtos.FileDescriptorProto;
import com.google.protobuf.DescriptorProtos.FileDescriptorSet;
import com.google.protobuf.Descriptors.Descriptor;
import com.google.protobuf.Descriptors.DescriptorValidationException;
import com.google.protobuf.Descriptors.FieldDescriptor;
import com.google.protobuf.Descriptors.FileDescriptor;
import com.google.protobuf.InvalidProtocolBufferException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;

/**
 * Messages of Protocol Buffers as columns. A message that has no fields, or that contains itself, is its bytes; unsigned numbers have
 * a type that contains all of them; messages that JSON has a form for are that text.
 */
final class ProtobufSchemas {
  /** Putting them together takes a time that grows with the square of their number: 20,000 took a minute. */
  private static final int MOST_FILES = 5_000;
  private static final DataType UNSIGNED_LONG = DataTypes.createDecimalType(20, 0);

  private final SchemaWalk walk = new SchemaWalk();

  private ProtobufSchemas() {}

  /**
   * The columns of a message's fields.
   *
   * @throws IllegalArgumentException for a schema of something else
   */
  static StructType fields(PayloadSchema schema) {
    DataType type = new ProtobufSchemas().struct(message(schema));
    if (type instanceof StructType) return (StructType) type;
    throw new IllegalArgumentException("the message has no fields");
  }

  /**
   * The message that payloads are: the named one, or the only one.
   *
   * @throws IllegalArgumentException when the schema does not have it, or is none
   */
  static Descriptor message(PayloadSchema schema) {
    Map<String, Descriptor> messages = new TreeMap<>();
    try {
      for (FileDescriptor file : files(FileDescriptorSet.parseFrom(schema.schema()))) add(file.getMessageTypes(), messages);
    } catch (InvalidProtocolBufferException | DescriptorValidationException e) {
      throw new IllegalArgumentException("it is no FileDescriptorSet: " + e.getMessage(), e);
    } catch (NullPointerException e) {
      // That of protobuf-java for a field without a type.
      throw new IllegalArgumentException("it is no FileDescriptorSet: a part of a field is missing", e);
    }
    if (schema.message().isEmpty() && messages.size() == 1) return messages.values().iterator().next();
    String name = schema.message().startsWith(".") ? schema.message().substring(1) : schema.message();
    Descriptor found = messages.get(name);
    if (found != null) return found;
    throw new IllegalArgumentException(
        name.isEmpty() ? "it has " + messages.size() + " messages, and the type does not say which" : "it has no message " + name);
  }

  private static void add(List<Descriptor> messages, Map<String, Descriptor> to) {
    for (Descriptor message : messages) {
      to.put(message.getFullName(), message);
      add(message.getNestedTypes(), to);
    }
  }

  /** The files of the set, whatever their order: each is made of those that it imports. */
  private static Iterable<FileDescriptor> files(FileDescriptorSet set) throws DescriptorValidationException {
    if (set.getFileCount() > MOST_FILES) throw new IllegalArgumentException("it has more than " + MOST_FILES + " files");
    Map<String, FileDescriptor> made = new HashMap<>();
    List<FileDescriptorProto> waiting = set.getFileList();
    while (!waiting.isEmpty()) {
      List<FileDescriptorProto> next = new ArrayList<>();
      for (FileDescriptorProto file : waiting) {
        if (!made.keySet().containsAll(file.getDependencyList())) {
          next.add(file);
          continue;
        }
        FileDescriptor[] imports = file.getDependencyList().stream().map(made::get).toArray(FileDescriptor[]::new);
        made.put(file.getName(), FileDescriptor.buildFrom(file, imports));
      }
      if (next.size() == waiting.size()) throw new IllegalArgumentException(missing(next));
      waiting = next;
    }
    return made.values();
  }

  private static String missing(List<FileDescriptorProto> files) {
    Set<String> missing = new TreeSet<>();
    for (FileDescriptorProto file : files) missing.addAll(file.getDependencyList());
    for (FileDescriptorProto file : files) missing.remove(file.getName());
    return missing.isEmpty()
        ? "its files import each other"
        : "it does not contain " + String.join(", ", missing) + ", which its files import (protoc --include_imports)";
  }

  private DataType struct(Descriptor message) {
    return walk.within(message.getFullName(), DataTypes.BinaryType, () -> walk.deeper(() -> {
      StructType fields = new StructType();
      for (FieldDescriptor field : message.getFields()) {
        walk.column();
        fields = fields.add(field.getName(), type(field), true);
      }
      return fields.isEmpty() ? DataTypes.BinaryType : fields;
    }));
  }

  private DataType type(FieldDescriptor field) {
    if (field.isMapField()) {
      List<FieldDescriptor> pair = field.getMessageType().getFields();
      if (pair.size() != 2 || pair.stream().anyMatch(FieldDescriptor::isRepeated)) {
        throw new IllegalArgumentException("the map " + field.getName() + " does not consist of keys and values");
      }
      return DataTypes.createMapType(single(pair.get(0)), single(pair.get(1)), true);
    }
    return field.isRepeated() ? DataTypes.createArrayType(single(field)) : single(field);
  }

  private DataType single(FieldDescriptor field) {
    switch (field.getJavaType()) {
      case BOOLEAN:
        return DataTypes.BooleanType;
      case INT:
        return isUnsigned(field) ? DataTypes.LongType : DataTypes.IntegerType;
      case LONG:
        return isUnsigned(field) ? UNSIGNED_LONG : DataTypes.LongType;
      case FLOAT:
        return DataTypes.FloatType;
      case DOUBLE:
        return DataTypes.DoubleType;
      case BYTE_STRING:
        return DataTypes.BinaryType;
      case MESSAGE:
        return message(field.getMessageType());
      default: // texts, and names of enums
        return DataTypes.StringType;
    }
  }

  private DataType message(Descriptor message) {
    switch (WellKnown.of(message)) {
      case TIMESTAMP:
        return DataTypes.TimestampType;
      case DURATION:
        return DataTypes.createDayTimeIntervalType();
      case JSON:
        return DataTypes.StringType;
      case WRAPPER:
        return single(message.findFieldByNumber(1));
      default:
        return struct(message);
    }
  }

  static boolean isUnsigned(FieldDescriptor field) {
    switch (field.getType()) {
      case UINT32:
      case FIXED32:
      case UINT64:
      case FIXED64:
        return true;
      default:
        return false;
    }
  }
}
