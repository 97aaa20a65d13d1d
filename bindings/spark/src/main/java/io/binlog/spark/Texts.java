package io.binlog.spark;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import org.apache.spark.unsafe.types.UTF8String;

/** Checks that text is Unicode, as a column of text must be. */
final class Texts {
  private static final VarHandle EIGHT = MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.nativeOrder());
  private static final long NOT_ASCII = 0x8080808080808080L;

  private Texts() {}

  static boolean isUtf8(byte[] bytes, int length) {
    return isAscii(bytes, length) || UTF8String.fromBytes(bytes, 0, length).isValid();
  }

  private static boolean isAscii(byte[] bytes, int length) {
    int at = 0;
    for (; at + 8 <= length; at += 8) {
      if (((long) EIGHT.get(bytes, at) & NOT_ASCII) != 0) return false;
    }
    for (; at < length; at++) {
      if (bytes[at] < 0) return false;
    }
    return true;
  }

  /** Whether it has half of a surrogate pair, for which there is no UTF-8. */
  static boolean hasHalfOfAPair(String text) {
    for (int i = 0; i < text.length(); i++) {
      char one = text.charAt(i);
      if (!Character.isSurrogate(one)) continue;
      boolean isPair = Character.isHighSurrogate(one) && i + 1 < text.length() && Character.isLowSurrogate(text.charAt(i + 1));
      if (!isPair) return true;
      i++;
    }
    return false;
  }
}
