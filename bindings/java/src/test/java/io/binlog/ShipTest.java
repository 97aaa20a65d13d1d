package io.binlog;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.api.io.TempDir;

/** Shipping to a directory, beside a writer and within one, and reading from there. */
class ShipTest {
  @TempDir Path directory;
  private Path log;
  private Path store;
  private String url;
  private long callbacks;

  @BeforeEach
  void make() throws Exception {
    callbacks = Native.liveCallbacks();
    log = directory.resolve("log");
    store = Files.createDirectory(directory.resolve("store"));
    url = "file://" + store;
  }

  @AfterEach
  void nothing_is_held() {
    assertEquals(callbacks, Native.liveCallbacks());
  }

  private ShipOptions.Builder options() {
    return ShipOptions.builder(url);
  }

  private Shipper shipper() throws Exception {
    return Shipper.open(log, options().build());
  }

  private static List<ShipEvent.Kind> kinds(List<ShipEvent> events) {
    // The number of steps in which a segment is sent is not specified.
    return events.stream().map(ShipEvent::kind).filter(kind -> kind != ShipEvent.Kind.SENT)
        .collect(Collectors.toList());
  }

  private static List<String> texts(BinlogReader reader, Filter filter) throws Exception {
    try (Stream<Record> records = reader.stream(filter)) {
      return records.map(Record::text).collect(Collectors.toList());
    }
  }

  private List<String> stored() throws Exception {
    try (BinlogReader reader = BinlogReader.openUrl(url)) {
      return texts(reader, Filter.all());
    }
  }

  private void emptyStore() throws Exception {
    try (Stream<Path> objects = Files.list(store)) {
      for (Path object : objects.collect(Collectors.toList())) Files.delete(object);
    }
    Files.delete(store);
  }

  private static void flip(Path file) throws Exception {
    byte[] bytes = Files.readAllBytes(file);
    bytes[bytes.length / 2] ^= 4;
    Files.write(file, bytes);
  }

  @Test
  void a_damaged_segment_is_sent_on_purpose_alone_and_replaced_when_it_is_mended() throws Exception {
    Logs.writeRolled(log);
    Path first = Logs.segments(log).get(0);
    byte[] sound = Files.readAllBytes(first);
    flip(first);
    List<ShipEvent> events = new ArrayList<>();
    try (Shipper shipper = shipper()) {
      assertThrows(BinlogException.Corrupt.class, () -> shipper.run(events::add));
      assertEquals(1, events.stream().filter(event -> event.kind() == ShipEvent.Kind.FAILED).count());
      assertEquals(1, shipper.status().damagedSegments());
      assertEquals(0, shipper.status().missingSegments());
      ShipVerified found = shipper.verify();
      assertEquals(1, found.problems().size());
      assertEquals(ShipProblem.Kind.CHANGED, found.problems().get(0).kind());
      assertEquals(Status.INVALID, assertThrows(BinlogException.class, () -> shipper.accept("77")).status());
      shipper.accept("1");
      shipper.run();
      assertEquals(0, shipper.status().damagedSegments());
      assertEquals(0, shipper.verify(true, null).problems().size());
      Files.write(first, sound);
      shipper.replace(first.getFileName().toString());
      shipper.run();
      assertEquals(0, shipper.verify(true, null).problems().size());
      assertTrue(Files.exists(store.resolve(first.getFileName() + ".replaced-1")));
      assertEquals(Status.INVALID, assertThrows(BinlogException.class, () -> shipper.replace("1")).status());
      shipper.forget();
    }
  }

  @Test
  void what_need_not_stay_in_the_store_is_removed_there() throws Exception {
    Logs.writeRolled(log);
    ShipOptions keeping = options().keepRemote(Retention.builder().segments(1).build()).build();
    try (Shipper shipper = Shipper.open(log, keeping)) {
      shipper.run();
      assertEquals(1, Logs.segments(store).size());
      assertEquals(0, shipper.verify().problems().size());
    }
  }

