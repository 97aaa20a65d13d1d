package io.binlog;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Types with encodings, messages and schemas. */
class TypesTest {
  @TempDir Path scratch;

  @Test
  void a_type_is_all_that_it_says_and_readers_are_told_it() throws Exception {
    Path log = scratch.resolve("log");
    byte[] schema = {0x0a, 0, -1, '{'};
    TypeOptions order =
        TypeOptions.builder("order").contentType("application/x-protobuf").encoding("protobuf").message("shop.Ordér")
            .schema(schema).build();
    int number;
    int other;
    try (BinlogWriter writer = BinlogWriter.open(log, WriterOptions.builder().schemaBytes(1000).build())) {
      number = writer.typeOf(order);
      assertEquals(number, writer.typeOf(order));
      other = writer.typeOf(TypeOptions.builder("order").encoding("json").build());
      assertNotEquals(number, other);
      for (TypeOptions wrong : List.of(TypeOptions.builder("").build(), TypeOptions.builder("a").schema(schema).build())) {
        assertEquals(Status.INVALID, assertThrows(BinlogException.class, () -> writer.typeOf(wrong)).status());
      }
      TypeOptions large = TypeOptions.builder("a").encoding("x").schema(new byte[1000]).build();
      assertThrows(BinlogException.TooLarge.class, () -> writer.typeOf(large));
      writer.write(number, new byte[] {1});
    }
    try (BinlogReader reader = BinlogReader.open(log); Cursor cursor = reader.cursor()) {
      TypeInfo info = cursor.typeInfo(cursor.next().type());
      assertEquals(number, info.type());
      assertEquals("order application/x-protobuf protobuf shop.Ordér",
          info.name() + " " + info.contentType() + " " + info.encoding() + " " + info.message());
      assertArrayEquals(schema, info.schema());
      assertArrayEquals(MessageDigest.getInstance("SHA-256").digest(schema), info.schemaSha256());
      assertNull(cursor.typeInfo(1));
      List<TypeInfo> types = reader.types();
      assertEquals(2, types.size());
      assertArrayEquals(schema, types.get(0).schema());
      assertEquals(other + ": order (json)", types.get(1).toString());
      assertNull(types.get(1).schema());
      assertNull(types.get(1).schemaSha256());
    }
  }

  @Test
  void counts_say_that_a_name_has_several_numbers() throws Exception {
    Path log = scratch.resolve("log");
    try (BinlogWriter writer = BinlogWriter.open(log)) {
      for (String encoding : List.of("json", "cbor")) {
        writer.write(writer.typeOf(TypeOptions.builder("order").encoding(encoding).build()), new byte[1]);
      }
      writer.write(7, new byte[1]);
    }
    try (BinlogReader reader = BinlogReader.open(log)) {
      List<TypeCount> counts = reader.counts();
      assertEquals("[order: 2, 7: 1]", counts.toString());
      assertTrue(counts.get(0).hasSeveralNumbers());
      assertFalse(counts.get(1).hasSeveralNumbers());
    }
  }
}
