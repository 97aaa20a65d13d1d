package io.binlog.spark;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.io.ByteArrayOutputStream;
import java.math.BigDecimal;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.apache.spark.sql.types.StructType;
import org.junit.jupiter.api.Test;

/** Payloads of JSON and Avro as values of columns. */
class DecoderTest {
  @Test
  void json_is_decoded_as_its_schema_says() throws Exception {
    StructType fields =
        JsonSchemas.fields("{\"properties\": {\"a\": {\"type\": \"integer\"}, \"b\": {\"type\": \"array\", \"items\": {\"type\": \"string\"}}}}");
    PayloadDecoder decoder = new JsonDecoder(fields);
    Object[] values = new Object[2];
    byte[] payload = "{\"b\": [\"x\", 1, null], \"c\": {}, \"a\": 3.0}  ".getBytes();
    Misfits misfits = new Misfits();
    decoder.decode(0, payload, payload.length, values, misfits);
    assertNull(misfits.first());
    assertEquals(3L, values[0]);
    assertEquals(java.util.Arrays.asList("x", "1", null), values[1]);
    for (String wrong : List.of("", "[]", "{", "{} {}", "\u00ff", "{\0", "\0{", "\u00ff\u00fe{\0", "\u00fe\u00ff\0{")) {
      byte[] bytes = wrong.getBytes(java.nio.charset.StandardCharsets.ISO_8859_1);
      assertThrows(PayloadDecoder.Malformed.class, () -> decoder.decode(0, bytes, bytes.length, values, misfits), wrong);
    }
  }

  private static final String NESTED =
      "{\"properties\": {\"id\": {\"type\": \"integer\"}, \"to\": {\"type\": \"object\", \"properties\": {\"city\": {\"type\": \"string\"}, "
          + "\"at\": {\"type\": \"object\", \"properties\": {\"x\": {\"type\": \"number\"}}}}}, "
          + "\"items\": {\"type\": \"array\", \"items\": {\"type\": \"object\", \"properties\": {\"sku\": {\"type\": \"string\"}, \"n\": "
          + "{\"type\": \"integer\"}}}}, \"tags\": {\"type\": \"object\", \"additionalProperties\": {\"type\": \"array\", \"items\": "
          + "{\"type\": \"boolean\"}}}, \"any\": {}}}";

  /** The values of the columns as text; as with decodeMode=fail, one that does not fit is an exception. */
  private static String decoded(String payload) throws PayloadDecoder.Malformed {
    Misfits misfits = new Misfits();
    String values = decoded(payload, misfits);
    if (misfits.first() != null) throw new PayloadDecoder.Malformed(misfits.first());
    return values;
  }

  private static String decoded(String payload, Misfits misfits) throws PayloadDecoder.Malformed {
    StructType fields = JsonSchemas.fields(NESTED);
    Object[] values = new Object[fields.size()];
    byte[] bytes = payload.getBytes(java.nio.charset.StandardCharsets.UTF_8);
    new JsonDecoder(fields).decode(0, bytes, bytes.length, values, misfits);
    return java.util.Arrays.deepToString(java.util.Arrays.stream(values)
        .map(value -> value instanceof List ? ((List<?>) value).toArray() : value).toArray());
  }

  @Test
  void nested_json_is_decoded() throws Exception {
    assertEquals(
        "[7, [Ulm, [1.5]], [[a, 2], null, [null, null], [b, null]], {p=[true, null, false], q=null, r=[]}, {\"k\":[1,{\"l\":null}]}]",
        decoded("{\"x\": {\"id\": 9, \"deep\": [[{\"id\": [8]}], \"}\"]}, \"id\": 7, \"to\": {\"at\": {\"z\": [{}], \"x\": 1.5}, \"id\": {\"x\": 3}, "
            + "\"city\": \"Ulm\"}, \"items\": [{\"n\": 2.0, \"sku\": \"a\", \"x\": [1, [2]]}, null, {}, {\"n\": null, \"sku\": \"b\"}], "
            + "\"tags\": {\"p\": [true, null, false], \"q\": null, \"r\": []}, \"any\": {\"k\": [1, {\"l\": null}]}}"));
    assertEquals("[null, null, null, null, null]", decoded("{}"));
    assertEquals("[null, null, null, null, null]",
        decoded("{\"id\": null, \"to\": null, \"items\": null, \"tags\": null, \"any\": null, \"x\": null}"));
    assertEquals("[null, [null, null], [], {}, {}]", decoded("{\"to\": {\"at\": null}, \"items\": [], \"tags\": {}, \"any\": {}}"));
    // A text may be anything.
    assertEquals("[null, [12, null], [[true, null], [[1,\"2\"], null]], null, 1.5]",
        decoded("{\"to\": {\"city\": 12}, \"items\": [{\"sku\": true}, {\"sku\": [1, \"2\"]}], \"any\": 1.5}"));
  }

