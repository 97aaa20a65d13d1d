package binlog

import (
	"encoding/binary"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"binlog/internal/cbinlog"
)

// Appender appends records to the log of a [Writer] from one goroutine at a time, faster than the writer itself: a
// record is staged in memory of the appender, without a lock and without a call into C. Any number of appenders can be
// open on a writer.
//
// A record gets its id when what is staged is handed over: when the memory is full, at [Appender.Flush] and
// [Appender.Close], and when the writer is flushed, synced, rolled or closed, by a call or by a policy; such a call
// collects from all appenders what was appended before it. The records of one appender keep their order; otherwise
// records follow in the order in which they are handed over. Their times may therefore run back by as long as records
// are staged.
//
// Staged records are not in [Writer.Position], and are lost when the process ends without a close. [WithFlush]'s
// interval bounds how long they are staged: with [WithBackground] or [Writer.Tick] also when the appender gets no
// further record. Nothing is staged, and an append is then the writer's, in a log that rolls by its number of records,
// with a policy for each record, and for records and batches that are larger than a block.
//
// The writer may be closed while other goroutines append: each record is then in the log, or its append fails.
//
// Use [Writer.Append] where the id is needed at once, or where several goroutines share one object.
type Appender struct {
	c      cbinlog.Appender
	closed *atomic.Bool
	// Held during a call of C: goroutines that use an appender at once, against its rules, must not meet there, and Close
	// waits for the call in progress.
	calling sync.Mutex
	// Keeps the writer from being freed.
	writer *Writer

	frames     *[cbinlog.AreaBytes]byte
	endWord    *uint64
	limit      *uint64
	end        int
	from       int64
	until      int64
	typesEnd   Type
	payloadMax int
	clock      time.Time
	clockNS    int64
	clockUntil time.Duration
}

// The wall clock is read again after this time: it may have been set.
const clockAge = time.Millisecond

// OpenAppender opens an appender. Close it before or after the writer. Errors are [ErrFailed] after an fsync has
// failed, [ErrNoMemory], and [ErrClosed].
func (w *Writer) OpenAppender() (*Appender, error) { return w.OpenAppenderBytes(0) }

// OpenAppenderBytes is as [Writer.OpenAppender], for an appender that hands over what is staged at so many bytes of
// payload: 65,536 to 262,144; 0 means 262,144. Others are [ErrInvalid].
func (w *Writer) OpenAppenderBytes(handOver int) (*Appender, error) {
	if handOver < 0 {
		return nil, invalid("the bytes at which an appender hands over are negative")
	}
	if !w.gate.enter() {
		return nil, ErrClosed
	}
	defer w.gate.leave()
	c, failure := w.c.OpenAppender(handOver)
	if failure != nil {
		return nil, asError(failure)
	}
	a := &Appender{c: c, closed: new(atomic.Bool), writer: w, frames: c.Frames(), endWord: c.End(), limit: c.Limit(),
		payloadMax: c.PayloadMax()}
	a.readRules()
	// The safety net for an appender that was not closed, and what frees the area, which late appends still look at.
	closed := a.closed
	runtime.AddCleanup(a, func(c cbinlog.Appender) {
		if !closed.Swap(true) {
			_ = c.Close()
		}
		c.Free()
	}, c)
	return a, nil
}

// Append appends a record of now. A record that [WithFullDiskDrop] drops is no error: [Writer.Dropped] counts it.
//
// Errors are [ErrInvalid] for a type that is neither yours nor named; [ErrTooLarge]; [ErrNoSpace] or [ErrIO] when the
// log cannot be written, before the record is accepted: appending it again then repeats nothing (unless
// [Error.RecordID] says that it was accepted); [ErrFailed] after an fsync has failed; and [ErrClosed] when the appender
// or the writer is closed.
func (a *Appender) Append(t Type, payload []byte) error {
	if a.limit == nil {
		return errNoAppender
	}
	now := a.now()
	end := a.end
	size := (frameHeader + len(payload) + 7) &^ 7
	if uint64(end+size) > atomic.LoadUint64(a.limit) || len(payload) > a.payloadMax || !a.takes(t, now) {
		return a.appendByCall(cbinlog.Head{Type: uint32(t)}, payload)
	}
	frame := a.frames[end : end+size]
	putHead((*[frameHeader]byte)(frame), size, t, now, 0, len(payload))
	copy(frame[frameHeader:], payload)
	return a.complete(end + size)
}

// AppendRecord appends a record with a time or metadata of its own. Otherwise it is as [Appender.Append]; [ErrInvalid]
// also for metadata that are not well-formed pairs of UTF-8, and for a time that 64 bits of nanoseconds do not hold.
func (a *Appender) AppendRecord(r NewRecord) error {
	if a.limit == nil {
		return errNoAppender
	}
	head, err := headOf(&r)
	if err != nil {
		return err
	}
	now := a.now()
	end := a.end
	size := (frameHeader + len(r.Metadata) + len(r.Payload) + 7) &^ 7
	// Metadata that are not well-formed would be refused later, when this call has returned.
	if uint64(end+size) > atomic.LoadUint64(a.limit) || len(r.Payload) > a.payloadMax || !a.takes(r.Type, now) ||
		!r.Metadata.isValid() {
		return a.appendByCall(head, r.Payload)
	}
	at := now
	if head.HasTime {
		at = head.TimeNS
	}
	frame := a.frames[end : end+size]
	putHead((*[frameHeader]byte)(frame), size, r.Type, at, len(r.Metadata), len(r.Payload))
	n := copy(frame[frameHeader:], r.Metadata)
	copy(frame[frameHeader+n:], r.Payload)
	return a.complete(end + size)
}

