package io.binlog.spark;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.sql.util.CaseInsensitiveStringMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Options, the paths among them, and the columns that they give. */
class OptionsTest {
  private static ReadOptions options(String... pairs) {
    Map<String, String> all = new HashMap<>(Map.of("path", "/logs"));
    for (int i = 0; i < pairs.length; i += 2) all.put(pairs[i], pairs[i + 1]);
    return ReadOptions.of(new CaseInsensitiveStringMap(all));
  }

  private static void refused(String name, String value) {
    String message = assertThrows(IllegalArgumentException.class, () -> options(name, value)).getMessage();
    assertTrue(message.contains(name) && message.contains(value), message);
  }

  @Test
  void wrong_values_are_refused_by_name() {
    refused("splitSize", "many");
    refused("splitSize", "0");
    refused("onDamage", "ignore");
    refused("timeNs", "1");
    refused("startingId", "0");
    refused("startingTime", "yesterday");
    refused("maxRecordsPerTrigger", "0");
    assertThrows(IllegalArgumentException.class, () -> options("startingId", "1", "startingTime", "1"));
    assertThrows(IllegalArgumentException.class, () -> ReadOptions.of(CaseInsensitiveStringMap.empty()));
  }

  @Test
  void times_are_with_a_zone_or_nanoseconds() {
    assertEquals(1_700_000_000_000_000_000L, options("startingTime", "2023-11-14T22:13:20Z").start.timeNs);
    assertEquals(1_700_000_000_000_000_000L, options("startingTime", "2023-11-14 23:13:20+01:00").start.timeNs);
    assertEquals(-5L, options("startingTime", "-5").start.timeNs);
  }

  @Test
  void a_key_that_is_a_column_already_is_refused() {
    assertEquals("host", Columns.schema(options("metadataColumns", " host ,"), new StructType()).fieldNames()[8]);
    for (String taken : List.of("ID", "_log", "host,Host", "host, host ")) {
      ReadOptions wrong = options("metadataColumns", taken);
      assertThrows(IllegalArgumentException.class, () -> Columns.schema(wrong, new StructType()));
    }
  }

  @Test
  void patterns_of_directories_are_places_each(@TempDir Path directory) throws Exception {
    Files.createDirectories(directory.resolve("a1/logs"));
    Files.createDirectories(directory.resolve("a2/logs"));
    Files.createDirectory(directory.resolve("b"));
    Files.createFile(directory.resolve("a1/logs/x.binlog"));
    String at = directory.toString();
    assertEquals(List.of(at + "/a1/logs", at + "/a2/logs"), Places.of(List.of(at + "/a*/logs")));
    assertEquals(List.of(at + "/a1/logs/*.binlog"), Places.of(List.of(at + "/a1/logs/*.binlog")));
    assertEquals(List.of(at + "/none*"), Places.of(List.of(at + "/none*")));
    assertEquals(List.of(at + "/b"), Places.of(List.of("file:" + at + "/b", "file://" + at + "/b")));
    assertEquals(List.of("s3://bucket/logs*"), Places.of(List.of("s3://bucket/logs*")));
  }

  @Test
  void schemas_become_columns() {
    String json =
        "{\"properties\": {\"a\": {\"type\": [\"integer\", \"null\"]}, \"b\": {\"type\": \"array\", \"items\": {\"$ref\": \"#/$defs/p\"}},"
            + "\"c\": {\"additionalProperties\": {\"type\": \"number\"}, \"type\": \"object\"}, \"d\": {}, \"e\": {\"$ref\": \"#\"}},"
            + "\"$defs\": {\"p\": {\"type\": \"object\", \"properties\": {\"x\": {\"type\": \"boolean\"}}}}}";
    assertTrue(JsonSchemas.fields(json).catalogString().startsWith(
        "struct<a:bigint,b:array<struct<x:boolean>>,c:map<string,double>,d:string,e:struct<"));
    String avro =
        "{\"type\": \"record\", \"name\": \"R\", \"fields\": [{\"name\": \"a\", \"type\": \"long\"},"
            + "{\"name\": \"b\", \"type\": [\"null\", {\"type\": \"map\", \"values\": \"int\"}]},"
            + "{\"name\": \"c\", \"type\": {\"type\": \"long\", \"logicalType\": \"timestamp-millis\"}},"
            + "{\"name\": \"d\", \"type\": [\"int\", \"string\"]}, {\"name\": \"e\", \"type\": [\"null\", \"R\"]}]}";
    assertEquals(
        "struct<a:bigint,b:map<string,int>,c:timestamp,d:string,e:string>", AvroSchemas.fields(avro).catalogString());
    assertThrows(IllegalArgumentException.class, () -> JsonSchemas.fields("{\"type\": \"string\"}"));
    assertThrows(IllegalArgumentException.class, () -> AvroSchemas.fields("\"string\""));
  }

  @Test
  void json_is_decoded_as_its_schema_says() throws Exception {
    StructType fields =
        JsonSchemas.fields("{\"properties\": {\"a\": {\"type\": \"integer\"}, \"b\": {\"type\": \"array\", \"items\": {\"type\": \"string\"}}}}");
    PayloadDecoder decoder = new JsonDecoder(fields);
    Object[] values = new Object[2];
    byte[] payload = "{\"b\": [\"x\", 1, null], \"c\": {}, \"a\": 3.0}  ".getBytes();
    decoder.decode(0, payload, payload.length, values);
    assertEquals(3L, values[0]);
    assertEquals(java.util.Arrays.asList("x", "1", null), values[1]);
    for (String wrong : List.of("", "[]", "{", "{} {}", "{\"a\": 1.5}", "{\"a\": 99999999999999999999}", "\u00ff")) {
      byte[] bytes = wrong.getBytes(java.nio.charset.StandardCharsets.ISO_8859_1);
      assertThrows(PayloadDecoder.Malformed.class, () -> decoder.decode(0, bytes, bytes.length, values), wrong);
    }
  }

  private static final String NESTED =
      "{\"properties\": {\"id\": {\"type\": \"integer\"}, \"to\": {\"type\": \"object\", \"properties\": {\"city\": {\"type\": \"string\"}, "
          + "\"at\": {\"type\": \"object\", \"properties\": {\"x\": {\"type\": \"number\"}}}}}, "
          + "\"items\": {\"type\": \"array\", \"items\": {\"type\": \"object\", \"properties\": {\"sku\": {\"type\": \"string\"}, \"n\": "
          + "{\"type\": \"integer\"}}}}, \"tags\": {\"type\": \"object\", \"additionalProperties\": {\"type\": \"array\", \"items\": "
          + "{\"type\": \"boolean\"}}}, \"any\": {}}}";

  /** The values of the columns as text. */
  private static String decoded(String payload) throws PayloadDecoder.Malformed {
    StructType fields = JsonSchemas.fields(NESTED);
    Object[] values = new Object[fields.size()];
    byte[] bytes = payload.getBytes(java.nio.charset.StandardCharsets.UTF_8);
    new JsonDecoder(fields).decode(0, bytes, bytes.length, values);
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
}
