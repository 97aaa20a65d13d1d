package io.binlog;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.ref.WeakReference;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Several class loaders in a JVM that have the jar, as web applications do, each in a JVM of its own. */
class LoaderTest {
  @TempDir Path directory;

  /** What an application does with the library; loaded by its own loader. */
  public static final class Application implements Runnable {
    @Override
    public void run() {
      try {
        Path log = Path.of(System.getProperty("test.log"));
        List<String> reported = new ArrayList<>();
        WriterOptions options =
            WriterOptions.builder()
                .background()
                .onFailure(failure -> reported.add(failure.getCause().getMessage()))
                .onClose(Hook.call(segment -> { throw new java.io.IOException("of a hook"); }))
                .build();
        long before;
        try (BinlogWriter writer = BinlogWriter.open(log, options)) {
          before = writer.position().appendedId();
          writer.write(1, Logs.bytes("a record"));
        }
        if (!reported.equals(List.of("of a hook"))) throw new AssertionError(reported.toString());
        try (BinlogReader reader = BinlogReader.open(log);
            Cursor cursor = reader.cursor(Filter.builder().fromId(before + 1).build())) {
          if (cursor.next() == null || cursor.next() != null) throw new AssertionError("the record");
          // With the thread that waits for all.
          cursor.await(java.time.Duration.ofMillis(1));
        }
        try {
          BinlogReader.open(Path.of("/nowhere"));
          throw new AssertionError("a log that is not there");
        } catch (BinlogException.NotFound e) {
          // As it should be.
        }
        // An object that was not closed, which the collector closes.
        BinlogReader.open(log);
      } catch (java.io.IOException | InterruptedException e) {
        throw new AssertionError(e);
      }
    }
  }

  /** Nothing but the JDK above. */
  private static URLClassLoader loader() throws Exception {
    List<URL> urls = new ArrayList<>();
    for (String place : System.getProperty("test.classes").split(java.io.File.pathSeparator)) {
      urls.add(Path.of(place).toUri().toURL());
    }
    return new URLClassLoader(urls.toArray(new URL[0]), ClassLoader.getPlatformClassLoader());
  }

  private static Runnable application(ClassLoader loader) throws Exception {
    return (Runnable)
        loader.loadClass("io.binlog.LoaderTest$Application").getDeclaredConstructor().newInstance();
  }

  /** Run in a JVM of its own. */
  static final class SeveralLoaders {
    public static void main(String[] arguments) throws Exception {
      List<WeakReference<ClassLoader>> gone = new ArrayList<>();
      for (int round = 0; round < 3; round++) {
        // Two at the same time.
        URLClassLoader one = loader();
        URLClassLoader other = loader();
        application(one).run();
        application(other).run();
        application(one).run();
        gone.add(new WeakReference<>(one));
        gone.add(new WeakReference<>(other));
        one.close();
        other.close();
      }
      long begun = System.nanoTime();
      while (gone.stream().anyMatch(loader -> loader.get() != null)) {
        if (System.nanoTime() - begun > 60_000_000_000L) {
          throw new AssertionError(gone.stream().filter(loader -> loader.get() != null).count() + " are still there");
        }
        System.gc();
        Thread.sleep(100);
      }
      System.out.println("all are gone");
    }
  }

  /** Two class loaders that have to use one file. */
  static final class OneFile {
    public static void main(String[] arguments) throws Exception {
      application(loader()).run();
      application(loader()).run();
    }
  }

  private Logs.Child jvm(Class<?> main, String... options) throws Exception {
    List<String> command = new ArrayList<>(List.of(Logs.java(), "-Xcheck:jni", "-Xmx128m"));
    command.addAll(List.of("-Dtest.log=" + directory.resolve("log"), "-Dtest.classes=" + Logs.classPath(),
        "-Dbinlog.root=" + Logs.ROOT, "-Dbinlog.jar=" + Logs.JAR));
    command.addAll(List.of(options));
    command.addAll(List.of("-cp", Logs.classPath(), main.getName()));
    return Logs.run(directory, command);
  }

  @Test
  void each_class_loader_has_a_library_of_its_own_and_can_be_collected() throws Exception {
    Logs.Child child = jvm(SeveralLoaders.class);
    assertTrue(child.exit == 0 && child.output.contains("all are gone"), child.output);
    assertTrue(!child.output.contains("WARNING in native method"), child.output);
  }

  @Test
  void a_file_that_is_named_serves_one_class_loader_and_the_next_one_gets_the_reason() throws Exception {
    Path file = Logs.library(directory.resolve("libbinlog_jni.so"));
    for (String option : new String[] {"-Dio.binlog.library=" + file, "-Djava.library.path=" + directory}) {
      Logs.Child child = jvm(OneFile.class, option);
      assertNotEquals(0, child.exit);
      assertTrue(child.output.contains("already loaded in another classloader"), child.output);
      assertTrue(child.output.contains("the JVM gives a file to one class loader"), child.output);
    }
    assertEquals(true, Files.exists(file));
  }
}
