package io.binlog;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Future;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicLongArray;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class AppenderTest {
  @TempDir Path log;

  private List<Record> records() throws BinlogException {
    try (BinlogReader reader = BinlogReader.open(log);
        Stream<Record> all = reader.stream(Filter.all())) {
      return all.collect(Collectors.toList());
    }
  }

  private static WriterOptions options(boolean background) {
    return background ? WriterOptions.builder().background().build() : WriterOptions.builder().build();
  }

  private static byte[] number(long n) {
    return ByteBuffer.allocate(8).putLong(n).array();
  }

  /** Each type's payloads are 0, 1, 2 ...; returns how many there are. */
  private Map<Integer, Long> counted() throws BinlogException {
    Map<Integer, Long> next = new HashMap<>();
    try (BinlogReader reader = BinlogReader.open(log)) {
      for (Record record : reader) {
        long expected = next.merge(record.type(), 1L, Long::sum) - 1;
        assertEquals(expected, ByteBuffer.wrap(record.payload()).getLong(), "type " + record.type());
      }
    }
    return next;
  }

  @Test
  void every_kind_of_append_comes_back_in_order_with_its_time_and_metadata() throws Exception {
    byte[] large = Logs.payload(1, 300_000);
    long before = Instant.now().getEpochSecond();
    try (BinlogWriter writer = BinlogWriter.open(log)) {
      int named = writer.type("named");
      try (Appender appender = writer.appender()) {
        for (int round = 0; round < 3; round++) {
          assertTrue(appender.append(Logs.bytes("a")));
          assertTrue(appender.append(named, Logs.bytes("b")));
          assertTrue(appender.append(7, Logs.bytes("-c-"), 1, 1));
          ByteBuffer direct = ByteBuffer.allocateDirect(8).put(Logs.bytes("-direct-")).position(1).limit(7);
          assertTrue(appender.append(8, direct));
          assertEquals(1, direct.position());
          assertTrue(appender.append(NewRecord.of(9, "d").timeNanos(-5).metadata(Map.of("key", "value"))));
          assertTrue(appender.gather(10, ByteBuffer.wrap(Logs.bytes("e")), direct));
          assertTrue(appender.append(new Batch().add(11, Logs.bytes("f")).add(11, Logs.bytes("g"))));
          assertTrue(appender.append(12, large));
          assertTrue(appender.append(13, new byte[0]));
        }
        assertEquals(30, appender.flush());
      }
    }
    List<Record> all = records();
    assertEquals(30, all.size());
    for (int i = 0; i < 30; i += 10) {
      List<Record> round = all.subList(i, i + 10);
      List<String> texts = round.stream().filter(r -> r.length() < 100).map(Record::text).collect(Collectors.toList());
      assertEquals(List.of("a", "b", "c", "direct", "d", "edirect", "f", "g", ""), texts);
      assertArrayEquals(large, round.get(8).payload());
      assertEquals(-5, round.get(4).timeNanos());
      assertEquals("value", round.get(4).metadata("key"));
      for (int at : new int[] {0, 3, 6, 8}) {
        long second = Math.floorDiv(round.get(at).timeNanos(), 1_000_000_000L);
        assertTrue(second >= before && second <= Instant.now().getEpochSecond());
      }
    }
  }

  @Test
  void what_was_appended_before_a_flush_a_sync_or_a_roll_is_in_it() throws Exception {
    for (boolean background : new boolean[] {false, true}) {
      Path directory = log.resolve("" + background);
      try (BinlogWriter writer =
              BinlogWriter.open(directory, options(background));
          Appender one = writer.appender();
          Appender other = writer.appender(1 << 16)) {
        long appended = 0;
        for (int i = 0; i < 300; i++) {
          for (int j = i % 7; j >= 0; j--) {
            one.append(1, number(j));
            other.append(2, number(j));
            appended += 2;
          }
          if (i % 3 == 0) writer.flush();
          else if (i % 3 == 1) writer.sync();
          else writer.roll();
          assertEquals(appended, writer.position().flushedId());
          if (i % 3 != 0) assertEquals(appended, writer.position().durableId());
        }
      }
    }
  }

  /**
   * Threads append while another one flushes, syncs and rolls: when such a call has returned, every record that was
   * appended before it began has been passed on.
   */
  @Test
  void no_record_is_lost_or_repeated_beside_a_thread_that_collects() throws Exception {
    int threads = 3;
    long each = 400_000;
    AtomicLongArray appended = new AtomicLongArray(threads);
    ExecutorService pool = Executors.newFixedThreadPool(threads);
    try (BinlogWriter writer = BinlogWriter.open(log, options(true))) {
      List<Future<Long>> running = new ArrayList<>();
      for (int i = 0; i < threads; i++) {
        int type = i;
        running.add(
            pool.submit(
                () -> {
                  try (Appender appender = writer.appender(1 << 16)) {
                    for (long n = 0; n < each; n++) {
                      appender.append(type, number(n));
                      appended.set(type, n + 1);
                    }
                    return appender.flush();
                  }
                }));
      }
      for (int i = 0; running.stream().anyMatch(thread -> !thread.isDone()); i++) {
        long before = 0;
        for (int j = 0; j < threads; j++) before += appended.get(j);
        if (i % 16 == 0) writer.roll();
        else if (i % 4 == 0) writer.sync();
        else writer.flush();
        assertTrue(writer.position().flushedId() >= before, "after " + before);
      }
      for (Future<Long> thread : running) assertTrue(thread.get() >= each);
    } finally {
      pool.shutdownNow();
    }
    assertEquals(Map.of(0, each, 1, each, 2, each), counted());
  }

  @Test
  void each_record_is_in_the_log_or_its_append_throws_when_the_writer_is_closed_meanwhile() throws Exception {
    for (int round = 0; round < 20; round++) {
      Path directory = log.resolve("" + round);
      BinlogWriter writer =
          BinlogWriter.open(directory, options(round % 2 == 0));
      Appender[] appenders = {writer.appender(), writer.appender()};
      long[] taken = new long[appenders.length];
      Thread[] threads = new Thread[appenders.length];
      for (int i = 0; i < threads.length; i++) {
        int me = i;
        threads[i] =
            new Thread(
                () -> {
                  try {
                    for (; ; taken[me]++) appenders[me].append(me, number(taken[me]));
                  } catch (BinlogException e) {
                    assertEquals(Status.INVALID, e.status());
                  }
                });
        threads[i].start();
      }
      Thread.sleep(10);
      writer.close();
      for (Thread thread : threads) thread.join();
      for (Appender appender : appenders) appender.close();
      long[] there = new long[appenders.length];
      try (BinlogReader reader = BinlogReader.open(directory)) {
        for (Record record : reader) {
          assertEquals(there[record.type()]++, ByteBuffer.wrap(record.payload()).getLong());
        }
      }
      assertArrayEquals(taken, there);
    }
  }

  @Test
  void each_record_is_in_the_log_or_its_append_throws_when_the_appender_is_closed_meanwhile() throws Exception {
    long[] total = new long[1];
    try (BinlogWriter writer = BinlogWriter.open(log)) {
      for (int round = 0; round < 200; round++) {
        Appender appender = writer.appender();
        Thread thread =
            new Thread(
                () -> {
                  try {
                    for (; ; total[0]++) appender.append(1, number(total[0]));
                  } catch (IllegalStateException e) {
                    // closed
                  } catch (BinlogException e) {
                    throw new AssertionError(e);
                  }
                });
        thread.start();
        Thread.sleep(0, round * 4000);
        appender.close();
        thread.join();
      }
    }
    assertEquals(total[0] == 0 ? Map.of() : Map.of(1, total[0]), counted());
  }

  /** This is against the rules. It must not damage what others have appended, or the process. */
  @Test
  void threads_that_share_an_appender_get_an_exception_and_damage_nothing_else() throws Exception {
    byte[] large = new byte[60_000];
    try (BinlogWriter writer = BinlogWriter.open(log);
        Appender other = writer.appender()) {
      Appender shared = writer.appender();
      Thread[] threads = new Thread[4];
      for (int i = 0; i < threads.length; i++) {
        int me = i;
        threads[i] =
            new Thread(
                () -> {
                  for (int n = 0; n < 300; n++) {
                    try {
                      if ((me + n) % 2 == 0) shared.gather(2, ByteBuffer.wrap(large));
                      else shared.flush();
                    } catch (IllegalStateException e) {
                      assertTrue(e.getMessage().contains("in use"));
                    } catch (BinlogException e) {
                      throw new AssertionError(e);
                    }
                  }
                });
        threads[i].start();
      }
      for (int n = 0; n < 1000; n++) other.append(1, number(n));
      for (Thread thread : threads) thread.join();
      shared.close();
    }
    long n = 0;
    try (BinlogReader reader = BinlogReader.open(log)) {
      for (Record record : reader) {
        if (record.type() == 1) assertEquals(n++, ByteBuffer.wrap(record.payload()).getLong());
      }
    }
    assertEquals(1000, n);
  }

  @Test
  void the_flush_interval_holds_for_an_appender_that_says_nothing_more() throws Exception {
    WriterOptions options = WriterOptions.builder().background().flushInterval(Duration.ofMillis(20)).build();
    try (BinlogWriter writer = BinlogWriter.open(log, options);
        Appender appender = writer.appender()) {
      for (int i = 1; i <= 5; i++) {
        appender.append(1, number(i));
        long id = i;
        Logs.await("flushed", () -> writer.position().flushedId() == id);
      }
    }
  }

  @Test
  void a_bound_in_records_holds() throws Exception {
    WriterOptions options = WriterOptions.builder().flushRecords(10).build();
    try (BinlogWriter writer = BinlogWriter.open(log, options);
        Appender appender = writer.appender()) {
      for (int i = 1; i <= 500; i++) {
        appender.append(1, number(i));
        assertTrue(i - writer.position().flushedId() <= 20);
      }
    }
    assertEquals(500, records().size());
  }

  @Test
  void errors_say_what_is_wrong_and_the_appender_goes_on() throws Exception {
    try (BinlogWriter writer = BinlogWriter.open(log, WriterOptions.builder().recordMaxBytes(100_000).build())) {
      assertThrows(IllegalArgumentException.class, () -> writer.appender(-1));
      assertEquals(Status.INVALID, assertThrows(BinlogException.class, () -> writer.appender(1)).status());
      Appender appender = writer.appender();
      appender.append(1, number(1));
      assertThrows(IndexOutOfBoundsException.class, () -> appender.append(1, new byte[4], 2, 3));
      assertThrows(NullPointerException.class, () -> appender.append(1, (byte[]) null));
      for (int type : new int[] {-1, Integer.MIN_VALUE, Record.FIRST_NAMED_TYPE, Integer.MAX_VALUE}) {
        assertEquals(
            Status.INVALID, assertThrows(BinlogException.class, () -> appender.append(type, number(2))).status());
      }
      assertThrows(BinlogException.TooLarge.class, () -> appender.append(1, new byte[100_001]));
      appender.append(1, number(2));
      assertEquals(2, appender.flush());
      appender.append(1, number(3));
      appender.close();
      appender.close();
      assertThrows(IllegalStateException.class, () -> appender.append(1, number(4)));
      assertThrows(IllegalStateException.class, appender::flush);
      Appender late = writer.appender();
      late.append(1, number(4));
      writer.close();
      assertEquals(Status.INVALID, assertThrows(BinlogException.class, () -> late.append(1, number(5))).status());
      assertEquals(Status.INVALID, assertThrows(BinlogException.class, late::flush).status());
      late.close();
      assertThrows(IllegalStateException.class, writer::appender);
    }
    assertEquals(4, records().size());
  }

  @Test
  void a_log_that_rolls_by_records_and_a_policy_for_each_record_stage_nothing() throws Exception {
    RollOptions three = RollOptions.builder().records(3).build();
    try (BinlogWriter writer = BinlogWriter.open(log, WriterOptions.builder().roll(three).build());
        Appender appender = writer.appender()) {
      for (int i = 1; i <= 10; i++) {
        appender.append(1, number(i));
        assertEquals(i, writer.position().appendedId());
      }
    }
    assertEquals(4, Logs.segments(log).size());
  }

  @Test
  void an_appender_that_is_forgotten_loses_nothing() throws Exception {
    try (BinlogWriter writer = BinlogWriter.open(log)) {
      for (int i = 0; i < 50; i++) writer.appender().append(1, number(i));
      System.gc();
      writer.flush();
      assertEquals(50, writer.position().flushedId());
    }
    assertEquals(50, records().size());
    assertFalse(records().isEmpty());
  }
}
