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
// Writers and readers may be shared by goroutines. A cursor, with the loops over it, and an appender belong to one at a
// time. All of them may be closed at any time, by any goroutine, any number of times: Close waits for calls in
// progress, and later calls return [ErrClosed].
//
// A call may block its thread in the kernel, as a read or write of a file does. A goroutine that waits for records
// ([Cursor.Wait], [Cursor.Follow], [Reader.Follow]) takes no thread.
//
// # Errors
//
// Errors of the library are of the type [*Error]. errors.Is finds its [Status], and the errno of the system:
//
//	errors.Is(err, binlog.ErrLocked)
//	errors.Is(err, syscall.ENOSPC)
//
// # Memory
//
// Memory that is appended may be reused as soon as the call returns. A cursor shows views into memory of Go that it
// reuses: [Record.Clone] keeps them. Views that are kept too long show other bytes, and do no other harm. To find such
// places, run tests with the build tag binlog_poison: there a view's bytes are overwritten as soon as it is no longer
// valid.
//
// # Functions that the library calls
//
// Hooks, checks, listeners of failures and of losses are functions that the library calls within one of your calls, or
// in a thread of its own with [WithBackground]. They run in goroutines of their own, while the library waits. A
// function that appends, names a type, flushes, syncs, rolls, ticks or closes its own writer gets [ErrInvalid]: the
// call would wait for itself, or be called again for what it writes. [Writer.Position] and the counts may be used, and
// so may other writers. A goroutine that the function starts may write, if the function does not wait for it. A
// listener of losses must not use the reader or the cursor that calls it, and a function of events only status, metrics
// and Stop of its shipper: other calls return [ErrInvalid]. A panic never passes through the library;
// each of the functions documents what happens to it.
//
// After a fork (which Go programs do only together with an exec) nothing of this may be used in the child.
package binlog
