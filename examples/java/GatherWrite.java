import io.binlog.BinlogReader;
import io.binlog.BinlogWriter;
import io.binlog.Record;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/** Writes messages whose header and body are in buffers of their own, without joining them first. */
public class GatherWrite {
  private static final int MESSAGE = 1;

  public static void main(String[] arguments) throws Exception {
    Path log = Path.of("gather-log");

    // As they come from a network: both buffers are reused for each message.
    ByteBuffer header = ByteBuffer.allocateDirect(12);
    ByteBuffer body = ByteBuffer.allocateDirect(1 << 20);
    try (BinlogWriter writer = BinlogWriter.open(log)) {
      for (int number = 1; number <= 3; number++) {
        header.clear();
        body.clear();
        body.put(("the body of message " + number).getBytes(StandardCharsets.UTF_8)).flip();
        header.putLong(number).putInt(body.remaining()).flip();
        // One record from both. Direct buffers are read in place; their positions do not change.
        writer.gather(MESSAGE, header, body);
      }
    }

    int messages = 0;
    try (BinlogReader reader = BinlogReader.open(log)) {
      for (Record record : reader) {
        ByteBuffer message = record.buffer(); // a read-only view
        long number = message.getLong();
        int length = message.getInt();
        if (length != message.remaining()) throw new AssertionError("message " + number + " is not whole");
        System.out.println("message " + number + ": " + StandardCharsets.UTF_8.decode(message));
        messages++;
      }
    }
    if (messages != 3) throw new AssertionError(messages + " messages");
  }
}
