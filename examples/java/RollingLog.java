import io.binlog.Binlog;
import io.binlog.BinlogReader;
import io.binlog.BinlogWriter;
import io.binlog.Hook;
import io.binlog.Pruned;
import io.binlog.Retention;
import io.binlog.RollOptions;
import io.binlog.Segment;
import io.binlog.WriterOptions;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.ZoneId;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;

/** A log that begins a new segment at each full hour, or after 1000 records, and reports each that was closed. */
public class RollingLog {
  public static void main(String[] arguments) throws Exception {
    Path log = Path.of("rolling-log");
    List<String> closed = new CopyOnWriteArrayList<>();

    WriterOptions options =
        WriterOptions.builder()
            .name("orders")
            .background() // rolls, flushes and calls hooks in a thread of the library's, also when nothing is written
            .roll(
                RollOptions.builder()
                    .period(Duration.ofHours(1))
                    .zone(ZoneId.of("Europe/Berlin"))
                    .records(1000)
                    .nameTemplate("{name}.{seq}.%Y-%m-%dT%H")
                    .check(segment -> segment.bytes() > 100_000_000) // any rule of your own
                    .build())
            .keep(Retention.builder().age(Duration.ofDays(30)).build())
            // Called when a segment is closed and durable. Hook.moveTo, changeExtension and delete are ready-made.
            .onClose(Hook.call(segment -> closed.add(segment.path().getFileName() + " because of " + segment.reason())))
            // Failures that no call returns: a hook that threw, an old segment that could not be removed.
            .onFailure(failure -> System.err.println(failure.getMessage()))
            .build();
    try (BinlogWriter writer = BinlogWriter.open(log, options)) {
      for (int i = 1; i <= 2500; i++) writer.write(("order " + i).getBytes(StandardCharsets.UTF_8));
      writer.rollBecause("end of the day");
      writer.write("order 2501".getBytes(StandardCharsets.UTF_8));
    }
    closed.forEach(System.out::println);
    if (closed.size() < 4) throw new AssertionError(closed.size() + " segments were closed");

    // A dry run of another rule: which segments would be removed?
    for (Pruned old : Binlog.prune(log, "orders", Retention.builder().segments(2).build(), true)) {
      System.out.println(old);
      if (!Files.exists(old.path())) throw new AssertionError(old.path() + " is gone");
    }

    try (BinlogReader reader = BinlogReader.open(log)) {
      for (Segment segment : reader.segments()) System.out.println(segment);
      if (reader.counts().get(0).records() != 2501) throw new AssertionError(reader.counts().toString());
    }
  }
}
