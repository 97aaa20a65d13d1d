// Package binlog writes and reads append-only structured binary logs.
//
// A log is a directory of segments (or a single file). A [Writer] appends records to it: a payload, a type, a time and
// metadata, which is pairs of strings. Each record gets the next id: 1, 2, 3 ... A [Reader] opens a log, and its
// [Cursor] shows the records: all of them, those of an id, a time, a type or some metadata, or those that are still to
// come.
//
//	writer, err := binlog.OpenWriter("orders")
//	...
//	id, err := writer.Append(7, payload) // in the writer's memory
//	err = writer.Sync()                  // on the disk
//
//	reader, err := binlog.OpenReader("orders")
//	...
//	for record, err := range reader.Records(binlog.Filter{}) {
//		if err != nil {
//			return err
//		}
//		use(record.ID(), record.Payload()) // a view: until the next turn of the loop
//	}
//
// # Goroutines
//
// Writers and readers may be shared by goroutines. A cursor, with the loops over it, belongs to one goroutine at a time.
// All of them may be closed at any time, by any goroutine, any number of times: Close waits for calls that are under
// way, and calls that come later return [ErrClosed].
//
// A call may block its thread in the kernel, as a read or write of a file does. A goroutine that waits for records
// ([Cursor.Wait], [Cursor.Follow], [Reader.Follow]) takes no thread.
//
// # Errors
//
// Errors of the library are of the type [*Error]. Its [Status] can be asked for with errors.Is, and so can the errno of
// the system:
//
//	errors.Is(err, binlog.ErrLocked)
//	errors.Is(err, syscall.ENOSPC)
//
// # Memory
//
// What is appended may be used again as soon as the call returns. What a cursor shows are views into memory of Go's that
// the cursor uses again: [Record.Clone] keeps them. Views that are kept too long show other bytes, and do no other harm. To
// find such places, run tests with the build tag binlog_poison: there a view's bytes are overwritten as soon as its time is over.
//
// # Functions that the library calls
//
// Hooks, checks, listeners of failures and of losses are functions that the library calls in the middle of a call of
// yours, or in a thread of its own with [WithBackground]. They run in goroutines of their own, while the library waits.
// What one of them calls of its writer is refused with [ErrInvalid] if it appends, names a type, flushes, syncs, rolls, ticks
// or closes: it would wait for itself, or be called again for what it writes. [Writer.Position] and the counts may be used,
// and so may other writers. A goroutine that the function starts is free to write, if the function does not wait for it.
// A listener of losses must not use the reader or the cursor that calls it. A panic never passes through the library; what
// becomes of it is told at each of them.
//
// After a fork (which programs in Go do not do without an exec) nothing of this may be used in the child.
package binlog