  @Test
  void what_is_closed_is_shipped_and_reported() throws Exception {
    Logs.writeRolled(log);
    List<ShipEvent> events = new ArrayList<>();
    try (Shipper shipper = shipper()) {
      ShipStatus status = shipper.status();
      assertEquals("default " + url + " IDLE", status.log() + " " + status.store() + " " + status.state());

      ShipReport report = shipper.run(events::add);
      long bytes = 0;
      for (Path segment : Logs.segments(log).subList(0, 3)) bytes += Files.size(segment);
      assertEquals(3, report.uploadedSegments());
      assertEquals(bytes, report.uploadedBytes());
      assertEquals("0 0 0 false",
          report.foundSegments() + " " + report.prunedSegments() + " " + report.prunedBytes() + " " + report.stopped());
      assertEquals(
          List.of(
              ShipEvent.Kind.BEGINS, ShipEvent.Kind.UPLOADED, ShipEvent.Kind.BEGINS,
              ShipEvent.Kind.UPLOADED, ShipEvent.Kind.BEGINS, ShipEvent.Kind.UPLOADED),
          kinds(events));
      ShipEvent first = events.get(0);
      assertEquals(Logs.segments(log).get(0), first.path().get());
      assertEquals(1, first.sequence());
      assertEquals(Files.size(Logs.segments(log).get(0)), first.bytes());
      assertTrue(!first.found() && first.failure().isEmpty() && first.retryIn().isEmpty(), first.toString());

      status = shipper.status();
      assertEquals(3, status.uploadedSegments());
      assertEquals(bytes, status.uploadedBytes());
      assertEquals(bytes, status.sentBytes());
      assertEquals(3, status.shippedUpTo());
      assertTrue(status.lastUpload().isPresent() && status.lastFailure().isEmpty(), status.toString());
      assertEquals("0 0 PT0S 0 0", status.waitingSegments() + " " + status.waitingBytes() + " "
          + status.oldestWaiting() + " " + status.prunedSegments() + " " + status.failures());
      assertTrue(shipper.metrics().contains("_uploaded_segments_total{"), shipper.metrics());
      assertEquals(0, shipper.run().uploadedSegments());
      assertTrue(shipper.lastFailure().isEmpty());

      ShipVerified verified = shipper.verify();
      assertEquals(3, verified.soundSegments());
      assertEquals(bytes, verified.soundBytes());
      assertEquals("0 1 4 [] [] false",
          verified.waitingSegments() + " " + verified.firstSequence() + " " + verified.lastSequence() + " "
              + verified.problems() + " " + verified.foreign() + " " + verified.stopped());
    }
    // What another one finds there already.
    Files.delete(log.resolve("default.archive"));
    try (Shipper shipper = shipper()) {
      assertEquals(3, shipper.run().foundSegments());
    }
  }

  @Test
  void a_log_is_read_where_it_lies() throws Exception {
    Logs.writeRolled(log);
    try (Shipper shipper = shipper()) {
      shipper.run();
    }
    List<String> all = Logs.texts(log).subList(0, 30);
    assertEquals(all, stored());
    String second = url + "/" + Logs.segments(store).get(1).getFileName();
    ReaderOptions options =
        ReaderOptions.builder().cache(directory.resolve("cache")).cacheBytes(1 << 20).build();
    try (BinlogReader reader = BinlogReader.openUrl(second, options)) {
      assertEquals(all.subList(10, 20), texts(reader, Filter.all()));
      Segment segment = reader.segments().get(0);
      assertEquals(second, segment.location());
      assertThrows(UnsupportedOperationException.class, segment::path);
    }
    try (BinlogReader reader = BinlogReader.openUrl(url + "/default.*[12].binlog", options)) {
      assertEquals(20, texts(reader, Filter.all()).size());
      assertEquals(List.of("record 7", "record 14"), texts(reader, Filter.builder().type(7).build()));
    }
    try (BinlogReader reader = BinlogReader.openUrl(url)) {
      assertEquals(List.of("record 7", "record 14", "record 21", "record 28"),
          texts(reader, Filter.builder().type(7).build()));
    }
    assertThrows(BinlogException.NotFound.class, () -> BinlogReader.openUrl(url + "/missing.binlog"));
    assertThrows(IllegalArgumentException.class, () -> BinlogReader.openUrl(store.toString()));
  }

