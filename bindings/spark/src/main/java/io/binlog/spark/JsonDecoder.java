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

/** Payloads that are objects in JSON. Properties that are no wanted column are passed over, at any depth. */
final class JsonDecoder implements PayloadDecoder {
  private static final JsonFactory FACTORY = new ObjectMapper().getFactory();

  private final Properties columns;

  JsonDecoder(StructType wanted) {
    columns = new Properties(wanted);
  }

  @Override
  public void decode(long type, byte[] payload, int length, Object[] into) throws Malformed {
    try (JsonParser parser = FACTORY.createParser(payload, 0, length)) {
      if (parser.nextToken() != JsonToken.START_OBJECT) throw new Malformed("it is no object in JSON");
      columns.read(parser, into);
      if (parser.nextToken() != null) throw new Malformed("something follows the object");
    } catch (IOException e) {
      boolean isJson = e instanceof JsonProcessingException;
      throw new Malformed(isJson ? ((JsonProcessingException) e).getOriginalMessage() : e.getMessage());
    }
  }

  /** Reads the value of a type that begins with the parser's current token, which is not null. */
  private interface Value {
    @Nullable Object read(JsonParser parser, JsonToken token) throws IOException, Malformed;

    static Value of(DataType type) {
      if (type instanceof StructType) {
        Properties properties = new Properties((StructType) type);
        return (parser, token) -> {
          if (token != JsonToken.START_OBJECT) return single(parser, type);
          Object[] values = new Object[properties.values.length];
          properties.read(parser, values);
          return values;
        };
      }
      if (type instanceof ArrayType) {
        Value element = of(((ArrayType) type).elementType());
        return (parser, token) -> token == JsonToken.START_ARRAY ? array(parser, element) : single(parser, type);
      }
      if (type instanceof MapType) {
        Value value = of(((MapType) type).valueType());
        return (parser, token) -> token == JsonToken.START_OBJECT ? map(parser, value) : single(parser, type);
      }
      return (parser, token) -> {
        if (token == JsonToken.VALUE_STRING && type instanceof StringType) return parser.getText();
        if (token == JsonToken.VALUE_NUMBER_INT && type instanceof LongType) return parser.getLongValue();
        if (token.isNumeric() && type instanceof DoubleType) return parser.getDoubleValue();
        if (token.isBoolean() && type instanceof BooleanType) return parser.getBooleanValue();
        return single(parser, type);
      };
    }
  }

  /** The properties of an object that are wanted, by name. */
  private static final class Properties {
    private final Value[] values;
    private final Map<String, Integer> places = new HashMap<>();

    Properties(StructType wanted) {
      values = new Value[wanted.size()];
      for (int i = 0; i < values.length; i++) {
        values[i] = Value.of(wanted.apply(i).dataType());
        places.put(wanted.apply(i).name(), i);
      }
    }

    void read(JsonParser parser, Object[] into) throws IOException, Malformed {
      while (parser.nextToken() == JsonToken.FIELD_NAME) {
        Integer place = places.get(parser.currentName());
        JsonToken token = parser.nextToken();
        if (place == null) parser.skipChildren();
        else into[place] = token == JsonToken.VALUE_NULL ? null : values[place].read(parser, token);
      }
    }
  }

  private static List<Object> array(JsonParser parser, Value element) throws IOException, Malformed {
    List<Object> values = new ArrayList<>();
    for (JsonToken token = parser.nextToken(); token != JsonToken.END_ARRAY; token = parser.nextToken()) {
      values.add(token == JsonToken.VALUE_NULL ? null : element.read(parser, token));
    }
    return values;
  }

  private static Map<String, Object> map(JsonParser parser, Value value) throws IOException, Malformed {
    Map<String, Object> values = new LinkedHashMap<>();
    while (parser.nextToken() == JsonToken.FIELD_NAME) {
      String key = parser.currentName();
      JsonToken token = parser.nextToken();
      values.put(key, token == JsonToken.VALUE_NULL ? null : value.read(parser, token));
    }
    return values;
  }

  /** A value that does not have the form of its type: 3.0 is an integer, too, in JSON Schema, and a text may be anything. */
  private static Object single(JsonParser parser, DataType type) throws IOException, Malformed {
    JsonNode node = parser.readValueAsTree();
    if (type instanceof LongType && isLong(node)) return node.longValue();
    if (type instanceof StringType) return node.toString();
    throw new Malformed("a value is no " + type.simpleString());
  }

  private static boolean isLong(JsonNode node) {
    return node.isNumber() && node.canConvertToLong() && node.doubleValue() == Math.rint(node.doubleValue());
  }
}
