package io.binlog;

import java.io.UncheckedIOException;
import java.util.Iterator;
import java.util.NoSuchElementException;

/** The remaining records of a cursor. Nothing is read ahead except what the cursor has fetched. */
final class RecordIterator implements Iterator<Record> {
  private final Cursor cursor;
  private final boolean closesAtEnd;
  private boolean hasEnded;

  RecordIterator(Cursor cursor, boolean closesAtEnd) {
    this.cursor = cursor;
    this.closesAtEnd = closesAtEnd;
  }

  @Override
  public boolean hasNext() {
    if (hasEnded) return false;
    try {
      if (cursor.hasNext()) return true;
    } catch (BinlogException e) {
      throw new UncheckedIOException(e);
    }
    if (closesAtEnd) {
      hasEnded = true;
      cursor.close();
    }
    return false;
  }

  @Override
  public Record next() {
    if (!hasNext()) throw new NoSuchElementException("the end of the log");
    try {
      return cursor.take();
    } catch (BinlogException e) {
      throw new UncheckedIOException(e);
    }
  }
}
