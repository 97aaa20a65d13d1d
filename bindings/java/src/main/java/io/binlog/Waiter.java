package io.binlog;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.locks.LockSupport;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * Waits for a cursor's descriptor to become readable. The waiting thread is parked, and a virtual thread leaves its
 * carrier; one daemon thread polls the descriptors of all. It begins with the first wait, and ends when there was none
 * for some seconds.
 */
final class Waiter {
  /** How often the polling thread checks whether there are still waits. */
  private static final int POLL_MILLIS = 5_000;

  private static final Set<Waiter> WAITING = ConcurrentHashMap.newKeySet();
  /** Held at the beginning and the end of the thread. */
  private static final ReentrantLock THREAD = new ReentrantLock();
  /** The thread has to look at WAITING again, and the bell has been rung for it. */
  private static final AtomicBoolean RUNG = new AtomicBoolean();

  /** The descriptor that ends a poll; -1 while there is no thread. */
  private static volatile int bell = -1;

  /** The polled descriptor; -1 for none. */
  private volatile int descriptor = -1;
  private volatile boolean isCalled;
  private volatile @Nullable Thread thread;

  /** Begins to wait, before the look that finds nothing: a call from here on ends the next {@link #sleep}. */
  void prepare() {
    thread = Thread.currentThread();
    isCalled = false;
  }

  /**
   * Has the thread call when the descriptor is readable, once.
   *
   * @return false when the system has no descriptor left for the polling
   */
  boolean watch(int readable) {
    WAITING.add(this);
    // After that: a thread that is about to end sees one of the two.
    int ringing = bell;
    if (ringing < 0) ringing = begin();
    if (ringing < 0) return false;
    descriptor = readable;
    if (!RUNG.getAndSet(true)) Native.pollRing(ringing);
    return true;
  }

  private static int begin() {
    THREAD.lock();
    try {
      if (bell >= 0) return bell;
      int made = Native.pollOpen();
      if (made < 0) return made;
      RUNG.set(false);
      // Without the class loader and the inheritable locals of the thread that happens to be the first.
      Thread polling = new Thread(null, () -> poll(made), "binlog-waiting", 0, false);
      polling.setContextClassLoader(null);
      polling.setDaemon(true);
      try {
        polling.start();
      } catch (Throwable e) {
        Native.pollClose(made);
        throw e;
      }
      bell = made;
      return made;
    } finally {
      THREAD.unlock();
    }
  }

  /** Ends the wait. */
  void end() {
    descriptor = -1;
    WAITING.remove(this);
    thread = null;
  }

  /** Ends the {@link #sleep} in progress, or else the next one. */
  void call() {
    isCalled = true;
    LockSupport.unpark(thread);
  }

  /** Until {@link #call}, the end of the time, or an interrupt of the thread, which stays interrupted. */
  void sleep(long nanos) {
    long begun = System.nanoTime();
    for (long left = nanos; left > 0 && !isCalled; left = nanos - (System.nanoTime() - begun)) {
      LockSupport.parkNanos(this, left);
      if (Thread.currentThread().isInterrupted()) break;
    }
  }

  private static void poll(int bell) {
    for (;;) {
      try {
        List<Waiter> polled = new ArrayList<>();
        for (Waiter waiter : WAITING) {
          if (waiter.descriptor >= 0) polled.add(waiter);
        }
        int[] descriptors = new int[polled.size()];
        for (int i = 0; i < descriptors.length; i++) descriptors[i] = polled.get(i).descriptor;
        boolean isRung = Native.poll(bell, descriptors, POLL_MILLIS);
        // Before the next look at WAITING.
        if (isRung) RUNG.set(false);
        for (int i = 0; i < descriptors.length; i++) {
          if (descriptors[i] == 0) continue;
          polled.get(i).descriptor = -1;
          polled.get(i).call();
        }
        if (WAITING.isEmpty() && !isRung && ends(bell)) return;
      } catch (BinlogException | OutOfMemoryError e) {
        // No memory at the moment. The waiting threads check themselves when their time is up.
        LockSupport.parkNanos(100_000_000L);
      }
    }
  }

  private static boolean ends(int made) {
    THREAD.lock();
    try {
      bell = -1;
      if (WAITING.isEmpty()) {
        Native.pollClose(made);
        return true;
      }
      bell = made;
      return false;
    } finally {
      THREAD.unlock();
    }
  }
}
