package io.binlog;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/**
 * An object of the library, and the lock around every call on it: any number of calls at the same time, and one close,
 * which waits for them and after which there are none. It costs two atomic additions a call; only the closing thread
 * waits.
 */
final class Handle implements Runnable {
  /** Does something with the object at the address, such as freeing it. */
  interface Ending {
    void of(long address) throws BinlogException;
  }

  /** The number of calls in progress, and this bit once the handle is closed. */
  private static final int CLOSED = Integer.MIN_VALUE;

  private static final VarHandle STATE;
  private static final VarHandle CALLBACKS;

  static {
    try {
      STATE = MethodHandles.lookup().findVarHandle(Handle.class, "state", int.class);
      CALLBACKS = MethodHandles.lookup().findVarHandle(Handle.class, "callbacks", int.class);
    } catch (ReflectiveOperationException e) {
      throw new ExceptionInInitializerError(e);
    }
  }

  private final String what;
  /** Makes the calls in progress end soon; null when they do so themselves. */
  private final @Nullable Ending stopping;
  private final Ending freeing;
  private long address;
  private volatile int state;
  private volatile @Nullable Thread closer;
  /** Opened when the address is freed. */
  private final CountDownLatch freed = new CountDownLatch(1);
  /** User functions that the library is calling for this handle now. */
  private volatile int callbacks;

  /** {@code what} is for messages: "the writer". */
  Handle(String what, Ending freeing) {
    this(what, null, freeing);
  }

  /** {@code stopping}, which must not wait, shortens the wait of a close. */
  Handle(String what, @Nullable Ending stopping, Ending freeing) {
    this.what = what;
    this.stopping = stopping;
    this.freeing = freeing;
  }

  /** To be called once, before the handle is shared. */
  void opened(long address) {
    this.address = address;
  }

  /**
   * Begins a call; {@link #exit} ends it.
   *
   * @return the address
   * @throws IllegalStateException when the handle is closed, or called by a function that it calls
   */
  long enter() {
    int before = (int) STATE.getAndAdd(this, 1);
    if (before < 0 || callbacks != 0) refuse(before);
    return address;
  }

  private void refuse(int before) {
    if (isCalling()) {
      exit();
      throw calling();
    }
    if (before < 0) refuseClosed();
  }

  private void refuseClosed() {
    exit();
    throw new IllegalStateException(what + " is closed");
  }

  /**
   * As {@link #enter}, also for functions that it calls: for calls that wait for no other. A function that it calls
   * while it is being closed finds it open: the close frees nothing before that has returned.
   *
   * @return the address
   * @throws IllegalStateException when the handle is closed
   */
  long enterFromAnywhere() {
    if ((int) STATE.getAndAdd(this, 1) < 0 && !isCalling()) refuseClosed();
    return address;
  }

  /**
   * Refuses what must not be done by a function that the handle calls.
   *
   * @throws IllegalStateException in such a function
   */
  void refuseWithin() {
    if (callbacks != 0 && isCalling()) throw calling();
  }

  private IllegalStateException calling() {
    return new IllegalStateException(what + " must not be used by a function that it calls");
  }

  void exit() {
    if ((int) STATE.getAndAdd(this, -1) - 1 == CLOSED) LockSupport.unpark(closer);
  }

  boolean isClosed() {
    return state < 0;
  }

  /**
   * Waits for the calls in progress, and frees. The first caller does so; all others wait until it is done.
   *
   * @throws IllegalStateException when called by a function that the handle calls
   */
  void close() throws BinlogException {
    refuseWithin();
    if (!isFirstToClose()) {
      awaitFreed();
      return;
    }
    boolean interrupted = false;
    while (state != CLOSED) {
      LockSupport.park(this);
      interrupted |= Thread.interrupted();
    }
    closer = null;
    try {
      if (address != 0) freeing.of(address);
    } finally {
      freed.countDown();
      if (interrupted) Thread.currentThread().interrupt();
    }
  }

  private synchronized boolean isFirstToClose() throws BinlogException {
    if (state < 0) return false;
    if (stopping != null && address != 0) stopping.of(address);
    closer = Thread.currentThread();
    STATE.getAndBitwiseOr(this, CLOSED);
    return true;
  }

  private void awaitFreed() {
    boolean interrupted = false;
    for (;;) {
      try {
        freed.await();
        break;
      } catch (InterruptedException e) {
        interrupted = true;
      }
    }
    if (interrupted) Thread.currentThread().interrupt();
  }

  /** The safety net for objects that were not closed: an error cannot be reported. */
  @Override
  public void run() {
    try {
      close();
    } catch (BinlogException | RuntimeException e) {
      // A caller that needs the error closes.
    }
  }

  /** A user function that is being called in this thread, and the calls around it. */
  private static final class Frame {
    final Handle handle;
    final Frame outer;

    Frame(Handle handle, Frame outer) {
      this.handle = handle;
      this.outer = outer;
    }
  }

  private static final ThreadLocal<Frame> FRAMES = new ThreadLocal<>();

  private boolean isCalling() {
    for (Frame frame = FRAMES.get(); frame != null; frame = frame.outer) {
      if (frame.handle == this) return true;
    }
    return false;
  }

  /** Runs a user function, during which this thread must not use the handle. */
  void callBack(Runnable function) {
    Frame outer = FRAMES.get();
    FRAMES.set(new Frame(this, outer));
    CALLBACKS.getAndAdd(this, 1);
    try {
      function.run();
    } finally {
      CALLBACKS.getAndAdd(this, -1);
      if (outer == null) FRAMES.remove();
      else FRAMES.set(outer);
    }
  }
}
