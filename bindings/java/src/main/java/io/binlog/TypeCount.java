package io.binlog;

/** How many records of a type a log holds. */
public final class TypeCount {
  private final int type;
  private final long records;
  private final String name;

  TypeCount(int type, long records, String name) {
    this.type = type;
    this.records = records;
    this.name = name;
  }

  /**
   * The type's number.
   *
   * @return as {@link Record#type}
   */
  public int type() {
    return type;
  }

  /**
   * How many there are.
   *
   * @return 1 or more
   */
  public long records() {
    return records;
  }

  /**
   * The name that it was given for.
   *
   * @return null when it has none
   */
  public String name() {
    return name;
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
