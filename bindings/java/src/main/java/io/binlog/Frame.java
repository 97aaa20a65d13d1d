package io.binlog;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;

/** Packed frames: little-endian headers of 40 bytes, then metadata and payload, up to a multiple of 8. */
final class Frame {
  static final int HEADER = 40;
  static final int TYPE = 4;
  static final int ID = 8;
  static final int TIME = 16;
  static final int METADATA_LENGTH = 24;
  static final int PAYLOAD_LENGTH = 28;
  static final int FLAGS = 32;

  private static final VarHandle INT = MethodHandles.byteArrayViewVarHandle(int[].class, ByteOrder.LITTLE_ENDIAN);
  private static final VarHandle LONG = MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);

  private Frame() {}

  static int intAt(byte[] frames, int at) {
    return (int) INT.get(frames, at);
  }

  static long longAt(byte[] frames, int at) {
    return (long) LONG.get(frames, at);
  }

  /** The size of a frame, or more than an int holds. */
  static long size(int metadataLength, int payloadLength) {
    return (HEADER + (long) metadataLength + payloadLength + 7) & ~7L;
  }
}
