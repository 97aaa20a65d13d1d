package io.binlog.spark;

import java.util.stream.Collectors;
import org.apache.avro.LogicalType;
import org.apache.avro.LogicalTypes;
import org.apache.avro.Schema;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;

/** Schemas of Avro as columns, as Spark's own Avro source has them. A union of several types is text. */
final class AvroSchemas {
  private final SchemaWalk walk = new SchemaWalk();

  private AvroSchemas() {}

  /**
   * The columns of a record.
   *
   * @throws IllegalArgumentException for a schema of something else
   */
  static StructType fields(String schema) {
    return fields(new Schema.Parser().parse(schema));
  }

  private static StructType fields(Schema schema) {
    AvroBounds.check(schema);
    DataType type = new AvroSchemas().type(schema);
    if (!(type instanceof StructType)) throw new IllegalArgumentException("it is no record");
    return (StructType) type;
  }

  /**
   * A schema of records.
   *
   * @throws IllegalArgumentException as {@link #fields}
   */
  static Schema parse(String text) {
    Schema schema = new Schema.Parser().parse(text);
    fields(schema);
    return schema;
  }

  /** Of a union with null its other type. */
  static Schema withoutNull(Schema schema) {
    if (schema.getType() != Schema.Type.UNION) return schema;
    var others =
        schema.getTypes().stream().filter(one -> one.getType() != Schema.Type.NULL).collect(Collectors.toList());
    return others.size() == 1 ? others.get(0) : schema;
  }

  private DataType type(Schema schema) {
    return walk.deeper(() -> part(schema));
  }

  private DataType part(Schema given) {
    Schema schema = withoutNull(given);
    LogicalType logical = schema.getLogicalType();
    switch (schema.getType()) {
      case BOOLEAN:
        return DataTypes.BooleanType;
      case INT:
        return logical instanceof LogicalTypes.Date ? DataTypes.DateType : DataTypes.IntegerType;
      case LONG:
        boolean isTime = logical instanceof LogicalTypes.TimestampMillis || logical instanceof LogicalTypes.TimestampMicros;
        return isTime ? DataTypes.TimestampType : DataTypes.LongType;
      case FLOAT:
        return DataTypes.FloatType;
      case DOUBLE:
        return DataTypes.DoubleType;
      case BYTES:
      case FIXED:
        return decimalOrBytes(logical);
      case ARRAY:
        return DataTypes.createArrayType(type(schema.getElementType()));
      case MAP:
        return DataTypes.createMapType(DataTypes.StringType, type(schema.getValueType()), true);
      case RECORD:
        return record(schema);
      default:
        return DataTypes.StringType;
    }
  }

  private static DataType decimalOrBytes(LogicalType logical) {
    if (!(logical instanceof LogicalTypes.Decimal)) return DataTypes.BinaryType;
    LogicalTypes.Decimal decimal = (LogicalTypes.Decimal) logical;
    return decimal.getPrecision() > 38
        ? DataTypes.BinaryType
        : DataTypes.createDecimalType(decimal.getPrecision(), decimal.getScale());
  }

  /** One that contains itself is text. */
  private DataType record(Schema schema) {
    return walk.within(schema.getFullName(), DataTypes.StringType, () -> {
      StructType fields = new StructType();
      for (Schema.Field field : schema.getFields()) {
        walk.column();
        fields = fields.add(field.name(), type(field.schema()), true);
      }
      return fields;
    });
  }
}
