package io.binlog;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.reflect.Modifier;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** Numbers that are both in binlog.h and here are the same, and none is missing. */
class HeaderTest {
  /** Of the #defines that begin so, the rest of the name and the number. */
  private static Map<String, Integer> defines(String prefix) throws Exception {
    Map<String, Integer> found = new LinkedHashMap<>();
    Matcher matcher =
        Pattern.compile("(?m)^#define BINLOG_" + prefix + "(\\w+) \\(?(-?(?:0x)?[0-9A-Fa-f]+)u?\\)?$")
            .matcher(Files.readString(Logs.ROOT.resolve("include/binlog.h")));
    while (matcher.find()) found.put(matcher.group(1), (int) (long) Long.decode(matcher.group(2)));
    return found;
  }

  @Test
  void every_status_of_the_header_is_known_and_no_other() throws Exception {
    Map<String, Integer> header = new TreeMap<>(defines("E_"));
    assertTrue(header.size() >= 13, header.toString());
    Map<String, Integer> all = defines("");
    for (String outcome : new String[] {"OK", "END", "TIMEOUT", "DROPPED"}) header.put(outcome, all.get(outcome));
    Map<String, Integer> here = new TreeMap<>();
    for (Status status : Status.values()) {
      if (status != Status.UNKNOWN) here.put(status.name(), status.code());
    }
    assertEquals(header, here);
    // And the library calls them so.
    for (Status status : Status.values()) {
      String name = Text.text(Native.statusName(status.code()));
      assertEquals(status.name(), name.startsWith("E_") ? name.substring(2) : name);
    }
    assertEquals(Status.UNKNOWN, Status.of(-99));
  }

  @Test
  void every_error_that_callers_branch_on_has_its_class() {
    for (Status status : Status.values()) {
      if (status.code() >= 0 || status == Status.UNKNOWN) continue;
      BinlogException e = new BinlogException.Facts(status.code(), "m", "p", 3, 4, 5, 6, 7).exception();
      assertEquals(status, e.status());
      assertEquals(status.code(), e.code());
      assertEquals("m p 3 4 5", e.getMessage() + " " + e.path() + " " + e.offset().getAsLong() + " "
          + e.osCode().getAsInt() + " " + e.recordId().getAsLong());
      boolean isPlain =
          status == Status.INVALID || status == Status.IO || status == Status.INTERRUPTED || status == Status.PANIC;
      String name = e.getClass().getSimpleName().toUpperCase(java.util.Locale.ROOT);
      assertEquals(isPlain ? "BINLOGEXCEPTION" : status.name().replace("_", ""), name);
    }
    BinlogException.Missed missed =
        (BinlogException.Missed) new BinlogException.Facts(-11, "", "", -1, 0, 0, 6, 7).exception();
    assertEquals("6 7", missed.firstId() + " " + missed.lastId());
    assertTrue(missed.offset().isEmpty() && missed.osCode().isEmpty() && missed.recordId().isEmpty());
    assertEquals(Status.UNKNOWN, new BinlogException.Facts(-99, "", "", -1, 0, 0, 0, 0).exception().status());
  }

  @Test
  void every_event_of_the_header_is_known() throws Exception {
    Map<String, Integer> header = new TreeMap<>(defines("EVENT_"));
    Map<String, Integer> here = new TreeMap<>();
    for (java.lang.reflect.Field field : Event.class.getFields()) {
      if (Modifier.isStatic(field.getModifiers())) here.put(field.getName(), field.getInt(null));
    }
    assertEquals(header, here);
    for (Map.Entry<String, Integer> event : here.entrySet()) assertEquals(event.getKey(), Event.name(event.getValue()));
    for (int type : new int[] {0, 1, Record.FIRST_NAMED_TYPE, 0x80000000, 0x8000000C, -1}) assertNull(Event.name(type));
  }

  /** The constants of an enum, whose numbers are their places. */
  private static Map<String, Integer> places(Enum<?>[] constants) {
    Map<String, Integer> places = new TreeMap<>();
    Arrays.stream(constants).forEach(constant -> places.put(constant.name(), constant.ordinal()));
    return places;
  }