// Gather appends one record of now, whose payload is the parts, one after the other. Otherwise it is as
// [Appender.Append].
func (a *Appender) Gather(t Type, parts ...[]byte) error {
	return a.call(func() *cbinlog.Error { return a.c.GatherRecord(cbinlog.Head{Type: uint32(t)}, parts) })
}

// AppendBatch appends all records of a batch or, on an error, none; a crash, too, keeps all or none. The batch is not
// changed. Otherwise it is as [Appender.Append].
func (a *Appender) AppendBatch(b *Batch) error {
	if b == nil {
		return invalid("there is no batch: it is nil")
	}
	if b.err != nil {
		return b.err
	}
	return a.call(func() *cbinlog.Error { return a.c.AppendPacked(b.frames) })
}

// Flush passes the records of this appender to the system, and all that are before them in the log, as [Writer.Flush]
// does for all. It returns the id of the last record of this appender, 0 if it has appended none. Errors are as of
// [Writer.Flush].
func (a *Appender) Flush() (lastID uint64, err error) {
	err = a.call(func() (failure *cbinlog.Error) {
		lastID, failure = a.c.Flush()
		return failure
	})
	return lastID, err
}

// Close flushes as [Appender.Flush] does, and ends the appender, whatever the error is. After the writer was closed,
// which has collected what was staged, this succeeds. Any goroutine may close it, also while another one appends: each
// record is then in the log, or its append returns [ErrClosed]. Closing again does nothing.
//
// A function that the writer has called cannot close its appenders: [ErrInvalid], and the appender stays open.
func (a *Appender) Close() error {
	if a.limit == nil {
		return errNoAppender
	}
	if !a.lock() {
		return invalid("an appender cannot be closed by a function that its writer has called: it stays open")
	}
	defer a.calling.Unlock()
	if a.closed.Swap(true) {
		return nil
	}
	failure := a.c.Close()
	runtime.KeepAlive(a)
	return asError(failure)
}

var errNoAppender = invalid("the appender was never opened")

// lock waits for the call in progress. It returns false in a function that is run within that, which would wait for itself.
func (a *Appender) lock() bool {
	if a.c.IsCalling() {
		return false
	}
	a.calling.Lock()
	return true
}

func (a *Appender) takes(t Type, now int64) bool {
	return (t < FirstNamedType || t < a.typesEnd && !t.IsEvent()) && now >= a.from && now < a.until
}

func putHead(h *[frameHeader]byte, size int, t Type, ns int64, metadata, payload int) {
	binary.LittleEndian.PutUint64(h[frameSize:], uint64(size)|uint64(t)<<32)
	binary.LittleEndian.PutUint64(h[frameTime:], uint64(ns))
	binary.LittleEndian.PutUint64(h[frameMetadataLen:], uint64(metadata)|uint64(payload)<<32)
	binary.LittleEndian.PutUint64(h[frameFlags:], flagHasTime)
}

// complete makes the frame visible to the library. Atomic accesses of Go are sequentially consistent, as the library's
// are: it has the frame, or this goroutine sees that it has looked, and calls it.
func (a *Appender) complete(end int) error {
	a.end = end
	atomic.StoreUint64(a.endWord, uint64(end))
	if atomic.LoadUint64(a.limit) == 0 {
		return a.settle(uint64(end))
	}
	return nil
}

func (a *Appender) settle(end uint64) error {
	err := a.call(a.c.Settle)
	if err == ErrClosed && a.closed.Load() && a.c.Taken() >= end {
		// Close has taken it.
		return nil
	}
	return err
}

func (a *Appender) appendByCall(head cbinlog.Head, payload []byte) error {
	return a.call(func() *cbinlog.Error { return a.c.AppendRecord(head, payload) })
}

// call makes a call that may change the area.
func (a *Appender) call(f func() *cbinlog.Error) error {
	if a.limit == nil {
		return errNoAppender
	}
	if !a.lock() {
		return invalid("an appender cannot be used by a function that its writer has called")
	}
	defer a.calling.Unlock()
	if a.closed.Load() {
		return ErrClosed
	}
	failure := f()
	a.readRules()
	runtime.KeepAlive(a)
	if failure != nil && failure.Status == cbinlog.Invalid && !a.writer.c.IsOpen() {
		return ErrClosed
	}
	return asError(failure)
}

func (a *Appender) readRules() {
	a.end = int(atomic.LoadUint64(a.endWord))
	from, until, typesEnd := a.c.Rules()
	a.from, a.until, a.typesEnd = from, until, Type(typesEnd)
}

// now returns nanoseconds since the Unix epoch. Reading the monotonic clock alone costs half of time.Now.
func (a *Appender) now() int64 {
	if since := time.Since(a.clock); since < a.clockUntil {
		return a.clockNS + int64(since)
	}
	a.clock = time.Now()
	a.clockNS, a.clockUntil = a.clock.UnixNano(), clockAge
	return a.clockNS
}
