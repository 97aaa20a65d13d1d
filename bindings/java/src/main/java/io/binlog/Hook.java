package io.binlog;

import java.nio.file.Path;
import java.util.Arrays;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * A step that is run with a segment that begins or was closed. The library's own never replace an existing file: they
 * fail, and the segment stays.
 *
 * <p>Hooks run one after the other, each with the place where the one before has left the file. With {@link
 * WriterOptions.Builder#background} they run in a thread of the library, which is a daemon of the JVM, except for
 * those that opening, closing, {@code roll} and {@code setRoll} cause, which may run in the calling thread. Without it
 * they run in the thread that calls {@link BinlogWriter#tick}, if one does so often; else in the write, flush or other
 * call that rolled, and in those that open or close.
 *
 * <p>A hook that fails is reported to {@link WriterOptions.Builder#onFailure}, and the others still run. A hook that
 * writes, names a type, flushes, syncs, ticks, rolls or closes its own writer, in its thread, gets an {@link
 * IllegalStateException}; it may use {@link BinlogWriter#position}, the counts and the status, also while the writer is
 * being closed, and other writers. The flush of {@link WriterOptions.Builder#flushAtShutdown} calls no hook.
 */
public final class Hook {
  /** Does something with a segment, and leaves its file where it is. */
  @FunctionalInterface
  public interface Step {
    /**
     * Called with a segment.
     *
     * @param segment the segment
     * @throws Exception to fail: {@link WriterOptions.Builder#onFailure} is called, with the exception as the cause
     */
    void handle(SegmentFile segment) throws Exception;
  }

  /** Does something with a segment that may move its file. */
  @FunctionalInterface
  public interface Mover {
    /**
     * Called with a segment.
     *
     * @param segment the segment
     * @return where its file is now, for the hooks that follow; null when it is where it was
     * @throws Exception to fail: {@link WriterOptions.Builder#onFailure} is called, with the exception as the cause
     */
    @Nullable Path handle(SegmentFile segment) throws Exception;
  }

  private static final int CALL = 1;
  private static final int CHANGE_EXTENSION = 2;
  private static final int MOVE_TO = 3;
  private static final int DELETE = 4;
  private static final String[] KINDS = {"call", "changeExtension", "moveTo", "delete"};

  private final int kind;
  private final @Nullable String argument;
  private final @Nullable Mover function;
  /** The function as it was given. */
  private final @Nullable Object given;

  private Hook(int kind, @Nullable String argument) {
    this(kind, argument, null, null);
  }

  private Hook(int kind, @Nullable String argument, @Nullable Mover function, @Nullable Object given) {
    this.kind = kind;
    this.argument = argument;
    this.given = given;
    this.function = function;
  }

  /**
   * Calls a function.
   *
   * @param step what to do
   * @return the hook
   */
  public static Hook call(Step step) {
    Objects.requireNonNull(step, "step");
    return new Hook(
        CALL,
        null,
        segment -> {
          step.handle(segment);
          return null;
        },
        step);
  }

  /**
   * Calls a function that may move the file.
   *
   * @param mover what to do
   * @return the hook
   */
  public static Hook move(Mover mover) {
    return new Hook(CALL, null, Objects.requireNonNull(mover, "mover"), mover);
  }

  /**
   * Gives the file another extension in place of what follows the last dot of its name, that dot included.
   *
   * @param extension such as ".done"
   * @return the hook
   */
  public static Hook changeExtension(String extension) {
    return new Hook(CHANGE_EXTENSION, Objects.requireNonNull(extension, "extension"));
  }

  /**
   * Moves the file; to another file system too.
   *
   * @param directory an existing directory
   * @return the hook
   */
  public static Hook moveTo(Path directory) {
    return new Hook(MOVE_TO, directory.toString());
  }

  /**
   * Removes the file. It should be the last hook: later ones find no file.
   *
   * @return the hook
   */
  public static Hook delete() {
    return new Hook(DELETE, null);
  }

  /** Names and values, for equality and text. */
  private Object[] said() {
    return new Object[] {
      "kind", KINDS[kind - CALL],
      "argument", argument,
      "function", given
    };
  }

  /**
   * Whether the other is the same hook. Functions are equal only if they are the same object.
   *
   * @param other what it is compared with
   * @return true for the same
   */
  @Override
  public boolean equals(@Nullable Object other) {
    return other instanceof Hook && Arrays.deepEquals(said(), ((Hook) other).said());
  }

  @Override
  public int hashCode() {
    return Arrays.deepHashCode(said());
  }

  /**
   * The hook, for messages.
   *
   * @return such as {@code Hook{...}}, without defaults
   */
  @Override
  public String toString() {
    return Text.said("Hook", said());
  }

  NativeOptions.Step step(Handle owner, Upcalls.@Nullable FailureTarget failures) {
    NativeOptions.Step step = new NativeOptions.Step();
    step.kind = kind;
    step.argument = Text.terminatedOrNull(argument);
    step.call = function == null ? null : new Upcalls.HookTarget(owner, function, failures);
    return step;
  }
}
