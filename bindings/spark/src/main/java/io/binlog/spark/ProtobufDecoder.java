package io.binlog.spark;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import com.google.protobuf.ByteString;
import com.google.protobuf.CodedInputStream;
import com.google.protobuf.Descriptors.Descriptor;
import com.google.protobuf.Descriptors.EnumValueDescriptor;
import com.google.protobuf.Descriptors.FieldDescriptor;
import com.google.protobuf.DynamicMessage;
import com.google.protobuf.Message;
import java.io.IOException;
import java.io.StringWriter;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.spark.sql.types.ArrayType;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.Decimal;
import org.apache.spark.sql.types.MapType;
import org.apache.spark.sql.types.StructType;
import org.jspecify.annotations.Nullable;

/** Payloads that are messages of Protocol Buffers. All are read by the newest schema: fields have numbers, and keep them. */
final class ProtobufDecoder implements PayloadDecoder {
  /** Makes of a field's value what {@link ColumnWriter#put} takes. */
  private interface Value {
    @Nullable Object of(Object value, Misfits misfits);
  }

  private static final JsonFactory JSON = new JsonFactory();
  private static final Value AS_IT_IS = (value, misfits) -> value;

  private final Descriptor message;
  private final Fields columns;
  private final TypeSchemas all;

  ProtobufDecoder(StructType wanted, PayloadSchema newest, TypeSchemas all) {
    message = ProtobufSchemas.message(newest);
    columns = new Fields(message, wanted);
    this.all = all;
  }

  @Override
  public void decode(long type, byte[] payload, int length, Object[] into, Misfits misfits) throws Malformed {
    all.get(type); // of another encoding, anything may look like a message
    try {
      columns.readAll(DynamicMessage.parseFrom(message, CodedInputStream.newInstance(payload, 0, length)), into, misfits);
    } catch (IOException | RuntimeException | StackOverflowError e) {
      throw new Malformed(e.getMessage() == null ? e.toString() : e.getMessage());
    }
  }

  /** Fields of a message that are wanted. */
  private static final class Fields implements Value {
    private final FieldDescriptor[] fields;
    private final Value[] values;

    Fields(Descriptor message, StructType wanted) {
      fields = new FieldDescriptor[wanted.size()];
      values = new Value[fields.length];
      for (int i = 0; i < fields.length; i++) {
        fields[i] = message.findFieldByName(wanted.apply(i).name());
        values[i] = value(fields[i], wanted.apply(i).dataType());
      }
    }

    /** Each is a column: one that is too large is null by itself. */
    void readAll(Message message, Object[] into, Misfits misfits) {
      for (int i = 0; i < fields.length; i++) {
        misfits.beginColumn();
        try {
          into[i] = read(message, i, misfits);
        } catch (Misfits.TooMany e) {
          into[i] = misfits.note(e.getMessage());
        }
      }
    }

    /** A field that can be missing is null where it is; another one, as in proto3, has its default then. */
    private @Nullable Object read(Message message, int i, Misfits misfits) {
      boolean isMissing = fields[i].hasPresence() && !message.hasField(fields[i]);
      return isMissing ? null : values[i].of(message.getField(fields[i]), misfits);
    }

    @Override
    public Object of(Object message, Misfits misfits) {
      misfits.take(fields.length);
      Object[] into = new Object[fields.length];
      for (int i = 0; i < fields.length; i++) into[i] = read((Message) message, i, misfits);
      return into;
    }
  }

  private static Value value(FieldDescriptor field, DataType type) {
    if (field.isMapField()) {
      List<FieldDescriptor> pair = field.getMessageType().getFields();
      Value key = single(pair.get(0), ((MapType) type).keyType());
      Value one = single(pair.get(1), ((MapType) type).valueType());
      return (pairs, misfits) -> {
        misfits.take(((List<?>) pairs).size());
        return map((List<?>) pairs, pair, key, one, misfits);
      };
    }
    if (!field.isRepeated()) return single(field, type);
    Value element = single(field, ((ArrayType) type).elementType());
    return (list, misfits) -> {
      misfits.take(((List<?>) list).size());
      List<Object> values = new ArrayList<>(((List<?>) list).size());
      for (Object one : (List<?>) list) values.add(element.of(one, misfits));
      return values;
    };
  }

