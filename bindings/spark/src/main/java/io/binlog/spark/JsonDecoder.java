package io.binlog.spark;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.spark.sql.types.ArrayType;
import org.apache.spark.sql.types.BooleanType;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DoubleType;
import org.apache.spark.sql.types.LongType;
import org.apache.spark.sql.types.MapType;
import org.apache.spark.sql.types.StringType;
import org.apache.spark.sql.types.StructType;
import org.jspecify.annotations.Nullable;

/** Payloads that are objects in JSON. Properties that are no wanted column are passed over. */
final class JsonDecoder implements PayloadDecoder {
  private static final JsonFactory FACTORY = new ObjectMapper().getFactory();

  private final DataType[] types;
  private final Map<String, Integer> columns = new HashMap<>();

  JsonDecoder(StructType wanted) {
    types = new DataType[wanted.size()];
    for (int i = 0; i < types.length; i++) {
      types[i] = wanted.apply(i).dataType();
      columns.put(wanted.apply(i).name(), i);
    }
  }

  @Override
  public void decode(long type, byte[] payload, int length, Object[] into) throws Malformed {
    try (JsonParser parser = FACTORY.createParser(payload, 0, length)) {
      if (parser.nextToken() != JsonToken.START_OBJECT) throw new Malformed("it is no object in JSON");
      while (parser.nextToken() == JsonToken.FIELD_NAME) {
        Integer column = columns.get(parser.currentName());
        JsonToken token = parser.nextToken();
        if (column == null) parser.skipChildren();
        else into[column] = value(parser, token, types[column]);
      }
      if (parser.nextToken() != null) throw new Malformed("something follows the object");
    } catch (IOException e) {
      boolean isJson = e instanceof JsonProcessingException;
      throw new Malformed(isJson ? ((JsonProcessingException) e).getOriginalMessage() : e.getMessage());
    }
  }

  private static @Nullable Object value(JsonParser parser, JsonToken token, DataType type) throws IOException, Malformed {
    if (token == JsonToken.VALUE_NULL) return null;
    if (token == JsonToken.VALUE_STRING && type instanceof StringType) return parser.getText();
    if (token == JsonToken.VALUE_NUMBER_INT && type instanceof LongType) return parser.getLongValue();
    if (token.isNumeric() && type instanceof DoubleType) return parser.getDoubleValue();
    if (token.isBoolean() && type instanceof BooleanType) return parser.getBooleanValue();
    return value(parser.<JsonNode>readValueAsTree(), type);
  }

  private static @Nullable Object value(JsonNode node, DataType type) throws Malformed {
    if (node.isNull() || node.isMissingNode()) return null;
    if (type instanceof LongType && isLong(node)) return node.longValue();
    if (type instanceof DoubleType && node.isNumber()) return node.doubleValue();
    if (type instanceof BooleanType && node.isBoolean()) return node.booleanValue();
    if (type instanceof StringType) return node.isTextual() ? node.textValue() : node.toString();
    if (type instanceof ArrayType && node.isArray()) return array(node, ((ArrayType) type).elementType());
    if (type instanceof MapType && node.isObject()) return map(node, ((MapType) type).valueType());
    if (type instanceof StructType && node.isObject()) return struct(node, (StructType) type);
    throw new Malformed("a value is no " + type.simpleString());
  }

  /** 3.0 is an integer, too, in JSON Schema. */
  private static boolean isLong(JsonNode node) {
    return node.isNumber() && node.canConvertToLong() && node.doubleValue() == Math.rint(node.doubleValue());
  }

  private static List<Object> array(JsonNode node, DataType element) throws Malformed {
    List<Object> values = new ArrayList<>(node.size());
    for (JsonNode one : node) values.add(value(one, element));
    return values;
  }

  private static Map<String, Object> map(JsonNode node, DataType type) throws Malformed {
    Map<String, Object> values = new LinkedHashMap<>();
    for (Map.Entry<String, JsonNode> pair : node.properties()) values.put(pair.getKey(), value(pair.getValue(), type));
    return values;
  }

  private static Object[] struct(JsonNode node, StructType type) throws Malformed {
    Object[] values = new Object[type.size()];
    for (int i = 0; i < values.length; i++) values[i] = value(node.path(type.apply(i).name()), type.apply(i).dataType());
    return values;
  }
}
