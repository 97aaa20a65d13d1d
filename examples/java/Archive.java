import io.binlog.ShipEvent;
import io.binlog.ShipOptions;
import io.binlog.ShipReport;
import io.binlog.ShipVerified;
import io.binlog.BinlogReader;
import io.binlog.BinlogWriter;
import io.binlog.CompressOptions;
import io.binlog.Cursor;
import io.binlog.Filter;
import io.binlog.Record;
import io.binlog.Retention;
import io.binlog.RollOptions;
import io.binlog.Shipper;
import io.binlog.WriterOptions;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/**
 * Ships a log to the store whose URL is the argument, by default a directory, and reads it there. Credentials, if
 * the store needs them, are in the environment.
 */
public class Archive {
  public static void main(String[] arguments) throws Exception {
    Path log = Path.of("archived-log");
    String url = arguments.length > 0 ? arguments[0] : "file://" + Path.of("store").toAbsolutePath() + "?create=true";

    // A log in four segments, of which three are finished.
    WriterOptions rolled =
        WriterOptions.builder().name("orders").roll(RollOptions.builder().records(1000).build()).build();
    try (BinlogWriter writer = BinlogWriter.open(log, rolled)) {
      int order = writer.type("order", "text/plain");
      int complaint = writer.type("complaint", "text/plain");
      for (int i = 1; i <= 3500; i++) {
        writer.write(i % 1000 == 500 ? complaint : order, ("number " + i).getBytes(StandardCharsets.UTF_8));
      }
    }

    // They are compressed and shipped; only the newest one stays here, and each is kept until the store holds it.
    ShipOptions archive =
        ShipOptions.builder(url)
            .compress(CompressOptions.builder().build())
            .keep(Retention.builder().segments(2).build())
            .build();
    try (Shipper shipper = Shipper.open(log, archive)) {
      ShipReport report =
          shipper.run(
              event -> {
                if (event.kind() == ShipEvent.Kind.FAILED) System.err.println(event); // it is tried again
              });
      System.out.println("shipped " + report.uploadedSegments() + ", removed here " + report.prunedSegments());
      ShipVerified verified = shipper.verify();
      System.out.println("sound " + verified.soundSegments() + ", problems " + verified.problems().size());
      if (verified.soundSegments() != 3) throw new AssertionError(verified + " " + verified.problems());
    }

    // A writer can ship by itself, in a thread of the library, and when it is closed.
    WriterOptions shipping = WriterOptions.builder().name("orders").ship(archive).build();
    try (BinlogWriter writer = BinlogWriter.open(log, shipping)) {
      writer.write(writer.type("complaint"), "number 3501".getBytes(StandardCharsets.UTF_8));
    }

    // All records of one type, read in the store: only the blocks that contain them are fetched.
    int complaints = 0;
    try (BinlogReader reader = BinlogReader.openUrl(url);
        Cursor cursor = reader.cursor(Filter.builder().typeName("complaint").build())) {
      for (Record record : cursor) {
        System.out.println("record " + record.id() + ": " + record.text());
        complaints++;
      }
    }
    if (complaints != 5) throw new AssertionError(complaints + " complaints");
  }
}
