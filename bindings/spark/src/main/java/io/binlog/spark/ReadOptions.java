package io.binlog.spark;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.binlog.Loss;
import io.binlog.PlanOptions;
import io.binlog.ReaderMode;
import io.binlog.ReaderOptions;
import java.io.Serializable;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.function.Consumer;
import org.apache.spark.network.util.JavaUtils;
import org.apache.spark.sql.util.CaseInsensitiveStringMap;
import org.jspecify.annotations.Nullable;

/** The options of a read, checked. Each wrong value is refused with a sentence that names the option. */
final class ReadOptions implements Serializable {
  private static final long serialVersionUID = 1L;

  /** Directories, files, patterns and URLs, as they were given. */
  final List<String> paths;
  /** The name of the only log to be read; null = all logs. */
  final @Nullable String log;
  /** Keys of metadata that are columns. */
  final List<String> metadataColumns;
  final boolean timeNs;
  /** The name of the type whose columns are wanted; null = none. */
  final @Nullable String decode;
  /** The name of one column for all of these; null = a column each. */
  final @Nullable String decodeAs;
  final boolean failsOnMalformed;
  final long splitBytes;
  final boolean skipsDamage;
  final boolean losses;
  /** A file with credentials on each machine; null = those of the environment. */
  final @Nullable String environmentFile;
  final Start start;
  /** 0 = no limit. */
  final long maxRecordsPerTrigger;
  final boolean failOnDataLoss;

  private ReadOptions(CaseInsensitiveStringMap from) {
    paths = paths(from);
    log = from.get("log");
    metadataColumns = list(from.get("metadataColumns"));
    timeNs = isTrue(from, "timeNs", false);
    decode = from.get("decode");
    decodeAs = decodeAs(from);
    failsOnMalformed = isFirst(from, "decodeMode", "fail", "null", false);
    splitBytes = bytes(from, "splitSize", "64m");
    skipsDamage = isFirst(from, "onDamage", "skip", "fail", false);
    losses = isTrue(from, "losses", false);
    environmentFile = from.get("environmentFile");
    start = Start.of(from.get("startingId"), from.get("startingTime"));
    maxRecordsPerTrigger = count(from, "maxRecordsPerTrigger");
    failOnDataLoss = isTrue(from, "failOnDataLoss", true);
  }

  /**
   * @throws IllegalArgumentException for a value that an option does not have
   */
  static ReadOptions of(CaseInsensitiveStringMap options) {
    return new ReadOptions(options);
  }

  private static List<String> paths(CaseInsensitiveStringMap from) {
    List<String> all = new ArrayList<>();
    if (from.get("path") != null) all.add(from.get("path"));
    String several = from.get("paths");
    if (several != null) {
      try {
        all.addAll(List.of(new ObjectMapper().readValue(several, String[].class)));
      } catch (JsonProcessingException e) {
        throw wrong("paths", several, "a list of texts in JSON");
      }
    }
    if (all.isEmpty()) {
      throw new IllegalArgumentException(
          "the option path is missing: give the directory, the file, the pattern or the URL of a log, as in load(path)");
    }
    return all;
  }

  private static List<String> list(@Nullable String text) {
    List<String> all = new ArrayList<>();
    if (text == null) return all;
    for (String one : text.split(",")) {
      if (!one.isBlank()) all.add(one.strip());
    }
    return all;
  }

  private static @Nullable String decodeAs(CaseInsensitiveStringMap from) {
    String name = from.get("decodeAs");
    if (name != null && from.get("decode") == null) throw wrong("decodeAs", name, "it together with decode");
    if (name != null && name.isBlank()) throw wrong("decodeAs", name, "the name of a column");
    return name;
  }

  private static boolean isTrue(CaseInsensitiveStringMap from, String name, boolean otherwise) {
    return isFirst(from, name, "true", "false", otherwise);
  }