  @Test
  void segments_are_compressed_first_and_only_those_stay_that_are_asked_for() throws Exception {
    Logs.writeRolled(log);
    ShipOptions.Builder options =
        options()
            .compress(CompressOptions.builder().level(6).build())
            .keep(Retention.builder().segments(2).build())
            .filePermissions(PosixFilePermissions.fromString("rw-------"))
            .partBytes(1000)
            .inFlight(2)
            .threads(2)
            .bandwidth(1 << 30)
            .timeout(Duration.ofSeconds(20))
            .firstDelay(Duration.ofMillis(10))
            .longestDelay(Duration.ofMillis(100))
            .patience(Duration.ofSeconds(10))
            .stale(Duration.ofDays(1));
    try (Shipper shipper = Shipper.open(log, "default", options.dryRun().build())) {
      ShipReport would = shipper.run();
      assertEquals(3, would.uploadedSegments());
      assertEquals(List.of(), Logs.segments(store));
    }
    options = options().compress(CompressOptions.builder().build()).keep(Retention.builder().segments(2).build())
        .filePermissions(PosixFilePermissions.fromString("rw-------"));
    try (Shipper shipper = Shipper.open(log, "default", options.build())) {
      List<ShipEvent> events = new ArrayList<>();
      ShipReport report = shipper.run(events::add);
      assertEquals("3 2", report.uploadedSegments() + " " + report.prunedSegments());
      assertTrue(report.prunedBytes() > 0);
      assertTrue(kinds(events).contains(ShipEvent.Kind.PRUNED));
      assertEquals(2, shipper.status().prunedSegments());
    }
    assertEquals(2, Logs.segments(log).size());
    for (Path object : Logs.segments(store)) assertTrue(object.toString().endsWith(".z.binlog"), object.toString());
    assertEquals(30, stored().size());
    assertEquals("rw-------", PosixFilePermissions.toString(
        Files.getPosixFilePermissions(log.resolve("default.archive"))));
  }

  @Test
  void what_is_wrong_in_a_store_is_found() throws Exception {
    Logs.writeRolled(log);
    try (Shipper shipper = shipper()) {
      shipper.run();
      Files.delete(Logs.segments(store).get(0));
      Path second = Logs.segments(store).get(0);
      byte[] changed = Files.readAllBytes(second);
      changed[changed.length / 2] ^= 1;
      Files.write(second, changed);
      Files.write(store.resolve("default.notes.binlog"), new byte[5]);

      List<ShipEvent> events = new ArrayList<>();
      ShipVerified verified = shipper.verify(true, events::add);
      assertEquals(1, verified.soundSegments());
      assertEquals(List.of("default.notes.binlog"), verified.foreign());
      assertEquals(2, verified.problems().size());
      ShipProblem missing = verified.problems().get(0);
      assertEquals("MISSING 1 1 true default.0000000001.binlog",
          missing.kind() + " " + missing.sequence() + " " + missing.lastSequence() + " " + missing.isHere() + " "
              + missing.object().get());
      assertTrue(missing.toString().contains("segment 1 "), missing.toString());
      ShipProblem different = verified.problems().get(1);
      assertEquals("DIFFERENT 2 false", different.kind() + " " + different.sequence() + " " + different.isHere());
      assertTrue(kinds(events).contains(ShipEvent.Kind.BEGINS));
    }
  }

  @Test
  void a_gap_is_a_problem_without_an_object() throws Exception {
    Logs.writeRolled(log);
    Files.delete(Logs.segments(log).get(1));
    try (Shipper shipper = shipper()) {
      assertThrows(BinlogException.Corrupt.class, shipper::run);
      assertEquals(1, shipper.status().missingSegments());
      ShipProblem gap = shipper.verify().problems().get(0);
      assertEquals("GAP 2 2 false true",
          gap.kind() + " " + gap.sequence() + " " + gap.lastSequence() + " " + gap.isHere() + " "
              + gap.object().isEmpty());
    }
  }

