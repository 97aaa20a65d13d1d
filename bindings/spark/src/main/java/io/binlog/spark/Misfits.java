package io.binlog.spark;

import org.jspecify.annotations.Nullable;

/**
 * Values of a payload that do not fit their columns. Each is NULL by itself, so that what a column shows does not depend on the other
 * columns of a query.
 */
final class Misfits {
  /** Values that a column of one payload may consist of: a few bytes can state any number of them, each of which takes memory. */
  static final int MOST_VALUES = 4_000_000;

  /** A column of a payload consists of too many values. */
  static final class TooMany extends RuntimeException {
    private static final long serialVersionUID = 1L;

    TooMany() {
      super("it has more than " + MOST_VALUES + " values", null, false, false);
    }
  }

  private @Nullable String first;
  private int left;

  void clear() {
    first = null;
  }

  /** The next values are those of another column. */
  void beginColumn() {
    left = MOST_VALUES;
  }

  /**
   * Counts values that the column consists of.
   *
   * @throws TooMany if there are too many of them
   */
  void take(int values) {
    left -= values;
    if (left < 0) throw new TooMany();
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
