package io.binlog;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SalvageTest {
  @TempDir Path directory;
  private Path log;
  private final List<Loss> losses = new ArrayList<>();
  private long before;

  /** Two blocks of 30 records, and the first one of them damaged. */
  @BeforeEach
  void damage() throws Exception {
    before = Native.liveCallbacks();
    log = directory.resolve("log");
    try (BinlogWriter writer = BinlogWriter.open(log)) {
      for (int i = 1; i <= 60; i++) {
        writer.write(1, Logs.bytes("record " + i + "."));
        if (i == 30) writer.sync();
      }
    }
    Logs.damage(Logs.segments(log).get(0), "record 7.");
  }

  @AfterEach
  void listeners_are_let_go() {
    assertEquals(before, Native.liveCallbacks());
  }

  private ReaderOptions salvage(java.util.function.Consumer<Loss> listener) {
    return ReaderOptions.builder().mode(ReaderMode.SALVAGE).onLoss(listener).build();
  }

  @Test
  void an_ordinary_reader_stops_at_damage() throws Exception {
    try (BinlogReader reader = BinlogReader.open(log);
        Cursor cursor = reader.cursor()) {
      for (int round = 0; round < 2; round++) {
        BinlogException.Corrupt e = assertThrows(BinlogException.Corrupt.class, cursor::next);
        assertEquals(Logs.segments(log).get(0).toString(), e.path());
        assertTrue(e.offset().getAsLong() > 0);
        assertTrue(e.getMessage().contains(e.path()), e.getMessage());
      }
      assertEquals(Tail.State.CORRUPT, cursor.tail().state());
    }
  }

  @Test
  void a_salvaging_reader_reports_the_loss_and_continues_after_it() throws Exception {
    try (BinlogReader reader = BinlogReader.open(log, salvage(losses::add));
        Stream<Record> records = reader.stream(Filter.all())) {
      assertEquals(Logs.range(31, 60), Logs.ids(records));
    }
    assertEquals(1, losses.size());
    Loss loss = losses.get(0);
    assertEquals(Logs.segments(log).get(0), loss.path());
    assertEquals("1 to 30", loss.firstId() + " to " + loss.lastId());
    assertTrue(loss.durable());
    assertTrue(loss.bytes() > 0 && loss.offset() > 0 && loss.pageCount() == 1 && loss.firstPage() == 0);
    assertFalse(loss.reason().isEmpty());
  }

  @Test
  void what_a_listener_throws_comes_out_of_the_call_that_reads_and_costs_no_record() throws Exception {
    IllegalArgumentException thrown = new IllegalArgumentException("no more");
    try (BinlogReader reader = BinlogReader.open(log, salvage(loss -> { throw thrown; }))) {
      try (Cursor cursor = reader.cursor()) {
        assertSame(thrown, assertThrows(IllegalArgumentException.class, cursor::next));
        assertEquals(Logs.range(31, 60), Logs.ids(cursor.stream()));
      }
      // As from an iterator, and each cursor anew.
      java.util.Iterator<Record> records = reader.iterator();
      assertSame(thrown, assertThrows(IllegalArgumentException.class, records::hasNext));
      assertEquals(31, records.next().id());
      while (records.hasNext()) records.next();
    }
    StackOverflowError error = new StackOverflowError();
    try (BinlogReader reader = BinlogReader.open(log, salvage(loss -> { throw error; }));
        Cursor cursor = reader.cursor()) {
      assertSame(error, assertThrows(StackOverflowError.class, cursor::nextBatch));
    }
  }

  @Test
  void a_listener_cannot_use_the_cursor_that_calls_it() throws Exception {
    Cursor[] cursor = new Cursor[1];
    List<Throwable> refused = new ArrayList<>();
    try (BinlogReader reader =
        BinlogReader.open(
            log,
            salvage(
                loss -> {
                  refused.add(assertThrows(IllegalStateException.class, () -> cursor[0].next()));
                  refused.add(assertThrows(IllegalStateException.class, () -> cursor[0].close()));
                }))) {
      cursor[0] = reader.cursor();
      assertEquals(31, cursor[0].next().id());
      assertEquals(2, refused.size());
      assertEquals(32, cursor[0].next().id());
      cursor[0].close();
    }
  }

  @Test
  void a_recovery_writes_what_can_be_read_elsewhere() throws Exception {
    Path target = directory.resolve("recovered");
    Recovery recovery = Binlog.recover(log, target, losses::add);
    assertEquals("30 30 1 1", recovery.records() + " " + recovery.lostRecords() + " " + recovery.losses() + " "
        + recovery.segments());
    assertEquals(1, losses.size());
    try (BinlogReader reader =
            BinlogReader.open(target, ReaderOptions.builder().mode(ReaderMode.STRICT).build());
        Stream<Record> records = reader.stream(Filter.all())) {
      assertEquals(Logs.range(31, 60), Logs.ids(records));
    }
    assertEquals(
        Status.INVALID, assertThrows(BinlogException.class, () -> Binlog.recover(log, target, null)).status());
    IllegalArgumentException thrown = new IllegalArgumentException("no more");
    Path another = directory.resolve("another");
    assertSame(
        thrown,
        assertThrows(IllegalArgumentException.class, () -> Binlog.recover(log, another, loss -> { throw thrown; })));
    assertEquals(30, Logs.texts(another).size()); // it has continued to its end
  }

  @Test
  void a_recovery_in_place_keeps_the_damaged_file() throws Exception {
    Path segment = Logs.segments(log).get(0);
    byte[] damaged = Files.readAllBytes(segment);
    assertEquals(30, Binlog.recoverInPlace(log, null).records());
    assertEquals(30, Logs.texts(log).size());
    org.junit.jupiter.api.Assertions.assertArrayEquals(
        damaged, Files.readAllBytes(segment.resolveSibling(segment.getFileName() + ".damaged")));
    assertEquals(0, Binlog.rebuildIndex(log));
    assertThrows(BinlogException.NotFound.class, () -> Binlog.rebuildIndex(directory.resolve("nowhere")));
    assertThrows(NullPointerException.class, () -> Binlog.recover(null, log, null));
  }

  @Test
  void pruning_returns_what_is_removed_and_removes_it() throws Exception {
    Path many = directory.resolve("many");
    for (int i = 0; i < 3; i++) {
      Logs.write(many, 4, WriterOptions.builder().roll(RollOptions.builder().records(2).build()).build());
    }
    int all = Logs.segments(many).size();
    Retention two = Retention.builder().segments(2).build();
    List<Pruned> dry = Binlog.prune(many, "default", two, true);
    assertEquals(all, Logs.segments(many).size());
    List<Pruned> gone = Binlog.prune(many, null, two, false);
    assertEquals(dry.toString(), gone.toString());
    assertEquals(all - 2, gone.size());
    assertEquals(2, Logs.segments(many).size());
    Pruned first = gone.get(0);
    assertEquals(
        "segments 1 1 2", first.reason() + " " + first.sequence() + " " + first.firstId() + " " + first.lastId());
    assertTrue(first.bytes() > 0);
    assertEquals(List.of(), Binlog.prune(many, null, two, false));
    assertThrows(BinlogException.NotFound.class, () -> Binlog.prune(many, "other", two, false));
    Retention none = Retention.builder().build();
    assertEquals(
        Status.INVALID,
        assertThrows(BinlogException.class, () -> Binlog.prune(many, null, none, false)).status());
  }

  /** Run in a JVM with a locale that has no way to name the file. */
  static final class SalvagesInTheCLocale {
    public static void main(String[] arguments) throws Exception {
      ReaderOptions options = ReaderOptions.builder().mode(ReaderMode.SALVAGE).onLoss(loss -> {
        System.out.println("lost " + loss.firstId() + " to " + loss.lastId());
        assertThrows(java.nio.file.InvalidPathException.class, loss::path);
      }).build();
      try (BinlogReader reader = BinlogReader.openMatching(arguments[0], options);
          Cursor cursor = reader.cursor()) {
        System.out.println(reader.segments().size() + " segment, then " + cursor.next().text());
      }
    }
  }

  @Test
  void a_file_that_the_locale_cannot_name_is_read_all_the_same() throws Exception {
    Files.move(log, directory.resolve("lög"));
    ProcessBuilder process =
        new ProcessBuilder(
            Logs.java(), "-XX:TieredStopAtLevel=1", "-cp",
            Logs.classPath() + java.io.File.pathSeparator + System.getProperty("java.class.path"),
            SalvagesInTheCLocale.class.getName(), directory + "/l*/*.binlog");
    process.environment().put("LC_ALL", "POSIX");
    Process child = process.redirectErrorStream(true).start();
    String output = new String(child.getInputStream().readAllBytes(), java.nio.charset.StandardCharsets.UTF_8);
    assertEquals(0, child.waitFor(), output);
    assertTrue(output.contains("lost 1 to 30\n1 segment, then record 31."), output);
  }
}
