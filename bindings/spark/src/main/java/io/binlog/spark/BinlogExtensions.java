package io.binlog.spark;

import org.apache.spark.sql.SparkSessionExtensions;
import org.apache.spark.sql.SparkSessionExtensionsProvider;
import scala.runtime.BoxedUnit;

/** What the connector adds to a session, which finds it in the jar. */
public final class BinlogExtensions implements SparkSessionExtensionsProvider {
  /** For Spark, which makes it by its name. */
  public BinlogExtensions() {}

  @Override
  public BoxedUnit apply(SparkSessionExtensions extensions) {
    extensions.injectPlannerStrategy(session -> new LocalCounts());
    return BoxedUnit.UNIT;
  }
}
