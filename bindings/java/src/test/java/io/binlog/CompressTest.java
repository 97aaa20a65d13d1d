package io.binlog;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.math.BigInteger;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import java.util.zip.GZIPInputStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CompressTest {
  @TempDir Path log;

  /** Of four segments, the first three are finished. */
  @BeforeEach
  void write() throws Exception {
    Logs.writeRolled(log);
  }

  private static CompressOptions.Builder options() {
    return CompressOptions.builder();
  }

  private List<Long> ids() throws Exception {
    try (BinlogReader reader = BinlogReader.open(log);
        java.util.stream.Stream<Record> records = reader.stream(Filter.all())) {
      return Logs.ids(records);
    }
  }

  @Test
  void a_log_is_the_same_when_it_is_compressed_and_when_it_is_not_again() throws Exception {
    List<String> texts = Logs.texts(log);
    List<Path> before = Logs.segments(log);
    for (CompressOptions options :
        new CompressOptions[] {
          options().build(),
          options().compression(Compression.LZ4).build(),
          options().level(9).threads(2).blockBytes(4096).noDictionary().build()
        }) {
      List<Compressed> made = Binlog.compress(log, "default", options);
      assertEquals(List.of(1L, 2L, 3L), made.stream().map(Compressed::sequence).collect(Collectors.toList()));
      for (Compressed one : made) {
        assertTrue(one.path().toString().endsWith(".z.binlog"), one.toString());
        assertTrue(one.sourceRemoved() && !Files.exists(one.source()) && one.records() == 10, one.toString());
        assertEquals(Files.size(one.path()), one.bytesAfter());
        assertTrue(one.bytesBefore() > 0 && one.sha256().isEmpty(), one.toString());
      }
      assertEquals(texts, Logs.texts(log));
      assertEquals(Logs.range(1, 35), ids());
      assertEquals(List.of(), Binlog.compress(log, null, options));

      made = Binlog.decompress(log, null, options().build());
      assertEquals(3, made.size());
      assertEquals(before, Logs.segments(log));
      assertEquals(texts, Logs.texts(log));
    }
  }

  @Test
  void sources_stay_where_that_is_asked_for() throws Exception {
    List<Path> before = Logs.segments(log);
    List<Compressed> would = Binlog.compress(log, null, options().dryRun().build());
    assertEquals(3, would.size());
    assertEquals(before, Logs.segments(log));
    assertFalse(would.get(0).sourceRemoved());

    List<Compressed> made = Binlog.compress(log, null, options().keepSource().build());
    assertEquals(3, made.size());
    assertEquals(7, Logs.segments(log).size());
    assertEquals(Logs.range(1, 35), ids());
    assertFalse(made.get(0).sourceRemoved());

    Path single = log.resolve("single.binlog");
    try (BinlogWriter writer = BinlogWriter.openFile(single, WriterOptions.builder().build())) {
      writer.write(new byte[1000]);
    }
    assertEquals(1, Binlog.compress(single, null, options().build()).size());
    assertTrue(Files.exists(single));
    assertTrue(Binlog.compress(single, null, options().removeSingle().build()).get(0).sourceRemoved());
    assertFalse(Files.exists(single));
  }

  @Test
  void a_name_contains_the_sum_of_what_was_made() throws Exception {
    Compressed made = Binlog.compress(log, null, options().sha256Name().build()).get(0);
    byte[] sum = MessageDigest.getInstance("SHA-256").digest(Files.readAllBytes(made.path()));
    String digits = String.format("%064x", new BigInteger(1, sum));
    assertEquals(digits, made.sha256().get());
    assertTrue(made.path().toString().endsWith(".z." + digits + ".binlog"), made.toString());
  }

  @Test
  void whole_files_are_for_the_tools_of_others_and_become_what_they_were() throws Exception {
    Path first = Logs.segments(log).get(0);
    byte[] before = Files.readAllBytes(first);
    Path gzip = Binlog.compress(log, null, options().whole(CompressOptions.Whole.GZIP).build()).get(0).path();
    assertEquals(first + ".gz", gzip.toString());
    try (GZIPInputStream in = new GZIPInputStream(Files.newInputStream(gzip))) {
      assertArrayEquals(before, in.readAllBytes());
    }
    Binlog.decompress(log, null, options().build());
    assertArrayEquals(before, Files.readAllBytes(first));
    Path zstd = Binlog.compress(first, null, options().whole(CompressOptions.Whole.ZSTD).build()).get(0).path();
    assertEquals(first + ".zst", zstd.toString());
    assertEquals(Logs.range(1, 35), ids());
  }

  @Test
  void progress_is_reported_and_what_the_listener_throws_ends_the_work() throws Exception {
    List<Path> before = Logs.segments(log);
    RuntimeException enough = new RuntimeException("enough");
    List<Progress> reported = new ArrayList<>();
    CompressOptions.Builder options =
        options()
            .onProgress(
                progress -> {
                  reported.add(progress);
                  throw enough;
                });
    assertSame(enough, assertThrows(RuntimeException.class, () -> Binlog.compress(log, null, options.build())));
    assertEquals(before, Logs.segments(log));
    assertEquals(1, reported.size());
    assertEquals(before.get(0), reported.get(0).path());

    reported.clear();
    Binlog.compress(log, null, options.onProgress(reported::add).build());
    Progress last = reported.get(reported.size() - 1);
    assertTrue(last.bytes() > 0 && last.done() == 2 * last.bytes(), last.toString());
    assertEquals(before.get(2), last.path());
  }

  private void refused(Status status, String says, Path path, CompressOptions.Builder options) {
    BinlogException e = assertThrows(BinlogException.class, () -> Binlog.compress(path, null, options.build()));
    assertEquals(status, e.status());
    assertTrue(e.getMessage().contains(says), e.getMessage());
  }

  @Test
  void wrong_options_and_segments_that_are_not_finished_are_refused() throws Exception {
    refused(Status.INVALID, "level 23", log, options().level(23));
    refused(Status.INVALID, "threads", log, options().threads(65));
    refused(Status.INVALID, "block", log, options().blockBytes(100));
    refused(Status.INVALID, "newest", Logs.segments(log).get(3), options());
    refused(Status.NOT_FOUND, "missing", log.resolve("missing"), options());
    assertThrows(IllegalArgumentException.class, () -> options().compression(Compression.NONE));
    assertThrows(IllegalArgumentException.class, () -> options().threads(-1));
    assertThrows(NullPointerException.class, () -> Binlog.compress(log, null, null));
    assertEquals(4, Logs.segments(log).size());
  }
}
