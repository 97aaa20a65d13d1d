package io.binlog;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.api.io.TempDir;

class ClosingTest {
  @TempDir Path log;

  private static void assertClosed(Executable call) {
    String message = assertThrows(IllegalStateException.class, call).getMessage();
    assertTrue(message.endsWith(" is closed"), message);
  }

  @Test
  void a_closed_writer_refuses_every_call() throws Exception {
    BinlogWriter writer = BinlogWriter.open(log);
    writer.close();
    writer.close();
    byte[] bytes = new byte[1];
    assertClosed(() -> writer.write(bytes));
    assertClosed(() -> writer.write(1, bytes, 0, 1));
    assertClosed(() -> writer.write(1, Map.of("k", "v"), bytes));
    assertClosed(() -> writer.write(ByteBuffer.allocateDirect(1)));
    assertClosed(() -> writer.write(NewRecord.of(bytes)));
    assertClosed(() -> writer.write(new Batch().add(bytes)));
    assertClosed(() -> writer.gather(1, ByteBuffer.wrap(bytes)));
    assertClosed(() -> writer.type("t"));
    assertClosed(writer::flush);
    assertClosed(writer::sync);
    assertClosed(writer::tick);
    assertClosed(writer::heartbeat);
    assertClosed(writer::roll);
    assertClosed(() -> writer.rollBecause("why"));
    assertClosed(() -> writer.setRoll(null));
    assertClosed(writer::position);
    assertClosed(writer::dropped);
    assertClosed(writer::failures);
    BinlogWriter.open(log).close(); // it has let go of the log
  }

  @Test
  void a_closed_reader_and_a_closed_cursor_refuse_every_call() throws Exception {
    Logs.write(log, 10);
    BinlogReader reader = BinlogReader.open(log);
    Cursor cursor = reader.cursor();
    cursor.next(); // the others are fetched by now
    Iterator<Record> iterator = cursor.iterator();
    reader.close();
    reader.close();
    assertClosed(reader::cursor);
    assertClosed(reader::iterator);
    assertClosed(() -> reader.stream(Filter.all()));
    assertClosed(reader::segments);
    assertClosed(reader::counts);
    cursor.close();
    cursor.close();
    assertClosed(cursor::next);
    assertClosed(cursor::nextBatch);
    assertClosed(iterator::hasNext);
    assertClosed(() -> cursor.get(1));
    assertClosed(() -> cursor.seek(1));
    assertClosed(() -> cursor.seekTimeNanos(1));
    assertClosed(cursor::seekEnd);
    assertClosed(() -> cursor.await(Duration.ZERO));
    assertClosed(cursor::tail);
    assertClosed(() -> cursor.typeName(1));
  }

  @Test
  void a_cursor_goes_on_without_its_reader() throws Exception {
    Logs.write(log, 5000);
    Cursor cursor;
    try (BinlogReader reader = BinlogReader.open(log)) {
      cursor = reader.cursor();
    }
    System.gc();
    for (long id = 1; id <= 5000; id++) assertEquals(id, cursor.next().id());
    assertNull(cursor.next());
    cursor.close();
  }

  /** Every id that a write has returned before the close is there, and no call crashes. */
  @Test
  void a_writer_can_be_closed_while_others_write() throws Exception {
    ExecutorService threads = Executors.newFixedThreadPool(4);
    long total = 0;
    for (int round = 0; round < 20; round++) {
      BinlogWriter writer = BinlogWriter.open(log);
      AtomicLong greatest = new AtomicLong();
      CountDownLatch started = new CountDownLatch(4);
      List<Future<?>> all = new ArrayList<>();
      for (int t = 0; t < 4; t++) {
        int number = t;
        all.add(
            threads.submit(
                () -> {
                  Batch batch = new Batch().add(new byte[10]).add(new byte[20]);
                  ByteBuffer direct = ByteBuffer.allocateDirect(50);
                  started.countDown();
                  for (;;) {
                    try {
                      long id;
                      if (number == 0) id = writer.write(batch) + 1;
                      else if (number == 1) id = writer.gather(1, direct, direct);
                      else id = writer.write(1, new byte[number * 30]);
                      greatest.accumulateAndGet(id, Math::max);
                      if (number == 3) writer.flush();
                    } catch (IllegalStateException e) {
                      assertEquals("the writer is closed", e.getMessage());
                      return null;
                    }
                  }
                }));
      }
      started.await();
      Logs.await("a write", () -> greatest.get() > 0);
      List<Future<?>> closing = new ArrayList<>();
      for (int t = 0; t < 2; t++) {
        closing.add(Executors.newSingleThreadExecutor(ClosingTest::daemon).submit(() -> {
          writer.close();
          return null;
        }));
      }
      for (Future<?> one : closing) one.get(60, TimeUnit.SECONDS);
      for (Future<?> one : all) one.get(60, TimeUnit.SECONDS);
      total = greatest.get();
    }
    threads.shutdown();
    try (BinlogReader reader = BinlogReader.open(log);
        Cursor cursor = reader.cursor(Filter.builder().last(1).build())) {
      assertEquals(total, cursor.next().id());
    }
  }

  private static Thread daemon(Runnable run) {
    Thread thread = new Thread(run);
    thread.setDaemon(true);
    return thread;
  }

  @Test
  void a_close_of_an_interrupted_thread_waits_all_the_same() throws Exception {
    BinlogWriter writer = BinlogWriter.open(log);
    writer.write(new byte[1]);
    Thread.currentThread().interrupt();
    writer.close();
    assertTrue(Thread.interrupted());
    assertEquals(1, Logs.texts(log).size());
  }

