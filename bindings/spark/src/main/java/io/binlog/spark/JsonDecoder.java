package io.binlog.spark;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonStreamContext;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadConstraints;
import java.io.IOException;
import java.io.StringWriter;
import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.spark.sql.types.ArrayType;
import org.apache.spark.sql.types.BooleanType;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.DoubleType;
import org.apache.spark.sql.types.LongType;
import org.apache.spark.sql.types.MapType;
import org.apache.spark.sql.types.StringType;
import org.apache.spark.sql.types.StructType;
import org.jspecify.annotations.Nullable;

/** Payloads that are objects in JSON. Properties that are no wanted column are passed over, at any depth. */
final class JsonDecoder implements PayloadDecoder {
  /** Without bounds for texts and names, of which the one for texts is only looked at where a query wants them. */
  private static final JsonFactory FACTORY =
      JsonFactory.builder()
          .streamReadConstraints(
              StreamReadConstraints.builder().maxStringLength(Integer.MAX_VALUE).maxNameLength(Integer.MAX_VALUE).build())
          .build();

  private final Properties columns;

  JsonDecoder(StructType wanted) {
    columns = new Properties(wanted);
  }

  @Override
  public void decode(long type, byte[] payload, int length, Object[] into, Misfits misfits) throws Malformed {
    // The parser would take it for UTF-16 or UTF-32, and looks at texts where a query wants them alone.
    boolean isWide = length > 1 && (payload[0] == 0 || payload[1] == 0);
    if (isWide || !Texts.isUtf8(payload, length)) throw new Malformed("it is not UTF-8");
    try (JsonParser parser = FACTORY.createParser(payload, 0, length)) {
      if (parser.nextToken() != JsonToken.START_OBJECT) throw new Malformed("it is no object in JSON");
      columns.readAll(parser, into, misfits);
      if (parser.nextToken() != null) throw new Malformed("something follows the object");
    } catch (IOException e) {
      boolean isJson = e instanceof JsonProcessingException;
      throw new Malformed(isJson ? ((JsonProcessingException) e).getOriginalMessage() : e.getMessage());
    }
  }

  /** Reads the value of a type that begins with the parser's current token, which is not null. */
  private interface Value {
    @Nullable Object read(JsonParser parser, JsonToken token, Misfits misfits) throws IOException;

