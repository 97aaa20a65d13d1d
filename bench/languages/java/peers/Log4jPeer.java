package peers;

import java.io.BufferedInputStream;
import java.io.DataInputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.zip.CRC32C;
import org.apache.logging.log4j.Level;
import org.apache.logging.log4j.Logger;
import org.apache.logging.log4j.core.LogEvent;
import org.apache.logging.log4j.core.appender.AbstractAppender;
import org.apache.logging.log4j.core.appender.RandomAccessFileAppender;
import org.apache.logging.log4j.core.async.AsyncLoggerContext;
import org.apache.logging.log4j.core.config.AbstractConfiguration;
import org.apache.logging.log4j.core.config.ConfigurationSource;
import org.apache.logging.log4j.core.config.Property;
import org.apache.logging.log4j.core.layout.AbstractLayout;
import org.apache.logging.log4j.core.layout.ByteBufferDestination;
import org.apache.logging.log4j.message.AsynchronouslyFormattable;
import org.apache.logging.log4j.message.Message;

/**
 * Log4j 2 with asynchronous loggers and a RandomAccessFile appender that flushes at the end of a batch of theirs. Its thread
 * adds length, type, time and checksum in a layout of our own; a layout of text would take longer.
 */
final class Log4jPeer implements Peers.Peer {
  private static final String FILE = "log4j";
  private static final int HEAD = 20;
  private static final long PATIENCE = TimeUnit.MINUTES.toNanos(5);

  @Override
  public long append(byte[] payload, long count, Path directory) throws IOException {
    AsyncLoggerContext context = new AsyncLoggerContext("bench");
    Setup setup = new Setup(directory.resolve(FILE));
    context.start(setup);
    try {
      Logger logger = context.getLogger("bench");
      long begun = System.nanoTime();
      for (long i = 0; i < count; i++) logger.info(new Payload(payload));
      // Stopping the context would flush too, but looks for that only every 50 milliseconds.
      while (setup.flushing.flushed < count) {
        if (System.nanoTime() - begun > PATIENCE) throw new IOException(setup.flushing.flushed + " events, not " + count);
        LockSupport.parkNanos(20_000);
      }
      return System.nanoTime() - begun;
    } finally {
      context.stop(1, TimeUnit.MINUTES);
    }
  }

  @Override
  public void check(byte[] payload, long count, Path directory) throws IOException {
    byte[] found = new byte[payload.length];
    CRC32C crc = new CRC32C();
    crc.update(payload, 0, payload.length);
    Path path = directory.resolve(FILE);
    if (Files.size(path) != count * (HEAD + payload.length)) throw new IOException("another length than that of " + count);
    try (DataInputStream file = new DataInputStream(new BufferedInputStream(Files.newInputStream(path), 1 << 20))) {
      for (long i = 0; i < count; i++) {
        boolean same = file.readInt() == payload.length && file.readInt() == Level.INFO.intLevel() && file.readLong() > 0;
        same = same && file.readInt() == (int) crc.getValue();
        file.readFully(found);
        if (!same || !Arrays.equals(found, payload)) throw new IOException("event " + i + " is another one");
      }
    }
  }

  /** One appender for everything. */
  private static final class Setup extends AbstractConfiguration {
    final Flushing flushing;

    Setup(Path file) {
      super(null, ConfigurationSource.NULL_SOURCE);
      flushing =
          new Flushing(
              RandomAccessFileAppender.newBuilder()
                  .setName("file")
                  .setFileName(file.toString())
                  .setImmediateFlush(false)
                  .setLayout(new Binary())
                  .setConfiguration(this)
                  .build());
    }

    @Override
    protected void doConfigure() {
      flushing.file.start();
      flushing.start();
      addAppender(flushing);
      getRootLogger().setLevel(Level.INFO);
      getRootLogger().addAppender(flushing, null, null);
    }
  }

  /** Counts what the appender has passed to the system. */
  private static final class Flushing extends AbstractAppender {
    final RandomAccessFileAppender file;
    private long written;
    volatile long flushed;

    Flushing(RandomAccessFileAppender file) {
      super("flushing", null, null, false, Property.EMPTY_ARRAY);
      this.file = file;
    }

    @Override
    public void append(LogEvent event) {
      file.append(event);
      written++;
      if (event.isEndOfBatch()) flushed = written;
    }

    @Override
    public boolean stop(long timeout, TimeUnit unit) {
      return super.stop(timeout, unit) && file.stop(timeout, unit);
    }
  }

  /** Length, type, time in nanoseconds, CRC-32C and the payload. Only the thread of the loggers calls it. */
  private static final class Binary extends AbstractLayout<byte[]> {
    private final CRC32C crc = new CRC32C();
    private final ByteBuffer head = ByteBuffer.allocate(HEAD);

    Binary() {
      super(null, null, null);
    }

    @Override
    public void encode(LogEvent event, ByteBufferDestination destination) {
      byte[] bytes = ((Payload) event.getMessage()).bytes;
      crc.reset();
      crc.update(bytes, 0, bytes.length);
      long nanos = event.getInstant().getEpochSecond() * 1_000_000_000 + event.getInstant().getNanoOfSecond();
      head.clear();
      head.putInt(bytes.length).putInt(event.getLevel().intLevel()).putLong(nanos).putInt((int) crc.getValue());
      destination.writeBytes(head.array(), 0, HEAD);
      destination.writeBytes(bytes, 0, bytes.length);
    }

    @Override
    public byte[] toByteArray(LogEvent event) {
      throw new UnsupportedOperationException("encode is called");
    }

    @Override
    public byte[] toSerializable(LogEvent event) {
      throw new UnsupportedOperationException("encode is called");
    }

    @Override
    public String getContentType() {
      return "application/octet-stream";
    }
  }

  /** Bytes of its own: the caller may change what it passed as soon as the call has returned. */
  @AsynchronouslyFormattable
  private static final class Payload implements Message {
    private static final long serialVersionUID = 1;
    final byte[] bytes;

    Payload(byte[] bytes) {
      this.bytes = bytes.clone();
    }

    @Override
    public String getFormattedMessage() {
      return "";
    }

    @Override
    public Object[] getParameters() {
      return new Object[0];
    }

    @Override
    public Throwable getThrowable() {
      return null;
    }
  }
}
