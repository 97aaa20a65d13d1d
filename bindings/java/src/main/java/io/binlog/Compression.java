package io.binlog;

/** How payloads are compressed, block by block, before they are written. */
public enum Compression {
  /** They stay as they are. */
  NONE,
  /** LZ4: the fastest. */
  LZ4,
  /** Zstandard: smaller. */
  ZSTD
}
