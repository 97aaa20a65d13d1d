package io.binlog;

import java.nio.file.Path;
import java.util.Objects;

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
 * <p>A hook that fails is reported to {@link WriterOptions.Builder#onFailure}, and the others still run. Hooks must not
 * use the writer: that is an {@link IllegalStateException}.
 */
public final class Hook {
  /** Does something with a segment, and leaves its file where it is. */
  @FunctionalInterface
  public interface Step {
    /**
     * Called with a segment.
     *
     * @param segment the segment
     * @throws Exception to fail: {@link WriterOptions.Builder#onFailure} is told its class and message
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
     * @throws Exception to fail: {@link WriterOptions.Builder#onFailure} is told its class and message
     */
    Path handle(SegmentFile segment) throws Exception;
  }

  private static final int CALL = 1;
  private static final int CHANGE_EXTENSION = 2;
  private static final int MOVE_TO = 3;
  private static final int DELETE = 4;

  private final int kind;
  private final String argument;
  private final Mover function;

  private Hook(int kind, String argument, Mover function) {
    this.kind = kind;
    this.argument = argument;
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
        });
  }

  /**
   * Calls a function that may move the file.
   *
   * @param mover what to do
   * @return the hook
   */
  public static Hook move(Mover mover) {
    return new Hook(CALL, null, Objects.requireNonNull(mover, "mover"));
  }

  /**
   * The file gets another extension in place of what follows the last dot of its name, that dot included.
   *
   * @param extension such as ".done"
   * @return the hook
   */
  public static Hook changeExtension(String extension) {
    return new Hook(CHANGE_EXTENSION, Objects.requireNonNull(extension, "extension"), null);
  }

  /**
   * The file is moved; over to another file system too.
   *
   * @param directory a directory that is there
   * @return the hook
   */
  public static Hook moveTo(Path directory) {
    return new Hook(MOVE_TO, directory.toString(), null);
  }

  /**
   * The file is removed. It should be the last hook: those behind it find no file.
   *
   * @return the hook
   */
  public static Hook delete() {
    return new Hook(DELETE, null, null);
  }

  NativeOptions.Step step(Handle owner) {
    NativeOptions.Step step = new NativeOptions.Step();
    step.kind = kind;
    step.argument = Text.terminated(argument);
    step.call = function == null ? null : new Upcalls.HookTarget(owner, function);
    return step;
  }
}
