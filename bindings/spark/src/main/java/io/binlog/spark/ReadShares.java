package io.binlog.spark;

import java.util.Map;
import java.util.TreeMap;

/** Divides the records of a batch among logs, in proportion to what each has. */
final class ReadShares {
  private ReadShares() {}

  /** Of each key no more than it has, and all together {@code most}, or everything if that is less. */
  static Map<String, Long> of(Map<String, Long> available, long most) {
    long total = available.values().stream().mapToLong(Long::longValue).reduce(0, ReadShares::sum);
    if (total <= most) return available;
    Map<String, Long> shares = new TreeMap<>();
    long left = most;
    for (Map.Entry<String, Long> one : available.entrySet()) {
      long share = Math.min(left, (long) ((double) one.getValue() / total * most));
      shares.put(one.getKey(), share);
      left -= share;
    }
    // What rounding has left, one after the other.
    for (Map.Entry<String, Long> one : shares.entrySet()) {
      long more = Math.min(left, available.get(one.getKey()) - one.getValue());
      one.setValue(one.getValue() + more);
      left -= more;
    }
    return shares;
  }

  private static long sum(long one, long other) {
    long sum = one + other;
    return sum < 0 ? Long.MAX_VALUE : sum;
  }
}
