package io.binlog;

import java.util.Collections;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** The name and the type of a column of a {@link Table}. */
public final class TableColumn {
  private final String name;
  private final String format;
  private final List<TableColumn> children;
  private final @Nullable TableColumn dictionary;

  TableColumn(String name, String format, List<TableColumn> children, @Nullable TableColumn dictionary) {
    this.name = name;
    this.format = format;
    this.children = Collections.unmodifiableList(children);
    this.dictionary = dictionary;
  }

  /**
   * The name.
   *
   * @return such as {@code id} or {@code metadata.host}
   */
  public String name() {
    return name;
  }

  /**
   * The type.
   *
   * @return a format string of Arrow's C data interface, such as {@code l} for int64
   */
  public String format() {
    return format;
  }

  /**
   * The columns of which it consists: of a map its entries, of these key and value.
   *
   * @return a list that cannot be changed; empty for numbers and text
   */
  public List<TableColumn> children() {
    return children;
  }

  /**
   * What its numbers stand for.
   *
   * @return null for a column without a dictionary
   */
  public @Nullable TableColumn dictionary() {
    return dictionary;
  }

  /**
   * The facts in one line.
   *
   * @return text for people
   */
  @Override
  public String toString() {
    return name + ": " + format;
  }
}
