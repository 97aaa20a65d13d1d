package io.binlog.conform;

import io.binlog.BinlogException;
import io.binlog.BinlogReader;
import io.binlog.Cursor;
import io.binlog.Event;
import io.binlog.Filter;
import io.binlog.Metadata;
import io.binlog.ReaderOptions;
import io.binlog.Record;
import io.binlog.Segment;
import io.binlog.Tail;
import io.binlog.TypeInfo;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.zip.CRC32;

/** The contents of a golden file, as the JSON beside it: byte for byte. */
public final class LogJson {
  /** Payloads up to this length are shown in hex, longer ones as their CRC-32. */
  private static final int HEX = 64;

  private LogJson() {}

  /**
   * A whole log.
   *
   * @param path a file, a directory or a pattern
   * @return its JSON, with a line for each record and event
   */
  public static String describe(String path) {
    List<String> records = new ArrayList<>();
    List<String> events = new ArrayList<>();
    List<String> segments = new ArrayList<>();
    String end;
    try (BinlogReader reader = BinlogReader.openMatching(path, ReaderOptions.builder().build());
        Cursor cursor = reader.cursor(Filter.builder().events().build())) {
      for (Segment segment : reader.segments()) segments.add(segment(segment));
      for (Record record = cursor.next(); record != null; record = cursor.next()) {
        String event = record.isEvent() ? Event.name(record.type()) : null;
        if (event != null) events.add(event(event, record));
        else records.add(record(record));
      }
      Tail tail = cursor.tail();
      end =
          "{\"next_id\":" + tail.nextId() + ",\"offset\":" + tail.offset() + ",\"state\":"
              + text(tail.state().name().toLowerCase(Locale.ROOT)) + ",\"unread_bytes\":" + tail.unreadBytes() + "}";
    } catch (BinlogException e) {
      String kind = e.status().name().toLowerCase(Locale.ROOT).replace("_", "");
      end =
          "{\"error\":" + text(kind) + ",\"offset\":"
              + (e.offset().isPresent() ? Long.toString(e.offset().getAsLong()) : "null") + "}";
    }
    return "{\n  \"end\": " + end + ",\n  \"events\": " + rows(events) + ",\n  \"records\": " + rows(records)
        + ",\n  \"segments\": " + rows(segments) + "\n}\n";
  }

  private static String rows(List<String> rows) {
    StringBuilder out = new StringBuilder("[");
    for (String row : rows) out.append(out.length() == 1 ? "" : ",").append("\n    ").append(row);
    return out.append(']').toString();
  }

  /**
   * One record.
   *
   * @param record the record, with its payload
   * @return its JSON, without a line break
   */
  public static String record(Record record) {
    byte[] payload = record.payload();
    StringBuilder out = new StringBuilder("{");
    if (payload.length <= HEX) {
      out.append("\"hex\":\"");
      for (byte b : payload) out.append(Character.forDigit(b >> 4 & 15, 16)).append(Character.forDigit(b & 15, 16));
      out.append('"');
    } else {
      CRC32 crc = new CRC32();
      crc.update(payload);
      out.append("\"crc32\":").append(crc.getValue());
    }
    out.append(",\"id\":").append(record.id());
    out.append(",\"length\":").append(record.length());
    out.append(",\"metadata\":").append(pairs(record.metadata()));
    out.append(",\"time\":").append(record.timeNanos());
    out.append(",\"type\":").append(Integer.toUnsignedString(record.type()));
    if (record.typeName() != null) out.append(",\"type_name\":").append(text(record.typeName()));
    return out.append('}').toString();
  }

  private static String event(String name, Record event) {
    return "{\"before_id\":" + event.id() + ",\"event\":" + text(name) + ",\"metadata\":" + pairs(event.metadata())
        + ",\"time\":" + event.timeNanos() + "}";
  }

  private static String segment(Segment segment) {
    StringBuilder parameters = new StringBuilder();
    for (Map.Entry<String, String> pair : new TreeMap<>(segment.parameters()).entrySet()) {
      parameters.append(parameters.length() == 0 ? "" : ",");
      parameters.append(text(pair.getKey())).append(':').append(text(pair.getValue()));
    }
    return "{\"content_type\":" + text(segment.contentType()) + ",\"first_id\":" + segment.firstId() + ",\"name\":"
        + text(segment.name()) + ",\"parameters\":{" + parameters + "},\"sequence\":" + segment.sequence() + "}";
  }

  /**
   * The named types of a log, a line each.
   *
   * @param path a file, a directory or a pattern
   * @return the lines
   * @throws BinlogException when the log cannot be read
   */
  public static String types(String path) throws BinlogException {
    StringBuilder lines = new StringBuilder();
    try (BinlogReader reader = BinlogReader.openMatching(path, ReaderOptions.builder().build())) {
      for (TypeInfo info : reader.types()) {
        lines.append("{\"content_type\":").append(text(info.contentType()));
        lines.append(",\"encoding\":").append(text(info.encoding()));
        lines.append(",\"message\":").append(text(info.message()));
        lines.append(",\"name\":").append(text(info.name()));
        if (info.schema() != null) lines.append(",\"schema\":").append(hex(info.schema()));
        if (info.schemaSha256() != null) lines.append(",\"schema_sha256\":").append(hex(info.schemaSha256()));
        lines.append(",\"type\":").append(info.type()).append("}\n");
      }
    }
    return lines.toString();
  }

  private static String hex(byte[] bytes) {
    StringBuilder out = new StringBuilder("\"");
    for (byte one : bytes) out.append(String.format("%02x", one & 0xff));
    return out.append('"').toString();
  }

  private static String pairs(Metadata metadata) {
    StringBuilder out = new StringBuilder("[");
    for (Map.Entry<String, String> pair : metadata) {
      out.append(out.length() == 1 ? "" : ",");
      out.append('[').append(text(pair.getKey())).append(',').append(text(pair.getValue())).append(']');
    }
    return out.append(']').toString();
  }

  private static String text(String text) {
    StringBuilder out = new StringBuilder("\"");
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      int special = "\"\\\b\f\n\r\t".indexOf(c);
      if (special >= 0) out.append('\\').append("\"\\bfnrt".charAt(special));
      else if (c < 0x20) out.append(String.format("\\u%04x", (int) c));
      else out.append(c);
    }
    return out.append('"').toString();
  }
}
