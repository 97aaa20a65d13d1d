package io.binlog;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.binlog.conform.LogJson;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

class GoldenTest {
  private static Path log(Path json) {
    return json.resolveSibling(json.getFileName().toString().replaceAll("\\.json$", ""));
  }

  @TestFactory
  Stream<DynamicTest> every_golden_file_is_read_as_its_json_says() throws Exception {
    Path[] all;
    try (Stream<Path> files = Files.list(Logs.ROOT.resolve("tests/golden"))) {
      all = files.filter(file -> file.toString().endsWith(".json")).sorted().toArray(Path[]::new);
    }
    assertEquals(true, all.length >= 20, all.length + " golden files");
    return Stream.of(all)
        .map(
            json ->
                DynamicTest.dynamicTest(
                    log(json).getFileName().toString(),
                    () -> assertEquals(Files.readString(json), LogJson.describe(log(json).toString()))));
  }
}
