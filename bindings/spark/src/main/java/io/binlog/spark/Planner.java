package io.binlog.spark;

import io.binlog.BinlogException;
import io.binlog.BinlogReader;
import io.binlog.ReaderOptions;
import io.binlog.Split;
import io.binlog.TypeInfo;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import org.apache.spark.SparkEnv;

/** Divides logs into partitions, on the driver. */
final class Planner {
  private static final String[] ANYWHERE = {};

  private Planner() {}

  /** Opens what lies at a place, as one of {@link Places#of}. */
  static BinlogReader open(String place, ReaderOptions options) throws BinlogException {
    if (Places.isUrl(place)) return BinlogReader.openUrl(place, options);
    Path path = Paths.get(place);
    return java.nio.file.Files.exists(path)
        ? BinlogReader.open(path, options)
        : BinlogReader.openMatching(place, options);
  }

  /** The partitions of everything that is selected now, in the order of writing. */
  static List<SplitPartition> plan(LogRead read) {
    List<SplitPartition> all = new ArrayList<>();
    if (read.selection.isNothing()) return all;
    try {
      for (String place : Places.of(read.options.paths)) {
        try (BinlogReader reader = open(place, read.options.reader())) {
          all.addAll(plan(reader, place, read));
        }
      }
    } catch (BinlogException e) {
      throw new UncheckedIOException(e.getMessage(), e);
    }
    return all;
  }

  /** The partitions of one place. */
  static List<SplitPartition> plan(BinlogReader reader, String place, LogRead read) throws BinlogException {
    Selection selection = resolved(reader, read.selection);
    List<SplitPartition> all = new ArrayList<>();
    if (selection.isNothing()) return all;
    String[] hosts = hosts(place);
    for (Split split : reader.plan(selection.filter(true), read.options.plan())) {
      all.add(new SplitPartition(split, selection, hosts));
    }
    return all;
  }

  /** With the names of the log's types in place of a prefix. */
  static Selection resolved(BinlogReader reader, Selection selection) throws BinlogException {
    if (!selection.hasPrefix()) return selection;
    return selection.resolved(reader.types().stream().map(TypeInfo::name).collect(Collectors.toSet()));
  }

  /** A local file is read where it is: on the machine of the driver, which has seen it. */
  private static String[] hosts(String place) {
    SparkEnv spark = SparkEnv.get();
    if (Places.isUrl(place) || spark == null || !Places.isLocal(place)) return ANYWHERE;
    return new String[] {spark.blockManager().blockManagerId().host()};
  }
}
