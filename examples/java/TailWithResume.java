import io.binlog.BinlogException;
import io.binlog.BinlogReader;
import io.binlog.BinlogWriter;
import io.binlog.Cursor;
import io.binlog.Filter;
import io.binlog.Record;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;

/**
 * Follows a log while it is written, and continues after a restart: it only has to store the id of the last record
 * that it has processed.
 */
public class TailWithResume {
  private final Path log;
  private final Path resume;

  TailWithResume(Path log, Path resume) {
    this.log = log;
    this.resume = resume;
  }

  private long lastDone() throws IOException {
    return Files.exists(resume) ? Long.parseLong(Files.readString(resume)) : 0;
  }

  /** In one step: a crash leaves the old id or the new one. */
  private void remember(long id) throws IOException {
    Path next = resume.resolveSibling(resume.getFileName() + ".new");
    Files.writeString(next, Long.toString(id));
    Files.move(next, resume, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
  }

  /** Processes records, including those that come later, up to one that says "stop". */
  int follow() throws IOException, InterruptedException {
    int done = 0;
    try (BinlogReader reader = BinlogReader.open(log);
        Cursor cursor = reader.cursor(Filter.builder().fromId(lastDone() + 1).build())) {
      for (;;) {
        try {
          Record record = cursor.next();
          if (record == null) { // no more for now: wait, over rolls and over writers that end and begin anew
            if (!cursor.await(Duration.ofMinutes(1))) throw new IOException("the writer is silent");
            continue;
          }
          System.out.println("record " + record.id() + ": " + record.text());
          remember(record.id());
          done++;
          if (record.text().equals("stop")) return done;
        } catch (BinlogException.Missed e) { // old segments went before we came
          System.err.println("records " + e.firstId() + " to " + e.lastId() + " were missed");
        }
      }
    }
  }

  public static void main(String[] arguments) throws Exception {
    Path log = Path.of("tail-log");
    BinlogWriter.open(log).close();
    TailWithResume tail = new TailWithResume(log, Path.of("resume-id"));

    for (int run = 1; run <= 2; run++) { // the second one is the restart
      Thread writing = new Thread(() -> write(log), "writer");
      writing.start();
      int done = tail.follow();
      writing.join();
      if (done != 5) throw new AssertionError("run " + run + " has dealt with " + done + " records");
    }
    if (tail.lastDone() != 10) throw new AssertionError("done up to " + tail.lastDone());
  }

  private static void write(Path log) {
    try (BinlogWriter writer = BinlogWriter.open(log)) {
      for (String text : new String[] {"one", "two", "three", "four", "stop"}) {
        writer.write(text.getBytes(StandardCharsets.UTF_8));
        writer.flush(); // readers see what was flushed
        if (text.equals("two")) writer.roll();
      }
    } catch (BinlogException e) {
      throw new AssertionError(e);
    }
  }
}
