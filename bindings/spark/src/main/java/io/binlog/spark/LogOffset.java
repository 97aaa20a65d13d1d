package io.binlog.spark;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.math.BigInteger;
import java.util.Collections;
import java.util.Map;
import java.util.TreeMap;
import org.apache.spark.sql.connector.read.streaming.Offset;
import org.jspecify.annotations.Nullable;

/** How far a stream has come: of each log, by its id, the id of the next record. Immutable. */
final class LogOffset extends Offset {
  private static final ObjectMapper JSON =
      new ObjectMapper()
          .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
          .enable(DeserializationFeature.FAIL_ON_READING_DUP_TREE_KEY);
  private static final int VERSION = 1;

  /** The next record of a log, and the log's name, for messages. */
  static final class Position {
    final String name;
    final long next;
    /** Whether the log had no such record yet when the stream began with it: the stream has read nothing of the log. */
    final boolean isUnread;

    Position(String name, long next) {
      this(name, next, false);
    }

    private Position(String name, long next, boolean isUnread) {
      this.name = name;
      this.next = next;
      this.isUnread = isUnread;
    }

    static Position unread(String name, long next) {
      return new Position(name, next, true);
    }
  }

  /** By the log's id. */
  final Map<String, Position> logs;

  LogOffset(Map<String, Position> logs) {
    this.logs = Collections.unmodifiableMap(new TreeMap<>(logs));
  }

  /**
   * Reads what {@link #json} wrote.
   *
   * @throws IllegalArgumentException for another text
   */
  static LogOffset of(String json) {
    JsonNode all;
    try {
      all = JSON.readTree(json);
    } catch (JsonProcessingException e) {
      throw wrong(json, e);
    }
    JsonNode version = all.path("version");
    if (version.isIntegralNumber() && !version.bigIntegerValue().equals(BigInteger.valueOf(VERSION))) {
      throw new IllegalArgumentException(
          "the checkpoint's offset is of another version of the connector: use that one, or a new checkpoint: " + json);
    }
    if (!version.isIntegralNumber() || !all.path("logs").isObject()) throw wrong(json, null);
    Map<String, Position> logs = new TreeMap<>();
    for (Map.Entry<String, JsonNode> log : all.path("logs").properties()) {
      Position position = position(log.getValue());
      if (position == null) throw wrong(json, null);
      logs.put(log.getKey(), position);
    }
    return new LogOffset(logs);
  }

  private static IllegalArgumentException wrong(String json, @Nullable Throwable cause) {
    return new IllegalArgumentException("the checkpoint's offset is not one of binlog's: " + json, cause);
  }

  /** Null for something else: nothing is guessed, because a wrong position repeats or skips records. */
  private static @Nullable Position position(JsonNode from) {
    JsonNode name = from.path("name");
    JsonNode next = from.path("next");
    JsonNode unread = from.path("unread");
    boolean isId = next.isIntegralNumber() && next.canConvertToLong() && next.longValue() > 0;
    if (!isId || !name.isTextual() || !unread.isMissingNode() && !unread.isBoolean()) return null;
    return new Position(name.textValue(), next.longValue(), unread.booleanValue());
  }

  @Override
  public String json() {
    ObjectNode all = JSON.createObjectNode().put("version", VERSION);
    ObjectNode into = all.putObject("logs");
    logs.forEach((id, log) -> {
      ObjectNode position = into.putObject(id).put("name", log.name).put("next", log.next);
      if (log.isUnread) position.put("unread", true);
    });
    return all.toString();
  }
}