  private static Map<Object, Object> map(List<?> pairs, List<FieldDescriptor> pair, Value key, Value value, Misfits misfits) {
    Map<Object, Object> values = new LinkedHashMap<>();
    for (Object one : pairs) {
      Message entry = (Message) one;
      values.put(key.of(entry.getField(pair.get(0)), misfits), value.of(entry.getField(pair.get(1)), misfits));
    }
    return values;
  }

  private static Value single(FieldDescriptor field, DataType type) {
    switch (field.getJavaType()) {
      case INT:
        return ProtobufSchemas.isUnsigned(field) ? (number, misfits) -> Integer.toUnsignedLong((Integer) number) : AS_IT_IS;
      case LONG:
        return ProtobufSchemas.isUnsigned(field) ? (number, misfits) -> unsigned((Long) number) : AS_IT_IS;
      case BYTE_STRING:
        return (bytes, misfits) -> ((ByteString) bytes).toByteArray();
      case ENUM:
        // A number without a name: JSON has the number, too.
        return (one, misfits) -> {
          EnumValueDescriptor named = (EnumValueDescriptor) one;
          return named.getIndex() < 0 ? Integer.toString(named.getNumber()) : named.getName();
        };
      case MESSAGE:
        return message(field.getMessageType(), type);
      default:
        return AS_IT_IS;
    }
  }

  private static Decimal unsigned(long number) {
    BigInteger value = new BigInteger(Long.toUnsignedString(number));
    return Decimal.apply(new java.math.BigDecimal(value), 20, 0);
  }

  private static Value message(Descriptor message, DataType type) {
    switch (WellKnown.of(message)) {
      case TIMESTAMP:
      case DURATION:
        FieldDescriptor seconds = message.findFieldByNumber(1);
        FieldDescriptor nanos = message.findFieldByNumber(2);
        return (value, misfits) ->
            micros((Long) ((Message) value).getField(seconds), (Integer) ((Message) value).getField(nanos), misfits);
      case JSON:
        return (value, misfits) -> json((Message) value);
      case WRAPPER:
        FieldDescriptor wrapped = message.findFieldByNumber(1);
        Value value = single(wrapped, type);
        return (one, misfits) -> value.of(((Message) one).getField(wrapped), misfits);
      default:
        if (type instanceof StructType) return new Fields(message, (StructType) type);
        return (one, misfits) -> ((Message) one).toByteArray();
    }
  }

  /** Rounded down, as the times of records. */
  private static @Nullable Object micros(long seconds, int nanos, Misfits misfits) {
    try {
      return Math.addExact(Math.multiplyExact(seconds, 1_000_000L), Math.floorDiv(nanos, 1000));
    } catch (ArithmeticException e) {
      return misfits.note(seconds + " seconds are more than a column of times or intervals has");
    }
  }

  private static String json(Message value) {
    StringWriter text = new StringWriter();
    try (JsonGenerator to = JSON.createGenerator(text)) {
      json(value, to);
    } catch (IOException e) {
      throw new IllegalStateException(e);
    }
    return text.toString();
  }

  /** A Struct, a Value or a ListValue. */
  private static void json(Message value, JsonGenerator to) throws IOException {
    FieldDescriptor first = value.getDescriptorForType().findFieldByNumber(1);
    if (first.isMapField()) {
      to.writeStartObject();
      List<FieldDescriptor> pair = first.getMessageType().getFields();
      for (Map.Entry<?, ?> one : map((List<?>) value.getField(first), pair, AS_IT_IS, AS_IT_IS, new Misfits()).entrySet()) {
        to.writeFieldName((String) one.getKey());
        json((Message) one.getValue(), to);
      }
      to.writeEndObject();
    } else if (first.isRepeated()) {
      to.writeStartArray();
      for (Object one : (List<?>) value.getField(first)) json((Message) one, to);
      to.writeEndArray();
    } else {
      kind(value, to);
    }
  }

  private static void kind(Message value, JsonGenerator to) throws IOException {
    @Nullable FieldDescriptor kind = value.getOneofFieldDescriptor(value.getDescriptorForType().getOneofs().get(0));
    Object is = kind == null ? null : value.getField(kind);
    if (is instanceof Message) json((Message) is, to);
    else if (is instanceof Double) to.writeNumber((Double) is);
    else if (is instanceof Boolean) to.writeBoolean((Boolean) is);
    else if (is instanceof String) to.writeString((String) is);
    else to.writeNull();
  }
}
