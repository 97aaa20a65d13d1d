/** Append-only structured binary logs. */
module io.binlog {
  requires static org.jspecify;

  exports io.binlog;
}
