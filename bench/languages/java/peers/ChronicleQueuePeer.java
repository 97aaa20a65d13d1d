package peers;

import java.io.IOException;
import java.nio.file.Path;
import java.time.Instant;
import java.util.Arrays;
import java.util.zip.CRC32C;
import net.openhft.chronicle.bytes.Bytes;
import net.openhft.chronicle.queue.ChronicleQueue;
import net.openhft.chronicle.queue.ExcerptAppender;
import net.openhft.chronicle.queue.ExcerptTailer;
import net.openhft.chronicle.queue.impl.single.SingleChronicleQueueBuilder;
import net.openhft.chronicle.wire.DocumentContext;

/**
 * Chronicle Queue with its defaults: time, type, checksum and payload as the bytes of one document, whose length it adds. The
 * file is mapped: what was appended is with the system at once.
 */
final class ChronicleQueuePeer implements Peers.Peer {
  @Override
  public long append(byte[] payload, long count, Path directory) {
    try (ChronicleQueue queue = SingleChronicleQueueBuilder.binary(directory).build();
        ExcerptAppender appender = queue.createAppender()) {
      CRC32C crc = new CRC32C();
      long begun = System.nanoTime();
      for (long i = 0; i < count; i++) {
        crc.reset();
        crc.update(payload, 0, payload.length);
        try (DocumentContext document = appender.writingDocument()) {
          Bytes<?> bytes = document.wire().bytes();
          bytes.writeLong(nanosNow()).writeInt(1).writeInt((int) crc.getValue()).write(payload);
        }
      }
      return System.nanoTime() - begun;
    }
  }

  private static long nanosNow() {
    Instant now = Instant.now();
    return now.getEpochSecond() * 1_000_000_000 + now.getNano();
  }

  @Override
  public void check(byte[] payload, long count, Path directory) throws IOException {
    byte[] found = new byte[payload.length];
    CRC32C crc = new CRC32C();
    crc.update(payload, 0, payload.length);
    try (ChronicleQueue queue = SingleChronicleQueueBuilder.binary(directory).build();
        ExcerptTailer tailer = queue.createTailer()) {
      for (long records = 0; ; records++) {
        try (DocumentContext document = tailer.readingDocument()) {
          if (!document.isPresent()) {
            if (records != count) throw new IOException(records + " documents, not " + count);
            return;
          }
          Bytes<?> bytes = document.wire().bytes();
          boolean same = bytes.readRemaining() == 16 + payload.length && bytes.readLong() > 0 && bytes.readInt() == 1;
          same = same && bytes.readInt() == (int) crc.getValue() && bytes.read(found) == payload.length;
          if (!same || !Arrays.equals(found, payload)) throw new IOException("document " + records + " is another one");
        }
      }
    }
  }
}
