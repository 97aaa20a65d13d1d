package io.binlog;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CallbackTest {
  @TempDir Path directory;
  private Path log;
  private long before;

  private final List<String> reported = Collections.synchronizedList(new ArrayList<>());
  private final List<BinlogException> failures = Collections.synchronizedList(new ArrayList<>());

  @BeforeEach
  void count() {
    log = directory.resolve("log");
    before = Native.liveCallbacks();
  }

  /** In every case each object was released, once. */
  @AfterEach
  void nothing_is_held() {
    assertEquals(before, Native.liveCallbacks());
  }

  private Hook note(String word) {
    return Hook.call(
        segment -> reported.add(word + " " + segment.sequence() + " " + segment.reason() + " " + segment.records()));
  }

  @Test
  void hooks_get_each_segment_that_begins_and_ends() throws Exception {
    for (boolean background : new boolean[] {false, true}) {
      reported.clear();
      Path here = log.resolve("" + background);
      WriterOptions.Builder options =
          WriterOptions.builder().onOpen(note("open")).onClose(note("close"), note("again"));
      if (background) options.background();
      try (BinlogWriter writer = BinlogWriter.open(here, options.build())) {
        writer.write(new byte[1]);
        writer.rollBecause("noon");
        writer.write(new byte[1]);
        writer.write(new byte[1]);
        assertTrue(Native.liveCallbacks() >= before + 3);
      }
      List<String> sorted = new ArrayList<>(reported);
      Collections.sort(sorted);
      assertEquals(
          List.of("again 1 noon 1", "again 2 close 2", "close 1 noon 1", "close 2 close 2", "open 1  0", "open 2  0"),
          sorted);
    }
  }

  @Test
  void a_hook_that_has_moved_the_file_says_where_to_the_next_one() throws Exception {
    Path elsewhere = Files.createDirectory(directory.resolve("elsewhere-ü"));
    Path archive = Files.createDirectory(directory.resolve("archive"));
    AtomicReference<Path> last = new AtomicReference<>();
    WriterOptions options =
        WriterOptions.builder()
            .onFailure(failures::add)
            .onClose(
                Hook.move(
                    segment -> Files.move(segment.path(), elsewhere.resolve(segment.path().getFileName()))),
                Hook.changeExtension(".done"),
                Hook.moveTo(archive),
                Hook.move(segment -> null),
                Hook.call(segment -> last.set(segment.path())))
            .build();
    Logs.write(log, 3, options);
    assertEquals(List.of(), failures);
    assertEquals(archive.resolve("default.0000000001.done"), last.get());
    assertEquals(3, Logs.texts(last.get()).size());
    Logs.write(log, 2, WriterOptions.builder().onClose(Hook.delete()).build());
    assertEquals(List.of(), Logs.segments(log));
  }

  @Test
  void a_hook_that_throws_has_failed_and_the_others_still_run() throws Exception {
    for (boolean background : new boolean[] {false, true}) {
      reported.clear();
      failures.clear();
      WriterOptions.Builder options =
          WriterOptions.builder()
              .onFailure(failures::add)
              .onClose(
                  Hook.call(segment -> { throw new IOException("nobody\nanswers ü"); }),
                  Hook.call(segment -> { throw new StackOverflowError(); }),
                  note("close"));
      if (background) options.background();
      try (BinlogWriter writer = BinlogWriter.open(log.resolve("" + background), options.build())) {
        writer.write(new byte[1]);
        writer.roll();
        Logs.await("both failed", () -> writer.failures() == 2);
        writer.write(new byte[1]);
      }
      assertEquals(2, reported.size());
      assertEquals(4, failures.size());
      BinlogException first = failures.get(0);
      assertTrue(first.getMessage().contains("java.io.IOException: nobody answers ü"), first.getMessage());
      assertTrue(first.path().endsWith(".binlog"), first.path());
      assertTrue(failures.get(1).getMessage().contains("StackOverflowError"));
      // What this hook has thrown, and not what another one has.
      assertEquals("nobody\nanswers ü", assertInstanceOf(IOException.class, first.getCause()).getMessage());
      assertInstanceOf(StackOverflowError.class, failures.get(1).getCause());
    }
  }

  @Test
  void a_failure_that_no_function_has_thrown_has_no_cause() throws Exception {
    WriterOptions options =
        WriterOptions.builder()
            .onFailure(failures::add)
            .onClose(
                Hook.call(segment -> { throw new IOException("of the first"); }),
                Hook.moveTo(directory.resolve("nowhere")))
            .build();
    Logs.write(log, 1, options);
    assertEquals(2, failures.size());
    assertEquals("of the first", failures.get(0).getCause().getMessage());
    assertNull(failures.get(1).getCause());
  }

  /** Each call that would wait for itself, or be made again for what it writes. */
  @Test
  void a_function_that_the_writer_has_called_cannot_write_to_it_or_close_it() throws Exception {
    AtomicReference<BinlogWriter> open = new AtomicReference<>();
    List<org.junit.jupiter.api.function.Executable> calls =
        List.of(
            () -> open.get().write(new byte[1]), () -> open.get().write(1, java.nio.ByteBuffer.allocateDirect(1)),
            () -> open.get().write(NewRecord.of(new byte[1])), () -> open.get().gather(1, java.nio.ByteBuffer.allocate(1)),
            () -> open.get().write(new Batch().add(NewRecord.of(new byte[1]))), () -> open.get().type("name"),
            () -> open.get().flush(), () -> open.get().sync(), () -> open.get().tick(), () -> open.get().roll(),
            () -> open.get().rollBecause("noon"), () -> open.get().setRoll(null), () -> open.get().heartbeat(),
            () -> open.get().close());
    AtomicInteger refused = new AtomicInteger();
    List<Throwable> wrong = Collections.synchronizedList(new ArrayList<>());
    Runnable uses =
        () -> {
          if (open.get() == null) return;
          try {
            for (org.junit.jupiter.api.function.Executable call : calls) {
              assertThrows(IllegalStateException.class, call);
              refused.incrementAndGet();
            }
            // These wait for nothing.
            open.get().position();
            open.get().failures();
            open.get().dropped();
          } catch (Throwable e) {
            wrong.add(e);
          }
        };
    for (boolean background : new boolean[] {false, true}) {
      WriterOptions.Builder options =
          WriterOptions.builder()
              .onFailure(failure -> uses.run())
              .roll(RollOptions.builder().check(segment -> { uses.run(); return false; }).build())
              .onClose(
                  Hook.call(
                      segment -> {
                        uses.run();
                        Logs.write(directory.resolve("another"), 1); // another log is no matter
                        throw new IOException("for the other hook");
                      }));
      if (background) options.background();
      try (BinlogWriter writer = BinlogWriter.open(log.resolve("" + background), options.build())) {
        open.set(writer);
        writer.write(new byte[1]);
        writer.roll();
        writer.write(new byte[1]);
        Logs.await("reported", () -> writer.failures() == 1);
      }
      // The last segment's hook, while the writer was being closed.
      assertThrows(IllegalStateException.class, () -> open.get().position());
      open.set(null);
      assertEquals(List.of(), wrong);
      assertEquals(2, Logs.texts(log.resolve("" + background)).size());
    }
    assertTrue(refused.get() >= 4 * calls.size(), "" + refused);
  }

  @Test
  void threads_of_the_library_are_daemons_of_the_jvm_only_while_they_live() throws Exception {
    AtomicReference<Thread> thread = new AtomicReference<>();
    WriterOptions options =
        WriterOptions.builder()
            .background()
            .roll(RollOptions.builder().records(1).build()) // by itself: a roll() may call the hook in this thread
            .onClose(Hook.call(segment -> thread.compareAndSet(null, Thread.currentThread())))
            .build();
    try (BinlogWriter writer = BinlogWriter.open(log, options)) {
      writer.write(new byte[1]);
      writer.write(new byte[1]);
      Logs.await("called", () -> thread.get() != null);
    }
    assertTrue(thread.get().isDaemon());
    assertFalse(thread.get() == Thread.currentThread());
    thread.get().join(60_000);
    assertFalse(thread.get().isAlive());
  }

  @Test
  void a_check_decides_when_the_log_rolls() throws Exception {
    AtomicInteger asked = new AtomicInteger();
    RollOptions roll =
        RollOptions.builder()
            .check(
                segment -> {
                  asked.incrementAndGet();
                  assertTrue(segment.path().startsWith(log) && !segment.now().isBefore(segment.created()));
                  return segment.records() >= 10;
                })
            .build();
    try (BinlogWriter writer = BinlogWriter.open(log, WriterOptions.builder().flushRecords(1).roll(roll).build())) {
      for (int i = 0; i < 25; i++) writer.write(new byte[1]);
      assertTrue(asked.get() >= 20);
      assertEquals(3, Logs.segments(log).size());
      writer.setRoll(RollOptions.builder().check(segment -> { throw new IOException("never"); }).build());
      writer.setRoll(null);
      int now = asked.get();
      for (int i = 0; i < 25; i++) writer.write(new byte[1]);
      assertEquals(now, asked.get());
      assertEquals(
          Status.INVALID,
          assertThrows(
                  BinlogException.class,
                  () -> writer.setRoll(RollOptions.builder().nameTemplate("%q").check(segment -> true).build()))
              .status());
    }
  }

  @Test
  void a_check_that_throws_says_no_and_is_reported() throws Exception {
    IOException thrown = new IOException("no answer");
    RollOptions roll = RollOptions.builder().check(segment -> { throw thrown; }).build();
    Logs.write(log, 3, WriterOptions.builder().flushRecords(1).roll(roll).onFailure(failures::add).build());
    assertEquals(1, Logs.segments(log).size());
    assertTrue(failures.size() >= 3);
    assertSame(thrown, failures.get(0).getCause());
    // Without a listener.
    List<Throwable> uncaught = new ArrayList<>();
    Thread.currentThread().setUncaughtExceptionHandler((thread, e) -> uncaught.add(e));
    try {
      Logs.write(log, 1, WriterOptions.builder().flushRecords(1).roll(roll).build());
      Logs.write(log, 1, WriterOptions.builder().onFailure(e -> { throw new IllegalArgumentException("deaf"); })
          .onClose(Hook.call(segment -> { throw thrown; })).build());
    } finally {
      Thread.currentThread().setUncaughtExceptionHandler(null);
    }
    assertSame(thrown, uncaught.get(0));
    assertEquals("deaf", uncaught.get(uncaught.size() - 1).getMessage());
  }

  @Test
  void what_is_given_to_an_opening_that_fails_is_let_go() throws Exception {
    WriterOptions.Builder options =
        WriterOptions.builder()
            .onFailure(e -> {})
            .onOpen(note("open"), Hook.delete())
            .onClose(note("close"), note("again"))
            .roll(RollOptions.builder().check(segment -> false).build());
    try (BinlogWriter writer = BinlogWriter.open(log)) {
      writer.flush();
      assertThrows(BinlogException.Locked.class, () -> BinlogWriter.open(log, options.build()));
    }
    assertThrows(BinlogException.class, () -> BinlogWriter.open(log, options.blockBytes(1).build()));
    assertThrows(
        BinlogException.NotFound.class,
        () ->
            BinlogReader.open(
                directory.resolve("nowhere"),
                ReaderOptions.builder().mode(ReaderMode.SALVAGE).onLoss(loss -> {}).build()));
    assertThrows(
        IllegalArgumentException.class, () -> BinlogWriter.open(log, options.blockBytes(0).name("a\0b").build()));
    assertEquals(before, Native.liveCallbacks());
  }
}
