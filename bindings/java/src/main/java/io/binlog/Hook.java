package io.binlog;

import java.nio.file.Path;
import java.util.Arrays;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * A step to be taken with a segment that begins or was closed. The library's own never replace a file that is there:
 * they fail, and the segment stays.
 *
 * <p>Hooks run one after the other, each with the place where the one before has left the file. With
 * {@link WriterOptions.Builder#background} they run in a thread of the library's, which is a daemon of the JVM's, but
 * for those that opening, closing, {@code roll} and {@code setRoll} cause, which may run in the thread that does so.
 * Without it they run in the thread that opens, syncs, ticks, rolls or closes next; when nobody has done so for a
 * second, in one that writes or flushes.
 *
 * <p>A hook that fails is reported to {@link WriterOptions.Builder#onFailure}, and the others still run. What a hook
 * calls of its writer, in its thread, is an {@link IllegalStateException} if it writes, names a type, flushes, syncs,
 * ticks, rolls or closes; {@link BinlogWriter#position}, the counts and the status may be asked for, and other writers
 * used.
 */
public final class Hook {
  /** Does something with a segment, and leaves its file where it is. */
  @FunctionalInterface
  public interface Step {
    /**
     * Called with a segment.
     *
     * @param segment the segment
     * @throws Exception to fail: {@link WriterOptions.Builder#onFailure} is told, with the exception as the cause
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
     * @throws Exception to fail: {@link WriterOptions.Builder#onFailure} is told, with the exception as the cause
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
   * The file gets another extension in place of what follows the last dot of its name, that dot included.
   *
   * @param extension such as ".done"
   * @return the hook
   */
  public static Hook changeExtension(String extension) {
    return new Hook(CHANGE_EXTENSION, Objects.requireNonNull(extension, "extension"));
  }

  /**
   * The file is moved; over to another file system too.
   *
   * @param directory a directory that is there
   * @return the hook
   */
  public static Hook moveTo(Path directory) {
    return new Hook(MOVE_TO, directory.toString());
  }

  /**
   * The file is removed. It should be the last hook: those behind it find no file.
   *
   * @return the hook
   */
  public static Hook delete() {
    return new Hook(DELETE, null);
  }

  /** Names and values, which equality and text go by. */
  private Object[] said() {
    return new Object[] {
      "kind", KINDS[kind - CALL],
      "argument", argument,
      "function", given
    };
  }

  /**
   * Whether the other says the same. Functions are the same only if they are one object.
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
   * What was said, for messages.
   *
   * @return such as {@code Hook{...}}, without what is the default
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
