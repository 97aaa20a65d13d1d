package io.binlog.spark;

import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;

/** The columns that a log has in Spark. */
final class Columns {
  static final String ID = "id";
  static final String TIME = "time";
  static final String TIME_NS = "time_ns";
  static final String TYPE = "type";
  static final String TYPE_NAME = "type_name";
  static final String METADATA = "metadata";
  static final String LENGTH = "length";
  static final String PAYLOAD = "payload";
  static final String TEXT = "text";
  static final String SEGMENT = "_segment";
  static final String LOG = "_log";
  /** Those that a query has only by their names, in Spark's order of them. */
  static final List<String> HIDDEN = List.of(SEGMENT, LOG);

  /** Each name once, whatever its case: Spark does not distinguish them. */
  private final Set<String> taken = new LinkedHashSet<>(List.of(SEGMENT, LOG, TIME_NS));
  private StructType schema = new StructType();

  private Columns() {}

  /**
   * The columns of a read: those of every record, the promoted ones, and those of the decoded type.
   *
   * @throws IllegalArgumentException for a name that is a column already
   */
  static StructType schema(ReadOptions options, StructType decoded) {
    Columns all = new Columns();
    all.add(ID, DataTypes.LongType, false);
    all.add(TIME, DataTypes.TimestampType, false);
    if (options.timeNs) all.add(TIME_NS, DataTypes.LongType, false);
    all.add(TYPE, DataTypes.LongType, false);
    all.add(TYPE_NAME, DataTypes.StringType, true);
    all.add(METADATA, DataTypes.createMapType(DataTypes.StringType, DataTypes.StringType, false), false);
    all.add(LENGTH, DataTypes.LongType, false);
    all.add(PAYLOAD, DataTypes.BinaryType, false);
    all.add(TEXT, DataTypes.StringType, true);
    for (String key : options.metadataColumns) {
      if (!all.add(key, DataTypes.StringType, true)) {
        throw ReadOptions.wrong(
            "metadataColumns", key, "keys that are not columns already, whatever their case; metadata['" + key + "'] has its value");
      }
    }
    for (StructField field : decoded.fields()) {
      if (!all.add(field.name(), field.dataType(), true)) {
        throw new IllegalArgumentException(
            "the option decode gives a column " + field.name() + ", which is a column already: with the option decodeAs, all "
                + "are fields of one column, which has the name that it gives");
      }
    }
    return all.schema;
  }

  private boolean add(String name, org.apache.spark.sql.types.DataType type, boolean nullable) {
    schema = schema.add(name, type, nullable);
    return taken.add(name.toLowerCase(Locale.ROOT));
  }
}
