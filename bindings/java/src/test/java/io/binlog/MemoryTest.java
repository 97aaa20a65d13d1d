package io.binlog;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A heap that is full costs no record. */
class MemoryTest {
  private static final int LONG = 20_000_000;

  @TempDir Path log;

  /** Run in a JVM of its own, with a small heap. */
  static final class Small {
    private static Object kept;

    private static void fill() {
      List<byte[]> all = new ArrayList<>();
      kept = all;
      try {
        for (;;) all.add(new byte[1_000_000]);
      } catch (OutOfMemoryError e) {
        // full
      }
      all.remove(all.size() - 1); // room for what is small
    }

    public static void main(String[] arguments) throws Exception {
      Filter filter =
          arguments[1].equals("newest") ? Filter.builder().newestFirst().build() : Filter.all();
      ReaderMode mode = arguments[1].equals("salvage") ? ReaderMode.SALVAGE : ReaderMode.PREFIX;
      StringBuilder seen = new StringBuilder();
      int failed = 0;
      try (BinlogReader reader = BinlogReader.open(Path.of(arguments[0]), ReaderOptions.builder().mode(mode).build());
          Cursor cursor = reader.cursor(filter)) {
        for (;;) {
          fill();
          Record record;
          try {
            record = cursor.next();
          } catch (OutOfMemoryError e) {
            kept = null;
            failed++;
            record = cursor.next();
          }
          if (record == null) break;
          seen.append(' ').append(record.id());
          record = null;
          kept = null;
        }
      }
      System.out.println(failed + " failed, seen" + seen);
    }
  }

  @Test
  void a_record_that_the_heap_had_no_room_for_is_the_next_one_again() throws Exception {
    try (BinlogWriter writer = BinlogWriter.open(log)) {
      for (int i = 1; i <= 5; i++) writer.write(1, new byte[i % 2 == 0 ? LONG : 10]);
    }
    for (String how : new String[] {"oldest", "newest", "salvage"}) {
      Logs.Child child =
          Logs.run(log, List.of(Logs.java(), "-XX:TieredStopAtLevel=1", "-Xmx100m", "-XX:+UseSerialGC",
              "-Dbinlog.root=" + Logs.ROOT, "-Dbinlog.jar=" + Logs.JAR, "-cp", Logs.classPath(),
              Small.class.getName(), log.toString(), how));
      assertEquals(0, child.exit, child.output);
      String ids = how.equals("newest") ? "5 4 3 2 1" : "1 2 3 4 5";
      assertTrue(child.output.endsWith("2 failed, seen " + ids + "\n"), how + ": " + child.output);
    }
  }
}
