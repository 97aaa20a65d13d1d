package io.binlog;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.binlog.TableOptions.Column;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A log as columns. */
class TableTest {
  @TempDir Path log;

  private static final TableOptions PLAIN = TableOptions.builder().plain().build();

  private static List<String> names(Table table) {
    return table.columns().stream().map(TableColumn::name).collect(Collectors.toList());
  }

  private static List<Long> longs(TableArray array) {
    ByteBuffer values = array.buffer(1, 8 * (array.offset() + array.length()));
    List<Long> all = new ArrayList<>();
    for (int i = 0; i < array.length(); i++) all.add(values.getLong(8 * (array.offset() + i)));
    return all;
  }

  /** Of utf8 and binary; null where it is null. */
  private static List<String> texts(TableArray array) {
    int count = array.offset() + array.length();
    ByteBuffer offsets = array.buffer(1, 4 * (count + 1));
    ByteBuffer bytes = array.buffer(2, offsets.getInt(4 * count));
    ByteBuffer valid = array.address(0) == 0 ? null : array.buffer(0, (count + 7) / 8);
    List<String> all = new ArrayList<>();
    for (int i = array.offset(); i < count; i++) {
      if (valid != null && (valid.get(i / 8) >> i % 8 & 1) == 0) {
        all.add(null);
        continue;
      }
      byte[] text = new byte[offsets.getInt(4 * (i + 1)) - offsets.getInt(4 * i)];
      bytes.duplicate().position(offsets.getInt(4 * i)).get(text);
      all.add(new String(text, StandardCharsets.UTF_8));
    }
    return all;
  }

  private static List<Long> ids(Table table) throws Exception {
    List<Long> all = new ArrayList<>();
    for (TableBatch batch = table.next(); batch != null; batch = table.next()) {
      try (TableBatch rows = batch) {
        all.addAll(longs(rows.column(0)));
      }
    }
    return all;
  }

  @Test
  void columns_hold_what_records_do() throws Exception {
    try (BinlogWriter writer = BinlogWriter.open(log, WriterOptions.builder().build())) {
      int named = writer.type("order");
      writer.write(NewRecord.of(Logs.bytes("one")).type(named).timeNanos(5_000).metadata(Map.of("host", "a")));
      writer.write(NewRecord.of(Logs.bytes("two")).type(3).timeNanos(6_999));
    }
    TableOptions options = TableOptions.builder().plain().metadata("host").build();
    try (BinlogReader reader = BinlogReader.open(log);
        Table table = reader.table(Filter.all(), options);
        TableBatch batch = table.next()) {
      assertEquals(
          List.of("id", "time", "type", "type_name", "metadata", "length", "payload", "text", "metadata.host"),
          names(table));
      assertEquals(2, batch.rows());
      assertEquals(List.of(1L, 2L), longs(batch.column(0)));
      assertEquals(List.of(5L, 6L), longs(batch.column(1)));
      assertEquals(3L, longs(batch.column(2)).get(1));
      List<String> types = texts(batch.column(3));
      assertEquals("order", types.get(0));
      assertNull(types.get(1));
      TableArray entries = batch.column(4).child(0);
      assertEquals("+m", table.columns().get(4).format());
      assertEquals(List.of("host"), texts(entries.child(0)));
      assertEquals(List.of("a"), texts(entries.child(1)));
      assertEquals(List.of("one", "two"), texts(batch.column(6)));
      assertEquals(List.of("one", "two"), texts(batch.column(7)));
      assertEquals("a", texts(batch.column(8)).get(0));
      assertNull(texts(batch.column(8)).get(1));
      assertNull(table.next());
      assertNull(table.next());
    }
  }

  @Test
  void names_of_types_are_a_dictionary_unless_the_table_is_plain() throws Exception {
    Logs.write(log, 3);
    TableOptions options = TableOptions.builder().columns(Column.TYPE_NAME).build();
    try (BinlogReader reader = BinlogReader.open(log);
        Table table = reader.table(Filter.all(), options);
        TableBatch batch = table.next()) {
      assertNotNull(table.columns().get(0).dictionary());
      assertNotNull(batch.column(0).dictionary());
    }
  }

