import io.binlog.BinlogException;
import io.binlog.BinlogReader;
import io.binlog.BinlogWriter;
import io.binlog.Codec;
import io.binlog.Codecs;
import io.binlog.Cursor;
import io.binlog.Filter;
import io.binlog.Hook;
import io.binlog.ObjectWriter;
import io.binlog.ReaderOptions;
import io.binlog.Record;
import io.binlog.RollOptions;
import io.binlog.WriterOptions;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.stream.Stream;

/**
 * For users of the Java binlog: their calls, in comments, and below each the new ones. The calls stay almost the
 * same; differences are explained where they occur.
 */
public class MigrateFromBinlog {
  private static final int INSERT = 1;
  private static final int UPDATE = 2;

  private static byte[] bytes(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }

  public static void main(String[] arguments) throws Exception {
    Path directory = Path.of("binlogs");
    Path done = Files.createDirectories(Path.of("done"));

    // OLD  a binlogger with a name, a content type, optional parameters, and a FileRotatePeriod of FIVE_MINUTES
    //
    // A period may be changed at any time, to a shorter one too, without waiting for the next one to begin: names
    // contain the segment's number before the time, so they sort in the order of writing.
    WriterOptions options =
        WriterOptions.builder()
            .name("default")
            .contentType("application/octet-stream")
            .parameter("host", "a.example.org")
            .roll(
                RollOptions.builder()
                    .period(Duration.ofMinutes(5))
                    .nameTemplate("{name}.{seq}.%Y%m%d_%H%M") // default.0000000001.20110601_0005.binlog
                    .build())
            // OLD  a handler of closed files that gives them another extension, and moves them
            .onClose(Hook.changeExtension(".done"), Hook.moveTo(done))
            // OLD  a shutdown hook that flushes: it is there too, unless .flushAtShutdown(false)
            .build();
    Map<String, String> optionalHeaders = new LinkedHashMap<>();
    optionalHeaders.put("user", "alice");

    try (BinlogWriter binlogger = BinlogWriter.open(directory, options)) {
      // OLD  binlogger.write(record);
      byte[] record = bytes("a record");
      binlogger.write(record); // answers the record's id, which counts over all files of the log

      // OLD  binlogger.write(type, record);
      binlogger.write(INSERT, record);

      // OLD  binlogger.write(type, optionalHeaders, record);
      binlogger.write(UPDATE, optionalHeaders, record);

      // OLD  records of byte[], ByteBuffer and ByteBuffer[], by a GatheringByteChannel
      binlogger.write(INSERT, ByteBuffer.wrap(record)); // a buffer's position is not moved
      binlogger.gather(INSERT, ByteBuffer.wrap(bytes("head ")), ByteBuffer.wrap(bytes("and body")));

      // OLD  explicit flushes after each record, or each 7 or 21 of them
      binlogger.flush(); // survives the process; WriterOptions.flushRecords(21) does it by itself
      binlogger.sync(); // and the machine

      // OLD  rotate by hand
      binlogger.roll();

      // NEW  objects by their class
      Codecs codecs = Codecs.builder().add(StringBuilder.class, "note", new Notes()).build();
      ObjectWriter objects = codecs.writer(binlogger);
      objects.write(new StringBuilder("a note"));
    }

    // OLD  a reader of one file after the other, by their alphabetical order
    int records = 0;
    try (BinlogReader reader = BinlogReader.openMatching("done/*.done", ReaderOptions.builder().build())) {
      for (Record record : reader) {
        System.out.println(record + ": " + record.text());
        records++;
      }

      // OLD  reading headers without data, which is faster
      try (Cursor headers = reader.cursor(Filter.builder().type(INSERT).headersOnly().build())) {
        int inserts = 0;
        for (Record record : headers) inserts += record.length() > 0 ? 1 : 0;
        if (inserts != 3) throw new AssertionError(inserts + " inserts");
      }

      // NEW  one record by its id, those of a type, a time, some metadata, the last ones, the newest first
      try (Cursor cursor = reader.cursor();
          Stream<Record> alices = reader.stream(Filter.builder().metadata("user", "alice").build())) {
        if (cursor.get(5) == null || alices.count() != 1) throw new AssertionError("not found");
      }
    }
    if (records != 6) throw new AssertionError(records + " records");

    // OLD  a second writer that corrupts the file
    try (BinlogWriter first = BinlogWriter.open(directory);
        BinlogWriter second = BinlogWriter.open(directory)) {
      throw new AssertionError(first + " and " + second);
    } catch (BinlogException.Locked e) {
      System.out.println(e.getMessage());
    }
  }

  /** How notes become bytes and come back. */
  private static final class Notes implements Codec<StringBuilder> {
    @Override
    public byte[] encode(StringBuilder note) {
      return bytes(note.toString());
    }

    @Override
    public StringBuilder decode(Record record) {
      return new StringBuilder(record.text());
    }
  }
}
