package io.binlog.spark;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
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

  private static String offset(String position) {
    return "{\"version\":1,\"logs\":{\"a1\":" + position + "}}";
  }

  private static void refused(String json) {
    String message = assertThrows(IllegalArgumentException.class, () -> LogOffset.of(json), json).getMessage();
    assertEquals("the checkpoint's offset is not one of binlog's: " + json, message);
  }

  @Test
  void a_position_is_a_whole_number_from_1() {
    for (String next : List.of("1", "7", "9223372036854775807")) {
      assertEquals(Long.parseLong(next), LogOffset.of(offset("{\"name\":\"x\",\"next\":" + next + "}")).logs.get("a1").next);
    }
    for (String next : List.of(
        "0", "-5", "-9223372036854775808", "9223372036854775808", "18446744073709551621", "50.5", "50.0", "1e2", "\"50\"", "null",
        "true", "[50]", "{}", "NaN", "050", "")) {
      refused(offset("{\"name\":\"x\",\"next\":" + next + "}"));
    }
    refused(offset("{\"name\":\"x\"}"));
  }

  @Test
  void an_offset_that_somebody_has_edited_is_refused() {
    String sound = "{\"name\":\"x\",\"next\":7}";
    for (String position : List.of("7", "null", "[]", "\"x\"", "{}", "{\"next\":7}", "{\"name\":null,\"next\":7}", "{\"name\":7,\"next\":7}",
        "{\"name\":\"x\",\"next\":7,\"next\":8}", "{\"name\":\"x\",\"next\":7,\"unread\":1}", sound + ",\"a1\":" + sound)) {
      refused(offset(position));
    }
    for (String json : List.of("", " ", "null", "[]", "7", "{}", "{", "garbage", "{\"version\":1}", "{\"version\":1,\"logs\":[]}",
        "{\"version\":1,\"logs\":null}", "{\"logs\":{}}", "{\"version\":\"1\",\"logs\":{}}", "{\"version\":1.0,\"logs\":{}}",
        "{\"version\":1,\"version\":1,\"logs\":{}}", offset(sound) + " trailing", offset(sound) + offset(sound), offset(sound) + "}")) {
      refused(json);
    }
    for (String version : List.of("0", "2", "18446744073709551617")) {
      String json = "{\"version\":" + version + ",\"logs\":{}}";
      String message = assertThrows(IllegalArgumentException.class, () -> LogOffset.of(json)).getMessage();
      assertTrue(message.startsWith("the checkpoint's offset is of another version of the connector"), message);
    }
  }

  @Test
  void a_position_of_which_nothing_was_read_says_so() {
    LogOffset offset = new LogOffset(Map.of("a1", LogOffset.Position.unread("x", 200)));
    assertEquals(offset("{\"name\":\"x\",\"next\":200,\"unread\":true}"), offset.json());
    assertTrue(LogOffset.of(offset.json()).logs.get("a1").isUnread);
    assertFalse(LogOffset.of(offset("{\"name\":\"x\",\"next\":200}")).logs.get("a1").isUnread);
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
