package io.binlog.spark;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

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

  private static String record(String name, String... fields) {
    StringBuilder text = new StringBuilder("{\"type\":\"record\",\"name\":\"" + name + "\",\"fields\":[");
    for (int i = 0; i < fields.length; i += 2) {
      text.append(i == 0 ? "" : ",").append("{\"name\":\"" + fields[i] + "\",\"type\":" + fields[i + 1] + "}");
    }
    return text.append("]}").toString();
  }

  @Test
  void schemas_of_avro_that_its_library_would_not_come_to_the_end_of_are_refused() throws Exception {
    String itself = record("A", "b", "\"A\"");
    for (String part : List.of("[\"null\"," + itself + "]", "{\"type\":\"array\",\"items\":" + itself + "}", "{\"type\":\"map\",\"values\":" + itself + "}",
        "[\"null\"," + record("B", "x", "[\"null\",\"B\"]", "c", record("C", "d", "{\"type\":\"array\",\"items\":\"C\"}", "e", record("D", "f", "\"C\"")))
            + "]")) {
      String schema = record("R", "z", "\"int\"", "a", part);
      String why = assertThrows(IllegalArgumentException.class, () -> new PayloadSchema("avro", "", schema.getBytes()).fields(), part).getMessage();
      assertTrue(why.contains("always contains itself"), why);
      // Of an older schema, the payloads.
      assertThrows(PayloadDecoder.Malformed.class, () -> avro(schema, record("R", "z", "\"int\""), 14, 0), part);
    }
    // A cycle that is met through a union first.
    String cycle = record("R", "n", record("N", "u", "[\"null\"," + record("M", "n", "\"N\"") + "]", "p", record("P", "m", "\"M\"")));
    assertThrows(IllegalArgumentException.class, () -> new PayloadSchema("avro", "", cycle.getBytes()).fields());
    for (int levels : List.of(95, 105, 5000)) {
      StringBuilder chain = new StringBuilder("[\"null\"," + record("D0", "x", "\"int\""));
      for (int i = 1; i < levels; i++) chain.append("," + record("D" + i, "x", "\"D" + (i - 1) + "\""));
      String schema = record("R", "z", "\"int\"", "u", chain + "]");
      if (levels < 100) assertEquals(7, avro(schema, 14, 0)[0]);
      else assertThrows(IllegalArgumentException.class, () -> new PayloadSchema("avro", "", schema.getBytes()).fields());
    }
    String endless = record("L", "v", "\"int\"", "next", "[\"null\",\"L\"]");
    assertEquals("[1, {\"v\": 2, \"next\": null}]", Arrays.toString(avro(endless, 2, 2, 4, 0)));
  }

  @Test
  void avro_of_another_unit_is_refused_under_any_name_and_in_any_union() throws Exception {
    String millis = "{\"type\":\"long\",\"logicalType\":\"timestamp-millis\"}";
    String micros = "{\"type\":\"long\",\"logicalType\":\"timestamp-micros\"}";
    String timeMillis = "{\"type\":\"int\",\"logicalType\":\"time-millis\"}";
    String timeMicros = "{\"type\":\"long\",\"logicalType\":\"time-micros\"}";
    String date = "{\"type\":\"int\",\"logicalType\":\"date\"}";
    String three = "[\"null\",\"string\",";
    for (List<String> one : List.of(List.of(three + millis + "]", three + micros + "]"), List.of("[\"string\"," + millis + "]", "[\"null\"," + micros + "]"),
        List.of(timeMillis, timeMicros), List.of(date, millis), List.of(timeMillis, millis), List.of(millis, "[\"string\"," + micros + "]"),
        List.of(three + record("X", "t", millis) + "]", three + record("X", "t", micros) + "]"))) {
      int[] payload = one.get(0).startsWith("[") ? new int[] {one.get(0).startsWith("[\"string") ? 2 : 4, 184, 23} : new int[] {184, 23};
      var e = assertThrows(PayloadDecoder.Malformed.class, () -> avro(record("R", "a", one.get(0)), record("R", "a", one.get(1)), payload), one.toString());
      assertTrue(e.getMessage().contains("where the newest has another"), e.getMessage());
    }
    String renamed = "{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"b\",\"aliases\":[\"a\"],\"type\":";
    assertThrows(PayloadDecoder.Malformed.class, () -> avro(record("R", "a", millis), renamed + micros + "}]}", 184, 23));
    assertEquals(1_500_000L, avro(record("R", "a", millis), renamed + millis + "}]}", 184, 23)[0]);
    assertEquals("1500", avro(record("R", "a", "\"long\""), record("R", "a", "[\"null\",\"string\",\"long\"]"), 184, 23)[0]);
    assertEquals(1_500_000L, avro(record("R", "a", "[\"null\",\"string\"," + millis + "]"), record("R", "a", millis), 4, 184, 23)[0]);
  }

  @Test
  void text_of_avro_that_is_no_utf8_is_null_by_itself_and_keys_do_not_become_one() throws Exception {
    String schema = record("R", "i", "\"int\"", "s", "\"string\"", "u", "[\"int\",\"string\"," + record("X", "s", "\"string\"") + "]");
    PayloadSchema it = new PayloadSchema("avro", "", schema.getBytes());
    Object[] values = new Object[3];
    Misfits misfits = new Misfits();
    PayloadDecoder decoder = it.decoder(it.fields(), new TypeSchemas(Map.of(1L, it), Map::of));
    byte[] payload = {2, 4, (byte) 0xED, (byte) 0xA0, 4, 2, (byte) 0xFF};
    decoder.decode(1, payload, payload.length, values, misfits);
    assertEquals("[1, null, null]", Arrays.toString(values));
    assertEquals("a text is not UTF-8", misfits.first());
    String map = record("R", "m", "{\"type\":\"map\",\"values\":\"int\"}");
    assertThrows(PayloadDecoder.Malformed.class, () -> avro(map, 4, 2, 0xFF, 2, 2, 0xFE, 4, 0));
    assertEquals("[{a=1}]", Arrays.toString(avro(map, 2, 2, 'a', 2, 0)));
    assertThrows(PayloadDecoder.Malformed.class, () -> avro(record("R", "s", "\"bytes\""), record("R", "s", "\"string\""), 2, 0xFF));
  }

  private static final String TEXT_AND_NUMBER = "{\"properties\": {\"i\": {\"type\": \"integer\"}, \"s\": {\"type\": \"string\"}, \"d\": {\"type\": \"number\"}}}";

  private static Object[] json(String schema, String wanted, byte[] payload) throws PayloadDecoder.Malformed {
    StructType fields = JsonSchemas.fields(schema);
    if (!wanted.isEmpty()) fields = new StructType().add(fields.apply(wanted));
    Object[] values = new Object[fields.size()];
    new JsonDecoder(fields).decode(0, payload, payload.length, values, new Misfits());
    return values;
  }

  @Test
  void json_that_is_no_utf8_is_malformed_whatever_is_wanted() throws Exception {
    for (String wrong : List.of("\u00ed\u00a0\u0080", "\u00c0\u0080", "\u00c1\u00bf", "\u00e0\u0080\u0080", "\u00f4\u0090\u0080\u0080",
        "\u00f5\u0080\u0080\u0080", "\u00ff", "\u0080")) {
      for (String name : List.of("s", "unknown")) {
        byte[] payload = ("{\"" + name + "\": \"" + wrong + "\", \"i\": 1}").getBytes(StandardCharsets.ISO_8859_1);
        for (String wanted : List.of("i", "s", "")) {
          assertThrows(PayloadDecoder.Malformed.class, () -> json(TEXT_AND_NUMBER, wanted, payload), wrong + wanted);
        }
      }
    }
    byte[] right = "{\"s\": \"\u00e4\u20ac\ud83d\ude00\", \"i\": 1}".getBytes(StandardCharsets.UTF_8);
    assertEquals("[1, \u00e4\u20ac\ud83d\ude00, null]", Arrays.toString(json(TEXT_AND_NUMBER, "", right)));
  }

  @Test
  void halves_of_pairs_signs_of_zero_and_long_names() throws Exception {
    byte[] half = "{\"i\": 1, \"s\": \"\\ud800\", \"d\": -0}".getBytes();
    assertEquals("[1, null, -0.0]", Arrays.toString(json(TEXT_AND_NUMBER, "", half)));
    assertNull(json(TEXT_AND_NUMBER, "s", "{\"s\": [\"\\udc00x\"]}".getBytes())[0]);
    assertEquals("\ud83d\ude00", json(TEXT_AND_NUMBER, "s", "{\"s\": \"\\ud83d\\ude00\"}".getBytes())[0]);
    String name = "a".repeat(60_000);
    assertEquals(1L, json(TEXT_AND_NUMBER, "i", ("{\"" + name + "\": 1, \"i\": 1}").getBytes())[0]);
    for (String zero : List.of("0e9999999999", "0.0e-999999999999", "-0.000E99999999999")) {
      assertEquals(0L, json(TEXT_AND_NUMBER, "i", ("{\"i\": " + zero + "}").getBytes())[0], zero);
    }
  }

  @Test
  void references_are_to_the_schema_that_has_an_identifier_and_items_may_differ() throws Exception {
    assertEquals("c BOOLEAN,d BIGINT", JsonSchemas.fields("{\"$id\": \"r.json\", \"properties\": {\"c\": {\"$id\": \"c.json\", \"$ref\": \"#/$defs/Z\", "
        + "\"$defs\": {\"Z\": {\"type\": \"boolean\"}}}, \"d\": {\"$ref\": \"#/$defs/Z\"}}, \"$defs\": {\"Z\": {\"type\": \"integer\"}}}").toDDL());
    assertEquals("a ARRAY<STRING>", JsonSchemas.fields(
        "{\"properties\": {\"a\": {\"type\": \"array\", \"prefixItems\": [{\"type\": \"string\"}], \"items\": {\"type\": \"integer\"}}}}").toDDL());
    for (int hops : List.of(100, 2000)) {
      StringBuilder defs = new StringBuilder();
      for (int i = 0; i < hops; i++) defs.append("\"d" + i + "\": {\"$ref\": \"#/$defs/d" + (i + 1) + "\"}, ");
      String schema = "{\"properties\": {\"a\": {\"$ref\": \"#/$defs/d0\"}}, \"$defs\": {" + defs + "\"d" + hops + "\": {\"type\": \"integer\"}}}";
      if (hops == 100) assertEquals("a BIGINT", JsonSchemas.fields(schema).toDDL());
      else assertThrows(IllegalArgumentException.class, () -> JsonSchemas.fields(schema));
    }
  }

  @Test
  void a_column_of_too_many_values_is_null_by_itself() throws Exception {
    StringBuilder wide = new StringBuilder();
    for (int i = 0; i < 9000; i++) wide.append(i == 0 ? "" : ",").append("\"c" + i + "\": {\"type\": \"integer\"}");
    String schema = "{\"properties\": {\"a\": {\"type\": \"array\", \"items\": {\"properties\": {" + wide + "}}}, \"i\": {\"type\": \"integer\"}}}";
    String items = "{},".repeat(9_999) + "{}";
    assertEquals("[null, 7]", Arrays.toString(json(schema, "", ("{\"a\": [" + items + "], \"i\": 7}").getBytes())));
    assertEquals("[null, 7]", Arrays.toString(json(schema, "", ("{\"i\": 7, \"a\": [[1], " + items + "]}").getBytes())));
    assertEquals(100, ((List<?>) json(schema, "a", ("{\"a\": [" + "{},".repeat(99) + "{}]}").getBytes())[0]).size());
  }

  @Test
  void files_of_protocol_buffers_are_in_any_order_and_not_too_many() {
    for (int count : List.of(1000, 5001)) {
      var set = com.google.protobuf.DescriptorProtos.FileDescriptorSet.newBuilder();
      for (int i = 0; i < count; i++) {
        var file = set.addFileBuilder().setName("f" + i);
        if (i + 1 < count) file.addDependency("f" + (i + 1));
        else file.addMessageTypeBuilder().setName("M").addFieldBuilder().setName("a").setNumber(1)
            .setType(com.google.protobuf.DescriptorProtos.FieldDescriptorProto.Type.TYPE_BOOL);
      }
      PayloadSchema schema = new PayloadSchema("protobuf", "M", set.build().toByteArray());
      if (count == 1000) assertEquals("a BOOLEAN", schema.fields().toDDL());
      else assertThrows(IllegalArgumentException.class, schema::fields);
    }
  }

  @Test
  void maps_of_protocol_buffers_have_keys_and_values() {
    var set = com.google.protobuf.DescriptorProtos.FileDescriptorSet.newBuilder();
    var message = set.addFileBuilder().setName("f").addMessageTypeBuilder().setName("M");
    var entry = message.addNestedTypeBuilder().setName("PEntry");
    entry.getOptionsBuilder().setMapEntry(true);
    for (int i = 1; i <= 2; i++) {
      entry.addFieldBuilder().setName(i == 1 ? "key" : "value").setNumber(i)
          .setType(com.google.protobuf.DescriptorProtos.FieldDescriptorProto.Type.TYPE_INT64)
          .setLabel(com.google.protobuf.DescriptorProtos.FieldDescriptorProto.Label.LABEL_REPEATED);
    }
    message.addFieldBuilder().setName("p").setNumber(1).setTypeName(".M.PEntry")
        .setType(com.google.protobuf.DescriptorProtos.FieldDescriptorProto.Type.TYPE_MESSAGE)
        .setLabel(com.google.protobuf.DescriptorProtos.FieldDescriptorProto.Label.LABEL_REPEATED);
    PayloadSchema schema = new PayloadSchema("protobuf", "M", set.build().toByteArray());
    String why = assertThrows(IllegalArgumentException.class, schema::fields).getMessage();
    assertTrue(why.contains("does not consist of keys and values"), why);
  }

  @Test
  void a_batch_has_fewer_rows_the_more_columns_are_decoded() {
    StructType wide = new StructType();
    for (int i = 0; i < 1500; i++) wide = wide.add("c" + i, "bigint");
    assertEquals(1333, TableColumns.rowsOf(wide));
    assertEquals(65_536, TableColumns.rowsOf(new StructType().add("a", "bigint").add("s", wide.apply("c1").dataType())));
    assertEquals(1333, TableColumns.rowsOf(new StructType().add("s", wide)));
  }
}
