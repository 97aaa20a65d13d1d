package io.binlog;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Logs that are divided into splits, which are read independently of each other. */
class SplitsTest {
  @TempDir Path log;

  /** Of random types, times, metadata and lengths, in segments of random lengths. */
  private void write(Random random, int records) throws Exception {
    try (BinlogWriter writer = BinlogWriter.open(log, WriterOptions.builder().blockBytes(4096).build())) {
      for (int i = 0; i < records; i++) {
        NewRecord record = NewRecord.of(Logs.payload(i, random.nextInt(400))).type(random.nextInt(4));
        record.timeNanos(1_000_000_000L * (i + random.nextInt(50)));
        if (random.nextInt(4) == 0) record.metadata(Map.of("host", "h" + random.nextInt(3)));
        writer.write(record);
        if (random.nextInt(150) == 0) writer.roll();
        if (random.nextInt(100) == 0) writer.flush();
      }
    }
  }

  private static Filter filter(Random random, int records) {
    Filter.Builder filter = Filter.builder();
    if (random.nextBoolean()) filter.type(random.nextInt(4), random.nextInt(4));
    if (random.nextInt(3) == 0) filter.metadata("host", "h" + random.nextInt(3));
    if (random.nextInt(3) == 0) {
      int from = 1 + random.nextInt(records);
      filter.fromId(from).toId(from + random.nextInt(records));
    }
    if (random.nextInt(3) == 0) filter.fromNanos(1_000_000_000L * random.nextInt(records));
    return filter.build();
  }

  private static List<Record> records(BinlogReader reader, Filter filter) throws Exception {
    try (Stream<Record> records = reader.stream(filter)) {
      return records.collect(Collectors.toList());
    }
  }

  private static List<Long> ids(String token, Filter filter) throws Exception {
    try (BinlogReader part = BinlogReader.openSplit(token)) {
      return Logs.ids(records(part, filter).stream());
    }
  }

  private List<Split> plan(Filter filter, PlanOptions options) throws Exception {
    try (BinlogReader reader = BinlogReader.open(log)) {
      return reader.plan(filter, options);
    }
  }

  private static PlanOptions target(long bytes) {
    return PlanOptions.builder().targetBytes(bytes).build();
  }

  @Test
  void together_the_splits_show_each_record_of_the_filter_once_and_in_order() throws Exception {
    Random random = new Random(1);
    int count = 3000;
    write(random, count);
    for (int round = 0; round < 40; round++) {
      Filter filter = filter(random, count);
      long target = new long[] {1, 5000, 50_000, 0}[random.nextInt(4)];
      String context = round + ": " + filter + " " + target;
      List<Long> wanted;
      try (BinlogReader reader = BinlogReader.open(log)) {
        wanted = Logs.ids(records(reader, filter).stream());
      }
      List<Split> splits = plan(filter, target(target));
      List<Long> seen = new ArrayList<>();
      for (Split split : splits) {
        try (BinlogReader part = BinlogReader.openSplit(split.token())) {
          List<Record> records = records(part, filter);
          assertTrue(records.size() <= split.records(), context + ": " + split);
          for (Record record : records) {
            assertTrue(record.id() >= split.firstId() && record.id() <= split.lastId(), context + ": " + split);
            assertFalse(record.time().isBefore(split.firstTime()), context + ": " + split);
            assertFalse(record.time().isAfter(split.lastTime()), context + ": " + split);
            seen.add(record.id());
          }
        }
      }
      assertEquals(wanted, seen, context);
      if (round == 0) Binlog.compress(log, null, CompressOptions.builder().build());
    }
  }

  @Test
  void a_split_has_its_facts_and_its_token_is_one_line() throws Exception {
    Logs.writeRolled(log);
    List<Split> splits = plan(Filter.builder().type(7).build(), PlanOptions.builder().targetBytes(1).most(100).build());
    assertEquals(4, splits.size());
    assertEquals(List.of(1L, 1L, 2L, 1L), splits.stream().map(Split::records).collect(Collectors.toList()));
    for (Split split : splits) {
      assertTrue(split.token().matches("binlog-split:1:\\S+"), split.token());
      assertEquals(log.toRealPath().toString(), Path.of(split.location()).toRealPath().toString());
      assertTrue(split.bytes() > 0, split.toString());
      assertNotNull(split.firstTime());
      assertFalse(split.lastTime().isAfter(Instant.now()));
      assertTrue(split.toString().contains(split.firstId() + " to " + split.lastId()), split.toString());
    }
    assertEquals(1, splits.get(0).firstId());
    assertEquals(35, splits.get(3).lastId());
    assertEquals(1, plan(Filter.all(), PlanOptions.builder().targetBytes(1).most(1).build()).size());
    assertEquals(1, plan(Filter.all(), PlanOptions.builder().build()).size());
    assertEquals(List.of(), plan(Filter.builder().type(9).build(), target(1)));
    assertThrows(UnsupportedOperationException.class, () -> splits.add(splits.get(0)));
  }

  @Test
  void times_that_are_not_known_are_null() {
    Split split = new Split("", "", 1, 0, 0, 0, Long.MIN_VALUE, Long.MAX_VALUE);
    assertNull(split.firstTime());
    assertNull(split.lastTime());
  }

