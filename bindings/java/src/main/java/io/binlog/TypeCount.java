package io.binlog;

import org.jspecify.annotations.Nullable;

/** The number of records of a type in a log. */
public final class TypeCount {
  private final int type;
  private final long records;
  private final @Nullable String name;
  private final boolean severalNumbers;

  TypeCount(int type, long records, @Nullable String name, boolean severalNumbers) {
    this.type = type;
    this.records = records;
    this.name = name;
    this.severalNumbers = severalNumbers;
  }

  /**
   * The type's number.
   *
   * @return as {@link Record#type}; the first one if the name has several
   */
  public int type() {
    return type;
  }

  /**
   * The number of records.
   *
   * @return 1 or more
   */
  public long records() {
    return records;
  }

  /**
   * The name of the type.
   *
   * @return null when it has none
   */
  public @Nullable String name() {
    return name;
  }

  /**
   * Whether the records have several numbers: a name has another one with each schema.
   *
   * @return false for a type without a name
   */
  public boolean hasSeveralNumbers() {
    return severalNumbers;
  }

  /**
   * The facts in one line.
   *
   * @return text for people
   */
  @Override
  public String toString() {
    return (name == null ? Integer.toUnsignedString(type) : name) + ": " + records;
  }
}
