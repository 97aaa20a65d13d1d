package io.binlog.spark;

import io.binlog.BinlogException;
import io.binlog.BinlogReader;
import io.binlog.Cursor;
import io.binlog.Filter;
import io.binlog.PlanOptions;
import io.binlog.Record;
import io.binlog.Split;
import io.binlog.TypeCount;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.catalyst.expressions.GenericInternalRow;
import org.apache.spark.sql.connector.expressions.Expression;
import org.apache.spark.sql.connector.expressions.NamedReference;
import org.apache.spark.sql.connector.expressions.aggregate.AggregateFunc;
import org.apache.spark.sql.connector.expressions.aggregate.Aggregation;
import org.apache.spark.sql.connector.expressions.aggregate.CountStar;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.unsafe.types.UTF8String;
import org.jspecify.annotations.Nullable;

/** COUNT(*), also by type and by name of type, from the index alone. */
final class Counts {
  private final List<String> keys;
  private final int functions;

  private Counts(List<String> keys, int functions) {
    this.keys = keys;
    this.functions = functions;
  }

  /** Null for an aggregation that the index does not answer. */
  static @Nullable Counts of(Aggregation aggregation) {
    List<String> keys = new ArrayList<>();
    for (Expression key : aggregation.groupByExpressions()) {
      if (!(key instanceof NamedReference)) return null;
      String name = String.join(".", ((NamedReference) key).fieldNames());
      if (!name.equals(Columns.TYPE) && !name.equals(Columns.TYPE_NAME)) return null;
      keys.add(name);
    }
    for (AggregateFunc function : aggregation.aggregateExpressions()) {
      if (!(function instanceof CountStar)) return null;
    }
    return new Counts(keys, aggregation.aggregateExpressions().length);
  }

  /** The keys, and then the numbers. */
  StructType schema() {
    StructType schema = new StructType();
    for (String key : keys) {
      boolean isName = key.equals(Columns.TYPE_NAME);
      schema = schema.add(key, isName ? DataTypes.StringType : DataTypes.LongType, isName);
    }
    for (int i = 0; i < functions; i++) schema = schema.add("count" + i, DataTypes.LongType, false);
    return schema;
  }

  /** Counts what is there now; null where a read would come upon damage, or where the index does not tell. */
  InternalRow @Nullable [] rows(ReadOptions options, Selection selection) {
    Map<List<Object>, Long> sums = new LinkedHashMap<>();
    if (keys.isEmpty()) sums.put(List.of(), 0L);
    try {
      List<TypeCount> all = all(options, selection);
      if (all == null) return null;
      for (TypeCount one : all) {
        // Its numbers are not told apart.
        if (one.hasSeveralNumbers() && (keys.contains(Columns.TYPE) || selection.hasTypes())) return null;
        if (selection.matches(one.type(), one.name())) sums.merge(key(one), one.records(), Long::sum);
      }
    } catch (BinlogException e) {
      return null; // the read reports it
    }
    List<InternalRow> rows = new ArrayList<>();
    sums.forEach((key, count) -> rows.add(row(key, count)));
    return rows.toArray(new InternalRow[0]);
  }

  private static @Nullable List<TypeCount> all(ReadOptions options, Selection selection) throws BinlogException {
    List<TypeCount> all = new ArrayList<>();
    if (selection.isNothing()) return all;
    for (String place : Places.of(options.paths)) {
      try (BinlogReader reader = Planner.open(place, options.reader())) {
        List<TypeCount> counts = countsOf(reader, place, options, selection);
        if (counts == null) return null;
        all.addAll(counts);
      }
    }
    return all;
  }

  /**
   * The splits of a plan are counted like logs: each belongs to one, and types have the same numbers in several. The ids of a
   * sound log leave out none, so that more ids than records are damage.
   */
  private static @Nullable List<TypeCount> countsOf(
      BinlogReader reader, String place, ReadOptions options, Selection selection) throws BinlogException {
    List<TypeCount> all = new ArrayList<>();
    long most = selection.toId() == 0 ? Long.MAX_VALUE : selection.toId();
    Selection ids = Selection.ALL.ids(selection.fromId(), most);
    List<Split> splits = reader.plan(ids.filter(true), PlanOptions.builder().most(1).build());
    for (int i = 0; i < splits.size(); i++) {
      Split split = splits.get(i);
      // A log in several splits has something between them.
      if (i > 0 && LogFinder.id(split.token()).equals(LogFinder.id(splits.get(i - 1).token()))) return null;
      long first = Math.max(split.firstId(), selection.fromId());
      long last = Math.min(split.lastId(), most);
      long records = 0;
      try (BinlogReader part = counted(place, options, split, selection)) {
        for (TypeCount one : part.counts()) {
          all.add(one);
          records += one.records();
        }
      }
      if (records != last - first + 1 || !isSound(place, options, split, first, last)) return null;
    }
    return all;
  }

  /**
   * What counts a split. Far away it is the log itself, where all of it is wanted: its catalogs count many segments each, and a
   * split does not know them.
   */
  private static BinlogReader counted(String place, ReadOptions options, Split split, Selection selection) throws BinlogException {
    boolean isWhole = selection.fromId() <= 1 && selection.toId() == 0;
    return isWhole && Places.isUrl(place)
        ? Planner.open(place, options.readerOf(LogFinder.name(split.token())))
        : BinlogReader.openSplit(split.token(), options.split(null));
  }

  /** Whether a read of one log begins and ends as the plan says, without damage before and behind it. */
  private static boolean isSound(String place, ReadOptions options, Split split, long first, long last)
      throws BinlogException {
    try (BinlogReader log = Planner.open(place, options.readerOf(LogFinder.name(split.token())));
        Cursor begin = log.cursor(Filter.builder().headersOnly().fromId(Math.max(1, first)).build());
        Cursor end = log.cursor(Filter.builder().headersOnly().fromId(last).build())) {
      Record shown = begin.next();
      if (shown == null || shown.id() != first) return false;
      long seen = 0;
      for (Record record = end.next(); record != null && seen <= last; record = end.next()) seen = record.id();
      return seen >= last;
    }
  }

  /** A list that may hold null, for a type without a name. */
  private List<Object> key(TypeCount one) {
    List<Object> key = new ArrayList<>();
    for (String name : keys) {
      boolean isName = name.equals(Columns.TYPE_NAME);
      key.add(isName ? UTF8String.fromString(one.name()) : (Object) Integer.toUnsignedLong(one.type()));
    }
    return key;
  }

  private InternalRow row(List<Object> key, long count) {
    Object[] values = new Object[keys.size() + functions];
    for (int i = 0; i < values.length; i++) values[i] = i < keys.size() ? key.get(i) : (Object) count;
    return new GenericInternalRow(values);
  }

  @Override
  public String toString() {
    return "COUNT(*)" + (keys.isEmpty() ? "" : " by " + String.join(", ", keys));
  }
}
