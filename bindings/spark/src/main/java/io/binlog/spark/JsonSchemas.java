package io.binlog.spark;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.util.IdentityHashMap;
import java.util.Map;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;

/** JSON Schema as columns. What it leaves open is text: the JSON of the value. */
final class JsonSchemas {
  private final SchemaWalk walk = new SchemaWalk();
  /** Schemas with an identifier of their own, which references within them are relative to, and a number for each. */
  private final Map<JsonNode, Integer> bases = new IdentityHashMap<>();

  /**
   * The columns of an object's properties.
   *
   * @throws IllegalArgumentException for a schema of something else
   */
  static StructType fields(String schema) {
    try {
      JsonNode root = new ObjectMapper().readTree(schema);
      DataType type = new JsonSchemas().type(root, root);
      if (type instanceof StructType) return (StructType) type;
    } catch (JsonProcessingException e) {
      throw new IllegalArgumentException(e.getOriginalMessage(), e);
    }
    throw new IllegalArgumentException("it is no object with properties");
  }

  private DataType type(JsonNode schema, JsonNode around) {
    return walk.deeper(() -> part(schema, around));
  }

  /** {@code around} is what references are relative to, unless the schema has an identifier of its own. */
  private DataType part(JsonNode schema, JsonNode around) {
    String id = schema.path("$id").asText();
    JsonNode base = id.isEmpty() || id.startsWith("#") ? around : schema;
    String reference = schema.path("$ref").asText();
    if (reference.startsWith("#")) return referred(reference, base);
    switch (name(schema)) {
      case "integer":
        return DataTypes.LongType;
      case "number":
        return DataTypes.DoubleType;
      case "boolean":
        return DataTypes.BooleanType;
      case "array":
        boolean isOfOneType = schema.has("items") && !schema.has("prefixItems");
        return DataTypes.createArrayType(isOfOneType ? type(schema.path("items"), base) : DataTypes.StringType);
      case "object":
        return object(schema, base);
      default:
        return DataTypes.StringType;
    }
  }

  /** A type that contains itself is text. */
  private DataType referred(String reference, JsonNode base) {
    // The name of an anchor.
    if (reference.length() > 1 && reference.charAt(1) != '/') return DataTypes.StringType;
    int number = bases.computeIfAbsent(base, one -> bases.size());
    return walk.within(number + reference, DataTypes.StringType, () -> part(base.at(reference.substring(1)), base));
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

  private DataType object(JsonNode schema, JsonNode base) {
    StructType fields = new StructType();
    for (Map.Entry<String, JsonNode> property : schema.path("properties").properties()) {
      walk.column();
      fields = fields.add(property.getKey(), type(property.getValue(), base), true);
    }
    if (!fields.isEmpty()) return fields;
    JsonNode others = schema.path("additionalProperties");
    if (!others.isObject()) return DataTypes.StringType;
    return DataTypes.createMapType(DataTypes.StringType, type(others, base), true);
  }
}
