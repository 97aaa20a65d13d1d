package io.binlog;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** What the tests share: logs to be tested with, and what is in them. */
final class Logs {
  /** The repository, and the jar that is tested. */
  static final Path ROOT = Paths.get(System.getProperty("binlog.root"));

  static final Path JAR = Paths.get(System.getProperty("binlog.jar"));

  private Logs() {}

  static byte[] bytes(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }

  /** A payload whose bytes depend on its number. */
  static byte[] payload(long i, int length) {
    byte[] bytes = new byte[length];
    for (int j = 0; j < length; j++) bytes[j] = (byte) (i * 31 + j * 7L);
    return bytes;
  }

  /** "record 1" to "record n", of type 1. */
  static void write(Path log, int n) throws BinlogException {
    write(log, n, WriterOptions.builder().build());
  }

  static void write(Path log, int n, WriterOptions options) throws BinlogException {
    try (BinlogWriter writer = BinlogWriter.open(log, options)) {
      long first = writer.position().appendedId() + 1;
      for (long i = first; i < first + n; i++) writer.write(1, bytes("record " + i));
    }
  }

  /** "record 1" to "record 35" in four segments of ten at the most; each seventh is of type 7, the others of type 1. */
  static void writeRolled(Path log) throws BinlogException {
    WriterOptions options = WriterOptions.builder().roll(RollOptions.builder().records(10).build()).build();
    try (BinlogWriter writer = BinlogWriter.open(log, options)) {
      for (int i = 1; i <= 35; i++) writer.write(i % 7 == 0 ? 7 : 1, bytes("record " + i));
    }
  }

  static List<String> texts(Path log) throws BinlogException {
    return texts(log, Filter.all());
  }

  static List<String> texts(Path log, Filter filter) throws BinlogException {
    try (BinlogReader reader = BinlogReader.open(log);
        Stream<Record> records = reader.stream(filter)) {
      return records.map(Record::text).collect(Collectors.toList());
    }
  }

  static List<Long> ids(Stream<Record> records) {
    return records.map(Record::id).collect(Collectors.toList());
  }

  static List<Long> range(long from, long to) {
    List<Long> all = new ArrayList<>();
    for (long i = from; i <= to; i++) all.add(i);
    return all;
  }

  /** The segments of a directory, in their order. */
  static List<Path> segments(Path directory) throws IOException {
    try (Stream<Path> files = Files.list(directory)) {
      return files.filter(file -> file.toString().endsWith(".binlog")).sorted().collect(Collectors.toList());
    }
  }

  /** Changes a byte of the first place where a segment holds this text. */
  static void damage(Path segment, String text) throws IOException {
    byte[] all = Files.readAllBytes(segment);
    byte[] wanted = bytes(text);
    for (int i = 0; i + wanted.length <= all.length; i++) {
      if (java.util.Arrays.equals(all, i, i + wanted.length, wanted, 0, wanted.length)) {
        all[i] ^= 1;
        Files.write(segment, all);
        return;
      }
    }
    throw new AssertionError("no \"" + text + "\" in " + segment);
  }

  /** Waits, for a minute at the most, until something holds. */
  static void await(String what, Callable<Boolean> holds) throws Exception {
    long begun = System.nanoTime();
    while (!holds.call()) {
      if (System.nanoTime() - begun > 60_000_000_000L) throw new AssertionError("after a minute: not " + what);
      Thread.sleep(5);
    }
  }

  /** The result of a separate JVM. */
  static final class Child {
    final int exit;
    final String output;

    private Child(int exit, String output) {
      this.exit = exit;
      this.output = output;
    }
  }

  /** The library out of the jar, as a file. */
  static Path library(Path file) throws IOException {
    String resource = "/native/" + Library.system() + "/libbinlog_jni-" + Library.VERSION + ".so";
    try (InputStream in = Library.class.getResourceAsStream(resource)) {
      Files.copy(in, file);
    }
    return file;
  }

  static String java() {
    return Paths.get(System.getProperty("java.home"), "bin", "java").toString();
  }

  static String classPath() {
    return JAR + java.io.File.pathSeparator + JAR.resolveSibling("test-classes");
  }

  /** With the assertions of JUnit too, for the mains of tests that run in a JVM of their own. */
  static String testClassPath() {
    return String.join(java.io.File.pathSeparator, classPath(), of(org.junit.jupiter.api.Assertions.class),
        of(org.opentest4j.AssertionFailedError.class), of(org.junit.platform.commons.JUnitException.class));
  }

  private static String of(Class<?> one) {
    return Paths.get(java.net.URI.create(one.getProtectionDomain().getCodeSource().getLocation().toString())).toString();
  }

  /** Runs a command in a directory and waits for its end; its output and errors together. */
  static Child run(Path directory, List<String> command) throws Exception {
    Process process = new ProcessBuilder(command).directory(directory.toFile()).redirectErrorStream(true).start();
    process.getOutputStream().close();
    String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    return new Child(process.waitFor(), output);
  }
}
