package io.binlog;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class WaitingTest {
  @TempDir Path log;

  /** Starts a virtual thread; null where the JDK has none. */
  private static Thread virtual(Runnable run) throws Exception {
    if (Runtime.version().feature() < 21) return null;
    return (Thread) Thread.class.getMethod("startVirtualThread", Runnable.class).invoke(null, run);
  }

  private static boolean isPolling() {
    return Thread.getAllStackTraces().keySet().stream().anyMatch(thread -> thread.getName().equals("binlog-waiting"));
  }

  private static long processNanos() {
    return ((com.sun.management.OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean()).getProcessCpuTime();
  }

  /** Run in a JVM of its own, in which no other test uses processor time or threads. */
  static final class Idle {
    public static void main(String[] arguments) throws Exception {
      Path log = Path.of(arguments[0]);
      boolean isVirtual = arguments[1].equals("virtual");
      int many = Integer.parseInt(arguments[2]);
      WriterOptions options = WriterOptions.builder().flushRecords(1).build();
      try (BinlogWriter writer = BinlogWriter.open(log, options);
          BinlogReader reader = BinlogReader.open(log)) {
        List<Cursor> cursors = new ArrayList<>();
        for (int i = 0; i < many; i++) cursors.add(reader.cursor());
        AtomicInteger waiting = new AtomicInteger();
        AtomicReference<Throwable> failed = new AtomicReference<>();
        CountDownLatch woken = new CountDownLatch(many);
        for (Cursor cursor : cursors) {
          Runnable wait =
              () -> {
                try {
                  waiting.incrementAndGet();
                  assertTrue(cursor.await(Duration.ofSeconds(Long.MAX_VALUE)));
                  assertEquals("woken", cursor.next().text());
                  woken.countDown();
                } catch (Throwable e) {
                  failed.set(e);
                }
              };
          if (isVirtual) virtual(wait);
          else new Thread(wait).start();
        }
        Logs.await("all wait", () -> waiting.get() == many);
        Thread.sleep(2_000);
        if (isVirtual) {
          int threads = ManagementFactory.getThreadMXBean().getThreadCount();
          assertTrue(threads < 50, threads + " threads");
        }
        long before = processNanos();
        Thread.sleep(5_000);
        long used = processNanos() - before;
        System.out.println(many + " waited with " + used / 5e7 + " % of a core");
        assertTrue(used < 50_000_000, used + " ns in 5 s");
        long begun = System.nanoTime();
        writer.write(Logs.bytes("woken"));
        assertTrue(woken.await(10, TimeUnit.SECONDS), woken.getCount() + " sleep still, " + failed.get());
        System.out.println("all woken after " + (System.nanoTime() - begun) / 1_000_000 + " ms");
        assertTrue(failed.get() == null, String.valueOf(failed.get()));
        for (Cursor cursor : cursors) cursor.close();
      }
    }
  }

  /** Run in a JVM with one carrier thread. */
  static final class OneCarrier {
    public static void main(String[] arguments) throws Exception {
      WriterOptions options = WriterOptions.builder().flushRecords(1).build();
      try (BinlogWriter writer = BinlogWriter.open(Path.of(arguments[0]), options);
          BinlogReader reader = BinlogReader.open(Path.of(arguments[0]))) {
        CountDownLatch waiting = new CountDownLatch(2);
        List<Thread> threads = new ArrayList<>();
        AtomicLong seen = new AtomicLong();
        for (int i = 0; i < 2; i++) {
          threads.add(
              virtual(
                  () -> {
                    try (Cursor cursor = reader.cursor()) {
                      waiting.countDown();
                      if (cursor.await(Duration.ofMinutes(1))) seen.addAndGet(cursor.next().id());
                    } catch (Exception e) {
                      throw new AssertionError(e);
                    }
                  }));
        }
        waiting.await();
        Thread.sleep(200);
        Thread third = virtual(() -> seen.addAndGet(100));
        third.join(10_000);
        assertEquals(100, seen.get());
        writer.write(Logs.bytes("x"));
        for (Thread thread : threads) thread.join(10_000);
        assertEquals(102, seen.get());
      }
    }
  }

  private void run(Class<?> main, List<String> options, String... arguments) throws Exception {
    List<String> command = new ArrayList<>(List.of(Logs.java(), "-Xmx256m"));
    command.addAll(options);
    command.addAll(List.of("-Dbinlog.root=" + Logs.ROOT, "-Dbinlog.jar=" + Logs.JAR, "-cp", Logs.testClassPath()));
    command.add(main.getName());
    command.add(log.toString());
    command.addAll(List.of(arguments));
    Logs.Child child = Logs.run(log, command);
    System.out.println(child.output);
    assertEquals(0, child.exit, child.output);
  }

  @Test
  void a_thousand_idle_waits_take_no_thread_each_and_no_time() throws Exception {
    if (Runtime.version().feature() >= 21) run(Idle.class, List.of(), "virtual", "1000");
    else run(Idle.class, List.of("-Xss256k"), "platform", "200");
  }

  @Test
  void virtual_threads_that_wait_leave_their_carrier() throws Exception {
    assumeTrue(Runtime.version().feature() >= 21, "this JDK has virtual threads");
    run(OneCarrier.class,
        List.of("-Djdk.virtualThreadScheduler.parallelism=1", "-Djdk.virtualThreadScheduler.maxPoolSize=1"));
  }

  @Test
  void a_wait_ends_at_once_when_its_thread_is_interrupted_or_its_cursor_closed() throws Exception {
    Logs.write(log, 1);
    try (BinlogReader reader = BinlogReader.open(log)) {
      for (int round = 0; round < 20; round++) {
        Cursor cursor = reader.cursor(Filter.builder().fromId(2).build());
        AtomicReference<Throwable> thrown = new AtomicReference<>();
        Thread waiting =
            new Thread(
                () -> {
                  try {
                    cursor.await(Duration.ofDays(1));
                  } catch (Throwable e) {
                    thrown.set(e);
                  }
                });
        waiting.start();
        Thread.sleep(round % 4 * 10L);
        long begun = System.nanoTime();
        if (round % 2 == 0) waiting.interrupt();
        else cursor.close();
        waiting.join(60_000);
        assertFalse(waiting.isAlive());
        assertTrue(System.nanoTime() - begun < 10_000_000_000L, "late");
        assertEquals(round % 2 == 0 ? InterruptedException.class : IllegalStateException.class, thrown.get().getClass());
        cursor.close();
      }
    }
  }

  @Test
  void the_polling_thread_ends_when_no_cursor_waits_and_begins_again() throws Exception {
    Logs.write(log, 1);
    try (BinlogReader reader = BinlogReader.open(log);
        Cursor cursor = reader.cursor(Filter.builder().fromId(2).build())) {
      for (int round = 0; round < 2; round++) {
        assertFalse(cursor.await(Duration.ofMillis(50)));
        Logs.await("the thread ends", () -> !isPolling());
      }
      Thread appending =
          new Thread(
              () -> {
                try {
                  // Not before the thread is there: without it the wait ends with nothing.
                  Logs.await("the thread begins again", WaitingTest::isPolling);
                  Logs.write(log, 1);
                } catch (Exception e) {
                  throw new AssertionError(e);
                }
              });
      appending.start();
      assertTrue(cursor.await(Duration.ofMinutes(1)));
      assertEquals(2, cursor.next().id());
      appending.join();
    }
  }
}