  /** Those whose numbers begin with 1. */
  private static Map<String, Integer> numbered(Enum<?>[] constants) {
    Map<String, Integer> numbers = places(constants);
    numbers.replaceAll((name, place) -> place + 1);
    return numbers;
  }

  @Test
  void enums_are_in_the_order_of_the_header() throws Exception {
    assertEquals(new TreeMap<>(defines("CODEC_")), places(Compression.values()));
    assertEquals(new TreeMap<>(defines("FULL_DISK_")), places(FullDisk.values()));
    assertEquals(new TreeMap<>(defines("READER_")), places(ReaderMode.values()));
    assertEquals(new TreeMap<>(defines("TAIL_")), places(Tail.State.values()));
    Map<String, Integer> kinds = places(Loss.Kind.values());
    assertEquals(0, kinds.remove("OTHER")); // what this version does not know
    assertEquals(new TreeMap<>(defines("LOSS_")), new TreeMap<>(kinds));
    assertEquals(Map.of("TIME", 1, "EVENT", 2, "NO_PAYLOAD", 4), defines("RECORD_"));
    assertEquals(Map.of("HEADERS", 1, "EVENTS", 2, "NEWEST_FIRST", 4), defines("FILTER_"));
    assertEquals(Map.of("CALL", 1, "CHANGE_EXTENSION", 2, "MOVE_TO", 3, "DELETE", 4), defines("HOOK_"));
    assertEquals(Map.of("BACKGROUND", 1), defines("WRITER_"));
    assertEquals(Map.of("DRY_RUN", 1), defines("PRUNE_"));
    assertEquals(Map.of("UNSHIPPED", 1), defines("RETENTION_"));
    assertEquals(
        Map.of("KEEP_SOURCE", 1, "SHA256_NAME", 2, "NO_DICTIONARY", 4, "DRY_RUN", 8, "REMOVE_SINGLE", 16),
        defines("COMPRESS_"));
    assertEquals(new TreeMap<>(defines("WHOLE_")), places(CompressOptions.Whole.values()));
    assertEquals(Map.of("READ_BACK", 1), defines("SHIP_VERIFY_"));
    Map<String, Integer> archive = defines("SHIP_");
    assertEquals(1, archive.get("NO_ROLL_AT_CLOSE"));
    assertEquals(2, archive.get("DRY_RUN"));
    for (ShipStatus.State state : ShipStatus.State.values()) {
      assertEquals(state.ordinal(), archive.remove(state.name()));
    }
    assertEquals(numbered(ShipEvent.Kind.values()), new TreeMap<>(defines("SHIP_EVENT_")));
    Map<String, Integer> problems = new TreeMap<>(defines("SHIP_PROBLEM_"));
    assertEquals(4, problems.remove("FOREIGN")); // a list of its own
    problems.forEach((name, number) -> assertEquals(name, ShipProblem.Kind.of(number).name()));
    assertEquals(problems.size() + 1, ShipProblem.Kind.values().length); // and what this version does not know
    assertEquals(ShipProblem.Kind.OTHER, ShipProblem.Kind.of(77));
    archive.keySet().removeIf(name -> name.matches("NO_ROLL_AT_CLOSE|DRY_RUN|(EVENT|PROBLEM|VERIFY)_.*"));
    assertEquals(Map.of(), archive);
    assertEquals(Record.FIRST_NAMED_TYPE, defines("TYPE_").get("NAMED"));
    assertEquals(-1, defines("").get("NEVER"));
  }

  private static String glue() throws Exception {
    StringBuilder glue = new StringBuilder();
    try (Stream<Path> files = Files.list(Logs.ROOT.resolve("bindings/java/src/main/c"))) {
      for (Path file : (Iterable<Path>) files::iterator) glue.append(Files.readString(file));
    }
    return glue.toString();
  }

