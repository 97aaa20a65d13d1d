package io.binlog;

import java.lang.ref.Cleaner;
import java.lang.ref.Reference;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Iterator;
import java.util.List;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * A log to be read: a segment file, a directory, the files that match a pattern, or a log in a store. Threads may share
 * it, also for closing. Its cursors remain usable when it is closed. A call on a closed reader throws an {@link
 * IllegalStateException}.
 *
 * <pre>{@code
 * try (BinlogReader reader = BinlogReader.open(directory)) {
 *   for (Record record : reader) System.out.println(record.id() + " " + record.text());
 * }
 * }</pre>
 */
public final class BinlogReader implements AutoCloseable, Iterable<Record> {
  private final Handle handle;
  private final Cleaner.Cleanable net;
  private final Upcalls.@Nullable Losses losses;
  private final boolean salvages;

  /** How the library opens a reader: by a path, or by a token. */
  private interface Opening {
    long open(byte[] place, NativeOptions.Reader options) throws BinlogException;
  }

  private BinlogReader(String path, ReaderOptions options) throws BinlogException {
    this(path, Text.terminated(path), Native::readerOpen, options);
  }

  private BinlogReader(String path, byte[] place, Opening opening, ReaderOptions options) throws BinlogException {
    handle = new Handle("the reader", Native::readerClose);
    losses = options.losses();
    salvages = options.salvages();
    Library.stores(path);
    try {
      handle.opened(opening.open(place, options.toNative(losses)));
    } finally {
      Upcalls.Losses.rethrow(losses);
    }
    net = Binlog.CLEANER.register(this, handle);
  }

  /**
   * Opens a log with the default options.
   *
   * @param path a segment file or a directory
   * @return a reader to be closed
   * @throws BinlogException as {@link #open(Path, ReaderOptions)}
   */
  public static BinlogReader open(Path path) throws BinlogException {
    return open(path, ReaderOptions.builder().build());
  }

  /**
   * Opens a log. Files compressed with gzip or zstd as a whole are recognised by their contents.
   *
   * @param path a segment file or a directory; taken as a pattern when no file has this name and there is a {@code *},
   *     {@code ?} or {@code [} in it
   * @param options how it is read
   * @return a reader to be closed
   * @throws BinlogException {@link BinlogException.NotFound} when nothing is there; {@link BinlogException.Corrupt}
   *     when a file does not begin as a segment does (to salvage: when there is no block in any of them);
   *     {@link BinlogException.Unsupported} when it is of a newer version; {@link BinlogException.Mismatch} when it is
   *     not what is required; {@link Status#IO}
   */
  public static BinlogReader open(Path path, ReaderOptions options) throws BinlogException {
    return new BinlogReader(path.toString(), options);
  }

  /**
   * Opens the files that match a pattern.
   *
   * @param pattern with {@code *}, {@code ?} and {@code [...]}
   * @param options how they are read
   * @return a reader to be closed
   * @throws BinlogException as {@link #open(Path, ReaderOptions)}
   */
  public static BinlogReader openMatching(String pattern, ReaderOptions options) throws BinlogException {
    return new BinlogReader(pattern, options);
  }

  /**
   * Opens a log in a store with the default options.
   *
   * @param url as for {@link #openUrl(String, ReaderOptions)}
   * @return a reader to be closed
   * @throws BinlogException as there
   */
  public static BinlogReader openUrl(String url) throws BinlogException {
    return openUrl(url, ReaderOptions.builder().build());
  }

  /**
   * Opens a log that is read in the store with few requests: for a record that a filter matches, the block that
   * contains it is fetched, not the file. A request that fails for a temporary reason is retried for half a minute.
   *
   * @param url the store, as in {@link ShipOptions#builder}, for all segments in it; with the name of one after     the
   * prefix only that, with a pattern ({@code *}, {@code [...]}) in its place those that match
   * @param options how it is read; {@link ReaderOptions.Builder#cache} keeps what was fetched
   * @return a reader to be closed
   * @throws BinlogException as {@link #open(Path, ReaderOptions)}; {@link Status#INVALID} for a URL of no store;
   * {@link BinlogException.Unsupported} when the log is on a server and libbinlog_stores is missing
   * @throws IllegalArgumentException for a text that is not a URL
   */
  public static BinlogReader openUrl(String url, ReaderOptions options) throws BinlogException {
    // There may be a path of that name.
    if (!Text.isUrl(url)) throw new IllegalArgumentException("no URL of a store, which begins with s3:// or the like");
    return new BinlogReader(url, options);
  }

