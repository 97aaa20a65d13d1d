package io.binlog;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ErrorTest {
  @TempDir Path log;

  @Test
  void a_second_writer_learns_which_process_has_the_log() throws Exception {
    try (BinlogWriter writer = BinlogWriter.open(log)) {
      BinlogException.Locked e = assertThrows(BinlogException.Locked.class, () -> BinlogWriter.open(log));
      assertTrue(e.getMessage().contains("" + ProcessHandle.current().pid()), e.getMessage());
      assertEquals(Status.LOCKED, e.status());
      assertThrows(BinlogException.Locked.class, () -> Binlog.recoverInPlace(log, null));
      writer.write(new byte[1]);
    }
  }

  @Test
  void what_is_not_there_is_not_found() {
    Path nowhere = log.resolve("nowhere");
    BinlogException.NotFound e = assertThrows(BinlogException.NotFound.class, () -> BinlogReader.open(nowhere));
    assertTrue(e.getMessage().contains(nowhere.toString()), e.getMessage());
    assertThrows(
        BinlogException.NotFound.class,
        () -> BinlogReader.openMatching(log + "/*.binlog", ReaderOptions.builder().build()));
  }

  @Test
  void another_log_than_was_required_is_a_mismatch() throws Exception {
    Logs.write(log, 1, WriterOptions.builder().parameter("host", "a").build());
    Required other = Required.builder().parameter("host", "b").build();
    assertThrows(
        BinlogException.Mismatch.class,
        () -> BinlogReader.open(log, ReaderOptions.builder().require(other).build()));
    assertThrows(
        BinlogException.Mismatch.class,
        () -> BinlogWriter.open(log, WriterOptions.builder().require(other).build()));
    Required same = Required.builder().name("default").parameter("host", "a").build();
    BinlogReader.open(log, ReaderOptions.builder().require(same).build()).close();
  }

  @Test
  void a_newer_format_is_unsupported_and_no_log_is_corrupt() {
    Path golden = Logs.ROOT.resolve("tests/golden");
    assertThrows(
        BinlogException.Unsupported.class, () -> BinlogReader.open(golden.resolve("major_version.binlog")));
    assertThrows(BinlogException.Corrupt.class, () -> BinlogReader.open(golden.resolve("foreign.binlog")));
  }

  @Test
  void a_system_error_has_its_number_and_file() throws Exception {
    Path file = Files.write(log.resolve("file"), new byte[0]);
    BinlogException e = assertThrows(BinlogException.class, () -> BinlogWriter.open(file.resolve("below")));
    assertTrue(e.osCode().isPresent(), e.toString());
    assertTrue(e.path().startsWith(file.toString()), e.path());
  }

  /** Run in a JVM whose files may not grow over a limit. */
  static final class FillsTheDisk {
    public static void main(String[] arguments) throws Exception {
      Path log = Path.of(arguments[0]);
      FullDisk policy = FullDisk.valueOf(arguments[1]);
      WriterOptions options =
          WriterOptions.builder()
              .fullDisk(policy)
              .blockBytes(4096)
              .flushRecords(policy == FullDisk.FAIL ? 1 : 0)
              .flushAtShutdown(false)
              .build();
      long acknowledged = 0;
      BinlogWriter writer = BinlogWriter.open(log, options);
      try {
        for (int i = 0; i < 1000; i++) {
          long id = writer.write(new byte[2000]);
          if (id != 0) acknowledged = id;
        }
        System.out.println("DROPPED " + (writer.dropped() > 0) + " " + acknowledged);
      } catch (BinlogException.NoSpace e) {
        System.out.println("NO_SPACE " + e.osCode().isPresent() + " " + acknowledged);
      }
      Runtime.getRuntime().halt(0);
    }
  }

  @Test
  void a_full_disk_is_no_space_or_drops_and_what_was_acknowledged_is_there() throws Exception {
    Path library = Logs.library(log.resolve("library.so")); // which is over the limit itself
    for (FullDisk policy : new FullDisk[] {FullDisk.FAIL, FullDisk.DROP}) {
      Path full = log.resolve(policy.name());
      Logs.Child child =
          Logs.run(
              log,
              List.of("sh", "-c", "ulimit -f 400; exec \"$@\"", "sh", Logs.java(), "-XX:TieredStopAtLevel=1",
                  "-XX:-UsePerfData", "-Dio.binlog.library=" + library, "-Dbinlog.root=", "-Dbinlog.jar=",
                  "-cp", Logs.classPath(), FillsTheDisk.class.getName(), full.toString(),
                  policy.name()));
      String[] said = child.output.lines().filter(line -> line.matches("(NO_SPACE|DROPPED) .*")).findFirst()
          .orElseThrow(() -> new AssertionError(child.output)).split(" ");
      assertEquals(policy == FullDisk.FAIL ? "NO_SPACE" : "DROPPED", said[0]);
      assertEquals("true", said[1]);
      long acknowledged = Long.parseLong(said[2]);
      assertTrue(acknowledged > 0, child.output);
      // Without a flush the last ones were in memory.
      assertTrue(Logs.texts(full).size() >= (policy == FullDisk.FAIL ? acknowledged : 1));
    }
  }
}