  @Test
  void every_define_of_the_header_is_one_that_is_compared_here() throws Exception {
    List<String> others = new ArrayList<>(defines("").keySet());
    others.removeIf(
        name ->
            name.matches("(E|EVENT|CODEC|FULL_DISK|READER|TAIL|RECORD|FILTER|HOOK|WRITER|PRUNE|RETENTION|COMPRESS|WHOLE|LOSS"
                + "|SHIP|STORE|TYPE|COLUMN|TABLE)_.*|OK|END|TIMEOUT|DROPPED|NEVER|VERSION_(MAJOR|MINOR|PATCH|NUMBER)"));
    assertEquals(List.of(), others);
  }

  @Test
  void every_option_of_the_header_is_set_by_the_glue() throws Exception {
    String glue = glue();
    String header = Files.readString(Logs.ROOT.resolve("include/binlog.h")).replaceAll("(?s)/\\*.*?\\*/", "");
    Matcher struct =
        Pattern.compile("(?s)typedef struct binlog_(\\w+_options|retention|required|filter) \\{(.*?)\n\\}")
            .matcher(header);
    int fields = 0;
    while (struct.find()) {
      // The library fills these, for a store that is written in C.
      if (struct.group(1).equals("store_options")) continue;
      // Their fields are arguments in Java.
      if (struct.group(1).matches("(appender|type)_options")) continue;
      // Java has no tables.
      if (struct.group(1).equals("table_options")) continue;
      // The function that makes this one: another struct may have a field of the same name.
      Matcher made = Pattern.compile("(?s)BEGIN\\(binlog_" + struct.group(1) + ", (\\w+)\\);(.*?)\n\\}").matcher(glue);
      assertTrue(made.find(), struct.group(1));
      Matcher field = Pattern.compile("(\\w+)(?:\\[\\d+\\])?;").matcher(struct.group(2));
      while (field.find()) {
        String name = field.group(1);
        // A reader has no flags, and a listener of one call is set by that; stores in Java there are none.
        if (name.startsWith("reserved") || name.matches("struct_size|on_progress.*|open_store.*") || struct.group(1).equals("reader_options") && name.equals("flags")) continue;
        fields++;
        boolean isSet = Pattern.compile("\\b" + made.group(1) + "->" + name + "\\b").matcher(made.group(2)).find();
        assertTrue(isSet, "binlog_" + struct.group(1) + "." + name);
      }
    }
    assertTrue(fields > 60, "" + fields);
  }

  @Test
  void every_function_of_the_header_is_called_by_the_glue() throws Exception {
    String glue = glue();
    for (String name : Files.readAllLines(Logs.ROOT.resolve("tests/c/symbols.txt"))) {
      // Java has its own defaults, metadata and packed frames, and walks whole fetches.
      if (name.endsWith("_init") || name.startsWith("binlog_metadata_") || name.startsWith("binlog_packed_")
          || name.equals("binlog_cursor_next_batch")) continue;
      // A gather of a plain record is one of a record, and a batch crosses packed.
      if (name.equals("binlog_writer_gather") || name.equals("binlog_writer_append_batch")) continue;
      // Threads wait in Java, where an interrupt and a close end the waiting.
      if (name.equals("binlog_cursor_interrupt")) continue;
      // Java stages plain records by itself, and a batch crosses packed.
      if (name.matches("binlog_appender_(open|append|gather|append_batch)")) continue;
      // A table's stream is for engines that load C.
      if (name.equals("binlog_reader_table")) continue;
      // Java's enums have names.
      if (name.equals("binlog_loss_kind_name") || name.equals("binlog_tail_state_name")) continue;
      assertTrue(Pattern.compile("\\b" + name + "\\b").matcher(glue).find(), name);
    }
  }

  @Test
  void classes_and_library_are_of_one_version() throws Exception {
    assertEquals(Library.VERSION, Binlog.version());
    int number = Binlog.versionNumber();
    assertEquals(Library.VERSION, (number >> 16) + "." + (number >> 8 & 0xff) + "." + (number & 0xff));
    String pom = Files.readString(Logs.ROOT.resolve("bindings/java/pom.xml"));
    assertTrue(pom.contains("<artifactId>binlog</artifactId>\n  <version>" + Library.VERSION + "</version>"));
    assertNotEquals("", Binlog.libraryOrigin());
  }
}
