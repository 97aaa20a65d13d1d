package io.binlog.spark;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;

/** Offsets of a stream, and what a batch reads of each log. */
class StreamPartsTest {
  @Test
  void an_offset_is_the_json_of_the_next_ids() {
    LogOffset offset = new LogOffset(Map.of("b2", new LogOffset.Position("x\"y", 7), "a1", new LogOffset.Position("default", 1L << 40)));
    String json =
        "{\"version\":1,\"logs\":{\"a1\":{\"name\":\"default\",\"next\":1099511627776},\"b2\":{\"name\":\"x\\\"y\",\"next\":7}}}";
    assertEquals(json, offset.json());
    assertEquals(offset, LogOffset.of(json));
    assertThrows(IllegalArgumentException.class, () -> LogOffset.of("{\"version\":2}"));
    assertThrows(IllegalArgumentException.class, () -> LogOffset.of("7"));
    assertThrows(IllegalArgumentException.class, () -> LogOffset.of("{"));
  }

  @Test
  void shares_are_in_proportion_and_use_the_limit() {
    assertEquals(Map.of("a", 10L, "b", 20L), ReadShares.of(new TreeMap<>(Map.of("a", 10L, "b", 20L)), 30));
    assertEquals(Map.of("a", 5L, "b", 10L), ReadShares.of(new TreeMap<>(Map.of("a", 10L, "b", 20L)), 15));
    Random random = new Random(1);
    for (int round = 0; round < 1000; round++) {
      Map<String, Long> available = new TreeMap<>();
      for (int i = random.nextInt(5); i >= 0; i--) available.put("log" + i, 1L + random.nextInt(1000));
      long most = 1 + random.nextInt(3000);
      Map<String, Long> shares = ReadShares.of(available, most);
      long total = available.values().stream().mapToLong(Long::longValue).sum();
      assertEquals(Math.min(total, most), shares.values().stream().mapToLong(Long::longValue).sum());
      shares.forEach((log, share) -> assertTrue(share >= 0 && share <= available.get(log)));
    }
  }

  @Test
  void a_backlog_beyond_all_numbers_is_shared_too() {
    Map<String, Long> shares = ReadShares.of(new TreeMap<>(Map.of("a", Long.MAX_VALUE, "b", Long.MAX_VALUE)), 10);
    assertEquals(10, shares.get("a") + shares.get("b"));
  }
}
