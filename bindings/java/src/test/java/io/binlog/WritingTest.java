package io.binlog;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class WritingTest {
  @TempDir Path log;

  private List<Record> records() throws BinlogException {
    try (BinlogReader reader = BinlogReader.open(log);
        Stream<Record> all = reader.stream(Filter.all())) {
      return all.collect(Collectors.toList());
    }
  }

  @Test
  void ids_count_from_one_and_go_on_when_the_log_is_opened_again() throws Exception {
    try (BinlogWriter writer = BinlogWriter.open(log)) {
      assertEquals(1, writer.write(Logs.bytes("a")));
      assertEquals(2, writer.write(7, Logs.bytes("b")));
    }
    try (BinlogWriter writer = BinlogWriter.open(log)) {
      assertEquals(3, writer.write(new byte[0]));
    }
    List<Record> all = records();
    assertEquals(List.of(0, 7, 0), all.stream().map(Record::type).collect(Collectors.toList()));
    assertEquals(List.of("a", "b", ""), all.stream().map(Record::text).collect(Collectors.toList()));
  }

  @Test
  void payloads_of_every_size_come_back_as_they_were() throws Exception {
    // Around the sizes at which the glue copies elsewhere, a frame is full, a block ends.
    int[] sizes = {
      0, 1, 7, 8, 9, 4055, 4056, 4057, 4095, 4096, 4097, 65495, 65496, 65497, 65536, 131072, 131073, 3_000_000
    };
    try (BinlogWriter writer = BinlogWriter.open(log)) {
      for (int size : sizes) {
        writer.write(1, Logs.payload(size, size));
        writer.write(2, Map.of("size", "" + size), Logs.payload(size, size));
        ByteBuffer direct = ByteBuffer.allocateDirect(size).put(Logs.payload(size, size));
        writer.write(3, direct.flip());
      }
    }
    List<Record> all = records();
    assertEquals(3 * sizes.length, all.size());
    for (int i = 0; i < all.size(); i++) {
      int size = sizes[i / 3];
      assertArrayEquals(Logs.payload(size, size), all.get(i).payload());
      assertEquals(i % 3 == 1 ? "" + size : null, all.get(i).metadata("size"));
    }
  }

  @Test
  void buffers_of_each_kind_are_written_from_position_to_limit_and_stay_as_they_are() throws Exception {
    byte[] array = Logs.bytes("..abcdef..");
    ByteBuffer direct = ByteBuffer.allocateDirect(10).put(array);
    List<ByteBuffer> buffers = new ArrayList<>();
    buffers.add(ByteBuffer.wrap(array, 2, 6));
    buffers.add(ByteBuffer.wrap(array, 2, 6).slice());
    buffers.add(ByteBuffer.wrap(array, 2, 6).asReadOnlyBuffer());
    buffers.add(direct.duplicate().position(2).limit(8));
    buffers.add(direct.duplicate().position(2).limit(8).slice());
    buffers.add(direct.duplicate().position(2).limit(8).asReadOnlyBuffer());
    try (BinlogWriter writer = BinlogWriter.open(log)) {
      Batch batch = new Batch();
      for (ByteBuffer buffer : buffers) {
        int position = buffer.position();
        int limit = buffer.limit();
        writer.write(buffer);
        writer.write(1, buffer);
        writer.write(1, Map.of("k", "v"), buffer);
        writer.write(NewRecord.of(1, buffer).timeNanos(5));
        writer.gather(1, buffer);
        writer.write(batch.clear().add(1, buffer));
        assertEquals(position, buffer.position());
        assertEquals(limit, buffer.limit());
      }
      writer.write(1, array, 2, 6);
      writer.write(batch.clear().add(1, array, 2, 6));
    }
    List<Record> all = records();
    assertEquals(6 * buffers.size() + 2, all.size());
    for (Record record : all) assertEquals("abcdef", record.text());
  }

  @Test
  void an_offset_is_a_zone() throws Exception {
    for (String id : new String[] {"Z", "UTC", "GMT", "UTC+02:00", "+02:00", "GMT-12", "UT+14", "-03:00", "Asia/Kolkata"}) {
      RollOptions roll =
          RollOptions.builder().zone(java.time.ZoneId.of(id)).nameTemplate("{name}.{seq}.%H%z").build();
      Path here = log.resolve(id.replace('/', '-'));
      try (BinlogWriter writer = BinlogWriter.open(here, WriterOptions.builder().roll(roll).build())) {
        writer.write(new byte[1]);
      }
      String offset =
          java.time.ZoneId.of(id).getRules().getOffset(Instant.now()).getId().replace(":", "").replace("Z", "+0000");
      String name = Logs.segments(here).get(0).getFileName().toString();
      assertTrue(name.endsWith(offset + ".binlog"), id + ": " + name);
    }
    for (String id : new String[] {"+05:30", "UTC-13", "+15:00"}) {
      assertThrows(IllegalArgumentException.class, () -> RollOptions.builder().zone(java.time.ZoneId.of(id)), id);
    }
  }

  @Test
  void a_gather_takes_any_number_of_parts() throws Exception {
    ByteBuffer heap = ByteBuffer.wrap(Logs.bytes("h"));
    ByteBuffer direct = ByteBuffer.allocateDirect(1).put(0, (byte) 'd');
    try (BinlogWriter writer = BinlogWriter.open(log)) {
      long id = 0;
      for (int count : new int[] {65_526, 65_535, 200_000}) {
        ByteBuffer[] parts = new ByteBuffer[count];
        for (int i = 0; i < count; i++) parts[i] = i % 2 == 0 ? heap : direct;
        assertEquals(++id, writer.gather(1, parts));
      }
    }
    assertEquals("hd".repeat(32_763), records().get(0).text());
    assertEquals("hd".repeat(32_767) + "h", records().get(1).text());
    assertEquals("hd".repeat(100_000), records().get(2).text());
  }

  @Test
  void a_gather_joins_its_parts_in_their_order() throws Exception {
    ByteBuffer heap = ByteBuffer.wrap(Logs.bytes("xheapx"), 1, 4);
    ByteBuffer direct = ByteBuffer.allocateDirect(8).put(Logs.bytes("direct"));
    ByteBuffer large = ByteBuffer.allocateDirect(300_000).put(Logs.payload(1, 300_000));
    direct.flip();
    large.flip();
    ByteBuffer[] many = new ByteBuffer[1000];
    for (int i = 0; i < many.length; i++) many[i] = i % 2 == 0 ? heap : direct;
    try (BinlogWriter writer = BinlogWriter.open(log)) {
      writer.gather(1, heap, ByteBuffer.allocate(0), direct, ByteBuffer.allocateDirect(0), heap.asReadOnlyBuffer());
      writer.gather(1, many);
      writer.gather(1);
      writer.gather(1, Map.of("a", "b"), heap, large, heap);
      writer.gather(NewRecord.of(1, "head ").timeNanos(-3).metadata(Metadata.of("c", "d")), direct);
    }
    List<Record> all = records();
    assertEquals("heapdirectheap", all.get(0).text());
    assertEquals("heapdirect".repeat(500), all.get(1).text());
    assertEquals(0, all.get(2).length());
    assertEquals(300_008, all.get(3).length());
    assertArrayEquals(Logs.payload(1, 300_000), java.util.Arrays.copyOfRange(all.get(3).payload(), 4, 300_004));
    assertEquals("b", all.get(3).metadata("a"));
    assertEquals("head direct", all.get(4).text());
    assertEquals(-3, all.get(4).timeNanos());
    assertEquals("d", all.get(4).metadata("c"));
  }

  @Test
  void a_batch_without_a_record_appends_nothing() throws Exception {
    try (BinlogWriter writer = BinlogWriter.open(log)) {
      Batch batch = new Batch();
      assertEquals(0, writer.write(batch));
      assertEquals(0, writer.write(batch.add(new byte[1]).clear()));
      assertEquals(0, writer.position().appendedId());
      assertEquals(1, writer.write(batch.add(new byte[1])));
    }
  }

  @Test
  void a_batch_is_appended_whole_and_can_be_used_again() throws Exception {
    try (BinlogWriter writer = BinlogWriter.open(log)) {
      Batch batch = new Batch(64);
      // Fewer than the glue unpacks itself, and more.
      long first = 1;
      for (int n : new int[] {1, 3, 256, 257, 2000}) {
        batch.clear();
        for (int i = 0; i < n; i++) {
          batch.add(NewRecord.of(2, Logs.payload(i, i % 300)).timeNanos(1000 + i).metadata(Metadata.of("n", "" + n)));
        }
        assertEquals(n, batch.size());
        assertEquals(first, writer.write(batch));
        first += n;
      }
    }
    List<Record> all = records();
    int at = 0;
    for (int n : new int[] {1, 3, 256, 257, 2000}) {
      for (int i = 0; i < n; i++, at++) {
        assertArrayEquals(Logs.payload(i, i % 300), all.get(at).payload());
        assertEquals(1000 + i, all.get(at).timeNanos());
        assertEquals("" + n, all.get(at).metadata("n"));
      }
    }
    assertEquals(all.size(), at);
  }

  @Test
  void a_batch_with_one_wrong_record_appends_none() throws Exception {
    try (BinlogWriter writer = BinlogWriter.open(log)) {
      for (int n : new int[] {2, 500}) {
        Batch batch = new Batch();
        for (int i = 0; i < n; i++) batch.add(1, Logs.bytes("good"));
        batch.add(Event.STARTED, Logs.bytes("not the user's"));
        assertEquals(Status.INVALID, assertThrows(BinlogException.class, () -> writer.write(batch)).status());
      }
      assertEquals(0, writer.position().appendedId());
    }
    assertTrue(records().isEmpty());
  }

  @Test
  void types_by_name_have_one_number_each_and_are_read_by_name() throws Exception {
    try (BinlogWriter writer = BinlogWriter.open(log)) {
      int job = writer.type("com.example.Jöb", "application/json");
      int note = writer.type("note");
      assertTrue(job >= Record.FIRST_NAMED_TYPE && note >= Record.FIRST_NAMED_TYPE && job != note);
      assertEquals(job, writer.type("com.example.Jöb"));
      writer.write(job, Logs.bytes("{}"));
      writer.write(note, Logs.bytes("n"));
      writer.write(5, Logs.bytes("plain"));
    }
    List<Record> all = records();
    assertEquals("com.example.Jöb", all.get(0).typeName());
    assertEquals("note", all.get(1).typeName());
    assertNull(all.get(2).typeName());
    assertEquals(List.of("n"), Logs.texts(log, Filter.builder().typeName("note").build()));
  }

  @Test
  void metadata_keeps_its_order_and_every_character() throws Exception {
    Metadata pairs = Metadata.of("ключ", "значение 🗝", "", "", "k", "1", "k", "2").with("long", "x".repeat(20_000));
    for (int n : new int[] {63, 64, 127, 128, 129, 16_383, 16_384}) pairs = pairs.with("n" + n, "y".repeat(n));
    try (BinlogWriter writer = BinlogWriter.open(log)) {
      writer.write(1, pairs, Logs.bytes("p"));
    }
    Metadata read = records().get(0).metadata();
    assertEquals(pairs, read);
    assertEquals(pairs.hashCode(), read.hashCode());
    assertEquals(12, read.size());
    assertEquals(127, read.get("n127").length());
    assertEquals(16_383, read.get("n16383").length());
    assertEquals("значение 🗝", read.get("ключ"));
    assertEquals("1", read.get("k"));
    assertEquals("", read.get(""));
    assertNull(read.get("l"));
    assertEquals("2", read.entries().get(3).getValue());
    assertTrue(records().get(0).toString().contains("ключ=значение"));
    assertThrows(IllegalArgumentException.class, () -> Metadata.of("key without a value"));
    assertThrows(IllegalArgumentException.class, () -> Metadata.of("half", "\ud83d"));
  }

  @Test
  void times_are_kept_to_the_nanosecond() throws Exception {
    Instant[] times = {
      Instant.EPOCH, Instant.parse("2026-11-21T10:11:12.123456789Z"), Instant.parse("1901-01-01T00:00:00.000000001Z"),
      Text.instant(Long.MIN_VALUE), Text.instant(Long.MAX_VALUE)
    };
    Instant before = Instant.now();
    try (BinlogWriter writer = BinlogWriter.open(log)) {
      for (Instant time : times) writer.write(NewRecord.of(new byte[0]).time(time));
      writer.write(new byte[0]);
    }
    List<Record> all = records();
    for (int i = 0; i < times.length; i++) assertEquals(times[i], all.get(i).time());
    assertFalse(all.get(times.length).time().isBefore(before.minusSeconds(1)));
    assertThrows(ArithmeticException.class, () -> NewRecord.of(new byte[0]).time(Instant.MAX));
    assertThrows(ArithmeticException.class, () -> NewRecord.of(new byte[0]).time(Instant.MIN));
  }

  @Test
  void positions_follow_flush_and_sync() throws Exception {
    try (BinlogWriter writer = BinlogWriter.open(log, WriterOptions.builder().flushInterval(null).build())) {
      writer.write(new byte[1]);
      assertEquals("appended 1, flushed 0, durable 0", writer.position().toString());
      writer.flush();
      assertEquals(1, writer.position().flushedId());
      assertEquals(0, writer.position().durableId());
      writer.sync();
      assertEquals(1, writer.position().durableId());
      writer.write(new byte[1]);
      writer.heartbeat();
      assertEquals(2, writer.position().flushedId());
      writer.tick();
      assertEquals(0, writer.dropped());
      assertEquals(0, writer.failures());
    }
  }

  @Test
  void every_option_reaches_the_library() throws Exception {
    WriterOptions options =
        WriterOptions.builder()
            .background()
            .compression(Compression.ZSTD)
            .compressionLevel(3)
            .blockBytes(8192)
            .name("orders")
            .contentType("text/plain")
            .parameter("host", "a")
            .parameter("schlüssel", "wért")
            .segmentBytes(Long.MAX_VALUE)
            .recordMaxBytes(100_000)
            .flushRecords(100)
            .flushBytes(10_000)
            .syncRecords(100)
            .syncBytes(100_000)
            .flushInterval(Duration.ofMillis(20))
            .syncInterval(Duration.ofDays(1))
            .filePermissions(PosixFilePermissions.fromString("rw-r--r--"))
            .fileGroup(Integer.toString((Integer) Files.getAttribute(log, "unix:gid")))
            .fullDisk(FullDisk.WAIT)
            .fullDiskWait(Duration.ofSeconds(1))
            .indexBytes(4096)
            .schemaBytes(1000)
            .fillAheadBytes(1 << 20)
            .roll(RollOptions.builder().period(Duration.ofHours(1)).age(Duration.ofDays(1)).records(500)
                .zone(java.time.ZoneId.of("Europe/Berlin")).nameTemplate("{name}-{seq}-%Y").build())
            .keep(Retention.builder().age(Duration.ofDays(1)).segments(3).bytes(1 << 30).build())
            .require(Required.builder().name("orders").contentType("text/plain").parameter("host", "a").build())
            .heartbeat(Duration.ofMillis(50))
            .flushAtShutdown(false)
            .build();
    try (BinlogWriter writer = BinlogWriter.open(log, options)) {
      for (int i = 0; i < 2500; i++) writer.write(1, Logs.bytes("record"));
      assertTrue(writer.position().durableId() > 2400);
      assertThrows(BinlogException.TooLarge.class, () -> writer.write(new byte[100_001]));
      Logs.await("a heartbeat", () -> {
        try (BinlogReader reader = BinlogReader.open(log);
            Stream<Record> all = reader.stream(Filter.builder().events().build())) {
          return all.anyMatch(record -> record.type() == Event.HEARTBEAT);
        }
      });
    }
    List<Path> segments = Logs.segments(log);
    assertEquals(3, segments.size());
    assertTrue(segments.get(0).getFileName().toString().matches("orders-\\d{10}-\\d{4}\\.binlog"), segments.toString());
    assertEquals("rw-r--r--", PosixFilePermissions.toString(Files.getPosixFilePermissions(segments.get(0))));
    try (BinlogReader reader = BinlogReader.open(log)) {
      Segment segment = reader.segments().get(0);
      assertEquals("orders", segment.name());
      assertEquals("text/plain", segment.contentType());
      assertEquals(Map.of("host", "a", "schlüssel", "wért"), segment.parameters());
      assertEquals(1001, segment.firstId());
      assertEquals(3, segment.sequence());
    }
    // Each of these is another field.
    assertInvalid(WriterOptions.builder().compressionLevel(99).compression(Compression.ZSTD));
    assertInvalid(WriterOptions.builder().blockBytes(100));
    assertInvalid(WriterOptions.builder().name("a/b"));
    assertInvalid(WriterOptions.builder().recordMaxBytes(Long.MAX_VALUE));
    assertInvalid(WriterOptions.builder().indexBytes(1));
    assertInvalid(WriterOptions.builder().fullDiskWait(Duration.ofSeconds(1)));
    assertInvalid(WriterOptions.builder().roll(RollOptions.builder().nameTemplate("%q").build()));
  }

  private void assertInvalid(WriterOptions.Builder options) {
    Path other = log.resolve("other");
    assertEquals(
        Status.INVALID,
        assertThrows(BinlogException.class, () -> BinlogWriter.open(other, options.build()).close()).status());
  }

  @Test
  void a_log_can_be_a_single_file() throws Exception {
    Path file = log.resolve("one.binlog");
    try (BinlogWriter writer = BinlogWriter.openFile(file, WriterOptions.builder().build())) {
      writer.write(Logs.bytes("a"));
      assertThrows(BinlogException.Unsupported.class, writer::roll);
    }
    assertEquals(List.of("a"), Logs.texts(file));
  }

  @Test
  void wrong_arguments_are_exceptions_and_change_nothing() throws Exception {
    try (BinlogWriter writer = BinlogWriter.open(log)) {
      assertThrows(NullPointerException.class, () -> writer.write((byte[]) null));
      assertThrows(NullPointerException.class, () -> writer.write((ByteBuffer) null));
      assertThrows(NullPointerException.class, () -> writer.write((NewRecord) null));
      assertThrows(NullPointerException.class, () -> writer.write((Batch) null));
      assertThrows(NullPointerException.class, () -> writer.write(1, (Metadata) null, new byte[0]));
      assertThrows(NullPointerException.class, () -> writer.write(1, Metadata.none(), null));
      assertThrows(NullPointerException.class, () -> writer.gather(1, (ByteBuffer) null));
      assertThrows(NullPointerException.class, () -> writer.gather(1, (ByteBuffer[]) null));
      assertThrows(NullPointerException.class, () -> writer.type(null));
      assertThrows(NullPointerException.class, () -> writer.rollBecause(null));
      assertThrows(IndexOutOfBoundsException.class, () -> writer.write(1, new byte[3], 2, 2));
      assertThrows(IndexOutOfBoundsException.class, () -> writer.write(1, new byte[3], -1, 2));
      assertThrows(IndexOutOfBoundsException.class, () -> writer.write(1, new byte[3], 1, -1));
      assertThrows(IndexOutOfBoundsException.class, () -> writer.write(1, new byte[3], Integer.MAX_VALUE, 2));
      assertThrows(IndexOutOfBoundsException.class, () -> new Batch().add(1, new byte[3], 2, 2));
      assertThrows(IllegalArgumentException.class, () -> writer.type("with\0nul"));
      assertThrows(IllegalArgumentException.class, () -> new Batch(-1));
      for (int type : new int[] {-1, Event.TYPE, Record.FIRST_NAMED_TYPE + 77}) {
        BinlogException e = assertThrows(BinlogException.class, () -> writer.write(type, new byte[1]));
        assertEquals(Status.INVALID, e.status());
      }
      assertEquals(0, writer.position().appendedId());
    }
    assertThrows(NullPointerException.class, () -> BinlogWriter.open(null));
    assertThrows(NullPointerException.class, () -> BinlogWriter.open(log, null));
    assertThrows(IllegalArgumentException.class, () -> WriterOptions.builder().flushBytes(-1));
    assertThrows(IllegalArgumentException.class, () -> WriterOptions.builder().flushInterval(Duration.ZERO));
    assertThrows(IllegalArgumentException.class, () -> WriterOptions.builder().syncInterval(Duration.ofDays(50)));
    assertThrows(IllegalArgumentException.class, () -> RollOptions.builder().period(Duration.ofMillis(1500)));
    assertThrows(IllegalArgumentException.class, () -> Retention.builder().segments(-1));
  }
}
