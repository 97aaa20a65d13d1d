package io.binlog.spark;

import io.binlog.Loss;
import java.util.function.Consumer;
import org.apache.spark.sql.connector.metric.CustomMetric;
import org.apache.spark.sql.connector.metric.CustomSumMetric;
import org.apache.spark.sql.connector.metric.CustomTaskMetric;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Counts what a task has lost, and logs each loss. */
final class LossMetrics implements Consumer<Loss> {
  static final String RECORDS = "binlog.lostRecords";
  static final String BYTES = "binlog.lostBytes";

  private static final Logger LOG = LoggerFactory.getLogger(LossMetrics.class);

  private long records;
  private long bytes;

  static CustomMetric[] all() {
    return new CustomMetric[] {new LostRecords(), new LostBytes()};
  }

  /** The number of records that a loss says are lost; 0 when it does not know. */
  static long records(Loss loss) {
    return loss.firstId() == 0 ? 0 : loss.lastId() - loss.firstId() + 1;
  }

  @Override
  public void accept(Loss loss) {
    records += records(loss);
    bytes += loss.bytes();
    LOG.warn("skipped damage: {}", loss);
  }

  void addRecords(long count) {
    records += Math.max(0, count);
  }

  CustomTaskMetric[] values() {
    return new CustomTaskMetric[] {value(RECORDS, records), value(BYTES, bytes)};
  }

  private static CustomTaskMetric value(String name, long value) {
    return new CustomTaskMetric() {
      @Override
      public String name() {
        return name;
      }

      @Override
      public long value() {
        return value;
      }
    };
  }

  /** Spark makes it by its name. */
  public static final class LostRecords extends CustomSumMetric {
    /** For Spark. */
    public LostRecords() {}

    @Override
    public String name() {
      return RECORDS;
    }

    @Override
    public String description() {
      return "lost records";
    }
  }

  /** Spark makes it by its name. */
  public static final class LostBytes extends CustomSumMetric {
    /** For Spark. */
    public LostBytes() {}

    @Override
    public String name() {
      return BYTES;
    }

    @Override
    public String description() {
      return "lost bytes";
    }
  }
}
