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
    // Nested, and by references.
    for (int levels : new int[] {95, 105}) {
      String inner = "{\"type\": \"integer\"}";
      StringBuilder definitions = new StringBuilder("\"d" + levels + "\": {\"type\": \"integer\"}");
      String record = "\"int\"";
      for (int i = levels - 1; i >= 0; i--) {
        inner = "{\"properties\": {\"x\": " + inner + "}}";
        definitions.append(", \"d" + i + "\": {\"properties\": {\"x\": {\"$ref\": \"#/$defs/d" + (i + 1) + "\"}}}");
        record = "{\"type\": \"record\", \"name\": \"R" + i + "\", \"fields\": [{\"name\": \"f\", \"type\": " + record + "}]}";
      }
      String nested = inner;
      String referred = "{\"$ref\": \"#/$defs/d0\", \"$defs\": {" + definitions + "}}";
      String records = record;
      if (levels < 100) {
        JsonSchemas.fields(nested);
        JsonSchemas.fields(referred);
        AvroSchemas.fields(records);
      } else {
        assertThrows(IllegalArgumentException.class, () -> JsonSchemas.fields(nested));
        assertThrows(IllegalArgumentException.class, () -> JsonSchemas.fields(referred));
        assertThrows(IllegalArgumentException.class, () -> AvroSchemas.fields(records));
      }
    }
    assertThrows(IllegalArgumentException.class, () -> AvroSchemas.fields("\"string\""));
  }
}