  @Test
  void a_listener_ends_the_call_by_what_it_throws_and_by_stopping() throws Exception {
    Logs.writeRolled(log);
    try (Shipper shipper = shipper()) {
      RuntimeException enough = new RuntimeException("enough");
      assertSame(
          enough,
          assertThrows(
              RuntimeException.class,
              () ->
                  shipper.run(
                      event -> {
                        if (event.kind() == ShipEvent.Kind.UPLOADED) throw enough;
                      })));
      assertEquals(1, Logs.segments(store).size());
      // Only that call has ended.
      List<String> refused = new ArrayList<>();
      ShipReport report =
          shipper.run(
              event -> {
                for (Executable call : new Executable[] {shipper::run, shipper::verify, shipper::close}) {
                  refused.add(assertThrows(IllegalStateException.class, call).getMessage());
                }
                try {
                  shipper.status();
                  shipper.metrics();
                  shipper.lastFailure();
                } catch (BinlogException e) {
                  throw new AssertionError(e);
                }
                if (event.kind() == ShipEvent.Kind.UPLOADED) shipper.stop();
              });
      assertEquals(Collections.nCopies(refused.size(), "the shipper must not be used by a function that it calls"),
          refused);
      assertTrue(report.stopped() && report.uploadedSegments() == 1, report.toString());
      // And stays so.
      assertTrue(shipper.run().stopped());
      shipper.follow();
    }
  }

  @Test
  void an_interrupt_ends_what_follows() throws Exception {
    Logs.writeRolled(log);
    for (boolean isEarly : new boolean[] {true, false}) {
      try (Shipper shipper = shipper()) {
        CountDownLatch begun = new CountDownLatch(1);
        boolean[] interrupted = new boolean[1];
        Thread following =
            new Thread(
                () -> {
                  if (isEarly) Thread.currentThread().interrupt();
                  begun.countDown();
                  try {
                    shipper.follow(event -> {});
                  } catch (BinlogException e) {
                    throw new AssertionError(e);
                  }
                  interrupted[0] = Thread.currentThread().isInterrupted();
                });
        following.setDaemon(true);
        following.start();
        begun.await();
        if (!isEarly) {
          Logs.await("shipped", () -> shipper.status().waitingSegments() == 0);
          Thread.sleep(100);
          assertTrue(following.isAlive());
          following.interrupt();
        }
        following.join(60_000);
        assertTrue(!following.isAlive() && interrupted[0]);
        assertEquals(isEarly, shipper.run().stopped()); // with nothing left there is nothing to stop
      }
    }
  }

  @Test
  void a_close_ends_what_follows_and_refuses_what_comes_later() throws Exception {
    Logs.writeRolled(log);
    ExecutorService threads = Executors.newCachedThreadPool();
    Shipper shipper = shipper();
    CountDownLatch uploaded = new CountDownLatch(3);
    Future<?> following =
        threads.submit(
            () -> {
              shipper.follow(
                  event -> {
                    if (event.kind() == ShipEvent.Kind.UPLOADED) uploaded.countDown();
                  });
              return null;
            });
    assertTrue(uploaded.await(60, TimeUnit.SECONDS));
    // Never waits for calls that ship; another shipper is refused.
    assertEquals(3, shipper.status().uploadedSegments());
    assertThrows(BinlogException.Locked.class, this::shipper);
    Future<?> verifying = threads.submit(() -> shipper.verify());
    shipper.close();
    shipper.close();
    following.get(60, TimeUnit.SECONDS);
    try {
      verifying.get(60, TimeUnit.SECONDS);
    } catch (java.util.concurrent.ExecutionException e) { // it came too late
      assertEquals(IllegalStateException.class, e.getCause().getClass());
    }
    threads.shutdown();
    for (Executable call :
        new Executable[] {
          shipper::run, shipper::follow, shipper::verify, shipper::status, shipper::metrics, shipper::lastFailure,
          shipper::stop
        }) {
      assertEquals("the shipper is closed", assertThrows(IllegalStateException.class, call).getMessage());
    }
    shipper().close();
  }

  private void forget() throws Exception {
    shipper().status();
  }

  @Test
  void a_forgotten_shipper_is_freed() throws Exception {
    Logs.writeRolled(log);
    forget();
    Logs.await("free", () -> {
      System.gc();
      try {
        shipper().close();
        return true;
      } catch (BinlogException.Locked e) {
        return false;
      }
    });
  }

