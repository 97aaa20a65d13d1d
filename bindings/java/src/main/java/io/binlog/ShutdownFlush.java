package io.binlog;

import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;

/**
 * Flushes the writers that are still open when the JVM shuts down. They are not closed: other threads still append. No
 * function of the user's is called in it: one that ends the JVM would wait for this thread, which waits for it.
 */
final class ShutdownFlush {
  private static final Set<Handle> OPEN = ConcurrentHashMap.newKeySet();
  /** The thread that the JVM runs when it ends. It is registered only while a writer is open, as it keeps the class
   * loader. */
  private static @Nullable Thread hook;

  /** The thread that flushes now. */
  private static volatile @Nullable Thread flushing;

  private ShutdownFlush() {}

  /** Whether this thread flushes because the JVM shuts down. */
  static boolean isHere() {
    return Thread.currentThread() == flushing;
  }

  static void add(Handle writer) {
    synchronized (ShutdownFlush.class) {
      if (hook == null) {
        Thread made = new Thread(null, ShutdownFlush::run, "binlog-flush", 0, false);
        made.setContextClassLoader(null);
        try {
          Runtime.getRuntime().addShutdownHook(made);
        } catch (IllegalStateException e) {
          return; // the JVM is shutting down already
        }
        hook = made;
      }
      OPEN.add(writer);
    }
  }

  static void remove(Handle writer) {
    synchronized (ShutdownFlush.class) {
      if (!OPEN.remove(writer) || !OPEN.isEmpty() || hook == null) return;
      try {
        Runtime.getRuntime().removeShutdownHook(hook);
      } catch (IllegalStateException e) {
        return; // the JVM is shutting down, and it runs
      }
      hook = null;
    }
  }

  private static void run() {
    flushing = Thread.currentThread();
    for (Handle writer : OPEN) {
      try {
        long address = writer.enter();
        try {
          Native.writerFlush(address);
        } finally {
          writer.exit();
        }
      } catch (BinlogException | RuntimeException e) {
        // An error cannot be reported during a shutdown; the other writers are flushed next.
      }
    }
  }
}
