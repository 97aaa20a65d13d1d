package io.binlog;

/**
 * Says whether a log rolls now: see {@link RollOptions.Builder#check}. Called after each write to the file and in
 * {@link BinlogWriter#tick}, in the thread that did that, possibly in several threads at the same time. It must not
 * write to the log, roll it or close it: that is an {@link IllegalStateException}.
 */
@FunctionalInterface
public interface RollCheck {
  /**
   * Decides. An exception means "no", and is reported to {@link WriterOptions.Builder#onFailure}, with it as the cause;
   * without a listener, to the thread's handler of uncaught exceptions.
   *
   * @param segment the segment that is being written
   * @return true to begin a new one
   * @throws Exception when it cannot decide
   */
  boolean rollsNow(SegmentState segment) throws Exception;
}
