package io.binlog;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ShutdownTest {
  @TempDir Path log;

  /** Run in a JVM of its own: it ends without closing its writer. */
  static final class Forgets {
    private static boolean exit() {
      System.exit(7);
      return false;
    }

    private static void daemon(Callable<?> work) {
      Thread thread = new Thread(() -> {
        try {
          work.call();
        } catch (Exception e) {
          throw new AssertionError(e);
        }
      });
      thread.setDaemon(true);
      thread.start();
    }

    public static void main(String[] arguments) throws Exception {
      WriterOptions.Builder options = WriterOptions.builder().flushInterval(null);
      if (arguments[1].equals("alone")) options.flushAtShutdown(false);
      if (arguments[1].endsWith("in the background")) options.background();
      if (arguments[1].startsWith("a check that exits")) {
        options.roll(RollOptions.builder().check(segment -> exit()).build());
      }
      if (arguments[1].startsWith("a listener that exits")) {
        options.roll(RollOptions.builder().check(segment -> { throw new Exception("for the listener"); }).build());
        options.onFailure(failure -> exit());
      }
      BinlogWriter writer = BinlogWriter.open(Path.of(arguments[0]), options.build());
      writer.write(Logs.bytes("the last words"));
      if (arguments[1].equals("exit")) System.exit(7);
      if (arguments[1].startsWith("a ") && arguments[1].contains("within a flush")) writer.flush();
      if (arguments[1].equals("appending")) {
        Thread others = new Thread(() -> {
          try {
            for (;;) writer.write(new byte[100]);
          } catch (BinlogException e) {
            throw new AssertionError(e);
          }
        });
        others.setDaemon(true);
        others.start();
      }
      if (arguments[1].equals("exit while others are at work")) {
        CountDownLatch begun = new CountDownLatch(4);
        for (int i = 0; i < 3; i++) {
          daemon(() -> {
            begun.countDown();
            for (;;) writer.write(new byte[100]);
          });
        }
        BinlogReader reader = BinlogReader.open(Path.of(arguments[0]));
        daemon(() -> {
          Cursor cursor = reader.cursor();
          begun.countDown();
          for (;;) {
            if (cursor.next() == null) cursor.await(Duration.ofHours(1));
          }
        });
        begun.await();
        System.exit(7);
      }
    }
  }

  private List<String> left(String how, int exit) throws Exception {
    Path here = log.resolve(how);
    Logs.Child child =
        Logs.run(
            log,
            List.of("timeout", "60", Logs.java(), "-XX:TieredStopAtLevel=1", "-Dbinlog.root=" + Logs.ROOT, "-Dbinlog.jar=" + Logs.JAR,
                "-cp", Logs.classPath(), Forgets.class.getName(), here.toString(), how));
    assertEquals(exit, child.exit, child.output);
    List<String> texts = Logs.texts(here);
    return texts.isEmpty() ? texts : texts.subList(0, 1);
  }

  @Test
  void a_writer_that_is_open_when_the_jvm_ends_is_flushed() throws Exception {
    assertEquals(List.of("the last words"), left("return", 0));
    assertEquals(List.of("the last words"), left("exit", 7));
  }

  @Test
  void it_is_flushed_while_others_append() throws Exception {
    assertEquals(List.of("the last words"), left("appending", 0));
  }

  @Test
  void the_jvm_ends_while_daemons_append_and_follow() throws Exception {
    for (int round = 0; round < 10; round++) {
      // Within a minute each, or the child is killed.
      assertEquals(List.of("the last words"), left("exit while others are at work", 7));
    }
  }

  /** The flush at the end writes, which a check follows: it would end the JVM, which waits for the flush. */
  @Test
  void the_flush_calls_no_function_of_the_users() throws Exception {
    for (String who : List.of("a check that exits", "a listener that exits")) {
      assertEquals(List.of("the last words"), left(who, 0));
      assertEquals(List.of("the last words"), left(who + " in the background", 0));
      assertEquals(List.of("the last words"), left(who + " within a flush", 7));
      assertEquals(List.of("the last words"), left(who + " within a flush in the background", 7));
    }
  }

  @Test
  void it_is_left_alone_when_the_options_say_so() throws Exception {
    assertEquals(List.of(), left("alone", 0));
  }
}
