package io.binlog;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * The methods that C calls: they convert the library's facts into Java's objects, and keep every exception of the
 * user's functions in Java. load.c contains their names and signatures.
 */
final class Upcalls {
  private Upcalls() {}

  /** Objects that C throws or returns. */
  static BinlogException exception(
      int status, byte[] message, byte[] path, long offset, int osCode, long recordId, long firstMissed,
      long lastMissed) {
    return new BinlogException.Facts(
            status, Text.text(message), Text.text(path), offset, osCode, recordId, firstMissed, lastMissed)
        .exception();
  }

  /** A function of the user's and the handle that it must not use while it runs. */
  abstract static class Target {
    final Handle owner;

    Target(Handle owner) {
      this.owner = owner;
    }
  }

  static final class HookTarget extends Target {
    final Hook.Mover function;
    /** Receives what the hook throws; may be null. */
    final @Nullable FailureTarget failures;

    HookTarget(Handle owner, Hook.Mover function, @Nullable FailureTarget failures) {
      super(owner);
      this.function = function;
      this.failures = failures;
    }
  }

  static final class CheckTarget extends Target {
    final RollCheck function;
    /** Receives what the check throws; may be null. */
    final @Nullable FailureTarget failures;

    CheckTarget(Handle owner, RollCheck function, @Nullable FailureTarget failures) {
      super(owner);
      this.function = function;
      this.failures = failures;
    }
  }

  static final class FailureTarget extends Target {
    final Consumer<? super BinlogException> function;
    /**
     * What a hook has thrown, until the library reports the failure, immediately and in the same thread: the cause of
     * the failure whose message contains it.
     */
    private final ThreadLocal<Throwable> thrown = new ThreadLocal<>();

    FailureTarget(Handle owner, Consumer<? super BinlogException> function) {
      super(owner);
      this.function = function;
    }
  }

  /** Null for success without a move; else where the file is now, and why the hook has failed. */
  static byte @Nullable [] @Nullable [] hook(
      Object target, byte[] path, byte[] log, byte[] reason, long sequence, long created, long firstId, long records,
      long bytes) {
    if (ShutdownFlush.isHere()) return null;
    HookTarget hook = (HookTarget) target;
    byte @Nullable [][] said = new byte[2][];
    hook.owner.callBack(
        () -> {
          try {
            Path moved =
                hook.function.handle(
                    new SegmentFile(
                        Text.text(path), Text.text(log), Text.text(reason), sequence, created, firstId, records,
                        bytes));
            if (moved != null) said[0] = Text.terminated(moved.toString());
          } catch (Throwable e) {
            said[1] = Text.terminated(oneLine(e));
            if (hook.failures != null) hook.failures.thrown.set(e);
          }
        });
    return said[0] == null && said[1] == null ? null : said;
  }

  static boolean check(
      Object target, byte[] path, long sequence, long created, long now, long bytes, long firstId, long records) {
    if (ShutdownFlush.isHere()) return false;
    CheckTarget check = (CheckTarget) target;
    boolean[] rolls = new boolean[1];
    check.owner.callBack(
        () -> {
          try {
            rolls[0] =
                check.function.rollsNow(
                    new SegmentState(Text.text(path), sequence, created, now, bytes, firstId, records));
          } catch (Throwable e) {
            BinlogException failure =
                new BinlogException.Facts(
                        Status.INVALID.code(), "the roll check has thrown " + oneLine(e), Text.text(path), -1, 0, 0, 0,
                        0)
                    .exception();
            failure.initCause(e);
            if (check.failures == null) uncaught(e);
            else report(check.failures, failure);
          }
        });
    return rolls[0];
  }

  static void failure(Object target, int status, byte[] message, byte[] path, long offset, int osCode) {
    if (ShutdownFlush.isHere()) return;
    FailureTarget failures = (FailureTarget) target;
    BinlogException what =
        new BinlogException.Facts(status, Text.text(message), Text.text(path), offset, osCode, 0, 0, 0).exception();
    Throwable thrown = failures.thrown.get();
    failures.thrown.remove();
    if (thrown != null && String.valueOf(what.getMessage()).contains(oneLine(thrown))) what.initCause(thrown);
    failures.owner.callBack(() -> report(failures, what));
  }

