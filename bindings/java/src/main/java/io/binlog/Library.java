package io.binlog;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/**
 * Finds libbinlog_jni and loads it: the file that the system property {@code io.binlog.library} names; else the one on
 * {@code java.library.path}; else the one in the jar, which is written to a directory of its own below {@code
 * java.io.tmpdir} and removed as soon as it is loaded.
 */
final class Library {
  /** Names the only file to load. */
  static final String PROPERTY = "io.binlog.library";
  /** The version of this jar, and of the library for it. */
  static final String VERSION = "0.1.0";

  private static volatile String origin = "";
  private static volatile boolean isFromJar;
  private static boolean isStoresLoaded;

  private Library() {}

  /** Where the library was loaded from. */
  static String origin() {
    return origin;
  }

  static void load() {
    String file = System.getProperty(PROPERTY);
    if (file != null) {
      loadFile(Paths.get(file).toAbsolutePath());
      origin = file;
    } else if (!loadFromPath()) {
      loadFromJar();
    }
    String found = Text.text(Native.version());
    if (!VERSION.equals(found)) {
      throw new UnsatisfiedLinkError(
          origin + " is binlog " + found + ", but the classes are of " + VERSION + ": use the two of one release");
    }
  }

  private static void loadFile(Path file) {
    try {
      System.load(file.toString());
    } catch (UnsatisfiedLinkError e) {
      throw failure("cannot load " + file + ", which the system property " + PROPERTY + " names: " + e.getMessage()
          + ONE_LOADER, e);
    }
  }

  private static boolean loadFromPath() {
    String name = System.mapLibraryName("binlog_jni");
    for (String directory : System.getProperty("java.library.path", "").split(java.io.File.pathSeparator)) {
      // The JVM's own search does not say whether it found nothing or something that does not load.
      if (!directory.isEmpty() && Files.isRegularFile(Paths.get(directory, name))) {
        try {
          System.loadLibrary("binlog_jni");
        } catch (UnsatisfiedLinkError e) {
          throw failure("cannot load " + Paths.get(directory, name) + ": " + e.getMessage() + ONE_LOADER, e);
        }
        origin = "java.library.path (" + Paths.get(directory, name) + ")";
        return true;
      }
    }
    return false;
  }

  private static void loadFromJar() {
    String resource = "/native/" + system() + "/libbinlog_jni-" + VERSION + ".so";
    if (!loadFromJar(resource)) {
      throw failure(
          "there is no library for " + system() + " in the jar: build it, and name the file in the system property "
              + PROPERTY, null);
    }
    origin = "the jar (" + resource + ")";
    isFromJar = true;
  }

  /**
   * Loads the library of stores from the jar when {@code place} is the URL of a store on a server, and none was loaded
   * before. A libbinlog that was not loaded from the jar looks for it beside itself.
   */
  static synchronized void stores(String place) {
    int colon = place.indexOf("://");
    if (colon <= 0 || place.startsWith("file:") || isStoresLoaded) return;
    // Loads libbinlog_jni, if necessary.
    Native.versionNumber();
    if (isFromJar) loadFromJar("/native/" + system() + "/libbinlog_stores.so.0");
    isStoresLoaded = true;
  }

  /** False when there is none of this name. */
  private static boolean loadFromJar(String resource) {
    Path directory = null;
    try (InputStream in = Library.class.getResourceAsStream(resource)) {
      if (in == null) return false;
      // Only this user may read it, and no two JVMs get the same one.
      directory = Files.createTempDirectory("binlog-jni-");
      Path file = directory.resolve(Paths.get(resource).getFileName().toString());
      Files.copy(in, file);
      System.load(file.toString());
      return true;
    } catch (IOException e) {
      String directories = System.getProperty("java.io.tmpdir");
      throw failure("cannot write the library below " + directories + ": " + e + "; " + ELSEWHERE, e);
    } catch (UnsatisfiedLinkError e) {
      if (directory == null) throw e;
      throw failure("cannot load the library from " + directory + " (is it mounted noexec?): " + e.getMessage() + "; "
          + ELSEWHERE, e);
    } finally {
      // The system keeps the file for as long as it is loaded, and nothing has to be removed at the end.
      if (directory != null) remove(directory);
    }
  }

  private static final String ONE_LOADER =
      " (the JVM gives a file to one class loader; where several load binlog, use the library in the jar, or put the jar "
          + "where they share it)";
  private static final String ELSEWHERE =
      "set java.io.tmpdir to a directory from which programs may be run, or " + PROPERTY + " to the library's file";

  private static void remove(Path directory) {
    try (java.util.stream.Stream<Path> files = Files.list(directory)) {
      for (Path file : (Iterable<Path>) files::iterator) Files.deleteIfExists(file);
      Files.deleteIfExists(directory);
    } catch (IOException e) {
      // It is a temporary directory.
    }
  }

  private static UnsatisfiedLinkError failure(String message, @Nullable Throwable cause) {
    UnsatisfiedLinkError error = new UnsatisfiedLinkError(message);
    if (cause != null) error.initCause(cause);
    return error;
  }

  /** As in build-glue.sh: linux-x86_64, linux-aarch64-musl. */
  static String system() {
    String os = System.getProperty("os.name").toLowerCase(Locale.ROOT);
    String arch = System.getProperty("os.arch");
    if (arch.equals("amd64")) arch = "x86_64";
    return os + "-" + arch + (os.equals("linux") && isMusl() ? "-musl" : "");
  }

  /** The C library of this process, from the file that it was loaded from. */
  private static boolean isMusl() {
    try (java.util.stream.Stream<String> maps = Files.lines(Paths.get("/proc/self/maps"))) {
      return maps.anyMatch(line -> line.contains("/ld-musl-"));
    } catch (IOException | java.io.UncheckedIOException e) {
      return false;
    }
  }
}
