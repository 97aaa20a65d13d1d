package io.binlog.spark;

import java.util.ArrayList;
import java.util.List;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.connector.expressions.aggregate.Aggregation;
import org.apache.spark.sql.connector.expressions.filter.Predicate;
import org.apache.spark.sql.connector.read.Scan;
import org.apache.spark.sql.connector.read.ScanBuilder;
import org.apache.spark.sql.connector.read.SupportsPushDownAggregates;
import org.apache.spark.sql.connector.read.SupportsPushDownLimit;
import org.apache.spark.sql.connector.read.SupportsPushDownRequiredColumns;
import org.apache.spark.sql.connector.read.SupportsPushDownV2Filters;
import org.apache.spark.sql.types.StructType;
import org.jspecify.annotations.Nullable;

/** Collects what Spark leaves to a read. */
final class BinlogScanBuilder
    implements ScanBuilder,
        SupportsPushDownRequiredColumns,
        SupportsPushDownV2Filters,
        SupportsPushDownLimit,
        SupportsPushDownAggregates {
  private final ReadOptions options;
  private StructType wanted;
  private boolean isPruned;
  private final Decoding decoding;
  private Selection selection;
  private final List<Predicate> pushed = new ArrayList<>();
  private boolean isExact = true;
  private int limit;
  /** Null unless only numbers of records are wanted, and the driver has them. */
  private @Nullable CountScan counted;

  BinlogScanBuilder(ReadOptions options, StructType schema, Decoding decoding) {
    this.options = options;
    this.decoding = decoding;
    this.selection = decoding.isNone() ? Selection.ALL : Selection.ALL.names(List.of(decoding.type));
    this.wanted = schema;
  }

  @Override
  public void pruneColumns(StructType required) {
    wanted = required;
    isPruned = true;
  }

  @Override
  public Predicate[] pushPredicates(Predicate[] conditions) {
    Predicates predicates = new Predicates(options.metadataColumns);
    List<Predicate> left = new ArrayList<>();
    // Those that only follow from another one come last.
    List<Predicate> ordered = new ArrayList<>(List.of(conditions));
    ordered.sort((one, other) -> Boolean.compare(one.name().startsWith("IS_"), other.name().startsWith("IS_")));
    for (Predicate condition : ordered) {
      Predicates.Narrowed narrowed = predicates.narrow(selection, condition);
      if (narrowed == null || !narrowed.isExact) left.add(condition);
      if (narrowed == null) continue;
      selection = narrowed.selection;
      pushed.add(condition);
    }
    isExact = left.isEmpty();
    return left.toArray(new Predicate[0]);
  }

  @Override
  public Predicate[] pushedPredicates() {
    return pushed.toArray(new Predicate[0]);
  }

  @Override
  public boolean pushLimit(int rows) {
    limit = rows;
    return rows > 0;
  }

  @Override
  public boolean supportCompletePushDown(Aggregation aggregation) {
    return canCount(aggregation);
  }

  @Override
  public boolean pushAggregation(Aggregation aggregation) {
    if (!canCount(aggregation)) return false;
    Counts counts = Counts.of(aggregation);
    InternalRow[] rows = counts.rows(options, selection);
    if (rows != null) counted = new CountScan(options, selection, counts, rows);
    return rows != null;
  }

  /** What a reader skips at damage is not known before it is read. */
  private boolean canCount(Aggregation aggregation) {
    return isExact && !options.skipsDamage && selection.hasNoTimesOrMetadata() && Counts.of(aggregation) != null;
  }

  @Override
  public Scan build() {
    if (counted != null) return counted;
    LogRead read = new LogRead(options, wanted, decoding, selection, limit);
    return new BinlogScan(read, isPruned ? read : read.withHiddenColumns());
  }
}
