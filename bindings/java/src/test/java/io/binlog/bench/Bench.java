package io.binlog.bench;

import io.binlog.Appender;
import io.binlog.Batch;
import io.binlog.BinlogReader;
import io.binlog.BinlogWriter;
import io.binlog.Record;
import io.binlog.WriterOptions;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.stream.Stream;
import java.util.zip.CRC32C;

/**
 * One work of the benchmark of the languages, as the programs of the same name do it in the others:
 * {@code bench WORK SIZE COUNT DIR} prints the nanoseconds of the timed part. Works: append, append-staged,
 * append-batch, read, plain-append. Before it is timed the work is done once with a quarter of the records, in a directory beside DIR.
 */
public final class Bench {
  private static final int BATCH = 100;
  private static final int PLAIN_BUFFER = 128 * 1024;

  private Bench() {}

  /**
   * The program.
   *
   * @param arguments WORK SIZE COUNT DIR
   * @throws IOException when the work fails
   */
  public static void main(String[] arguments) throws IOException {
    if (arguments.length != 4) throw new IllegalArgumentException("usage: bench WORK SIZE COUNT DIR");
    String work = arguments[0];
    byte[] payload = new byte[Integer.parseInt(arguments[1])];
    Arrays.fill(payload, (byte) 'x');
    long count = Long.parseLong(arguments[2]);
    Path directory = Paths.get(arguments[3]).toAbsolutePath();
    if (work.equals("read")) {
      read(count, directory);
      System.out.println(read(count, directory));
      return;
    }
    Path scratch = Files.createTempDirectory(directory.getParent(), directory.getFileName() + "-warmup-");
    try {
      run(work, payload, count / 4, scratch.resolve("log"));
    } finally {
      remove(scratch);
    }
    System.out.println(run(work, payload, count, directory));
  }

  private static long run(String work, byte[] payload, long count, Path directory) throws IOException {
    switch (work) {
      case "append":
        return append(payload, count, directory);
      case "append-staged":
        return appendStaged(payload, count, directory);
      case "append-batch":
        return appendBatch(payload, count, directory);
      case "plain-append":
        return plainAppend(payload, count, directory);
      default:
        throw new IllegalArgumentException("no work called " + work);
    }
  }

  private static BinlogWriter open(Path directory) throws IOException {
    return BinlogWriter.open(directory, WriterOptions.builder().name("bench").build());
  }

  private static long append(byte[] payload, long count, Path directory) throws IOException {
    try (BinlogWriter writer = open(directory)) {
      long begun = System.nanoTime();
      for (long i = 0; i < count; i++) writer.write(1, payload);
      writer.flush();
      return System.nanoTime() - begun;
    }
  }

  private static long appendStaged(byte[] payload, long count, Path directory) throws IOException {
    try (BinlogWriter writer = open(directory);
        Appender appender = writer.appender()) {
      long begun = System.nanoTime();
      for (long i = 0; i < count; i++) appender.append(1, payload);
      appender.flush();
      return System.nanoTime() - begun;
    }
  }

  private static long appendBatch(byte[] payload, long count, Path directory) throws IOException {
    try (BinlogWriter writer = open(directory)) {
      Batch batch = new Batch();
      long begun = System.nanoTime();
      for (long i = 0; i < count; i += BATCH) {
        batch.clear();
        for (long j = Math.min(BATCH, count - i); j > 0; j--) batch.add(1, payload);
        writer.write(batch);
      }
      writer.flush();
      return System.nanoTime() - begun;
    }
  }

  private static long read(long count, Path directory) throws IOException {
    try (BinlogReader reader = BinlogReader.open(directory)) {
      long begun = System.nanoTime();
      long records = 0;
      long sum = 0;
      for (Record record : reader) {
        records++;
        sum += record.length() + record.byteAt(0);
      }
      long nanos = System.nanoTime() - begun;
      if (records != count) throw new IOException(records + " records, not " + count + " (sum " + sum + ")");
      return nanos;
    }
  }

  /** The same without binlog: length and CRC32C before each payload, through a buffer of the program's own. */
  private static long plainAppend(byte[] payload, long count, Path directory) throws IOException {
    Files.createDirectories(directory);
    ByteBuffer buffer = ByteBuffer.allocateDirect(PLAIN_BUFFER).order(ByteOrder.LITTLE_ENDIAN);
    try (FileChannel file =
        FileChannel.open(directory.resolve("plain"), StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
      CRC32C crc = new CRC32C();
      long begun = System.nanoTime();
      for (long i = 0; i < count; i++) {
        if (buffer.remaining() < 8 + payload.length) write(file, buffer);
        crc.reset();
        crc.update(payload, 0, payload.length);
        buffer.putInt(payload.length).putInt((int) crc.getValue()).put(payload);
      }
      write(file, buffer);
      return System.nanoTime() - begun;
    }
  }

  private static void write(FileChannel file, ByteBuffer buffer) throws IOException {
    buffer.flip();
    while (buffer.hasRemaining()) file.write(buffer);
    buffer.clear();
  }

  private static void remove(Path directory) throws IOException {
    try (Stream<Path> files = Files.walk(directory)) {
      for (Path file : (Iterable<Path>) files.sorted(java.util.Comparator.reverseOrder())::iterator) Files.delete(file);
    }
  }
}
