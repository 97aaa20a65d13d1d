package io.binlog.spark;

import java.util.List;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.catalyst.optimizer.ConvertToLocalRelation;
import org.apache.spark.sql.catalyst.plans.logical.LocalRelation;
import org.apache.spark.sql.catalyst.plans.logical.LogicalPlan;
import org.apache.spark.sql.catalyst.plans.logical.Project;
import org.apache.spark.sql.execution.SparkPlan;
import org.apache.spark.sql.execution.SparkStrategy;
import org.apache.spark.sql.execution.datasources.v2.DataSourceV2ScanRelation;
import scala.Option;
import scala.collection.immutable.Seq;
import scala.jdk.javaapi.CollectionConverters;

/**
 * Plans a query for counts as rows of the plan itself. Spark puts a projection, which renames them, above counts that are
 * pushed down, and runs a task for it; here the driver does that.
 */
final class LocalCounts extends SparkStrategy {
  @Override
  public Seq<SparkPlan> apply(LogicalPlan plan) {
    if (!(plan instanceof Project) || !isCounts(((Project) plan).child())) return seq(List.of());
    LogicalPlan renamed = ConvertToLocalRelation.apply(
        new Project(((Project) plan).projectList(), rows((DataSourceV2ScanRelation) ((Project) plan).child())));
    // Nothing was computed: Spark's own plan is right, too.
    return renamed instanceof LocalRelation ? seq(List.of(planLater(renamed))) : seq(List.of());
  }

  private static boolean isCounts(LogicalPlan plan) {
    return plan instanceof DataSourceV2ScanRelation && ((DataSourceV2ScanRelation) plan).scan() instanceof CountScan;
  }

  private static LocalRelation rows(DataSourceV2ScanRelation relation) {
    InternalRow[] rows = ((CountScan) relation.scan()).rows();
    LogicalPlan plan = relation;
    return new LocalRelation(plan.output(), seq(List.of(rows)), false, Option.empty());
  }

  private static <T> Seq<T> seq(List<T> values) {
    return CollectionConverters.asScala(values).toSeq();
  }
}
