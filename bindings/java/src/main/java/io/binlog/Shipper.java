package io.binlog;

import java.lang.ref.Cleaner;
import java.lang.ref.Reference;
import java.nio.channels.AsynchronousCloseException;
import java.nio.channels.spi.AbstractInterruptibleChannel;
import java.nio.file.Path;
import java.util.Optional;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Ships the closed segments of one log to one store, beside its writer or without one. Threads may share it, also for
 * closing: {@link #status}, {@link #metrics}, {@link #lastFailure} and {@link #stop} never wait for calls that ship,
 * and {@link #close} stops them. A call on a closed shipper throws an {@link IllegalStateException}.
 *
 * <p>A listener is called with each event in the thread of the call. If it throws, that call ends and throws the same.
 * It may use status, metrics and the last failure, and stop; shipping, verifying and closing throw an {@link
 * IllegalStateException} there. Interrupting a thread that ships or verifies is a {@link #stop}: the call returns soon,
 * the thread stays interrupted, and the shipper stays stopped.
 *
 * <p>A writer with {@link WriterOptions.Builder#ship} has a shipper of its own.
 */
public final class Shipper implements AutoCloseable {
  private static final int READ_BACK = 1;

  private final Handle handle;
  private final Cleaner.Cleanable net;

  private Shipper(Path directory, @Nullable String log, ShipOptions options) throws BinlogException {
    handle = new Handle("the shipper", Native::shipperStop, Native::shipperClose);
    handle.opened(
        Native.shipperOpen(Text.terminated(directory.toString()), Text.terminatedOrNull(log), options.toNative()));
    net = Binlog.CLEANER.register(this, handle);
  }

  /**
   * Makes a shipper of the only log in a directory: see {@link #open(Path, String, ShipOptions)}.
   *
   * @param directory where the log is
   * @param options where to, and how
   * @return a shipper to be closed
   * @throws BinlogException as there
   */
  public static Shipper open(Path directory, ShipOptions options) throws BinlogException {
    return open(directory, null, options);
  }

  /**
   * Makes a shipper of a log. Nothing is sent yet, and no request is made. A writer may have the log open: only
   * segments that have a successor are shipped.
   *
   * @param directory where the log is
   * @param log its name; null = the only log there
   * @param options where to, and how
   * @return a shipper to be closed
   * @throws BinlogException {@link Status#INVALID} for an invalid URL or options, and for several logs without a
   * name; {@link BinlogException.NotFound} when there is no such directory or log; {@link BinlogException.Locked} when
   * another shipper ships the log already, which may be its writer's; {@link BinlogException.Unsupported} when the
   * library of stores is missing; {@link Status#IO}
   */
  public static Shipper open(Path directory, @Nullable String log, ShipOptions options) throws BinlogException {
    return new Shipper(directory, log, options);
  }

  /** A call that may take long. */
  private interface Call {
    void on(long shipper, Upcalls.@Nullable Listener<ShipEvent> listener) throws BinlogException;
  }

  private void call(@Nullable Consumer<? super ShipEvent> function, Call call) throws BinlogException {
    Interruption interruption = new Interruption();
    Upcalls.@Nullable Listener<ShipEvent> listener =
        Upcalls.Listener.of(
            handle,
            function == null
                ? null
                : event -> {
                  function.accept(event);
                  interruption.listen(); // the function may have waited for a channel of its own
                });
    long shipper = handle.enter();
    try {
      interruption.shipper = shipper;
      interruption.listen();
      call.on(shipper, listener);
    } finally {
      interruption.forget();
      leave();
      Upcalls.Listener.rethrow(listener);
    }
  }

  /** Stops the shipper when the thread that calls it is interrupted, as a channel is closed then. */
  private static final class Interruption extends AbstractInterruptibleChannel {
    private long shipper;

    void listen() {
      begin();
    }

    void forget() {
      try {
        end(true);
      } catch (AsynchronousCloseException e) {
        // The thread stays interrupted.
      }
    }

    @Override
    protected void implCloseChannel() {
      Native.shipperStop(shipper);
    }
  }

  private void leave() {
    handle.exit();
    Reference.reachabilityFence(this);
  }

  /**
   * Ships the closed segments: see {@link #run(Consumer)}.
   *
   * @return what was done
   * @throws BinlogException as there
   * @throws IllegalStateException when the shipper is closed
   */
  public ShipReport run() throws BinlogException {
    return run(null);
  }

  /**
   * Ships all segments that are closed, in their order, and removes those here that need not stay. Temporary failures
   * are retried for as long as {@link ShipOptions.Builder#patience} says. Threads that ship take turns.
   *
   * @param onEvent is called with each event; may be null
   * @return what was done, also when there was nothing to do, or it was stopped
   * @throws BinlogException the first failure that a person has to fix, or that did not pass in that time; no later
   * segment is shipped before it: {@link BinlogException.Mismatch} when the store holds another object of the segment's
   * name, which is left as it is; {@link Status#IO}, and other errors of the store or the system; {@link
   * BinlogException.Corrupt}, after all other work, when segments are damaged, which are not sent, or missing: nothing
   * from the first of them on is removed here, and the listener was called with each
   * @throws IllegalStateException when the shipper is closed
   */
  public ShipReport run(@Nullable Consumer<? super ShipEvent> onEvent) throws BinlogException {
    long[] sums = new long[6];
    call(onEvent, (shipper, listener) -> Native.shipperRun(shipper, listener, sums));
    return new ShipReport(sums);
  }

  /**
   * Ships the closed segments and those that are closed later: see {@link #follow(Consumer)}.
   *
   * @throws BinlogException as there
   * @throws IllegalStateException when the shipper is closed
   */
  public void follow() throws BinlogException {
    follow(null);
  }

  /**
   * Ships the closed segments and those that are closed later, until the shipper is stopped or closed, the thread is
   * interrupted, or the listener throws. It retries for ever: the listener and {@link #status} report failures.
   *
   * @param onEvent is called with each event; may be null
   * @throws BinlogException {@link BinlogException.Forked}
   * @throws IllegalStateException when the shipper is closed
   */
  public void follow(@Nullable Consumer<? super ShipEvent> onEvent) throws BinlogException {
    call(onEvent, Native::shipperFollow);
  }

  /**
   * Makes the calls in progress return soon, and later ones at once: the current transfer is aborted, and the next
   * shipper resumes it. Does not wait for the calls. A stopped shipper stays so.
   *
   * @throws IllegalStateException when the shipper is closed
   */
  public void stop() {
    long shipper = handle.enterFromAnywhere();
    try {
      Native.shipperStop(shipper);
    } finally {
      leave();
    }
  }

  /**
   * Compares what the store holds with what is here, and with what is known of removed segments.
   *
   * @return what was found
   * @throws BinlogException as {@link #verify(boolean, Consumer)}
   * @throws IllegalStateException when the shipper is closed
   */
  public ShipVerified verify() throws BinlogException {
    return verify(false, null);
  }

  /**
   * Compares what the store holds with what is here, and with what is known of removed segments. Nothing is changed.
   * Waits until no call ships with this shipper.
   *
   * @param readBack true to read every object and compare its bytes, also where the store's own checksum would be
   * enough
   * @param onEvent is called with each segment that is compared; may be null
   * @return the result, also when there are problems
   * @throws BinlogException {@link BinlogException.Unsupported} for {@code exec:}, whose objects cannot be read;
   * {@link Status#IO} and other errors of the store or the system, without a retry, except that reading an object back
   * is retried for half a minute
   * @throws IllegalStateException when the shipper is closed
   */
  public ShipVerified verify(boolean readBack, @Nullable Consumer<? super ShipEvent> onEvent) throws BinlogException {
    Upcalls.Found found = new Upcalls.Found();
    long[] sums = new long[7];
    call(
        onEvent,
        (shipper, listener) -> Native.shipperVerify(shipper, readBack ? READ_BACK : 0, listener, found, sums));
    return new ShipVerified(found.problems, found.foreign, sums);
  }

  /** A call that changes the recorded state of segments. */
  private interface Change {
    void on(long shipper) throws BinlogException;
  }

  private void change(Change change) throws BinlogException {
    long shipper = handle.enter();
    try {
      change.on(shipper);
    } finally {
      leave();
    }
  }

  /**
   * Says that a damaged segment is to be sent as it is, or that a missing one is lost and not waited for. Nothing is
   * sent yet. Waits until no call ships with this shipper.
   *
   * @param segment its number or the name of its file; of missing ones also the first and the last number with a dash between,
   *     such as {@code 3-5}
   * @throws BinlogException {@link Status#INVALID} when it is neither damaged nor missing, or does not belong to the
   * log;
   *     {@link Status#IO}
   * @throws IllegalStateException when the shipper is closed
   */
  public void accept(String segment) throws BinlogException {
    change(shipper -> Native.shipperAccept(shipper, Text.terminated(segment)));
  }

  /**
   * Makes room in the store for the segment as it is here, when the object of its name is another one: that object is
   * kept under another name ({@code NAME.replaced-1}), compared, and removed; the next {@link #run} sends the segment.
   *
   * @param segment its number or the name of its file
   * @throws BinlogException {@link Status#INVALID} when it is not a closed segment of the log, or the store holds it as
   * it is     here; {@link BinlogException.Corrupt} when the file here is damaged and that was not accepted; {@link
   * BinlogException.NotFound} when the store has no such object; {@link BinlogException.Unsupported} for {@code exec:};
   * {@link Status#IO} and other errors of the store or the system
   * @throws IllegalStateException when the shipper is closed
   */
  public void replace(String segment) throws BinlogException {
    change(shipper -> Native.shipperReplace(shipper, Text.terminated(segment)));
  }

  /**
   * Forgets the shipper's store, for a store that the log is no longer shipped to: segments are no longer kept here
   * because it does not hold them. What it holds stays there. When a log has several stores, a segment is removed here
   * only once all of them hold it.
   *
   * @throws BinlogException {@link Status#IO}
   * @throws IllegalStateException when the shipper is closed
   */
  public void forget() throws BinlogException {
    change(Native::shipperForget);
  }

  /**
   * The progress. Never waits for calls that ship.
   *
   * @return the current state
   * @throws BinlogException {@link BinlogException.Forked}
   * @throws IllegalStateException when the shipper is closed
   */
  public ShipStatus status() throws BinlogException {
    long shipper = handle.enterFromAnywhere();
    try {
      return Native.shipperStatus(shipper);
    } finally {
      leave();
    }
  }

  /**
   * The same in the text format of Prometheus.
   *
   * @return lines
   * @throws BinlogException {@link BinlogException.Forked}
   * @throws IllegalStateException when the shipper is closed
   */
  public String metrics() throws BinlogException {
    long shipper = handle.enterFromAnywhere();
    try {
      return Text.text(Native.shipperMetrics(shipper));
    } finally {
      leave();
    }
  }

  /**
   * The last failure since the shipper was opened.
   *
   * @return empty when nothing has failed
   * @throws IllegalStateException when the shipper is closed
   */
  public Optional<BinlogException> lastFailure() {
    long shipper = handle.enterFromAnywhere();
    try {
      return Optional.ofNullable(Native.shipperLastFailure(shipper));
    } finally {
      leave();
    }
  }

  /**
   * Stops the calls in progress, waits for them, and frees the shipper; another one may then ship the log.
   * Closing again only waits until that is done.
   *
   * @throws IllegalStateException when called by a listener of the shipper
   */
  @Override
  public void close() {
    try {
      handle.close();
    } catch (BinlogException e) {
      throw new AssertionError("closing a shipper does not fail", e);
    }
    net.clean(); // closed already: only unregisters
  }
}