  @Test
  void batches_and_filters_select_rows() throws Exception {
    Logs.writeRolled(log);
    TableOptions options = TableOptions.builder().columns(Column.ID).plain().batchRows(4).build();
    try (BinlogReader reader = BinlogReader.open(log);
        Table all = reader.table(Filter.all(), options);
        Table sevens = reader.table(Filter.builder().type(7).build(), options)) {
      try (TableBatch first = all.next()) {
        assertEquals(4, first.rows());
      }
      assertEquals(Logs.range(5, 35), ids(all));
      assertEquals(List.of(7L, 14L, 21L, 28L, 35L), ids(sevens));
    }
  }

  @Test
  void a_batch_outlives_the_table_and_the_reader() throws Exception {
    Logs.write(log, 100);
    TableBatch batch;
    try (BinlogReader reader = BinlogReader.open(log);
        Table table = reader.table(Filter.all(), PLAIN)) {
      batch = table.next();
    }
    assertEquals(Logs.range(1, 100), longs(batch.column(0)));
    Thread other = new Thread(batch::close);
    other.start();
    other.join();
    batch.close();
  }

  @Test
  void damage_throws_the_line_after_the_rows_before_it() throws Exception {
    Logs.writeRolled(log);
    Logs.damage(Logs.segments(log).get(1), "record 15");
    try (BinlogReader reader = BinlogReader.open(log);
        Table table = reader.table(Filter.all(), PLAIN)) {
      List<Long> seen = new ArrayList<>();
      BinlogException.Corrupt damage =
          assertThrows(
              BinlogException.Corrupt.class,
              () -> {
                for (TableBatch batch = table.next(); batch != null; batch = table.next()) {
                  seen.addAll(longs(batch.column(0)));
                  batch.close();
                }
              });
      assertTrue(seen.size() >= 10, seen.toString());
      assertTrue(damage.getMessage().contains(Logs.segments(log).get(1).toString()), damage.getMessage());
      assertThrows(BinlogException.Corrupt.class, table::next);
    }
  }

  @Test
  void a_reader_that_salvages_reports_losses_of_its_tables() throws Exception {
    Logs.writeRolled(log);
    Logs.damage(Logs.segments(log).get(1), "record 15");
    List<Loss> losses = new ArrayList<>();
    ReaderOptions options = ReaderOptions.builder().mode(ReaderMode.SALVAGE).onLoss(losses::add).build();
    try (BinlogReader reader = BinlogReader.open(log, options);
        Table table = reader.table(Filter.all(), PLAIN)) {
      List<Long> seen = ids(table);
      assertTrue(seen.contains(35L) && seen.size() < 35, seen.toString());
    }
    assertEquals(1, losses.size(), losses.toString());
  }

  @Test
  void removed_records_are_missed() throws Exception {
    Logs.writeRolled(log);
    try (BinlogReader reader = BinlogReader.open(log)) {
      List<Split> splits = reader.plan(Filter.all(), PlanOptions.builder().most(1).build());
      Files.delete(Logs.segments(log).get(0));
      try (BinlogReader part = BinlogReader.openSplit(splits.get(0).token());
          Table table = part.table(Filter.all(), PLAIN)) {
        BinlogException.Missed missed = assertThrows(BinlogException.Missed.class, table::next);
        assertTrue(missed.getMessage().contains("1"), missed.getMessage());
      }
    }
  }

  @Test
  void a_closed_table_refuses() throws Exception {
    Logs.write(log, 3);
    try (BinlogReader reader = BinlogReader.open(log)) {
      Table table = reader.table(Filter.all(), PLAIN);
      table.close();
      table.close();
      assertThrows(IllegalStateException.class, table::next);
    }
  }

  @Test
  void options_that_contradict_the_filter_are_refused() throws Exception {
    Logs.write(log, 3);
    TableOptions payload = TableOptions.builder().columns(Column.PAYLOAD).build();
    try (BinlogReader reader = BinlogReader.open(log)) {
      Filter headers = Filter.builder().headersOnly().build();
      assertThrows(BinlogException.class, () -> reader.table(headers, payload));
      assertThrows(
          BinlogException.class,
          () -> reader.table(Filter.all(), TableOptions.builder().metadata("host", "host").build()));
    }
    assertTrue(payload.toString().startsWith("TableOptions{"));
    assertEquals(payload, TableOptions.builder().columns(Column.PAYLOAD).build());
  }
}