  @Test
  void of_properties_of_one_name_the_last_one_counts() throws Exception {
    assertEquals("[2, [b, null], [[d, null]], {p=[false], q=[]}, 4]", decoded(
        "{\"id\": 1, \"to\": {\"city\": \"a\", \"at\": {\"x\": 1}}, \"items\": [{\"n\": 1}], \"tags\": {\"z\": []}, \"any\": 3, \"id\": 2, "
            + "\"to\": {\"city\": \"x\", \"city\": \"b\"}, \"items\": [{\"sku\": \"c\", \"sku\": \"d\"}], "
            + "\"tags\": {\"p\": [true], \"q\": [], \"p\": [false]}, \"any\": 4}"));
    assertEquals("[null, null, null, null, null]", decoded("{\"id\": 1, \"to\": {}, \"id\": null, \"to\": null}"));
  }

  @Test
  void nested_json_of_another_form_is_malformed() throws Exception {
    for (String wrong : List.of("\"id\": \"1\"", "\"id\": true", "\"id\": [1]", "\"to\": 1", "\"to\": []", "\"to\": \"{}\"", "\"to\": {\"at\": 1.5}",
        "\"to\": {\"at\": {\"x\": \"1\"}}", "\"to\": {\"at\": {\"x\": {}}}", "\"items\": {}", "\"items\": [1]", "\"items\": [[]]",
        "\"items\": [{\"n\": 1.5}]", "\"items\": [{\"n\": []}]", "\"tags\": []", "\"tags\": {\"p\": {}}", "\"tags\": {\"p\": [1]}",
        "\"id\": \"1\", \"id\": 1", "\"x\": [}", "\"x\": tru", "\"x\": [1, 2", "\"to\": {\"city\": \"a\"", "\"x\": 1 \"y\": 2",
        "\"x\": " + "[".repeat(100_000) + "]".repeat(100_000))) {
      assertThrows(PayloadDecoder.Malformed.class, () -> decoded("{" + wrong + "}"), wrong);
      // The same where no column wants it, as far as it is JSON.
      if (wrong.startsWith("\"x\"") || wrong.endsWith("\"a\"")) continue;
      assertEquals("[5, null, null, null, null]", decoded("{\"x\": {" + wrong + "}, \"id\": 5}"), wrong);
    }
  }

  @Test
  void what_does_not_fit_is_null_by_itself_whatever_else_is_wanted() throws Exception {
    Misfits misfits = new Misfits();
    assertEquals("[7, [null, [null]], [null, [a, null], null], {p=[true, null], q=null}, 1]", decoded(
        "{\"id\": 7, \"to\": {\"at\": {\"x\": \"1\"}, \"city\": null}, \"items\": [1, {\"sku\": \"a\", \"n\": 1.5}, []], \"tags\": "
            + "{\"p\": [true, 1], \"q\": {\"r\": [1]}}, \"any\": 1}", misfits));
    assertEquals("a value is no double", misfits.first());
  }

  @Test
  void integers_are_exact_and_texts_keep_numbers_as_they_are_written() throws Exception {
    for (var one : Map.of("3.0", "3", "9007199254740993.0", "9007199254740993", "-9223372036854775808.00", "-9223372036854775808", "1e18",
        "1000000000000000000", "0e999999999", "0", "12.50e1", "125").entrySet()) {
      assertEquals("[" + one.getValue() + ", null, null, null, null]", decoded("{\"id\": " + one.getKey() + "}"));
    }
    for (String wrong : List.of("9223372036854775808", "9223372036854775808.0", "0.99999999999999999999", "123456789012345678.9", "1e-400", "1e19",
        "1e999999999", "-1e999999999", "1.5")) {
      assertThrows(PayloadDecoder.Malformed.class, () -> decoded("{\"id\": " + wrong + "}"), wrong);
    }
    for (String kept : List.of("1e400", "0.1234567890123456789", "12345678901234567890.50", "-0.0")) {
      assertEquals("[null, null, null, null, " + kept + "]", decoded("{\"any\": " + kept + "}"));
    }
    assertEquals("[null, null, null, null, [12345678901234567890.50,{\"a\":0.10},1e400,-0.0]]",
        decoded("{\"any\": [12345678901234567890.50, {\"a\": 0.10}, 1e400, -0.0]}"));
  }

  @Test
  void a_value_that_no_column_can_have_does_not_cost_the_others() throws Exception {
    // The exponent is no int.
    assertEquals("[null, [Ulm, null], null, null, [1e99999999999]]",
        decoded("{\"id\": 1e99999999999, \"to\": {\"city\": \"Ulm\"}, \"any\": [1e99999999999]}", new Misfits()));
    String large = "x".repeat(21_000_000);
    assertEquals("[7, null, null, null, " + large + "]", decoded("{\"any\": \"" + large + "\", \"id\": 7}"));
  }

