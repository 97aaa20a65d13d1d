package io.binlog;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIfEnvironmentVariable;
import org.junit.jupiter.api.io.TempDir;

/** Real servers, where they were started: {@code tests/archive/servers.py run -- bindings/java/test.sh stores}. */
class StoresTest {
  @TempDir Path log;

  /** A prefix of its own in the bucket that a variable names. */
  private static String url(String variable) {
    String[] parts = System.getenv(variable).split("\\?", 2);
    String place = parts[0].replaceAll("/$", "") + "/java-" + Long.toHexString(System.nanoTime());
    return place + "?" + parts[1];
  }

  private static List<String> texts(String url, Filter filter) throws Exception {
    try (BinlogReader reader = BinlogReader.openUrl(url);
        Stream<Record> records = reader.stream(filter)) {
      return records.map(Record::text).collect(Collectors.toList());
    }
  }

  private void shipsAndReads(String url) throws Exception {
    Logs.writeRolled(log);
    List<String> all = Logs.texts(log);
    ShipOptions.Builder archive = ShipOptions.builder(url);
    try (Shipper shipper = Shipper.open(log, archive.build())) {
      assertEquals(3, shipper.run().uploadedSegments());
      ShipVerified verified = shipper.verify(true, null);
      assertEquals("3 []", verified.soundSegments() + " " + verified.problems());
      assertTrue(url.startsWith(shipper.status().store()), shipper.status().store());
    }
    assertEquals(all.subList(0, 30), texts(url, Filter.all()));

    // And the rest by a writer, compressed.
    WriterOptions options =
        WriterOptions.builder()
            .ship(
                archive
                    .compress(CompressOptions.builder().build())
                    .closeWait(java.time.Duration.ofMinutes(1))
                    .build())
            .build();
    try (BinlogWriter writer = BinlogWriter.open(log, options)) {
      writer.write(7, Logs.bytes("record 36"));
    }
    all = Logs.texts(log);
    assertEquals(36, all.size());
    assertEquals(all, texts(url, Filter.all()));
    assertEquals(List.of("record 7", "record 14", "record 21", "record 28", "record 35", "record 36"),
        texts(url, Filter.builder().type(7).build()));
    String[] parts = url.split("\\?", 2);
    assertEquals(all.subList(0, 10), texts(parts[0] + "/default.*1.binlog?" + parts[1], Filter.all()));
  }

  @Test
  @EnabledIfEnvironmentVariable(named = "BINLOG_TEST_S3_URL", matches = ".+")
  void a_log_is_shipped_to_s3_and_read_there() throws Exception {
    shipsAndReads(url("BINLOG_TEST_S3_URL"));
  }

  @Test
  @EnabledIfEnvironmentVariable(named = "BINLOG_TEST_SWIFT_URL", matches = ".+")
  void a_log_is_shipped_to_swift_and_read_there() throws Exception {
    shipsAndReads(url("BINLOG_TEST_SWIFT_URL"));
  }
}
