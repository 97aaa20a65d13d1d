package io.binlog;

/**
 * Says whether a log rolls now: see {@link RollOptions.Builder#check}. Asked after each write to the file and in
 * {@link BinlogWriter#tick}, in the thread that did that; threads may ask at the same time. It must not write to it, roll it or close it:
 * that is an {@link IllegalStateException}.
 */
@FunctionalInterface
public interface RollCheck {
  /**
   * Decides. An exception stands for "no", and is told to {@link WriterOptions.Builder#onFailure}, with it as the
   * cause; where there is nobody to tell, to the thread's handler of uncaught exceptions.
   *
   * @param segment the segment that is being written
   * @return true to begin a new one
   * @throws Exception when it cannot say
   */
  boolean rollsNow(SegmentState segment) throws Exception;
}
