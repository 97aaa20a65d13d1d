package io.binlog;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** How the library is found, each time in a JVM of its own. */
class LibraryTest {
  @TempDir Path directory;
  private Path temporary;

  @BeforeEach
  void make() throws Exception {
    temporary = Files.createDirectory(directory.resolve("tmp"));
  }

  private static final String RESOURCE = "native/" + Library.system() + "/libbinlog_jni-" + Library.VERSION + ".so";

  private Path extracted(String name) throws Exception {
    return Logs.library(directory.resolve(name));
  }

  private List<String> jvm(String... arguments) {
    List<String> command = new ArrayList<>(List.of(Logs.java(), "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData"));
    command.add("-Djava.io.tmpdir=" + temporary);
    command.addAll(List.of(arguments));
    return command;
  }

  private Logs.Child main(String... arguments) throws Exception {
    List<String> command = jvm(arguments);
    command.addAll(List.of("-cp", Logs.JAR.toString(), "io.binlog.Main"));
    return Logs.run(directory, command);
  }

  private List<Path> left() throws Exception {
    try (Stream<Path> files = Files.list(temporary)) {
      return files.collect(Collectors.toList());
    }
  }

  @Test
  void a_jar_alone_works_and_leaves_nothing_behind() throws Exception {
    Path jar = Files.copy(Logs.JAR, directory.resolve("alone.jar"));
    Logs.Child child = Logs.run(directory, jvm("-jar", jar.toString()));
    assertEquals(0, child.exit, child.output);
    assertEquals(
        "binlog " + Library.VERSION + " for Java, " + Library.system() + ", from the jar (/" + RESOURCE + ")\n",
        child.output);
    assertEquals(List.of(), left());
  }

  @Test
  void jvms_that_start_at_once_do_not_meet() throws Exception {
    List<Process> all = new ArrayList<>();
    for (int i = 0; i < 4; i++) {
      all.add(new ProcessBuilder(jvm("-jar", Logs.JAR.toString())).redirectErrorStream(true).start());
    }
    for (Process process : all) {
      String output = new String(process.getInputStream().readAllBytes());
      assertEquals(0, process.waitFor(), output);
    }
    assertEquals(List.of(), left());
  }

  @Test
  void the_property_names_a_file_and_nothing_else_is_tried() throws Exception {
    Path file = extracted("some-name.so");
    Logs.Child child = main("-Dio.binlog.library=" + file);
    assertTrue(child.exit == 0 && child.output.contains("from " + file), child.output);
    child = main("-Dio.binlog.library=" + directory.resolve("missing.so"));
    assertNotEquals(0, child.exit);
    assertTrue(child.output.contains("missing.so, which the system property io.binlog.library names"), child.output);
  }

  @Test
  void the_library_path_comes_before_the_jar() throws Exception {
    extracted(System.mapLibraryName("binlog_jni"));
    Logs.Child child = main("-Djava.library.path=" + directory);
    assertTrue(child.exit == 0 && child.output.contains("from java.library.path (" + directory), child.output);
  }

  @Test
  void a_temporary_directory_that_cannot_be_used_is_reported_with_what_to_do() throws Exception {
    Logs.Child child = main("-Djava.io.tmpdir=" + directory.resolve("missing"));
    assertNotEquals(0, child.exit);
    assertTrue(child.output.contains("cannot write the library below") && child.output.contains("io.binlog.library"),
        child.output);
  }

  @Test
  void a_temporary_directory_without_execution_is_reported_with_what_to_do() throws Exception {
    List<String> mount = List.of("unshare", "-m", "sh", "-c",
        "mount -t tmpfs -o noexec none \"$1\" && shift && exec \"$@\"", "sh", temporary.toString());
    List<String> probe = new ArrayList<>(mount);
    probe.add("true");
    try {
      assumeTrue(Logs.run(directory, probe).exit == 0, "file systems can be mounted");
    } catch (java.io.IOException e) {
      assumeTrue(false, "unshare is installed");
    }
    List<String> command = new ArrayList<>(mount);
    command.addAll(jvm("-cp", Logs.JAR.toString(), "io.binlog.Main"));
    Logs.Child child = Logs.run(directory, command);
    assertNotEquals(0, child.exit);
    assertTrue(child.output.contains("is it mounted noexec?") && child.output.contains("java.io.tmpdir"), child.output);
  }

  @Test
  void only_what_the_jvm_looks_for_is_exported() throws Exception {
    Logs.Child child = Logs.run(directory, List.of("nm", "-D", "--defined-only", extracted("x.so").toString()));
    assertEquals(0, child.exit, child.output);
    List<String> names =
        child.output.lines().map(line -> line.replaceAll(".* ", "").replaceAll("@.*", "")).collect(Collectors.toList());
    assertTrue(names.contains("JNI_OnLoad"), child.output);
    // Those of the native methods, each of them.
    long methods =
        Stream.of(Native.class.getDeclaredMethods())
            .filter(method -> java.lang.reflect.Modifier.isNative(method.getModifiers()))
            .filter(method -> names.contains("Java_io_binlog_Native_" + method.getName()))
            .count();
    assertEquals(names.size() - 1, methods, child.output);
  }
}
