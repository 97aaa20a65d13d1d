package io.binlog;

import java.nio.ByteBuffer;

/** The parts of a payload, as {@link Native#gather} takes them. */
final class Parts {
  final Object[] objects;
  final int[] ranges;

  Parts(ByteBuffer[] parts) {
    objects = new Object[parts.length];
    ranges = new int[2 * parts.length];
    for (int i = 0; i < parts.length; i++) {
      ByteBuffer part = parts[i];
      int length = part.remaining();
      if (part.isDirect()) {
        // Memory that a buffer borrowed and that is freed by now throws here; C would not notice.
        if (length > 0) part.get(part.position());
        objects[i] = part;
        ranges[2 * i] = part.position();
        ranges[2 * i + 1] = -1 - length;
      } else if (part.hasArray()) {
        objects[i] = part.array();
        ranges[2 * i] = part.arrayOffset() + part.position();
        ranges[2 * i + 1] = length;
      } else { // read-only: its array is out of reach
        byte[] copy = new byte[length];
        part.duplicate().get(copy);
        objects[i] = copy;
        ranges[2 * i + 1] = length;
      }
    }
  }
}
