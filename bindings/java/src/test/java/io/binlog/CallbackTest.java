package io.binlog;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
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

  private final List<String> told = Collections.synchronizedList(new ArrayList<>());
  private final List<BinlogException> failures = Collections.synchronizedList(new ArrayList<>());

  @BeforeEach
  void count() {
    log = directory.resolve("log");
    before = Native.liveCallbacks();
  }

  /** Whatever has happened: each object was let go, and once. */
  @AfterEach
  void nothing_is_held() {
    assertEquals(before, Native.liveCallbacks());
  }

  private Hook tell(String word) {
    return Hook.call(
        segment -> told.add(word + " " + segment.sequence() + " " + segment.reason() + " " + segment.records()));
  }

  @Test
  void hooks_are_told_of_each_segment_that_begins_and_ends() throws Exception {
    for (boolean background : new boolean[] {false, true}) {
      told.clear();
      Path here = log.resolve("" + background);
      WriterOptions.Builder options =
          WriterOptions.builder().onOpen(tell("open")).onClose(tell("close"), tell("again"));
      if (background) options.background();
      try (BinlogWriter writer = BinlogWriter.open(here, options.build())) {
        writer.write(new byte[1]);
        writer.rollBecause("noon");
        writer.write(new byte[1]);
        writer.write(new byte[1]);
        assertTrue(Native.liveCallbacks() >= before + 3);
      }
      List<String> sorted = new ArrayList<>(told);
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
      told.clear();
      failures.clear();
      WriterOptions.Builder options =
          WriterOptions.builder()
              .onFailure(failures::add)
              .onClose(
                  Hook.call(segment -> { throw new IOException("nobody\nanswers ü"); }),
                  Hook.call(segment -> { throw new StackOverflowError(); }),
                  tell("close"));
      if (background) options.background();
      try (BinlogWriter writer = BinlogWriter.open(log.resolve("" + background), options.build())) {
        writer.write(new byte[1]);
        writer.roll();
        Logs.await("both failed", () -> writer.failures() == 2);
        writer.write(new byte[1]);
      }
      assertEquals(2, told.size());
      assertEquals(4, failures.size());
      BinlogException first = failures.get(0);
      assertTrue(first.getMessage().contains("java.io.IOException: nobody answers ü"), first.getMessage());
      assertTrue(first.path().endsWith(".binlog"), first.path());
      assertTrue(failures.get(1).getMessage().contains("StackOverflowError"));
    }
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
  void a_check_that_throws_says_no_and_is_told() throws Exception {
    IOException thrown = new IOException("no answer");
    RollOptions roll = RollOptions.builder().check(segment -> { throw thrown; }).build();
    Logs.write(log, 3, WriterOptions.builder().flushRecords(1).roll(roll).onFailure(failures::add).build());
    assertEquals(1, Logs.segments(log).size());
    assertTrue(failures.size() >= 3);
    assertSame(thrown, failures.get(0).getCause());
    // Where there is nobody to tell.
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
  void functions_that_a_writer_calls_cannot_use_it() throws Exception {
    for (boolean background : new boolean[] {false, true}) {
      AtomicReference<BinlogWriter> writer = new AtomicReference<>();
      List<Throwable> refused = Collections.synchronizedList(new ArrayList<>());
      WriterOptions.Builder options =
          WriterOptions.builder()
              .onFailure(e -> refused.add(assertThrows(IllegalStateException.class, () -> writer.get().flush())))
              .roll(
                  RollOptions.builder()
                      .check(
                          segment -> {
                            refused.add(
                                assertThrows(IllegalStateException.class, () -> writer.get().write(new byte[1])));
                            return false;
                          })
                      .build())
              .onClose(
                  Hook.call(
                      segment -> {
                        refused.add(assertThrows(IllegalStateException.class, () -> writer.get().close()));
                        refused.add(assertThrows(IllegalStateException.class, () -> writer.get().position()));
                        Logs.write(directory.resolve("another"), 1); // another log is no matter
                        throw new IOException("so that on_failure is called");
                      }));
      if (background) options.background();
      writer.set(BinlogWriter.open(log.resolve("" + background), options.build()));
      writer.get().write(new byte[1]);
      writer.get().flush();
      writer.get().roll();
      Logs.await("told of the failure", () -> refused.size() >= 4);
      writer.get().write(new byte[1]);
      Logs.await("usable", () -> writer.get().position().appendedId() == 2);
      writer.get().sync();
      writer.get().close();
      assertEquals(
          List.of("the writer must not be used by a function that it calls"),
          refused.stream().map(Throwable::getMessage).distinct().collect(Collectors.toList()));
    }
  }

  @Test
  void what_is_given_to_an_opening_that_fails_is_let_go() throws Exception {
    WriterOptions.Builder options =
        WriterOptions.builder()
            .onFailure(e -> {})
            .onOpen(tell("open"), Hook.delete())
            .onClose(tell("close"), tell("again"))
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