  @Test
  void the_store_of_a_token_is_known_so_that_its_library_is_loaded() {
    String store = "s3://bucket/logs?endpoint=http://127.0.0.1:1&region=x";
    assertEquals(store, Split.place("binlog-split:1:" + "ab".repeat(16) + ":1-2+:1-1+2:n:a%3ab:" + store));
    assertEquals("", Split.place("s3://bucket/logs"));
  }

  @Test
  void only_the_segments_of_a_split_are_opened() throws Exception {
    Logs.writeRolled(log);
    List<Split> splits = plan(Filter.all(), target(1));
    assertEquals(4, splits.size());
    List<Path> segments = Logs.segments(log);
    for (int i = 0; i < 4; i++) {
      if (i != 2) Files.write(segments.get(i), Logs.bytes("no segment"));
    }
    assertEquals(Logs.range(21, 30), ids(splits.get(2).token(), Filter.all()));
    assertThrows(BinlogException.Corrupt.class, () -> BinlogReader.openSplit(splits.get(0).token()));
  }

  @Test
  void a_split_of_segments_that_were_removed_is_missed_and_others_are_read() throws Exception {
    Logs.writeRolled(log);
    List<Split> cut = plan(Filter.all(), target(1));
    Split whole = plan(Filter.all(), target(0)).get(0);
    assertEquals(2, Binlog.prune(log, null, Retention.builder().segments(2).build(), false).size());
    BinlogException.Missed gone =
        assertThrows(BinlogException.Missed.class, () -> BinlogReader.openSplit(cut.get(1).token()));
    assertEquals(cut.get(1).firstId() + " " + cut.get(1).lastId(), gone.firstId() + " " + gone.lastId());
    assertEquals(Logs.range(21, 30), ids(cut.get(2).token(), Filter.all()));
    try (BinlogReader part = BinlogReader.openSplit(whole.token()); Cursor cursor = part.cursor()) {
      BinlogException.Missed some = assertThrows(BinlogException.Missed.class, cursor::next);
      assertEquals("1 20", some.firstId() + " " + some.lastId());
      assertEquals(21, cursor.next().id());
    }
  }

  @Test
  void a_split_of_a_live_log_ends_with_the_record_that_was_the_last() throws Exception {
    try (BinlogWriter writer = BinlogWriter.open(log)) {
      writer.write(1, Logs.bytes("before"));
      writer.flush();
      Split split = plan(Filter.all(), target(0)).get(0);
      writer.write(1, Logs.bytes("behind"));
      writer.flush();
      assertEquals(List.of(1L), ids(split.token(), Filter.all()));
    }
  }

  @Test
  void what_is_no_token_is_invalid_and_another_version_unsupported() throws Exception {
    Logs.writeRolled(log);
    String token = plan(Filter.all(), target(0)).get(0).token();
    String newer = token.replaceFirst(":1:", ":2:");
    assertThrows(BinlogException.Unsupported.class, () -> BinlogReader.openSplit(newer));
    for (String text : new String[] {"", "nonsense", token + "\n", " " + token, token.substring(0, 50), log.toString()}) {
      BinlogException e = assertThrows(BinlogException.class, () -> BinlogReader.openSplit(text), text);
      assertEquals(Status.INVALID, e.status(), text);
    }
    assertThrows(IllegalArgumentException.class, () -> BinlogReader.openSplit(token + "\0"));
  }

  @Test
  void another_log_at_the_place_is_a_mismatch() throws Exception {
    Logs.writeRolled(log);
    String token = plan(Filter.all(), target(0)).get(0).token();
    for (Path segment : Logs.segments(log)) Files.delete(segment);
    Path other = log.resolve("other");
    Logs.writeRolled(other);
    for (Path segment : Logs.segments(other)) Files.move(segment, log.resolve(segment.getFileName()));
    assertThrows(BinlogException.Mismatch.class, () -> BinlogReader.openSplit(token));
  }

  @Test
  void a_filter_without_parts_is_refused_and_so_is_a_closed_reader() throws Exception {
    Logs.writeRolled(log);
    BinlogReader reader = BinlogReader.open(log);
    for (Filter filter : List.of(Filter.builder().last(1).build(), Filter.builder().newestFirst().build())) {
      assertEquals(Status.INVALID, assertThrows(BinlogException.class, () -> reader.plan(filter)).status());
    }
    assertThrows(IllegalArgumentException.class, () -> PlanOptions.builder().targetBytes(-1));
    assertThrows(IllegalArgumentException.class, () -> PlanOptions.builder().most(-1));
    reader.close();
    assertThrows(IllegalStateException.class, () -> reader.plan(Filter.all()));
  }

  @Test
  void the_losses_of_a_split_are_heard() throws Exception {
    Logs.writeRolled(log);
    ReaderOptions.Builder salvage = ReaderOptions.builder().mode(ReaderMode.SALVAGE);
    List<Split> splits;
    try (BinlogReader reader = BinlogReader.open(log, salvage.build())) {
      splits = reader.plan(Filter.all(), target(1));
    }
    Logs.damage(Logs.segments(log).get(1), "record 15");
    int heard = 0;
    for (Split split : splits) {
      List<Loss> losses = new ArrayList<>();
      try (BinlogReader part = BinlogReader.openSplit(split.token(), salvage.onLoss(losses::add).build())) {
        records(part, Filter.all());
      }
      heard += losses.size();
      assertEquals(split.firstId() <= 15 && split.lastId() >= 15, !losses.isEmpty(), split.toString());
    }
    assertEquals(1, heard);
  }
}