    static Value of(DataType type) {
      if (type instanceof StructType) {
        Properties properties = new Properties((StructType) type);
        return (parser, token, misfits) -> {
          if (token != JsonToken.START_OBJECT) return misfit(parser, type, misfits);
          misfits.take(properties.values.length);
          Object[] values = new Object[properties.values.length];
          properties.read(parser, values, misfits);
          return values;
        };
      }
      if (type instanceof ArrayType) {
        Value element = of(((ArrayType) type).elementType());
        return (parser, token, misfits) ->
            token == JsonToken.START_ARRAY ? array(parser, element, misfits) : misfit(parser, type, misfits);
      }
      if (type instanceof MapType) {
        Value value = of(((MapType) type).valueType());
        return (parser, token, misfits) ->
            token == JsonToken.START_OBJECT ? map(parser, value, misfits) : misfit(parser, type, misfits);
      }
      return (parser, token, misfits) -> {
        if (type instanceof StringType) return text(parser, token, misfits);
        if (type instanceof LongType && token.isNumeric()) return integer(parser, token, misfits);
        if (token.isNumeric() && type instanceof DoubleType) return number(parser);
        if (token.isBoolean() && type instanceof BooleanType) return parser.getBooleanValue();
        return misfit(parser, type, misfits);
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

    /** Each is a column: one that is too large is null by itself. */
    void readAll(JsonParser parser, Object[] into, Misfits misfits) throws IOException {
      JsonStreamContext here = parser.getParsingContext();
      while (parser.nextToken() == JsonToken.FIELD_NAME) {
        Integer place = places.get(parser.currentName());
        JsonToken token = parser.nextToken();
        if (place == null) {
          parser.skipChildren();
          continue;
        }
        misfits.beginColumn();
        try {
          into[place] = token == JsonToken.VALUE_NULL ? null : values[place].read(parser, token, misfits);
        } catch (Misfits.TooMany e) {
          into[place] = misfits.note(e.getMessage());
          while (parser.getParsingContext() != here) parser.nextToken();
        }
      }
    }

    void read(JsonParser parser, Object[] into, Misfits misfits) throws IOException {
      while (parser.nextToken() == JsonToken.FIELD_NAME) {
        Integer place = places.get(parser.currentName());
        JsonToken token = parser.nextToken();
        if (place == null) parser.skipChildren();
        else into[place] = token == JsonToken.VALUE_NULL ? null : values[place].read(parser, token, misfits);
      }
    }
  }

  private static List<Object> array(JsonParser parser, Value element, Misfits misfits) throws IOException {
    List<Object> values = new ArrayList<>();
    for (JsonToken token = parser.nextToken(); token != JsonToken.END_ARRAY; token = parser.nextToken()) {
      misfits.take(1);
      values.add(token == JsonToken.VALUE_NULL ? null : element.read(parser, token, misfits));
    }
    return values;
  }

  private static Map<String, Object> map(JsonParser parser, Value value, Misfits misfits) throws IOException {
    Map<String, Object> values = new LinkedHashMap<>();
    while (parser.nextToken() == JsonToken.FIELD_NAME) {
      String key = parser.currentName();
      JsonToken token = parser.nextToken();
      misfits.take(1);
      values.put(key, token == JsonToken.VALUE_NULL ? null : value.read(parser, token, misfits));
    }
    return values;
  }

  /** A text is itself; anything else is its JSON, with numbers as they are written. */
  private static @Nullable Object text(JsonParser parser, JsonToken token, Misfits misfits) throws IOException {
    String text = asText(parser, token);
    return Texts.hasHalfOfAPair(text) ? misfits.note("a text has half of a surrogate pair") : text;
  }

  private static String asText(JsonParser parser, JsonToken token) throws IOException {
    if (token.isScalarValue()) return parser.getText();
    StringWriter text = new StringWriter();
    try (JsonGenerator to = FACTORY.createGenerator(text)) {
      int open = 0;
      do {
        JsonToken copied = parser.currentToken();
        if (copied.isNumeric()) to.writeNumber(parser.getText());
        else to.copyCurrentEvent(parser);
        open += copied.isStructStart() ? 1 : copied.isStructEnd() ? -1 : 0;
      } while (open > 0 && parser.nextToken() != null);
    }
    return text.toString();
  }

  private static double number(JsonParser parser) throws IOException {
    double number = parser.getDoubleValue();
    // Of an integer the parser loses the sign of zero.
    return number == 0 && parser.getText().startsWith("-") ? -0.0 : number;
  }

  /** In JSON Schema 3.0 is an integer, too. */
  private static @Nullable Object integer(JsonParser parser, JsonToken token, Misfits misfits) throws IOException {
    if (token == JsonToken.VALUE_NUMBER_INT) {
      boolean isLong = parser.getNumberType() != JsonParser.NumberType.BIG_INTEGER;
      return isLong ? (Object) parser.getLongValue() : misfit(parser, DataTypes.LongType, misfits);
    }
    BigDecimal number;
    try {
      number = new BigDecimal(parser.getText()).stripTrailingZeros();
    } catch (NumberFormatException e) { // its exponent is no int
      return isZero(parser.getText()) ? (Object) 0L : misfit(parser, DataTypes.LongType, misfits);
    }
    // With more digits it is none, and its digits need not be made.
    boolean isShort = number.scale() <= 0 && (long) number.precision() - number.scale() <= 19;
    if (!isShort || number.toBigInteger().bitLength() > 63) return misfit(parser, DataTypes.LongType, misfits);
    return number.longValueExact();
  }

  /** Whether the digits before the exponent are all 0. */
  private static boolean isZero(String number) {
    return number.split("[eE]")[0].chars().noneMatch(digit -> digit >= '1' && digit <= '9');
  }

  private static @Nullable Object misfit(JsonParser parser, DataType type, Misfits misfits) throws IOException {
    parser.skipChildren();
    return misfits.note("a value is no " + type.simpleString());
  }
}