  /**
   * Opens a split with the default options.
   *
   * @param token as for {@link #openSplit(String, ReaderOptions)}
   * @return a reader to be closed
   * @throws BinlogException as there
   */
  public static BinlogReader openSplit(String token) throws BinlogException {
    return openSplit(token, ReaderOptions.builder().build());
  }

  /**
   * Opens a split of a {@link #plan}: a reader that shows the records of the split and no others. Only the files of its
   * segments are opened; their directory or store is listed only if a file has another name by now. Use the same
   * options as for the log, and the filter of the plan for the cursors. Open tokens of others only where any path could
   * be opened.
   *
   * @param token from {@link Split#token}, in this process or another one
   * @param options how it is read
   * @return a reader to be closed
   * @throws BinlogException {@link Status#INVALID} for a text that is no token; {@link BinlogException.Unsupported} for
   *     a token of another version; {@link BinlogException.Missed} when all segments of the split were removed (some:
   *     the first call of a cursor throws it, once); {@link BinlogException.Mismatch} when another log is at its place;
   *     otherwise as {@link #open(Path, ReaderOptions)}
   */
  public static BinlogReader openSplit(String token, ReaderOptions options) throws BinlogException {
    return new BinlogReader(Split.place(token), Text.terminated(token), Native::splitOpen, options);
  }

  /**
   * A cursor over all records.
   *
   * @return a cursor to be closed
   * @throws BinlogException as {@link #cursor(Filter)}
   * @throws IllegalStateException when the reader is closed
   */
  public Cursor cursor() throws BinlogException {
    return cursor(Filter.all());
  }

  /**
   * A cursor before the first record that the filter matches.
   *
   * @param filter which records it shows
   * @return a cursor to be closed
   * @throws BinlogException {@link Status#INVALID}, also for the newest first of a reader that salvages;
   *     {@link BinlogException.Unsupported} for the last records of several logs, and for the newest first of a file
   *     that is compressed as a whole; {@link Status#IO}
   * @throws IllegalStateException when the reader is closed
   */
  public Cursor cursor(Filter filter) throws BinlogException {
    NativeOptions.Filter wanted = filter.toNative();
    Cursor cursor;
    long reader = handle.enter();
    try {
      boolean seeks = !salvages && !filter.isNewestFirst();
      cursor = new Cursor(Native.cursorOpen(reader, wanted, seeks), filter, losses);
    } finally {
      leave();
    }
    try {
      Upcalls.Losses.rethrow(losses);
    } catch (RuntimeException | Error e) {
      cursor.close();
      throw e;
    }
    return cursor;
  }

  /**
   * The records that a filter matches as columns, as Arrow lays them out: see docs/table.md. Without the columns payload
   * and text only headers are read.
   *
   * @param filter which records
   * @param options which columns, and in which form
   * @return a table to be closed, which remains usable when the reader is closed
   * @throws BinlogException as {@link #cursor(Filter)}; {@link Status#INVALID} also for a key of metadata twice, and for
   *     payload or text with a filter of headers
   * @throws IllegalStateException when the reader is closed
   */
  public Table table(Filter filter, TableOptions options) throws BinlogException {
    NativeOptions.Filter wanted = filter.toNative();
    NativeOptions.Table how = options.toNative();
    Table table;
    long reader = handle.enter();
    try {
      table = Table.open(Native.tableOpen(reader, wanted, how), losses);
    } finally {
      leave();
    }
    try {
      Upcalls.Losses.rethrow(losses);
    } catch (RuntimeException | Error e) {
      table.close();
      throw e;
    }
    return table;
  }

  private void leave() {
    handle.exit();
    Reference.reachabilityFence(this);
  }

  /**
   * All records, by a cursor of its own, which is closed after the last one. A caller that may stop before that takes a
   * {@link #cursor()} and closes it; one that is not closed takes 64 KiB and perhaps an open file until it is
   * collected.
   *
   * @return an iterator, which throws a {@link BinlogException} within {@link java.io.UncheckedIOException}
   */
  @Override
  public Iterator<Record> iterator() {
    try {
      return new RecordIterator(cursor(), true);
    } catch (BinlogException e) {
      throw new java.io.UncheckedIOException(e);
    }
  }

