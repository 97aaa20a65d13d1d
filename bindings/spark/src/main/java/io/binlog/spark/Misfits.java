package io.binlog.spark;

import org.jspecify.annotations.Nullable;

/**
 * Values of a payload that do not fit their columns. Each is NULL by itself, so that what a column shows does not depend on the other
 * columns of a query.
 */
final class Misfits {
  private @Nullable String first;

  void clear() {
    first = null;
  }

  /** Notes one; returns the null that is shown in its place. */
  @Nullable Object note(String reason) {
    if (first == null) first = reason;
    return null;
  }

  /** The first of the payload, in a few words. */
  @Nullable String first() {
    return first;
  }
}
