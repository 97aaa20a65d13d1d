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
 * Ships the closed segments of one log to one store, beside its writer or without one. Threads may share it, closing
 * included: {@link #status}, {@link #metrics}, {@link #lastFailure} and {@link #stop} never wait for those who ship,
 * and {@link #close} stops them. Any call on a closed shipper is an {@link IllegalStateException}.
 *
 * <p>A listener is told of each step in the thread of the call. What it throws ends that call, which throws it. It may
 * ask for status, metrics and the last failure, and stop; shipping, verifying and closing is an
 * {@link IllegalStateException} there. Interrupting a thread that ships or verifies is a {@link #stop}: the call returns soon, the
 * thread stays interrupted, and the shipper stays stopped.
 *
 * <p>A writer with {@link WriterOptions.Builder#archive} has a shipper of its own.
 */
public final class Shipper implements AutoCloseable {
  private static final int READ_BACK = 1;

  private final Handle handle;
  private final Cleaner.Cleanable net;

  private Shipper(Path directory, @Nullable String log, ArchiveOptions options) throws BinlogException {
    handle = new Handle("the shipper", Native::shipperStop, Native::shipperClose);
    handle.opened(
        Native.shipperOpen(Text.terminated(directory.toString()), Text.terminatedOrNull(log), options.toNative()));
    net = Binlog.CLEANER.register(this, handle);
  }

  /**
   * Makes a shipper of the only log in a directory: see {@link #open(Path, String, ArchiveOptions)}.
   *
   * @param directory where the log is
   * @param options where to, and how
   * @return a shipper to be closed
   * @throws BinlogException as there
   */
  public static Shipper open(Path directory, ArchiveOptions options) throws BinlogException {
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
   * @throws BinlogException {@link Status#INVALID} for a URL or options that are none, and for several logs without a
   *     name; {@link BinlogException.NotFound} when there is no such directory or log; {@link BinlogException.Locked}
   *     when somebody ships the log already, which may be its writer; {@link BinlogException.Unsupported} when the
   *     library of stores is not there; {@link Status#IO}
   */
  public static Shipper open(Path directory, @Nullable String log, ArchiveOptions options) throws BinlogException {
    return new Shipper(directory, log, options);
  }

  /** A call that may last. */
  private interface Call {
    void on(long shipper, Upcalls.@Nullable Listener<ArchiveEvent> listener) throws BinlogException;
  }

  private void call(@Nullable Consumer<? super ArchiveEvent> function, Call call) throws BinlogException {
    Interruption interruption = new Interruption();
    Upcalls.@Nullable Listener<ArchiveEvent> listener =
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
   * Ships what there is: see {@link #run(Consumer)}.
   *
   * @return what was done
   * @throws BinlogException as there
   * @throws IllegalStateException when the shipper is closed
   */
  public ArchiveReport run() throws BinlogException {
    return run(null);
  }

  /**
   * Ships all segments that are closed, in their order, and removes those here that need not stay. What fails and may
   * work later is tried again for as long as {@link ArchiveOptions.Builder#patience} says. Threads that ship take
   * turns.
   *
   * @param onEvent is told of each step; may be null
   * @return what was done, also when there was nothing to do, or it was told to stop
   * @throws BinlogException the first failure that somebody has to mend, or that did not pass in that time; no later
   *     segment is shipped before it: {@link BinlogException.Mismatch} when the store holds another object of the
   *     segment's name, which is left as it is; {@link Status#IO}, and what else the store or the system says;
   *     {@link BinlogException.Corrupt}, once all else is done, when segments are damaged, which are not sent, or missing: nothing
   *     from the first of them on is removed here, and the listener was told of each
   * @throws IllegalStateException when the shipper is closed
   */
  public ArchiveReport run(@Nullable Consumer<? super ArchiveEvent> onEvent) throws BinlogException {
    long[] sums = new long[6];
    call(onEvent, (shipper, listener) -> Native.shipperRun(shipper, listener, sums));
    return new ArchiveReport(sums);
  }

  /**
   * Ships what there is and what is still to come: see {@link #follow(Consumer)}.
   *
   * @throws BinlogException as there
   * @throws IllegalStateException when the shipper is closed
   */
  public void follow() throws BinlogException {
    follow(null);
  }

  /**
   * Ships what there is and what is still to come, until the shipper is stopped or closed, the thread is interrupted, or the
   * listener throws. What
   * fails is tried again for ever: the listener and {@link #status} tell of it.
   *
   * @param onEvent is told of each step; may be null
   * @throws BinlogException {@link BinlogException.Forked}
   * @throws IllegalStateException when the shipper is closed
   */
  public void follow(@Nullable Consumer<? super ArchiveEvent> onEvent) throws BinlogException {
    call(onEvent, Native::shipperFollow);
  }

  /**
   * Makes the calls in progress return soon, and those that are still to come at once: what is being sent is given up,
   * and gone on with by the next shipper. Does not wait for them. A stopped shipper stays so.
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
   * Compares what the store holds with what is here, and with what is known of what was here.
   *
   * @return what was found
   * @throws BinlogException as {@link #verify(boolean, Consumer)}
   * @throws IllegalStateException when the shipper is closed
   */
  public ArchiveVerified verify() throws BinlogException {
    return verify(false, null);
  }

  /**
   * Compares what the store holds with what is here, and with what is known of what was here. Nothing is changed. Waits
   * until nobody ships with this shipper.
   *
   * @param readBack true to read every object and compare its bytes, also where the store's own checksum would do
   * @param onEvent is told of each segment that is compared; may be null
   * @return what was found, also when something is wrong
   * @throws BinlogException {@link BinlogException.Unsupported} for {@code exec:}, whose objects nobody can look at;
   *     {@link Status#IO} and what else the store or the system says, without another try
   * @throws IllegalStateException when the shipper is closed
   */
  public ArchiveVerified verify(boolean readBack, @Nullable Consumer<? super ArchiveEvent> onEvent) throws BinlogException {
    Upcalls.Found found = new Upcalls.Found();
    long[] sums = new long[7];
    call(
        onEvent,
        (shipper, listener) -> Native.shipperVerify(shipper, readBack ? READ_BACK : 0, listener, found, sums));
    return new ArchiveVerified(found.problems, found.foreign, sums);
  }

  /** A call that changes what is known of segments. */
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
   * Says that a damaged segment is to be sent as it is, or that a missing one is lost and not waited for. Nothing is sent yet.
   * Waits until nobody ships with this shipper.
   *
   * @param segment its number or the name of its file; of missing ones also the first and the last number with a dash between,
   *     such as {@code 3-5}
   * @throws BinlogException {@link Status#INVALID} when it is neither damaged nor missing, or none of the log's;
   *     {@link Status#IO}
   * @throws IllegalStateException when the shipper is closed
   */
  public void accept(String segment) throws BinlogException {
    change(shipper -> Native.shipperAccept(shipper, Text.terminated(segment)));
  }

  /**
   * Makes room in the store for the segment as it is here, when the object of its name is another one: that is kept under
   * another name ({@code NAME.replaced-1}), compared, and removed; the next {@link #run} sends the segment.
   *
   * @param segment its number or the name of its file
   * @throws BinlogException {@link Status#INVALID} when it is none of the log's closed ones, or the store holds it as it is
   *     here; {@link BinlogException.Corrupt} when the file here is damaged and that was not accepted;
   *     {@link BinlogException.NotFound} when the store has no such object; {@link BinlogException.Unsupported} for {@code
   *     exec:}; {@link Status#IO} and what else the store or the system says
   * @throws IllegalStateException when the shipper is closed
   */
  public void replace(String segment) throws BinlogException {
    change(shipper -> Native.shipperReplace(shipper, Text.terminated(segment)));
  }

  /**
   * Forgets the shipper's store: segments are no longer kept here because it does not hold them. What it holds stays there. For a
   * store that the log is no longer shipped to; when a log has several, a segment is removed here only once all of them hold
   * it.
   *
   * @throws BinlogException {@link Status#IO}
   * @throws IllegalStateException when the shipper is closed
   */
  public void forget() throws BinlogException {
    change(Native::shipperForget);
  }

  /**
   * How far it is. Never waits for those who ship.
   *
   * @return the facts of this moment
   * @throws BinlogException {@link BinlogException.Forked}
   * @throws IllegalStateException when the shipper is closed
   */
  public ArchiveStatus status() throws BinlogException {
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
   * Stops the calls that are under way, waits for them, and frees the shipper, so that another one may ship the log.
   * Closing again only waits until that is done.
   *
   * @throws IllegalStateException when a listener of the shipper's does it
   */
  @Override
  public void close() {
    try {
      handle.close();
    } catch (BinlogException e) {
      throw new AssertionError("closing a shipper does not fail", e);
    }
    net.clean(); // closed already: only forgotten
  }
}
