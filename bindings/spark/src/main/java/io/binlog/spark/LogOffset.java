package io.binlog.spark;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.Collections;
import java.util.Map;
import java.util.TreeMap;
import org.apache.spark.sql.connector.read.streaming.Offset;

/** How far a stream has come: of each log, by its id, the id of the next record. Immutable. */
final class LogOffset extends Offset {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final int VERSION = 1;

  /** The next record of a log, and the log's name, for messages. */
  static final class Position {
    final String name;
    final long next;

    Position(String name, long next) {
      this.name = name;
      this.next = next;
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
    Map<String, Position> logs = new TreeMap<>();
    try {
      JsonNode all = JSON.readTree(json);
      if (all.path("version").asInt() != VERSION) {
        throw new IllegalArgumentException(
            "the checkpoint's offset is of another version of the connector: use that one, or a new checkpoint: " + json);
      }
      for (Map.Entry<String, JsonNode> log : all.path("logs").properties()) {
        JsonNode position = log.getValue();
        logs.put(log.getKey(), new Position(position.path("name").asText(), position.path("next").asLong()));
      }
    } catch (JsonProcessingException e) {
      throw new IllegalArgumentException("the checkpoint's offset is not one of binlog's: " + json, e);
    }
    return new LogOffset(logs);
  }

  @Override
  public String json() {
    ObjectNode all = JSON.createObjectNode().put("version", VERSION);
    ObjectNode into = all.putObject("logs");
    logs.forEach((id, log) -> into.putObject(id).put("name", log.name).put("next", log.next));
    return all.toString();
  }
}
