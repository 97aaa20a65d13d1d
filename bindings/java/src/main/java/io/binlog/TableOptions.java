package io.binlog;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** The form of a table. Options that are not set have the library's defaults. Immutable. */
public final class TableOptions {
  private static final int PLAIN = 1;

  /** A column that every record has. Tables have them in this order. */
  public enum Column {
    /** The id. */
    ID,
    /** The time. */
    TIME,
    /** The number of the type. */
    TYPE,
    /** The name of the type; null where it has none. */
    TYPE_NAME,
    /** All pairs of metadata, in the order in which they were written. */
    METADATA,
    /** The length of the payload in bytes. */
    LENGTH,
    /** The payload. */
    PAYLOAD,
    /** The payload as text; null where it is not UTF-8. */
    TEXT
  }

  private final int columns;
  private final int flags;
  private final List<String> metadata;
  private final long batchRows;
  private final long batchBytes;

  private TableOptions(Builder set) {
    columns = set.columns;
    flags = set.flags;
    metadata = List.copyOf(set.metadata);
    batchRows = set.batchRows;
    batchBytes = set.batchBytes;
  }

  /**
   * Begins with the defaults: all columns.
   *
   * @return a new builder
   */
  public static Builder builder() {
    return new Builder();
  }

  NativeOptions.Table toNative() {
    NativeOptions.Table options = new NativeOptions.Table();
    options.columns = columns;
    options.flags = flags;
    options.metadata = Text.terminated(metadata, metadata.size());
    options.batchRows = batchRows;
    options.batchBytes = batchBytes;
    return options;
  }

  /** Names and values, for equality and text. */
  private Object[] said() {
    return new Object[] {
      "columns", columns,
      "plain", (flags & PLAIN) != 0,
      "metadata", metadata,
      "batchRows", batchRows,
      "batchBytes", batchBytes
    };
  }

  /**
   * Whether the other has the same options.
   *
   * @param other what it is compared with
   * @return true for the same
   */
  @Override
  public boolean equals(@Nullable Object other) {
    return other instanceof TableOptions && Arrays.deepEquals(said(), ((TableOptions) other).said());
  }

  @Override
  public int hashCode() {
    return Arrays.deepHashCode(said());
  }

  /**
   * The options, for messages.
   *
   * @return such as {@code TableOptions{...}}, without defaults
   */
  @Override
  public String toString() {
    return Text.said("TableOptions", said());
  }

  /** Collects options. */
  public static final class Builder {
    private int columns;
    private int flags;
    private final List<String> metadata = new ArrayList<>();
    private long batchRows;
    private long batchBytes;

    private Builder() {}

    /**
     * Only these columns, and those of {@link #metadata}.
     *
     * @param wanted added to those that were given before; all columns when this is not called
     * @return this
     */
    public Builder columns(Column... wanted) {
      for (Column column : wanted) columns |= 1 << column.ordinal();
      return this;
    }

    /**
     * A column {@code metadata.KEY} for each of these keys, after the others: the value of the first such pair, null
     * where there is none.
     *
     * @param keys added to those that were given before
     * @return this
     */
    public Builder metadata(String... keys) {
      for (String key : keys) metadata.add(Objects.requireNonNull(key, "key"));
      return this;
    }

    /**
     * Only types that every engine has: int64 instead of unsigned numbers, microseconds instead of nanoseconds, text
     * instead of a dictionary, and maps in which no key occurs twice.
     *
     * @return this
     */
    public Builder plain() {
      flags |= PLAIN;
      return this;
    }

    /**
     * The most rows of a batch.
     *
     * @param rows 0 = 65,536
     * @return this
     * @throws IllegalArgumentException for less than 0
     */
    public Builder batchRows(long rows) {
      batchRows = Text.notNegative(rows, "a number of rows");
      return this;
    }

    /**
     * A batch ends before its columns take more memory, but has one row at least.
     *
     * @param bytes 0 = 16 MiB
     * @return this
     * @throws IllegalArgumentException for less than 0
     */
    public Builder batchBytes(long bytes) {
      batchBytes = Text.notNegative(bytes, "a number of bytes");
      return this;
    }

    /**
     * Builds the options.
     *
     * @return the options set so far
     */
    public TableOptions build() {
      return new TableOptions(this);
    }
  }
}