  @Test
  void a_waiting_cursor_notices_its_close_and_an_interrupt() throws Exception {
    try (BinlogWriter writer = BinlogWriter.open(log);
        BinlogReader reader = BinlogReader.open(log)) {
      for (boolean interrupts : new boolean[] {false, true}) {
        Cursor cursor = reader.cursor();
        CountDownLatch waits = new CountDownLatch(1);
        Throwable[] thrown = new Throwable[1];
        Thread waiting =
            daemon(
                () -> {
                  try {
                    waits.countDown();
                    cursor.await(Duration.ofSeconds(Long.MAX_VALUE));
                  } catch (Throwable e) {
                    thrown[0] = e;
                  }
                });
        waiting.start();
        waits.await();
        if (interrupts) waiting.interrupt();
        else cursor.close();
        waiting.join(60_000);
        assertEquals(interrupts ? InterruptedException.class : IllegalStateException.class, thrown[0].getClass());
        cursor.close();
      }
      writer.flush();
    }
  }

  @Test
  void a_cursor_that_another_thread_closes_shows_no_end_and_nothing_twice() throws Exception {
    Logs.write(log, 20_000);
    try (BinlogReader reader = BinlogReader.open(log)) {
      for (int round = 0; round < 200; round++) {
        Cursor cursor = reader.cursor();
        int reads = round % 3;
        AtomicLong seen = new AtomicLong();
        Throwable[] thrown = new Throwable[1];
        Thread reading =
            daemon(
                () -> {
                  try {
                    Iterator<Record> all = cursor.iterator();
                    for (;;) {
                      List<Record> some =
                          reads == 0 ? List.of(cursor.next()) : reads == 1 ? List.of(all.next()) : cursor.nextBatch();
                      assertTrue(!some.isEmpty(), "an end");
                      for (Record record : some) assertEquals(seen.incrementAndGet(), record.id());
                      if (seen.get() == 20_000) cursor.close();
                    }
                  } catch (Throwable e) {
                    thrown[0] = e;
                  }
                });
        reading.start();
        int wanted = round * 20;
        while (seen.get() < wanted && reading.isAlive()) Thread.onSpinWait();
        cursor.close();
        reading.join(60_000);
        assertEquals(IllegalStateException.class, thrown[0].getClass(), () -> "in round: " + thrown[0]);
        assertEquals("the cursor is closed", thrown[0].getMessage());
      }
    }
  }

  /** The address is not used by a thread that has entered too late, and freed once. */
  @Test
  void a_handle_is_freed_once_and_behind_the_last_call() throws Exception {
    for (int round = 0; round < 200; round++) {
      AtomicLong freed = new AtomicLong();
      AtomicLong inside = new AtomicLong();
      Handle handle =
          new Handle(
              "the thing",
              address -> {
                assertEquals(0, inside.get());
                freed.incrementAndGet();
              });
      handle.opened(1);
      List<Thread> threads = new ArrayList<>();
      List<Throwable> thrown = new ArrayList<>();
      for (int t = 0; t < 3; t++) {
        boolean closes = t == 2;
        Thread thread =
            new Thread(
                () -> {
                  try {
                    while (!closes) {
                      handle.enter();
                      inside.incrementAndGet();
                      assertEquals(0, freed.get());
                      inside.decrementAndGet();
                      handle.exit();
                    }
                    handle.close();
                    handle.close();
                  } catch (IllegalStateException e) {
                    // closed
                  } catch (Throwable e) {
                    synchronized (thrown) {
                      thrown.add(e);
                    }
                  }
                });
        threads.add(thread);
        thread.start();
      }
      for (Thread thread : threads) thread.join(60_000);
      assertEquals(List.of(), thrown);
      assertEquals(1, freed.get());
    }
  }

  @Test
  void a_second_close_waits_for_the_first() throws Exception {
    CountDownLatch frees = new CountDownLatch(1);
    CountDownLatch mayEnd = new CountDownLatch(1);
    AtomicLong freed = new AtomicLong();
    Handle handle =
        new Handle(
            "the thing",
            address -> {
              frees.countDown();
              try {
                mayEnd.await();
              } catch (InterruptedException e) {
                throw new AssertionError(e);
              }
              freed.incrementAndGet();
            });
    handle.opened(1);
    AtomicLong seen = new AtomicLong(-1);
    Runnable close =
        () -> {
          handle.run();
          seen.set(freed.get());
        };
    Thread first = daemon(close);
    first.start();
    frees.await();
    Thread second = daemon(close);
    second.start();
    second.interrupt(); // waits all the same
    second.join(200);
    assertTrue(second.isAlive());
    assertEquals(-1, seen.get());
    mayEnd.countDown();
    first.join(60_000);
    second.join(60_000);
    assertEquals(1, seen.get());
    assertEquals(1, freed.get());
  }

  private void forget() throws BinlogException {
    BinlogWriter writer = BinlogWriter.open(log, WriterOptions.builder().onFailure(e -> {}).build());
    writer.write(Logs.bytes("forgotten"));
  }

  @Test
  void what_is_forgotten_is_freed_with_its_object() throws Exception {
    long before = Native.liveCallbacks();
    forget();
    // Its lock is released, what it had in memory is written, and its callbacks are
    // dropped.
    Logs.await("free", () -> {
      System.gc();
      try {
        BinlogWriter.open(log).close();
        return true;
      } catch (BinlogException.Locked e) {
        return false;
      }
    });
    assertEquals(List.of("forgotten"), Logs.texts(log));
    Logs.await("let go", () -> Native.liveCallbacks() == before);
  }
}
