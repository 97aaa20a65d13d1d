package io.binlog;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The jar as a module, from a program that is one. */
class ModuleTest {
  @TempDir Path directory;

  private String tool(String name) {
    return Path.of(System.getProperty("java.home"), "bin", name).toString();
  }

  @Test
  void a_program_that_is_a_module_requires_it_by_its_name() throws Exception {
    Path source = Files.createDirectories(directory.resolve("source/app"));
    Files.writeString(directory.resolve("source/module-info.java"), "module app {\n  requires io.binlog;\n}\n");
    Files.writeString(
        source.resolve("Main.java"),
        "package app;\n"
            + "import io.binlog.*;\n"
            + "import io.binlog.Record;\n"
            + "public class Main {\n"
            + "  public static void main(String[] arguments) throws Exception {\n"
            + "    java.nio.file.Path log = java.nio.file.Path.of(arguments[0]);\n"
            + "    try (BinlogWriter writer = BinlogWriter.open(log)) { writer.write(1, \"of a module\".getBytes()); }\n"
            + "    try (BinlogReader reader = BinlogReader.open(log)) {\n"
            + "      for (Record record : reader) System.out.println(record.text() + record.metadata(\"none\"));\n"
            + "    }\n"
            + "  }\n"
            + "}\n");
    // Without the annotations, which are not needed to use it.
    Logs.Child compiled =
        Logs.run(directory, List.of(tool("javac"), "-Xlint:all", "-Werror", "-p", Logs.JAR.toString(), "-d", "classes",
            "source/module-info.java", "source/app/Main.java"));
    assertEquals(0, compiled.exit, compiled.output);
    List<String> command = new ArrayList<>(List.of(tool("java"), "-Xcheck:jni"));
    if (Runtime.version().feature() >= 22) command.add("--enable-native-access=io.binlog");
    command.addAll(List.of("-p", Logs.JAR + ":classes", "-m", "app/app.Main", directory.resolve("log").toString()));
    Logs.Child child = Logs.run(directory, command);
    assertEquals("of a modulenull\n", child.output);
    assertEquals(0, child.exit);
  }

  @Test
  void it_needs_no_other_module_than_the_base() throws Exception {
    Logs.Child child =
        Logs.run(directory, List.of(tool("jar"), "--describe-module", "--file", Logs.JAR.toString()));
    assertEquals(0, child.exit, child.output);
    assertTrue(child.output.startsWith("io.binlog@" + Library.VERSION + " "), child.output);
    assertTrue(child.output.contains("requires java.base"), child.output);
    assertTrue(child.output.contains("exports io.binlog"), child.output);
    for (String line : child.output.split("\n")) {
      boolean isNeeded = line.startsWith("requires ") && !line.contains("java.base") && !line.contains("static");
      assertFalse(isNeeded, child.output);
    }
  }
}