  private static void report(FailureTarget failures, BinlogException what) {
    try {
      failures.function.accept(what);
    } catch (Throwable e) {
      uncaught(e);
    }
  }

  /** For an exception that cannot be returned: treats it as that of a thread that has died of it. */
  private static void uncaught(Throwable e) {
    Thread thread = Thread.currentThread();
    thread.getUncaughtExceptionHandler().uncaughtException(thread, e);
  }

  /** Message and class of an exception without line breaks and NULs. */
  private static String oneLine(Throwable e) {
    return e.toString().replaceAll("[\\x00-\\x1f]+", " ");
  }

  /**
   * A listener for losses, and what it has thrown in each thread. The call that met the loss finishes its work and
   * then throws it again.
   */
  static final class Losses {
    private final Consumer<? super Loss> function;
    private final ThreadLocal<Throwable> thrown = new ThreadLocal<>();

    Losses(Consumer<? super Loss> function) {
      this.function = function;
    }

    void report(Loss loss) {
      try {
        function.accept(loss);
      } catch (Throwable e) {
        Throwable first = thrown.get();
        if (first == null) thrown.set(e);
        else if (first != e) first.addSuppressed(e);
      }
    }

    /** Throws what the listener has thrown in this thread since the last time. */
    static void rethrow(@Nullable Losses losses) {
      if (losses == null) return;
      Throwable e = losses.thrown.get();
      if (e == null) return;
      losses.thrown.remove();
      Upcalls.rethrow(e);
    }
  }

  private static void rethrow(Throwable e) {
    if (e instanceof Error) throw (Error) e;
    // A Consumer throws nothing else, except with unchecked tricks.
    throw e instanceof RuntimeException ? (RuntimeException) e : new IllegalStateException(e);
  }

  /**
   * A listener for the events of one call, which runs in its thread. If it throws, the call stops, and throws the
   * same.
   */
  static final class Listener<T> {
    private final @Nullable Handle owner;
    private final Consumer<? super T> function;
    private @Nullable Throwable thrown;

    private Listener(@Nullable Handle owner, Consumer<? super T> function) {
      this.owner = owner;
      this.function = function;
    }

    /** Null for a null function; without an owner when the call is on no handle. */
    static <T> @Nullable Listener<T> of(@Nullable Handle owner, @Nullable Consumer<? super T> function) {
      return function == null ? null : new Listener<>(owner, function);
    }

    /** False to stop. */
    boolean report(T what) {
      // Until the call has noticed that it has to stop.
      if (thrown != null) return false;
      Runnable call =
          () -> {
            try {
              function.accept(what);
            } catch (Throwable e) {
              thrown = e;
            }
          };
      if (owner == null) call.run();
      else owner.callBack(call);
      return thrown == null;
    }

    static void rethrow(@Nullable Listener<?> listener) {
      if (listener != null && listener.thrown != null) Upcalls.rethrow(listener.thrown);
    }
  }

  @SuppressWarnings("unchecked") // as Native.compress gave it
  static boolean progress(Object listener, byte[] path, long done, long bytes) {
    return ((Listener<Progress>) listener).report(new Progress(Text.text(path), done, bytes));
  }

  @SuppressWarnings("unchecked") // as Native.compress gave it
  static void compressed(
      Object list, byte[] path, byte[] source, byte @Nullable [] sha256, long sequence, long records, long before, long after,
      boolean sourceRemoved) {
    ((List<Compressed>) list)
        .add(
            new Compressed(
                Text.text(path), Text.text(source), Text.textOrNull(sha256), sequence, records, before, after,
                sourceRemoved));
  }

  @SuppressWarnings("unchecked") // as Native.shipperRun gave it
  static boolean shipEvent(
      Object listener, int kind, boolean found, byte @Nullable [] path, long sequence, long bytes, @Nullable BinlogException error,
      long waitNanos) {
    return ((Listener<ShipEvent>) listener)
        .report(new ShipEvent(kind, found, Text.textOrNull(path), sequence, bytes, error, waitNanos));
  }

  /** The result of a comparison with a store. */
  static final class Found {
    /** The last kind of problem in C, counted separately. */
    private static final int FOREIGN = 4;

