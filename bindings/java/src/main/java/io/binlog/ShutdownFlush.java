package io.binlog;

import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/** Flushes the writers that are still open when the JVM shuts down. They are not closed: other threads still append. */
final class ShutdownFlush {
  private static final Set<Handle> OPEN = ConcurrentHashMap.newKeySet();
  private static boolean isRegistered;

  private ShutdownFlush() {}

  static void add(Handle writer) {
    synchronized (ShutdownFlush.class) {
      if (!isRegistered) {
        try {
          Runtime.getRuntime().addShutdownHook(new Thread(ShutdownFlush::run, "binlog-flush"));
          isRegistered = true;
        } catch (IllegalStateException e) {
          return; // the JVM is shutting down already
        }
      }
    }
    OPEN.add(writer);
  }

  static void remove(Handle writer) {
    OPEN.remove(writer);
  }

  private static void run() {
    for (Handle writer : OPEN) {
      try {
        long address = writer.enter();
        try {
          Native.writerFlush(address);
        } finally {
          writer.exit();
        }
      } catch (BinlogException | RuntimeException e) {
        // A shutdown has nobody to tell; the other writers come next.
      }
    }
  }
}
