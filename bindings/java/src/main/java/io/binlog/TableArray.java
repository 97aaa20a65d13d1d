package io.binlog;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The values of a column in a {@link TableBatch}, in buffers outside of the heap, as Arrow's specification of columns
 * lays them out. The addresses and the buffers are valid until the batch is closed: whoever reads them after that reads
 * freed memory, which can end the process.
 */
public final class TableArray {
  private final TableColumn column;
  private final int length;
  private final int nulls;
  private final int offset;
  private final long[] buffers;
  private final TableArray[] children;
  private final @Nullable TableArray dictionary;

  private TableArray(
      TableColumn column, int length, int nulls, int offset, long[] buffers, TableArray[] children,
      @Nullable TableArray dictionary) {
    this.column = column;
    this.length = length;
    this.nulls = nulls;
    this.offset = offset;
    this.buffers = buffers;
    this.children = children;
    this.dictionary = dictionary;
  }

  /** Reads numbers as {@link Native#tableNext} returns them. */
  static final class Numbers {
    private final long[] numbers;
    private int at;

    Numbers(long[] numbers, int at) {
      this.numbers = numbers;
      this.at = at;
    }

    TableArray array(TableColumn column) {
      int length = Math.toIntExact(numbers[at++]);
      int nulls = Math.toIntExact(numbers[at++]);
      int offset = Math.toIntExact(numbers[at++]);
      long[] buffers = new long[Math.toIntExact(numbers[at++])];
      System.arraycopy(numbers, at, buffers, 0, buffers.length);
      at += buffers.length;
      List<TableColumn> parts = column.children();
      TableArray[] children = new TableArray[parts.size()];
      for (int i = 0; i < children.length; i++) children[i] = array(parts.get(i));
      TableColumn words = column.dictionary();
      TableArray dictionary = words == null ? null : array(words);
      return new TableArray(column, length, nulls, offset, buffers, children, dictionary);
    }
  }

  /**
   * Name and type.
   *
   * @return the column
   */
  public TableColumn column() {
    return column;
  }

  /**
   * The number of values.
   *
   * @return 0 or more
   */
  public int length() {
    return length;
  }

  /**
   * The number of nulls.
   *
   * @return -1 when they were not counted
   */
  public int nulls() {
    return nulls;
  }

  /**
   * The number of the first value in the buffers.
   *
   * @return 0 or more
   */
  public int offset() {
    return offset;
  }

  /**
   * The number of buffers.
   *
   * @return as the type has by Arrow's specification
   */
  public int buffers() {
    return buffers.length;
  }

  /**
   * The address of a buffer.
   *
   * @param buffer its number, from 0: of most types the bits of values that are not null, then values or offsets, then
   *     bytes
   * @return 0 for a buffer that is not there, such as the bits of a column without nulls
   * @throws IndexOutOfBoundsException beyond the last
   */
  public long address(int buffer) {
    return buffers[buffer];
  }

  /**
   * The first bytes of a buffer.
   *
   * @param buffer its number
   * @param bytes how many: no more than the values need, which is not checked
   * @return a buffer outside of the heap, read-only, in the machine's order of bytes
   * @throws IndexOutOfBoundsException beyond the last buffer
   * @throws IllegalArgumentException for bytes of a buffer that is not there
   */
  public ByteBuffer buffer(int buffer, int bytes) {
    long address = buffers[buffer];
    if (bytes < 0 || address == 0 && bytes > 0) {
      throw new IllegalArgumentException(bytes + " bytes of buffer " + buffer + " of " + column);
    }
    ByteBuffer view = address == 0 ? ByteBuffer.allocateDirect(0) : Native.bufferAt(address, bytes);
    return view.asReadOnlyBuffer().order(ByteOrder.nativeOrder());
  }

  /**
   * The number of children.
   *
   * @return as many as its column has
   */
  public int children() {
    return children.length;
  }

  /**
   * The values of which these consist.
   *
   * @param child its number, from 0
   * @return the child
   * @throws IndexOutOfBoundsException beyond the last
   */
  public TableArray child(int child) {
    return children[child];
  }

  /**
   * What the values stand for, by number.
   *
   * @return null for a column without a dictionary
   */
  public @Nullable TableArray dictionary() {
    return dictionary;
  }
}