  private static boolean isFirst(
      CaseInsensitiveStringMap from, String name, String first, String second, boolean otherwise) {
    String value = from.get(name);
    if (value == null) return otherwise;
    String low = value.toLowerCase(Locale.ROOT);
    if (!low.equals(first) && !low.equals(second)) throw wrong(name, value, first + " or " + second);
    return low.equals(first);
  }

  private static long bytes(CaseInsensitiveStringMap from, String name, String otherwise) {
    String value = from.getOrDefault(name, otherwise);
    try {
      long bytes = JavaUtils.byteStringAsBytes(value);
      if (bytes > 0) return bytes;
    } catch (RuntimeException e) {
      // The message below says more.
    }
    throw wrong(name, value, "a number of bytes over 0, such as 67108864 or 64m");
  }

  private static long count(CaseInsensitiveStringMap from, String name) {
    String value = from.get(name);
    if (value == null) return 0;
    try {
      long count = Long.parseLong(value.strip());
      if (count > 0) return count;
    } catch (NumberFormatException e) {
      // The message below says more.
    }
    throw wrong(name, value, "a number over 0");
  }

  /** For an option with a value that it does not have. */
  static IllegalArgumentException wrong(String name, String value, String allowed) {
    return new IllegalArgumentException("the option " + name + " is \"" + value + "\": use " + allowed);
  }

  /**
   * @throws IllegalArgumentException for options that give a table other columns than it has
   */
  void mustHaveTheColumnsOf(ReadOptions table) {
    String changed = !metadataColumns.equals(table.metadataColumns) ? "metadataColumns"
        : timeNs != table.timeNs ? "timeNs"
        : losses != table.losses ? "losses"
        : !Objects.equals(decode, table.decode) ? "decode"
        : !Objects.equals(decodeAs, table.decodeAs) ? "decodeAs" : null;
    if (changed == null) return;
    throw new IllegalArgumentException("the option " + changed + " gives other columns than the table has: use it where the "
        + "table is made, in spark.read.format(\"binlog\").option(…).load(path) or in CREATE TABLE … OPTIONS (…)");
  }

  /** How logs are opened to be planned, and read without a listener. */
  ReaderOptions reader() {
    return reader(null, log);
  }

  /** How one of the logs is opened to be planned. */
  ReaderOptions readerOf(String name) {
    return reader(null, name);
  }

  /** How one of the logs is opened to look at its end, which a reader that salvages cannot. */
  ReaderOptions endOf(String name) {
    return builder(null, name).build();
  }

  /** How a log is opened to be read as a whole. The listener gets what the reader skips. */
  ReaderOptions whole(@Nullable String name, Consumer<? super Loss> onLoss) {
    return reader(onLoss, name == null ? log : name);
  }

  /** How a split is opened. The listener gets what the reader skips. */
  ReaderOptions split(@Nullable Consumer<? super Loss> onLoss) {
    return reader(onLoss, null);
  }

  private ReaderOptions reader(@Nullable Consumer<? super Loss> onLoss, @Nullable String name) {
    ReaderOptions.Builder options = builder(onLoss, name);
    if (skipsDamage || losses) options.mode(ReaderMode.SALVAGE);
    return options.build();
  }

  private ReaderOptions.Builder builder(@Nullable Consumer<? super Loss> onLoss, @Nullable String name) {
    ReaderOptions.Builder options = ReaderOptions.builder();
    if (onLoss != null) options.onLoss(onLoss);
    if (name != null) options.log(name);
    if (environmentFile != null) options.credentials(credentials());
    return options;
  }

  private Path credentials() {
    Path file = Paths.get(environmentFile);
    if (!Files.isReadable(file)) {
      throw wrong(
          "environmentFile", environmentFile, "a file with credentials that each machine can read; this one cannot read it");
    }
    return file;
  }

  PlanOptions plan() {
    return PlanOptions.builder().targetBytes(splitBytes).build();
  }
}
