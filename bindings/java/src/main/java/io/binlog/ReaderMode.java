package io.binlog;

/** What a reader makes of damage. */
public enum ReaderMode {
  /** Damage is an error once everything before it has been read; a torn tail is an end. */
  PREFIX,
  /** A torn tail, an end without a clean close and a damaged index are errors too. */
  STRICT,
  /** Reading goes on behind damage, and tells of each loss. Not the newest first. */
  SALVAGE
}
