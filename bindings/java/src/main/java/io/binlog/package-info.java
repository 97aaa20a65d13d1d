/**
 * Append-only structured binary logs: {@link io.binlog.BinlogWriter} writes them, {@link io.binlog.BinlogReader} and
 * {@link io.binlog.Cursor} read them, {@link io.binlog.Binlog} repairs them.
 *
 * <p>What fails is a {@link io.binlog.BinlogException}; a wrong argument that is seen on this side is a
 * {@link NullPointerException}, {@link IllegalArgumentException} or {@link IndexOutOfBoundsException}; the use of
 * something that is closed is an {@link IllegalStateException}. Nothing that is given or returned is null unless it is
 * {@link org.jspecify.annotations.Nullable}.
 */
@NullMarked
package io.binlog;

import org.jspecify.annotations.NullMarked;
