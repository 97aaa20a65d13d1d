package io.binlog.spark;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.util.Map;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;

/** JSON Schema as columns. What it leaves open is text: the JSON of the value. */
final class JsonSchemas {
  private final JsonNode root;
  private final SchemaWalk walk = new SchemaWalk();

  private JsonSchemas(JsonNode root) {
    this.root = root;
  }

  /**
   * The columns of an object's properties.
   *
   * @throws IllegalArgumentException for a schema of something else
   */
  static StructType fields(String schema) {
    try {
      JsonNode root = new ObjectMapper().readTree(schema);
      DataType type = new JsonSchemas(root).type(root);
      if (type instanceof StructType) return (StructType) type;
    } catch (JsonProcessingException e) {
      throw new IllegalArgumentException(e.getOriginalMessage(), e);
    }
    throw new IllegalArgumentException("it is no object with properties");
  }

  private DataType type(JsonNode schema) {
    return walk.deeper(() -> part(schema));
  }

  private DataType part(JsonNode schema) {
    String reference = schema.path("$ref").asText();
    if (reference.startsWith("#")) return referred(reference);
    switch (name(schema)) {
      case "integer":
        return DataTypes.LongType;
      case "number":
        return DataTypes.DoubleType;
      case "boolean":
        return DataTypes.BooleanType;
      case "array":
        return DataTypes.createArrayType(schema.has("items") ? type(schema.path("items")) : DataTypes.StringType);
      case "object":
        return object(schema);
      default:
        return DataTypes.StringType;
    }
  }

  /** A type that contains itself is text. */
  private DataType referred(String reference) {
    // The name of an anchor.
    if (reference.length() > 1 && reference.charAt(1) != '/') return DataTypes.StringType;
    return walk.within(reference, DataTypes.StringType, () -> part(root.at(reference.substring(1))));
  }

  /** The name of the type, without null; "" where there are several or none. */
  private static String name(JsonNode schema) {
    JsonNode type = schema.path("type");
    if (type.isTextual()) return type.asText();
    String only = "";
    for (JsonNode one : type) {
      if (one.asText().equals("null")) continue;
      if (!only.isEmpty()) return "";
      only = one.asText();
    }
    return only.isEmpty() && schema.has("properties") ? "object" : only;
  }

  private DataType object(JsonNode schema) {
    StructType fields = new StructType();
    for (Map.Entry<String, JsonNode> property : schema.path("properties").properties()) {
      walk.column();
      fields = fields.add(property.getKey(), type(property.getValue()), true);
    }
    if (!fields.isEmpty()) return fields;
    JsonNode others = schema.path("additionalProperties");
    if (!others.isObject()) return DataTypes.StringType;
    return DataTypes.createMapType(DataTypes.StringType, type(others), true);
  }
}