    final List<ShipProblem> problems = new ArrayList<>();
    final List<String> foreign = new ArrayList<>();
  }

  static void shipProblem(
      Object target, int kind, boolean isHere, long sequence, long lastSequence, byte @Nullable [] object, byte[] message) {
    Found found = (Found) target;
    if (kind == Found.FOREIGN) {
      found.foreign.add(Objects.requireNonNull(Text.textOrNull(object), "object"));
      return;
    }
    found.problems.add(
        new ShipProblem(
            ShipProblem.Kind.of(kind), isHere, sequence, lastSequence, Text.textOrNull(object),
            Text.text(message)));
  }

  static ShipStatus shipStatus(byte[] log, byte[] store, int state, long[] numbers) {
    return new ShipStatus(Text.text(log), Text.text(store), ShipStatus.State.values()[state], numbers);
  }

  static void loss(
      Object losses, byte[] path, byte[] reason, long offset, long bytes, long firstId, long lastId, long firstPage,
      long pageCount, boolean durable, int kind) {
    ((Losses) losses)
        .report(
            new Loss(
                Loss.Kind.of(kind), Text.text(path), Text.text(reason), offset, bytes, firstId, lastId, firstPage, pageCount,
                durable));
  }

  @SuppressWarnings("unchecked") // as Native.prune gave it
  static void pruned(
      Object list, byte[] path, byte[] reason, long sequence, long bytes, long firstId, long lastId) {
    ((List<Pruned>) list)
        .add(new Pruned(Text.text(path), Text.text(reason), sequence, bytes, firstId, lastId));
  }

  @SuppressWarnings("unchecked") // as Native.readerCounts gave it
  static void typeCount(Object list, int type, long records, byte @Nullable [] name, boolean severalNumbers) {
    ((List<TypeCount>) list).add(new TypeCount(type, records, Text.textOrNull(name), severalNumbers));
  }

  @SuppressWarnings("unchecked") // as Native.readerTypes gave it
  static TypeInfo typeInfo(
      @Nullable Object list, int type, byte[] name, byte[] contentType, byte[] encoding, byte[] message,
      byte @Nullable [] schema, byte @Nullable [] schemaSha256) {
    TypeInfo info =
        new TypeInfo(
            type, Text.text(name), Text.text(contentType), Text.text(encoding), Text.text(message), schema,
            schemaSha256);
    if (list != null) ((List<TypeInfo>) list).add(info);
    return info;
  }

  @SuppressWarnings("unchecked") // as Native.readerSegments gave it
  static void segment(
      Object list, long sequence, long firstId, long created, long bytes, byte[] path, byte[] name, byte[] contentType,
      byte[][] parameters) {
    Map<String, String> pairs = new LinkedHashMap<>();
    for (int i = 0; i < parameters.length; i += 2) pairs.put(Text.text(parameters[i]), Text.text(parameters[i + 1]));
    ((List<Segment>) list)
        .add(
            new Segment(
                sequence, firstId, created, bytes, Text.text(path), Text.text(name), Text.text(contentType),
                pairs));
  }

  @SuppressWarnings("unchecked") // as Native.readerPlan gave it
  static void split(
      Object list, byte[] token, byte[] location, long firstId, long lastId, long records, long bytes, long firstTime,
      long lastTime) {
    ((List<Split>) list)
        .add(new Split(Text.text(token), Text.text(location), firstId, lastId, records, bytes, firstTime, lastTime));
  }

  /** For {@link #addColumn}. */
  static List<TableColumn> columns() {
    return new ArrayList<>();
  }

  @SuppressWarnings("unchecked") // as columns returned it
  static void addColumn(Object list, Object column) {
    ((List<TableColumn>) list).add((TableColumn) column);
  }

  @SuppressWarnings("unchecked") // as columns returned it
  static TableColumn column(byte[] name, byte[] format, Object children, @Nullable Object dictionary) {
    return new TableColumn(
        Text.text(name), Text.text(format), (List<TableColumn>) children, (TableColumn) dictionary);
  }

  static Tail tail(int state, long nextId, long offset, long unreadBytes, byte[] path, byte[] reason) {
    return new Tail(
        Tail.State.values()[state], nextId, offset, unreadBytes, Text.text(path), Text.text(reason));
  }
}