  /**
   * The records that a filter matches, as a stream in their order.
   *
   * @param filter which records
   * @return a stream to be closed, which throws a {@link BinlogException} within {@link java.io.UncheckedIOException}
   * @throws BinlogException as {@link #cursor(Filter)}
   * @throws IllegalStateException when the reader is closed
   */
  public Stream<Record> stream(Filter filter) throws BinlogException {
    Cursor cursor = cursor(filter);
    return cursor.stream().onClose(cursor::close);
  }

  /**
   * The headers of all segments when the reader was opened, in the order of writing.
   *
   * @return a list that cannot be changed
   * @throws BinlogException when they cannot be read
   * @throws IllegalStateException when the reader is closed
   */
  public List<Segment> segments() throws BinlogException {
    List<Segment> all = new ArrayList<>();
    long reader = handle.enter();
    try {
      Native.readerSegments(reader, all);
    } finally {
      leave();
    }
    return Collections.unmodifiableList(all);
  }

  /**
   * The number of records of each type in the log, the most frequent first: from the index, and from the headers of
   * what the index does not cover. No payload is read: records with a damaged payload are counted. Events are not
   * counted.
   *
   * @return a list that cannot be changed
   * @throws BinlogException {@link BinlogException.Corrupt} where headers have to be read and are damaged, whatever the
   *     reader's mode is; {@link Status#IO}
   * @throws IllegalStateException when the reader is closed
   */
  public List<TypeCount> counts() throws BinlogException {
    List<TypeCount> all = new ArrayList<>();
    long reader = handle.enter();
    try {
      Native.readerCounts(reader, all);
    } finally {
      leave();
    }
    return Collections.unmodifiableList(all);
  }

  /**
   * The named types of the log as it is now, by number; of several logs, those of each. What is damaged is left out.
   *
   * @return a list that cannot be changed
   * @throws BinlogException {@link Status#IO}
   * @throws IllegalStateException when the reader is closed
   */
  public List<TypeInfo> types() throws BinlogException {
    List<TypeInfo> all = new ArrayList<>();
    long reader = handle.enter();
    try {
      Native.readerTypes(reader, all);
    } finally {
      leave();
    }
    return Collections.unmodifiableList(all);
  }

  /**
   * Divides what a filter selects into splits of the default size.
   *
   * @param filter as for {@link #plan(Filter, PlanOptions)}
   * @return a list that cannot be changed
   * @throws BinlogException as there
   * @throws IllegalStateException when the reader is closed
   */
  public List<Split> plan(Filter filter) throws BinlogException {
    return plan(filter, PlanOptions.builder().build());
  }

  /**
   * Divides what a filter selects into splits, which threads, processes and machines read independently of each other.
   * Each record that it selects now is in exactly one; records that are appended later are in none. Reads headers and
   * the index, no payload. The filter is not a part of the tokens: use it again for each split. Damage is thrown by the
   * cursor of the split that contains its place. A reader that salvages leaves out nothing within the filter's ids.
   *
   * @param filter which records; without {@link Filter.Builder#last} and {@link Filter.Builder#newestFirst}
   * @param options how large the splits are
   * @return a list that cannot be changed, in the order of writing; empty when nothing is selected
   * @throws BinlogException {@link Status#INVALID} for such a filter, and for a URL that contains a secret;
   *     {@link BinlogException.Corrupt} when no segment of a log can be read; {@link BinlogException.NotFound};
   *     {@link Status#IO}
   * @throws IllegalStateException when the reader is closed
   */
  public List<Split> plan(Filter filter, PlanOptions options) throws BinlogException {
    NativeOptions.Filter wanted = filter.toNative();
    NativeOptions.Plan how = options.toNative();
    List<Split> all = new ArrayList<>();
    long reader = handle.enter();
    try {
      Native.readerPlan(reader, wanted, how, all);
    } finally {
      leave();
    }
    return Collections.unmodifiableList(all);
  }

  /** Frees the reader after the calls in progress; its cursors remain usable. Closing again only waits until that is
   * done. */
  @Override
  public void close() {
    try {
      handle.close();
    } catch (BinlogException e) {
      throw new AssertionError("closing a reader does not fail", e);
    }
    net.clean(); // closed already: only unregisters
  }
}
