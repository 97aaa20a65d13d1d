package io.binlog;

import org.jspecify.annotations.Nullable;

/** The library's own records, which a filter with {@link Filter.Builder#events} shows: {@link Record#type}. */
public final class Event {
  /** A writer began. */
  public static final int STARTED = 0x80000001;
  /** A writer ended. */
  public static final int STOPPED = 0x80000002;
  /** A writer is alive. */
  public static final int HEARTBEAT = 0x80000003;
  /** The log continues in the segment named by the metadata "file". */
  public static final int ROTATE_NEXT = 0x80000004;
  /** The log continues that of the segment named by the metadata "file". */
  public static final int ROTATE_PREV = 0x80000005;
  /** The segment was opened for writing. */
  public static final int OPENED = 0x80000006;
  /** The segment was closed. */
  public static final int CLOSED = 0x80000007;
  /**
   * A torn tail was cut: metadata "offset", "bytes", "kept" (file that keeps them), "reason". Or a recovery records
   * which records are lost here: metadata "first_lost_id", "last_lost_id".
   */
  public static final int RECOVERED = 0x80000008;
  /**
   * Records were dropped by the policy for a full disk: metadata "count" (since the last such event), "total" (since
   * the writer was opened).
   */
  public static final int DROPPED = 0x80000009;
  /** A type was named: metadata "id", "name", "content_type". */
  public static final int TYPE = 0x8000000A;
  /** A schema of types: metadata "sha256", "encoding"; the payload is the schema. */
  public static final int SCHEMA = 0x8000000B;

  private static final String[] NAMES = {
    null, "STARTED", "STOPPED", "HEARTBEAT", "ROTATE_NEXT", "ROTATE_PREV", "OPENED", "CLOSED", "RECOVERED", "DROPPED",
    "TYPE", "SCHEMA"
  };

  private Event() {}

  /**
   * The name of an event.
   *
   * @param type the type of a record
   * @return such as "ROTATE_NEXT"; null for a type that is no event known to this version
   */
  public static @Nullable String name(int type) {
    int number = type ^ 0x80000000;
    return number > 0 && number < NAMES.length ? NAMES[number] : null;
  }
}
