package io.binlog;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class FollowTest {
  @TempDir Path log;

  @Test
  void a_cursor_follows_over_rolls_and_over_writers_that_end_and_begin() throws Exception {
    Logs.write(log, 1);
    ExecutorService thread = Executors.newSingleThreadExecutor();
    try (BinlogReader reader = BinlogReader.open(log);
        Cursor cursor = reader.cursor()) {
      Future<?> writing =
          thread.submit(
              () -> {
                WriterOptions options =
                    WriterOptions.builder().roll(RollOptions.builder().records(50).build()).flushRecords(7).build();
                for (int i = 0; i < 10; i++) Logs.write(log, 100, options);
                return null;
              });
      long seen = 0;
      while (seen < 1001) {
        Record record = cursor.next();
        if (record != null) {
          assertEquals(++seen, record.id());
          assertEquals("record " + seen, record.text());
        } else {
          assertTrue(cursor.await(Duration.ofMinutes(1)), "nothing new behind " + seen);
        }
      }
      writing.get(60, TimeUnit.SECONDS);
      assertNull(cursor.next());
    } finally {
      thread.shutdown();
    }
  }

  @Test
  void a_wait_ends_when_its_time_is_up() throws Exception {
    Logs.write(log, 3);
    try (BinlogReader reader = BinlogReader.open(log);
        Cursor cursor = reader.cursor()) {
      assertTrue(cursor.await(Duration.ZERO));
      assertTrue(cursor.await(Duration.ofSeconds(-5)));
      cursor.next();
      assertTrue(cursor.await(Duration.ofDays(1))); // what is fetched need not be waited for
      while (cursor.next() != null) {}
      assertFalse(cursor.await(Duration.ZERO));
      assertFalse(cursor.await(Duration.ofSeconds(Long.MIN_VALUE)));
      assertFalse(cursor.await(Duration.ofMillis(300)));
    }
  }

  @Test
  void a_cursor_that_fell_behind_gets_once_which_records_were_missed() throws Exception {
    WriterOptions options = WriterOptions.builder().roll(RollOptions.builder().records(10).build()).build();
    Logs.write(log, 5, options);
    try (BinlogReader reader = BinlogReader.open(log);
        Cursor cursor = reader.cursor()) {
      for (int i = 0; i < 5; i++) cursor.next();
      assertNull(cursor.next());
      Logs.write(log, 95, options);
      Binlog.prune(log, null, Retention.builder().segments(2).build(), false);
      BinlogException.Missed missed = null;
      long next = 6;
      for (Record record; ; next = record.id() + 1) {
        try {
          record = cursor.next();
          if (record == null) break;
          assertEquals(next, record.id());
        } catch (BinlogException.Missed e) {
          assertNull(missed, "reported twice");
          missed = e;
          assertEquals(next, e.firstId());
          record = cursor.next();
          assertEquals(e.lastId() + 1, record.id());
        }
      }
      assertEquals(101, next);
      assertTrue(missed.firstId() >= 6 && missed.lastId() >= missed.firstId(), missed.toString());
    }
    try (BinlogReader reader = BinlogReader.open(log);
        Cursor cursor = reader.cursor(Filter.builder().fromId(3).build())) {
      assertEquals(3, assertThrows(BinlogException.Missed.class, cursor::next).firstId());
      assertTrue(cursor.next().id() > 80);
    }
  }
}
