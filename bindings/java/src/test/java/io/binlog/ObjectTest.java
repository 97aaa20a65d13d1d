package io.binlog;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ObjectTest {
  @TempDir Path log;

  static final class Order {
    final long number;
    final String what;

    Order(long number, String what) {
      this.number = number;
      this.what = what;
    }

    @Override
    public String toString() {
      return number + " " + what;
    }
  }

  static final class OrderCodec implements Codec<Order> {
    @Override
    public byte[] encode(Order order) {
      byte[] what = Logs.bytes(order.what);
      return ByteBuffer.allocate(8 + what.length).putLong(order.number).put(what).array();
    }

    @Override
    public Order decode(Record record) throws IOException {
      ByteBuffer payload = record.buffer();
      if (payload.remaining() < 8) throw new IOException("record " + record.id() + " is no order");
      return new Order(payload.getLong(), java.nio.charset.StandardCharsets.UTF_8.decode(payload).toString());
    }
  }

  private final Codecs codecs =
      Codecs.builder()
          .add(Order.class, new OrderCodec())
          .add(
              Integer.class,
              "number",
              new Codec<Integer>() {
                @Override
                public byte[] encode(Integer value) {
                  return Logs.bytes(value.toString());
                }

                @Override
                public Integer decode(Record record) {
                  return Integer.valueOf(record.text());
                }

                @Override
                public String contentType() {
                  return "text/plain";
                }
              })
          .build();

  @Test
  void objects_are_written_and_read_by_their_class() throws Exception {
    try (BinlogWriter writer = BinlogWriter.open(log)) {
      ObjectWriter objects = codecs.writer(writer);
      for (int i = 1; i <= 100; i++) {
        objects.write(new Order(i, "Söckchen"));
        objects.write(i, Metadata.of("i", "" + i));
        writer.write(1, Logs.bytes("no object"));
      }
      assertThrows(IllegalArgumentException.class, () -> objects.write("a string"));
      assertThrows(NullPointerException.class, () -> objects.write(null));
    }
    try (BinlogReader reader = BinlogReader.open(log)) {
      try (Stream<Order> orders = codecs.stream(reader, Order.class)) {
        List<Order> all = orders.collect(Collectors.toList());
        assertEquals(100, all.size());
        assertEquals("100 Söckchen", all.get(99).toString());
      }
      try (Stream<Integer> numbers = codecs.stream(reader, Integer.class)) {
        assertEquals(5050, numbers.mapToInt(Integer::intValue).sum());
      }
      List<Object> mixed = new ArrayList<>();
      for (Record record : reader) mixed.add(codecs.decode(record));
      assertEquals("1 Söckchen", mixed.get(0).toString());
      assertEquals(1, mixed.get(1));
      assertNull(mixed.get(2));
      assertThrows(IllegalArgumentException.class, () -> codecs.stream(reader, String.class));
    }
    assertEquals(100, Logs.texts(log, Filter.builder().typeName(Order.class.getName()).build()).size());
  }

  @Test
  void a_payload_that_is_no_object_is_an_error_and_not_an_object() throws Exception {
    try (BinlogWriter writer = BinlogWriter.open(log)) {
      writer.write(writer.type(Order.class.getName()), Logs.bytes("short"));
    }
    try (BinlogReader reader = BinlogReader.open(log);
        Stream<Order> orders = codecs.stream(reader, Order.class)) {
      UncheckedIOException e = assertThrows(UncheckedIOException.class, () -> orders.collect(Collectors.toList()));
      assertEquals("record 1 is no order", e.getCause().getMessage());
    }
  }

  @Test
  void a_class_and_a_name_have_one_codec() {
    Codecs.Builder builder = Codecs.builder().add(Order.class, "order", new OrderCodec());
    assertThrows(IllegalArgumentException.class, () -> builder.add(Order.class, new OrderCodec()));
    assertThrows(IllegalArgumentException.class, () -> builder.add(Integer.class, "order", codec()));
    assertSame(builder, builder.add(Integer.class, codec()));
  }

  private static Codec<Integer> codec() {
    return new Codec<Integer>() {
      @Override
      public byte[] encode(Integer value) {
        return new byte[0];
      }

      @Override
      public Integer decode(Record record) {
        return 0;
      }
    };
  }
}
