/**
 * Append-only structured binary logs: {@link io.binlog.BinlogWriter} writes them, {@link io.binlog.BinlogReader} and
 * {@link io.binlog.Cursor} read them, {@link io.binlog.Binlog} repairs them.
 *
 * <p>Failures are a {@link io.binlog.BinlogException}; a wrong argument that Java detects is a {@link
 * NullPointerException}, {@link IllegalArgumentException} or {@link IndexOutOfBoundsException}; the use of a closed
 * object is an {@link IllegalStateException}. Arguments and results are never null unless they are {@link
 * org.jspecify.annotations.Nullable}.
 */
@NullMarked
package io.binlog;

import org.jspecify.annotations.NullMarked;
