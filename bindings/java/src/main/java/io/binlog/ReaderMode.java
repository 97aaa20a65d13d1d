package io.binlog;

/** What a reader does at damage. */
public enum ReaderMode {
  /** Damage is an error after everything before it was read; a torn tail is an end. */
  PREFIX,
  /** A torn tail, an end without a clean close and a damaged index are errors too. */
  STRICT,
  /** Reading continues after damage, and reports each loss. Not for the newest first. */
  SALVAGE
}
