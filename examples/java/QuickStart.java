import io.binlog.BinlogReader;
import io.binlog.BinlogWriter;
import io.binlog.Cursor;
import io.binlog.Filter;
import io.binlog.Record;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Map;

/** Writes typed records into a log directory and reads those of one type back. */
public class QuickStart {
  public static void main(String[] arguments) throws Exception {
    Path log = Path.of("quickstart-log"); // made if it is not there

    try (BinlogWriter writer = BinlogWriter.open(log)) {
      writer.write(7, "any bytes".getBytes(StandardCharsets.UTF_8)); // a type is a number of yours ...
      int login = writer.type("login", "text/plain"); // ... or a name
      writer.write(login, Map.of("host", "example.org"), "alice".getBytes(StandardCharsets.UTF_8));
      writer.sync(); // from here on it survives a power cut
    }

    try (BinlogReader reader = BinlogReader.open(log);
        Cursor logins = reader.cursor(Filter.builder().typeName("login").build())) {
      for (Record record : logins) { // a record may be kept for as long as you like
        System.out.println("record " + record.id() + ": " + record.text() + " from " + record.metadata("host"));
      }
    }
  }
}
