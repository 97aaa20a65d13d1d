package io.binlog.conform;

import io.binlog.Appender;
import io.binlog.Batch;
import io.binlog.BinlogException;
import io.binlog.BinlogReader;
import io.binlog.BinlogWriter;
import io.binlog.Cursor;
import io.binlog.Filter;
import io.binlog.NewRecord;
import io.binlog.ReaderOptions;
import io.binlog.Record;
import io.binlog.RollOptions;
import io.binlog.WriterOptions;
import java.io.BufferedWriter;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.OutputStreamWriter;
import java.io.Writer;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Does what the program of the same name does in each language, so that one can be compared with all others:
 *
 * <pre>
 * conform read PATH          all records and events as JSON, as tests/golden/README.md describes it
 * conform write DIR COUNT    appends so many records, by each way of appending in turn
 * conform stage DIR COUNT    appends them through an appender
 * conform tail DIR COUNT     follows a log until it has seen so many records
 * </pre>
 */
public final class Conform {
  private static final int RECORDS_PER_SEGMENT = 1000;

  private Conform() {}

  /**
   * The program.
   *
   * @param arguments the command and its arguments
   */
  public static void main(String[] arguments) {
    try (Writer out =
        new BufferedWriter(
            new OutputStreamWriter(new FileOutputStream(FileDescriptor.out), StandardCharsets.UTF_8), 1 << 16)) {
      String command = arguments.length == 0 ? "" : arguments[0];
      if (command.equals("read") && arguments.length == 2) {
        out.write(LogJson.describe(arguments[1]));
      } else if (command.equals("types") && arguments.length == 2) {
        out.write(LogJson.types(arguments[1]));
      } else if (command.equals("write") && arguments.length == 3) {
        write(Paths.get(arguments[1]), Long.parseLong(arguments[2]));
      } else if (command.equals("stage") && arguments.length == 3) {
        stage(Paths.get(arguments[1]), Long.parseLong(arguments[2]));
      } else if (command.equals("tail") && arguments.length == 3) {
        tail(Paths.get(arguments[1]), Long.parseLong(arguments[2]), out);
      } else {
        throw new IllegalArgumentException("usage: conform read PATH | types PATH | write DIR COUNT | stage DIR COUNT | tail DIR COUNT");
      }
    } catch (Exception e) {
      System.err.println("conform: " + e);
      System.exit(1);
    }
  }

  private static byte[] payload(long i) {
    byte[] bytes = new byte[(int) ((i * 7919) % 700)];
    for (int j = 0; j < bytes.length; j++) bytes[j] = (byte) (i * 31 + j * 7L);
    return bytes;
  }

  /** Everything of record number {@code i} but its payload. */
  private static NewRecord record(long i, int named, byte[] payload) {
    NewRecord record =
        NewRecord.of(i % 5 == 0 ? named : (int) (i % 5), payload).timeNanos(1_700_000_000_000_000_000L + i * 1000);
    if (i % 3 == 0) {
      Map<String, String> metadata = new LinkedHashMap<>();
      metadata.put("i", Long.toString(i));
      metadata.put("ключ", "значение");
      record.metadata(metadata);
    }
    return record;
  }

  private static void gather(BinlogWriter writer, long i, int named) throws BinlogException {
    byte[] payload = payload(i);
    int third = payload.length / 3;
    ByteBuffer direct = ByteBuffer.allocateDirect(third);
    direct.put(payload, 0, third).flip();
    writer.gather(
        record(i, named, new byte[0]),
        direct,
        ByteBuffer.wrap(payload, third, third),
        ByteBuffer.wrap(payload, 2 * third, payload.length - 2 * third).asReadOnlyBuffer());
  }

  private static WriterOptions.Builder options() {
    return WriterOptions.builder().name("conform").contentType("application/x-conform").parameter("writer", "java");
  }

  private static void stage(Path directory, long count) throws IOException {
    try (BinlogWriter writer = BinlogWriter.open(directory, options().build())) {
      int named = writer.type("conform.named", "text/plain");
      long first = writer.position().appendedId() + 1;
      try (Appender appender = writer.appender()) {
        Batch batch = new Batch();
        for (long done = 0; done < count; ) {
          long run = Math.min(10, count - done);
          for (long i = first + done; i < first + done + run; i++) {
            if (done / 10 % 2 == 0) appender.append(record(i, named, payload(i)));
            else batch.add(record(i, named, payload(i)));
          }
          if (batch.size() > 0) appender.append(batch);
          batch.clear();
          done += run;
          if (done % 100 == 0) writer.flush();
        }
      }
    }
  }

  private static void write(Path directory, long count) throws IOException {
    WriterOptions options = options().roll(RollOptions.builder().records(RECORDS_PER_SEGMENT).build()).build();
    try (BinlogWriter writer = BinlogWriter.open(directory, options)) {
      int named = writer.type("conform.named", "text/plain");
      long first = writer.position().appendedId() + 1;
      Batch batch = new Batch();
      for (long done = 0; done < count; ) {
        long run = Math.min(10, count - done);
        long way = done / 10 % 3;
        for (long i = first + done; i < first + done + run; i++) {
          if (way == 0) writer.write(record(i, named, payload(i)));
          else if (way == 1) gather(writer, i, named);
          else batch.add(record(i, named, payload(i)));
        }
        if (way == 2) {
          writer.write(batch);
          batch.clear();
        }
        done += run;
        if (done % 100 == 0) writer.flush();
      }
    }
  }

  private static BinlogReader awaitLog(Path directory) throws Exception {
    long begun = System.nanoTime();
    for (;;) {
      try {
        return BinlogReader.open(directory, ReaderOptions.builder().build());
      } catch (BinlogException e) {
        if (System.nanoTime() - begun > Duration.ofSeconds(30).toNanos()) throw e;
        Thread.sleep(20);
      }
    }
  }

  private static void tail(Path directory, long count, Writer out) throws Exception {
    try (BinlogReader reader = awaitLog(directory);
        Cursor cursor = reader.cursor(Filter.builder().fromId(1).build())) {
      for (long seen = 0; seen < count; ) {
        Record record = cursor.next();
        if (record != null) {
          out.write(LogJson.record(record) + "\n");
          seen++;
        } else if (!cursor.await(Duration.ofSeconds(60))) {
          throw new IOException("no new record for a minute, after " + seen);
        }
      }
    }
  }
}