  /** The fields of a payload that was written by the first schema, and is read by the second. */
  private static Object[] avro(String written, String newest, int... payload) throws PayloadDecoder.Malformed {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    for (int one : payload) bytes.write(one);
    PayloadSchema schema = new PayloadSchema("avro", "", newest.getBytes(StandardCharsets.UTF_8));
    PayloadSchema older = new PayloadSchema("avro", "", written.getBytes(StandardCharsets.UTF_8));
    StructType fields = schema.fields();
    Object[] values = new Object[fields.size()];
    Misfits misfits = new Misfits();
    schema.decoder(fields, new TypeSchemas(Map.of(1L, older, 2L, schema), Map::of)).decode(1, bytes.toByteArray(), bytes.size(), values, misfits);
    if (misfits.first() != null) throw new PayloadDecoder.Malformed(misfits.first());
    return values;
  }

  private static Object[] avro(String schema, int... payload) throws PayloadDecoder.Malformed {
    return avro(schema, schema, payload);
  }

  private static String field(String type) {
    return "{\"type\": \"record\", \"name\": \"R\", \"fields\": [{\"name\": \"f\", \"type\": " + type + "}]}";
  }

  @Test
  void a_few_bytes_of_avro_are_not_any_number_of_items_nor_of_levels() throws Exception {
    for (String items : List.of("\"null\"", "{\"type\": \"fixed\", \"name\": \"F\", \"size\": 0}", "\"int\"", field("\"null\"").replace("R", "E"))) {
      String array = field("{\"type\": \"array\", \"items\": " + items + "}");
      for (int[] count : new int[][] {{0x80, 0xC2, 0xD7, 0x2F, 0}, {0xFE, 0xFF, 0xFF, 0xFF, 0x0F, 0}, {0xFE, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F, 0}}) {
        assertThrows(PayloadDecoder.Malformed.class, () -> avro(array, count), items);
      }
    }
    assertEquals(3, ((List<?>) avro(field("{\"type\": \"array\", \"items\": \"null\"}"), 6, 0)[0]).size());
    assertThrows(PayloadDecoder.Malformed.class, () -> avro(field("{\"type\": \"map\", \"values\": \"null\"}"), 0xFE, 0xFF, 0xFF, 0xFF, 0x0F, 2, 65, 0));
    String itself = field("[\"null\", \"R\"]");
    int[] deep = new int[100_001];
    Arrays.fill(deep, 2);
    deep[100_000] = 0;
    assertThrows(PayloadDecoder.Malformed.class, () -> avro(itself, deep));
    assertNotNull(avro(itself, 2, 2, 0)[0]);
    assertThrows(IllegalArgumentException.class, () -> avro(field("\"R\"")));
    assertThrows(PayloadDecoder.Malformed.class, () -> avro(field("\"R\""), field("\"int\"")));
  }

  @Test
  void unions_of_avro_are_text_and_the_root_may_be_one_with_null() throws Exception {
    String union = field("[\"int\", \"bytes\", {\"type\": \"map\", \"values\": \"string\"}, \"string\"]");
    assertEquals("5", avro(union, 0, 10)[0]);
    assertEquals("\"ab\"", avro(union, 2, 4, 'a', 'b')[0]);
    assertEquals("{\"k\": \"v\"}", avro(union, 4, 2, 2, 'k', 2, 'v', 0)[0]);
    assertEquals("v", avro(union, 6, 2, 'v')[0]);
    assertEquals(5, avro("[\"null\", " + field("\"int\"") + "]", 2, 10)[0]);
    assertThrows(PayloadDecoder.Malformed.class, () -> avro("[\"null\", " + field("\"int\"") + "]", 0));
  }

  @Test
  void avro_of_another_unit_or_scale_is_malformed() throws Exception {
    String logical = "{\"type\": \"%s\", \"logicalType\": \"%s\"}";
    String millis = field(String.format(logical, "long", "timestamp-millis"));
    String micros = field(String.format(logical, "long", "timestamp-micros"));
    assertEquals(2000L, avro(millis, 4)[0]);
    assertEquals(2L, avro(micros, 4)[0]);
    assertThrows(PayloadDecoder.Malformed.class, () -> avro(millis, micros, 4));
    String decimal = "{\"type\": \"bytes\", \"logicalType\": \"decimal\", \"precision\": %d, \"scale\": %d}";
    assertEquals(new BigDecimal("1.00"), ((org.apache.spark.sql.types.Decimal) avro(field(String.format(decimal, 4, 2)), 2, 100)[0]).toJavaBigDecimal());
    assertThrows(PayloadDecoder.Malformed.class, () -> avro(field(String.format(decimal, 4, 2)), field(String.format(decimal, 4, 3)), 2, 100));
    assertThrows(PayloadDecoder.Malformed.class, () -> avro(field(String.format(decimal, 2, 0)), 2, 100));
  }
}