  @Test
  void a_store_that_is_gone_is_reported() throws Exception {
    Logs.writeRolled(log);
    ShipOptions options =
        options()
            .patience(Duration.ofMillis(1))
            .firstDelay(Duration.ofMillis(1))
            .longestDelay(Duration.ofMillis(2))
            .build();
    try (Shipper shipper = Shipper.open(log, options)) {
      emptyStore();
      List<ShipEvent> events = new ArrayList<>();
      BinlogException e = assertThrows(BinlogException.class, () -> shipper.run(events::add));
      assertTrue(e.getMessage().contains(store.toString()), e.getMessage());
      ShipEvent failed = events.get(events.size() - 1);
      assertEquals(ShipEvent.Kind.FAILED, failed.kind());
      assertEquals(e.getMessage(), failed.failure().get().getMessage());
      BinlogException last = shipper.lastFailure().get();
      assertEquals(e.getMessage() + e.status(), last.getMessage() + last.status());
      assertTrue(shipper.status().failures() > 0 && shipper.status().lastFailure().isPresent());
      assertEquals(3, shipper.status().waitingSegments());
      assertTrue(shipper.status().waitingBytes() > 0);
      assertFalse(shipper.status().oldestWaiting().isNegative());

      Files.createDirectory(store);
      assertEquals(3, shipper.run().uploadedSegments());
    }
  }

  private void refused(String says, ShipOptions.Builder options) {
    BinlogException e = assertThrows(BinlogException.class, () -> Shipper.open(log, options.build()));
    assertEquals(Status.INVALID, e.status(), e.getMessage());
    assertTrue(e.getMessage().contains(says), e.getMessage());
    assertFalse(e.toString().contains("sesame"), "a secret is shown: " + e);
  }

  @Test
  void wrong_options_are_refused_and_secrets_not_repeated() throws Exception {
    Logs.writeRolled(log);
    refused("s3://", ShipOptions.builder("ftp://somewhere/logs"));
    refused("colour", ShipOptions.builder(url + "?colour=red"));
    refused("user", ShipOptions.builder("s3://me:sesame@bucket/logs"));
    refused("never in a URL", ShipOptions.builder("s3://bucket/logs?secret_access_key=sesame"));
    refused("in flight", options().inFlight(65));
    refused("threads", options().threads(65));
    refused("part", options().partBytes(Long.MAX_VALUE));
    refused("longest_delay", options().firstDelay(Duration.ofSeconds(2)).longestDelay(Duration.ofSeconds(1)));
    refused("unshipped", options().keep(Retention.builder().segments(1).unshipped().build()));
    refused("the keeping of the source", options().compress(CompressOptions.builder().keepSource().build()));
    refused("whole", options().compress(CompressOptions.builder().whole(CompressOptions.Whole.GZIP).build()));
    CompressOptions listening = CompressOptions.builder().onProgress(progress -> {}).build();
    assertThrows(IllegalArgumentException.class, () -> options().compress(listening));
    assertThrows(IllegalArgumentException.class, () -> options().bandwidth(-1));
    assertThrows(IllegalArgumentException.class, () -> options().timeout(Duration.ZERO));
    assertThrows(IllegalArgumentException.class, () -> ShipOptions.builder("file:///a\0b").build().toNative());
    assertThrows(NullPointerException.class, () -> ShipOptions.builder(null));
    assertThrows(BinlogException.NotFound.class, () -> Shipper.open(log, "other", options().build()));
    assertThrows(BinlogException.class, () -> Shipper.open(directory.resolve("none"), options().build()));
    // Others could read it.
    Path credentials = Files.writeString(directory.resolve("credentials"), "AWS_SECRET_ACCESS_KEY=sesame\n");
    Files.setPosixFilePermissions(credentials, PosixFilePermissions.fromString("rw-r--r--"));
    BinlogException e =
        assertThrows(
            BinlogException.class,
            () -> Shipper.open(log, ShipOptions.builder("s3://bucket/logs").credentials(credentials).build()));
    assertTrue(e.getMessage().contains("credentials") && !e.toString().contains("sesame"), e.getMessage());
    e =
        assertThrows(
            BinlogException.class,
            () -> BinlogReader.openUrl("s3://bucket/logs", ReaderOptions.builder().credentials(credentials).build()));
    assertTrue(e.getMessage().contains("credentials") && !e.toString().contains("sesame"), e.getMessage());
  }

