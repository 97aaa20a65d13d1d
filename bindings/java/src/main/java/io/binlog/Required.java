package io.binlog;

import java.util.Arrays;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * What the file headers of an existing log must contain for it to be opened: {@link BinlogException.Mismatch}
 * otherwise. Properties that are not set may have any value. Immutable.
 */
public final class Required {
  private final @Nullable String name;
  private final @Nullable String contentType;
  private final Map<String, String> parameters;

  private Required(Builder set) {
    name = set.name;
    contentType = set.contentType;
    parameters = new TreeMap<>(set.parameters);
  }

  /**
   * Begins with no requirement.
   *
   * @return a new builder
   */
  public static Builder builder() {
    return new Builder();
  }

  NativeOptions.Require toNative() {
    NativeOptions.Require require = new NativeOptions.Require();
    require.name = Text.terminatedOrNull(name);
    require.contentType = Text.terminatedOrNull(contentType);
    require.parameters = Text.terminated(parameters);
    return require;
  }

  /** Names and values, for equality and text. */
  private Object[] said() {
    return new Object[] {
      "name", name,
      "contentType", contentType,
      "parameters", parameters
    };
  }

  /**
   * Whether the other has the same requirements. Functions are equal only if they are the same object.
   *
   * @param other what it is compared with
   * @return true for the same
   */
  @Override
  public boolean equals(@Nullable Object other) {
    return other instanceof Required && Arrays.deepEquals(said(), ((Required) other).said());
  }

  @Override
  public int hashCode() {
    return Arrays.deepHashCode(said());
  }

  /**
   * The requirements, for messages.
   *
   * @return such as {@code Required{...}}, without defaults
   */
  @Override
  public String toString() {
    return Text.said("Required", said());
  }

  /** Collects requirements. */
  public static final class Builder {
    private @Nullable String name;
    private @Nullable String contentType;
    private final Map<String, String> parameters = new TreeMap<>();

    private Builder() {}

    /**
     * The log's name.
     *
     * @param name the name
     * @return this
     */
    public Builder name(String name) {
      this.name = Objects.requireNonNull(name, "name");
      return this;
    }

    /**
     * The type of the payloads.
     *
     * @param contentType a MIME type
     * @return this
     */
    public Builder contentType(String contentType) {
      this.contentType = Objects.requireNonNull(contentType, "contentType");
      return this;
    }

    /**
     * A parameter with its value; there may be others.
     *
     * @param key its key
     * @param value its value
     * @return this
     */
    public Builder parameter(String key, String value) {
      parameters.put(Objects.requireNonNull(key, "key"), Objects.requireNonNull(value, "value"));
      return this;
    }

    /**
     * Builds the requirements.
     *
     * @return the requirements set so far
     */
    public Required build() {
      return new Required(this);
    }
  }
}
