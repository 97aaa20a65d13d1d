package io.binlog;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNotSame;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.ByteBuffer;
import java.nio.ReadOnlyBufferException;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ReadingTest {
  @TempDir Path log;

  private List<Long> ids(Filter filter) throws BinlogException {
    try (BinlogReader reader = BinlogReader.open(log);
        Stream<Record> records = reader.stream(filter)) {
      return Logs.ids(records);
    }
  }

  @Test
  void the_epoch_is_a_bound_too() throws Exception {
    try (BinlogWriter writer = BinlogWriter.open(log)) {
      for (long nanos : new long[] {-1_000, 0, 1_000}) writer.write(NewRecord.of("x".getBytes()).timeNanos(nanos));
    }
    java.time.Instant epoch = java.time.Instant.EPOCH;
    try (BinlogReader reader = BinlogReader.open(log)) {
      assertEquals(List.of(1L), Logs.ids(reader.stream(Filter.builder().to(epoch).build())));
      assertEquals(List.of(2L, 3L), Logs.ids(reader.stream(Filter.builder().from(epoch).build())));
    }
  }

  @Test
  void all_ways_of_reading_show_the_same() throws Exception {
    Logs.write(log, 5000);
    List<Long> all = Logs.range(1, 5000);
    assertEquals(all, ids(Filter.all()));
    try (BinlogReader reader = BinlogReader.open(log)) {
      List<Long> seen = new ArrayList<>();
      for (Record record : reader) seen.add(record.id());
      assertEquals(all, seen);
      seen.clear();
      try (Cursor cursor = reader.cursor()) {
        for (Record record : cursor) seen.add(record.id());
      }
      assertEquals(all, seen);
      seen.clear();
      try (Cursor cursor = reader.cursor()) {
        for (List<Record> some = cursor.nextBatch(); !some.isEmpty(); some = cursor.nextBatch()) {
          some.forEach(record -> seen.add(record.id()));
        }
        assertNull(cursor.next());
      }
      assertEquals(all, seen);
    }
  }

  @Test
  void a_record_shows_its_own_bytes_however_long_it_is_held() throws Exception {
    try (BinlogWriter writer = BinlogWriter.open(log)) {
      for (int i = 1; i <= 3000; i++) writer.write(i % 7, Metadata.of("i", "" + i), Logs.payload(i, i % 400));
    }
    List<Record> held = new ArrayList<>();
    List<ByteBuffer> buffers = new ArrayList<>();
    try (BinlogReader reader = BinlogReader.open(log)) {
      for (Record record : reader) {
        held.add(record);
        buffers.add(record.buffer());
      }
      try (Cursor cursor = reader.cursor()) { // others pass through the same cursor, and it is closed
        Record got = cursor.get(17);
        while (cursor.next() != null) {}
        held.add(got);
        buffers.add(got.buffer());
      }
    }
    for (int n = 0; n < held.size(); n++) {
      Record record = held.get(n);
      int i = n == 3000 ? 17 : n + 1;
      assertEquals(i, record.id());
      assertEquals(i % 7, record.type());
      assertEquals("" + i, record.metadata("i"));
      assertArrayEquals(Logs.payload(i, i % 400), record.payload());
      assertEquals(ByteBuffer.wrap(Logs.payload(i, i % 400)), buffers.get(n));
      Record compact = record.compact();
      assertSame(compact, compact.compact());
      assertArrayEquals(record.payload(), compact.payload());
      assertEquals(record.toString(), compact.toString());
    }
    assertNotSame(held.get(0), held.get(0).compact());
  }

  @Test
  void a_payload_can_be_had_as_bytes_buffer_stream_and_text_but_not_changed() throws Exception {
    Logs.write(log, 2);
    try (BinlogReader reader = BinlogReader.open(log);
        Cursor cursor = reader.cursor()) {
      cursor.next();
      Record record = cursor.next();
      assertEquals("record 2", record.text());
      assertArrayEquals(Logs.bytes("record 2"), record.stream().readAllBytes());
      assertEquals(8, record.length());
      assertEquals('r', record.byteAt(0));
      assertEquals('2', record.byteAt(7));
      assertThrows(IndexOutOfBoundsException.class, () -> record.byteAt(8));
      assertThrows(IndexOutOfBoundsException.class, () -> record.byteAt(-1));
      ByteBuffer buffer = record.buffer();
      assertEquals(8, buffer.remaining());
      assertThrows(ReadOnlyBufferException.class, () -> buffer.put((byte) 0));
      assertFalse(buffer.hasArray());
      record.payload()[0] = 'X';
      assertEquals("record 2", record.text());
    }
  }

  @Test
  void records_longer_than_a_fetch_come_among_short_ones() throws Exception {
    int[] sizes = {10, 100_000, 10, 65_496, 65_497, 2_000_000, 20};
    try (BinlogWriter writer = BinlogWriter.open(log)) {
      for (int size : sizes) writer.write(1, Metadata.of("size", "" + size), Logs.payload(size, size));
    }
    try (BinlogReader reader = BinlogReader.open(log);
        Cursor cursor = reader.cursor()) {
      for (int round = 0; round < 2; round++) {
        for (int size : sizes) {
          Record record = cursor.next();
          assertArrayEquals(Logs.payload(size, size), record.payload());
          assertEquals("" + size, record.metadata("size"));
        }
        assertNull(cursor.next());
        cursor.seek(1);
      }
      assertEquals(2_000_000, cursor.get(6).length());
    }
  }

  @Test
  void filters_let_through_what_they_say() throws Exception {
    try (BinlogWriter writer = BinlogWriter.open(log)) {
      int rare = writer.type("rare");
      for (int i = 1; i <= 1000; i++) {
        int type = i % 100 == 42 ? rare : i % 3;
        Metadata pairs = Metadata.of("mod", "" + i % 10, "k", "v");
        writer.write(NewRecord.of(type, "p" + i).timeNanos(i * 1000L).metadata(pairs));
      }
    }
    assertEquals(Logs.range(10, 20), ids(Filter.builder().fromId(10).toId(20).build()));
    assertEquals(Logs.range(10, 19), ids(Filter.builder().fromNanos(10_000).toNanos(20_000).build()));
    assertEquals(Logs.range(10, 19),
        ids(Filter.builder().from(Text.instant(10_000)).to(Text.instant(20_000)).build()));
    assertEquals(List.of(42L, 142L), ids(Filter.builder().typeName("rare").toId(200).build()));
    assertEquals(List.of(3L, 6L, 9L), ids(Filter.builder().type(0).toId(10).build()));
    assertEquals(10, ids(Filter.builder().type(0).typeName("rare").toId(27).build()).size() + 1);
    assertEquals(List.of(7L, 17L), ids(Filter.builder().metadata("mod", "7").metadata("k", "v").toId(20).build()));
    assertEquals(List.of(), ids(Filter.builder().metadata("mod", "7").metadata("k", "w").build()));
    assertEquals(Logs.range(998, 1000), ids(Filter.builder().last(3).build()));
    assertEquals(List.of(1000L, 999L), ids(Filter.builder().last(2).newestFirst().build()));
    try (BinlogReader reader = BinlogReader.open(log);
        Stream<Record> records = reader.stream(Filter.builder().headersOnly().build())) {
      Record record = records.findFirst().get();
      assertFalse(record.hasPayload());
      assertEquals(2, record.length());
      assertEquals("v", record.metadata("k"));
      assertThrows(IllegalStateException.class, record::payload);
      assertThrows(IllegalStateException.class, record::buffer);
    }
    try (BinlogReader reader = BinlogReader.open(log);
        Stream<Record> records = reader.stream(Filter.builder().events().build())) {
      Record first = records.findFirst().get();
      assertTrue(first.isEvent());
      assertEquals(Event.STARTED, first.type());
      assertEquals(1, first.id());
      assertNotNull(first.metadata("pid"));
      assertTrue(first.toString().contains("STARTED"), first.toString());
    }
  }

  @Test
  void a_cursor_goes_to_ids_and_times() throws Exception {
    try (BinlogWriter writer = BinlogWriter.open(log)) {
      for (int i = 1; i <= 3000; i++) writer.write(NewRecord.of(1, "record " + i).timeNanos(i * 1_000_000L));
    }
    try (BinlogReader reader = BinlogReader.open(log);
        Cursor cursor = reader.cursor()) {
      assertEquals(1, cursor.next().id());
      assertEquals("record 2000", cursor.get(2000).text());
      assertEquals(2001, cursor.next().id());
      assertNull(cursor.get(3001));
      assertNull(cursor.get(0));
      cursor.seek(5);
      assertEquals(5, cursor.next().id());
      cursor.seekTimeNanos(1_500_000_001L);
      assertEquals(1501, cursor.next().id());
      cursor.seekTime(Instant.ofEpochMilli(7));
      assertEquals(7, cursor.next().id());
      cursor.seekEnd();
      assertNull(cursor.next());
      Logs.write(log, 1);
      assertEquals(3001, cursor.next().id());
    }
    try (BinlogReader reader = BinlogReader.open(log);
        Cursor cursor = reader.cursor(Filter.builder().newestFirst().build())) {
      assertEquals(3001, cursor.next().id());
      assertThrows(BinlogException.Unsupported.class, () -> cursor.seek(5));
      assertThrows(BinlogException.Unsupported.class, () -> cursor.seekTimeNanos(5));
      assertThrows(BinlogException.Unsupported.class, cursor::seekEnd);
      assertThrows(BinlogException.Unsupported.class, () -> cursor.get(5));
      assertEquals(3000, cursor.next().id()); // it has lost nothing by that
    }
  }

  @Test
  void a_tail_is_that_of_what_was_shown_and_not_of_what_was_fetched() throws Exception {
    try (BinlogWriter writer = BinlogWriter.open(log);
        BinlogReader reader = BinlogReader.open(log);
        Cursor cursor = reader.cursor()) {
      for (int i = 1; i <= 10; i++) writer.write(Logs.bytes("x"));
      writer.flush();
      for (int i = 1; i <= 10; i++) {
        assertEquals(i, cursor.next().id());
        assertEquals(i + 1, cursor.tail().nextId());
        assertEquals(Tail.State.MORE, cursor.tail().state());
      }
      assertNull(cursor.next());
      assertEquals(Tail.State.LIVE, cursor.tail().state());
      writer.write(Logs.bytes("later"));
      writer.flush();
      assertEquals("later", cursor.next().text());
      writer.close();
      assertNull(cursor.next());
      assertEquals(Tail.State.CLOSED, cursor.tail().state());
      assertEquals(12, cursor.tail().nextId());
      assertEquals("", cursor.tail().reason());
      assertTrue(cursor.tail().path().endsWith(".binlog"), cursor.tail().toString());
    }
  }

  @Test
  void an_iterator_keeps_the_rules_of_iterators() throws Exception {
    Logs.write(log, 2);
    try (BinlogReader reader = BinlogReader.open(log)) {
      Iterator<Record> records = reader.iterator();
      assertTrue(records.hasNext() && records.hasNext());
      assertEquals(1, records.next().id());
      assertEquals(2, records.next().id());
      assertFalse(records.hasNext());
      assertThrows(NoSuchElementException.class, records::next);
      assertFalse(records.hasNext()); // its cursor is closed by now
    }
  }

  @Test
  void a_reader_returns_its_segments_and_the_number_of_records_of_each_type() throws Exception {
    try (BinlogWriter writer = BinlogWriter.open(log)) {
      int named = writer.type("named");
      for (int i = 0; i < 10; i++) writer.write(3, new byte[1]);
      writer.roll();
      for (int i = 0; i < 4; i++) writer.write(named, new byte[1]);
    }
    try (BinlogReader reader = BinlogReader.open(log)) {
      List<TypeCount> counts = reader.counts();
      assertEquals(2, counts.size());
      assertEquals("3 10 null", counts.get(0).type() + " " + counts.get(0).records() + " " + counts.get(0).name());
      assertEquals("4 named", counts.get(1).records() + " " + counts.get(1).name());
      List<Segment> segments = reader.segments();
      assertEquals(2, segments.size());
      assertEquals(11, segments.get(1).firstId());
      assertEquals(2, segments.get(1).sequence());
      assertEquals("default", segments.get(1).name());
      assertTrue(segments.get(1).bytes() > 100);
      assertEquals(Logs.segments(log).get(1), segments.get(1).path());
      assertFalse(segments.get(1).created().isAfter(Instant.now()));
      assertThrows(UnsupportedOperationException.class, () -> segments.remove(0));
    }
  }

  @Test
  void a_pattern_names_several_logs_and_types_keep_their_names_in_each() throws Exception {
    // One number, another name in each log.
    for (String name : new String[] {"alpha", "beta"}) {
      try (BinlogWriter writer = BinlogWriter.open(log.resolve(name), WriterOptions.builder().name(name).build())) {
        int type = writer.type(name);
        for (int i = 0; i < 3; i++) writer.write(type, Logs.bytes(name));
      }
    }
    try (BinlogReader reader = BinlogReader.openMatching(log + "/*/*.binlog", ReaderOptions.builder().build())) {
      List<Record> held = new ArrayList<>();
      for (Record record : reader) held.add(record);
      assertEquals(6, held.size());
      for (Record record : held) assertEquals(record.text(), record.typeName());
      try (Cursor cursor = reader.cursor()) {
        assertNull(cursor.typeName(77));
      }
    }
  }

  @Test
  void one_of_several_logs_is_read_by_its_name() throws Exception {
    Path both = log.resolve("both");
    for (String name : new String[] {"a", "ab"}) {
      Logs.write(both, 3, WriterOptions.builder().name(name).roll(RollOptions.builder().records(1).build()).build());
    }
    assertEquals(6, Logs.texts(both).size());
    try (BinlogReader reader = BinlogReader.open(both, ReaderOptions.builder().log("a").build());
        Stream<Record> last = reader.stream(Filter.builder().last(2).build())) {
      assertEquals(List.of(2L, 3L), Logs.ids(last));
    }
    ReaderOptions other = ReaderOptions.builder().log("b").build();
    assertThrows(BinlogException.NotFound.class, () -> BinlogReader.open(both, other));
    assertThrows(IllegalArgumentException.class, () -> BinlogReader.open(both, ReaderOptions.builder().log("a\0b").build()));
  }

  @Test
  void a_stream_reads_no_more_than_it_is_asked_for_and_closes_its_cursor() throws Exception {
    Path streamed = log.resolve("streamed");
    Logs.writeRolled(streamed);
    try (BinlogReader reader = BinlogReader.open(streamed)) {
      for (int round = 0; round < 1000; round++) {
        try (Stream<Record> records = reader.stream(Filter.all())) {
          assertEquals(List.of(1L, 2L, 3L), Logs.ids(records.limit(3)));
        }
      }
      try (Stream<Path> open = java.nio.file.Files.list(Path.of("/proc/self/fd"))) {
        assertTrue(open.count() < 500, "descriptors are given back");
      }
    }
  }
}