  @Test
  void old_segments_stay_until_they_are_shipped_unless_that_is_not_wanted() throws Exception {
    Logs.writeRolled(log);
    try (Shipper shipper = shipper()) {
      assertEquals(0, assertThrows(RuntimeException.class, () -> shipper.run(event -> {
        throw new RuntimeException();
      })).getSuppressed().length);
    }
    // Applies as soon as a shipper was opened for the log.
    assertEquals(List.of(), Binlog.prune(log, null, Retention.builder().segments(1).build(), true));
    assertEquals(3, Binlog.prune(log, null, Retention.builder().segments(1).unshipped().build(), true).size());
  }

  @Test
  void a_writer_ships_what_it_has_closed() throws Exception {
    List<BinlogException> failures = Collections.synchronizedList(new ArrayList<>());
    WriterOptions.Builder options =
        WriterOptions.builder()
            .roll(RollOptions.builder().records(10).build())
            .ship(options().closeWait(Duration.ofSeconds(60)).build())
            .onFailure(failures::add);
    try (BinlogWriter writer = BinlogWriter.open(log, options.build())) {
      for (int i = 1; i <= 35; i++) writer.write(1, Logs.bytes("record " + i));
      writer.tick();
      Logs.await("shipped", () -> writer.shipStatus().shippedUpTo() == 3);
      ShipStatus status = writer.shipStatus();
      assertEquals("default " + url + " 3", status.log() + " " + status.store() + " " + status.uploadedSegments());
      assertTrue(writer.shipMetrics().contains("_uploaded_segments_total{"), writer.shipMetrics());
      assertTrue(writer.shipFailure().isEmpty());
    }
    // Closing has rolled, and shipped the rest.
    assertEquals(Logs.texts(log), stored());
    assertEquals(List.of(), failures);

    try (BinlogWriter writer = BinlogWriter.open(directory.resolve("other"))) {
      assertThrows(BinlogException.NotFound.class, writer::shipStatus);
      assertThrows(BinlogException.NotFound.class, writer::shipMetrics);
      assertTrue(writer.shipFailure().isEmpty());
      writer.close();
      for (Executable call :
          new Executable[] {writer::shipStatus, writer::shipMetrics, writer::shipFailure}) {
        assertEquals("the writer is closed", assertThrows(IllegalStateException.class, call).getMessage());
      }
    }
  }

  @Test
  void a_writer_reports_what_fails_in_shipping() throws Exception {
    List<BinlogException> failures = Collections.synchronizedList(new ArrayList<>());
    WriterOptions.Builder options =
        WriterOptions.builder()
            .ship(
                options()
                    .firstDelay(Duration.ofMillis(1))
                    .longestDelay(Duration.ofMillis(10))
                    .closeWait(Duration.ofMillis(1))
                    .rollAtClose(false)
                    .build())
            .onFailure(failures::add);
    try (BinlogWriter writer = BinlogWriter.open(log, options.build())) {
      emptyStore();
      writer.write(Logs.bytes("one"));
      writer.roll();
      writer.tick();
      Logs.await("failed", () -> writer.shipFailure().isPresent() && !failures.isEmpty());
      assertTrue(writer.shipFailure().get().getMessage().contains(store.toString()));
      assertTrue(failures.get(0).getMessage().contains(store.toString()), failures.get(0).getMessage());
      assertTrue(writer.shipStatus().failures() > 0);
      Files.createDirectory(store);
      Logs.await("shipped", () -> writer.shipStatus().shippedUpTo() == 1);
      writer.write(Logs.bytes("two"));
    }
    // It was not to roll.
    assertEquals(List.of("one"), stored());

    Path single = directory.resolve("single.binlog");
    BinlogException e = assertThrows(BinlogException.class, () -> BinlogWriter.openFile(single, options.build()));
    assertFalse(Files.exists(single), e.getMessage());
  }
}
