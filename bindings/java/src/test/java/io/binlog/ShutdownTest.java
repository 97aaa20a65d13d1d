package io.binlog;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ShutdownTest {
  @TempDir Path log;

  /** Run in a JVM of its own: it ends without closing its writer. */
  static final class Forgets {
    public static void main(String[] arguments) throws Exception {
      WriterOptions.Builder options = WriterOptions.builder().flushInterval(null);
      if (arguments[1].equals("alone")) options.flushAtShutdown(false);
      BinlogWriter writer = BinlogWriter.open(Path.of(arguments[0]), options.build());
      writer.write(Logs.bytes("the last words"));
      if (arguments[1].equals("exit")) System.exit(7);
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
    }
  }

  private List<String> left(String how, int exit) throws Exception {
    Path here = log.resolve(how);
    Logs.Child child =
        Logs.run(
            log,
            List.of(Logs.java(), "-XX:TieredStopAtLevel=1", "-Dbinlog.root=" + Logs.ROOT, "-Dbinlog.jar=" + Logs.JAR,
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
  void it_is_left_alone_when_the_options_say_so() throws Exception {
    assertEquals(List.of(), left("alone", 0));
  }
}
