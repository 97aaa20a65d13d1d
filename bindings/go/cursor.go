package binlog

import (
	"context"
	"errors"
	"io"
	"iter"
	"math"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"binlog/internal/cbinlog"
)

// Cursor shows records of a log, one after the other. It belongs to one goroutine at a time; only Close may be called
// by any.
//
// Records are copied from the library many at a time; a loop over them does not allocate.
type Cursor struct {
	// Held during each call of the library.
	mu     sync.Mutex
	c      cbinlog.Cursor
	closed atomic.Bool
	freed  bool
	onLoss *cbinlog.LossListener
	net    runtime.Cleanup
	// What Wait waits for, since its first call.
	polled *polled

	// Records that were copied and not shown yet are frames[at:]: records of one block.
	frames []byte
	at     int
	// The memory of frames, unless a record is larger.
	buffer []byte
	// With the build tag binlog_poison.
	poison poison
	// Names of types as of the block in frames.
	names map[Type]string
}

// A block has 128 KiB of payload unless its writer has another option. A larger buffer does not fit into the
// processor's nearer caches, and is slower.
const bufferBytes = 64 << 10

// Cursor opens a cursor before the first record that the filter matches. It keeps what it needs of the reader, which
// may be closed before it. Errors are [ErrInvalid]; [ErrUnsupported] for the last records of several logs, and for the
// newest first of a file that is compressed as a whole; [ErrIO].
func (r *Reader) Cursor(filter Filter) (*Cursor, error) {
	options, err := filter.options()
	if err != nil {
		return nil, err
	}
	if r.c.IsCalling() {
		return nil, within("a reader")
	}
	if !r.gate.enter() {
		return nil, ErrClosed
	}
	defer r.gate.leave()
	c, failure := r.c.Cursor(options)
	if failure != nil {
		return nil, asError(failure)
	}
	cursor := &Cursor{c: c, onLoss: r.onLoss}
	cursor.net = runtime.AddCleanup(cursor, cbinlog.Cursor.Close, c)
	r.onLoss.Repanic()
	return cursor, nil
}

// Close frees the cursor. A call in another goroutine ends before that, and a [Cursor.Wait] ends at once. Closing again
// does nothing. It returns nil; [ErrInvalid] in the function of [WithSalvage] that the cursor has called: it stays open.
func (c *Cursor) Close() error {
	if c.isCalling() {
		return within("a cursor")
	}
	c.closed.Store(true)
	c.endWait()
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.freed {
		c.freed = true
		c.net.Stop()
		c.c.Close()
	}
	return nil
}

// isCalling says whether this goroutine runs the listener of losses that the cursor has called, and for which it would
// wait. Without a listener it costs nothing.
func (c *Cursor) isCalling() bool { return c.onLoss != nil && c.c.IsCalling() }

// use makes a call of the library, and then repeats a panic of the listener's.
func (c *Cursor) use(call func() *cbinlog.Error) error {
	if c.isCalling() {
		return within("a cursor")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed.Load() {
		return ErrClosed
	}
	err := asError(call())
	c.onLoss.Repanic()
	return err
}

// fill copies more records; io.EOF at the end.
func (c *Cursor) fill() error {
	c.frames, c.at = nil, 0
	clear(c.names)
	err := c.use(func() *cbinlog.Error {
		// Bytes that were overwritten have to stay so.
		if c.buffer == nil || poisons {
			c.buffer = make([]byte, bufferBytes)
		}
		size, _, failure := c.c.ReadPacked(c.buffer)
		if failure != nil && Status(failure.Status) == ErrTooLarge {
			return c.fillLarge()
		}
		c.frames = c.buffer[:size:size]
		return failure
	})
	if err == nil && len(c.frames) == 0 {
		return io.EOF
	}
	return err
}

// fillLarge copies one record that is larger than the buffer into memory of its own.
func (c *Cursor) fillLarge() *cbinlog.Error {
	view, found, failure := c.c.Next()
	if found {
		c.hold(&view)
	}
	return failure
}

// hold copies a record from the library's memory.
func (c *Cursor) hold(v *cbinlog.View) {
	room := make([]byte, 0, frameHeader+len(v.Metadata)+len(v.Payload)+8)
	c.frames = appendFrame(room, Type(v.Type), v.ID, v.TimeNS, v.Flags, v.Metadata, v.Payload, uint32(v.Len))
	c.at = 0
}

// Next returns the next record. io.EOF means that there are no more: after more were appended, the same call continues,
// and [Cursor.Tail] reports why there are no more. A [*MissedError] reports once that records were removed, and the
// next call continues after them. [ErrCorrupt] is returned at damage, after everything before it was shown, including
// whole records of a damaged block, and again by every later call; for a strict reader a torn tail and an end without a
// close are that too, and the state of [Cursor.Tail] distinguishes them from damage. After [ErrIO] the call may be
// repeated.
func (c *Cursor) Next() (Record, error) {
	if c.closed.Load() {
		return Record{}, ErrClosed
	}
	c.isCalled()
	if c.at == len(c.frames) {
		if err := c.fill(); err != nil {
			return Record{}, err
		}
	}
	frame := firstFrame(c.frames[c.at:])
	c.at += len(frame)
	c.hasShown(frame)
	return Record{frame}, nil
}

// All shows the records from where the cursor is to the current end of the log; another loop continues with records
// that were written since. After a break, the next loop continues after the last record shown. An error ends the loop;
// only after a [*MissedError] it continues, if the loop body does. A record is a view until the next turn.
//
// The cursor may be used within the loop: a seek takes effect with the next turn.
func (c *Cursor) All() iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) { c.show(context.Background(), yield) }
}

// show shows what is available; false when the loop was left or has met an error. The context is checked before more
// records are copied.
func (c *Cursor) show(ctx context.Context, yield func(Record, error) bool) bool {
	for {
		for c.at < len(c.frames) && !c.closed.Load() {
			frame := firstFrame(c.frames[c.at:])
			c.at += len(frame)
			c.turns(frame)
			if !yield(Record{frame}, nil) {
				return false
			}
		}
		c.turns(nil)
		err := ctx.Err()
		if err == nil {
			err = c.fill()
		}
		if err == io.EOF {
			return true
		}
		if err != nil && (!yield(Record{}, err) || !errors.Is(err, ErrMissed)) {
			return false
		}
	}
}

// Follow is as [Cursor.All], but waits for more records at the end: over rolls, and from one writer to the next. When
// the context is done, it ends with the context's error, possibly after some more records: those that were copied
// already.
func (c *Cursor) Follow(ctx context.Context) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		for c.show(ctx, yield) {
			// What Wait has found, such as a MissedError, the next turn returns.
			if err := c.Wait(ctx); err != nil {
				yield(Record{}, err)
				return
			}
		}
	}
}

// Get returns the record with this id, wherever the cursor is. Reading continues after it, whether it exists or not.
// The cost is reading the headers of its block and the pages of the record. Errors are [ErrNotFound] when the log has
// no such record or the filter does not match it, a [*MissedError] when it was removed with old segments,
// [ErrUnsupported] for a cursor that shows the newest first or salvages, and those of [Cursor.Next].
func (c *Cursor) Get(id uint64) (Record, error) {
	c.isCalled()
	c.frames, c.at = nil, 0
	clear(c.names)
	var r Record
	err := c.use(func() *cbinlog.Error {
		view, failure := c.c.Get(id)
		if failure == nil {
			c.hold(&view)
			r, c.at = Record{c.frames}, len(c.frames)
			c.hasShown(c.frames)
		}
		return failure
	})
	return r, err
}

// Seek goes to the record with this id, or to the first after it that the filter matches: the next record shown is that
// one. Errors are [ErrUnsupported] for a cursor that shows the newest first or salvages, and [ErrIO]; damage is found
// by the next call that reads. When records from this id on were removed with old segments, that call is a
// [*MissedError], once.
func (c *Cursor) Seek(id uint64) error {
	return c.move(func() *cbinlog.Error { return c.c.Seek(id) })
}

// SeekTime goes to the first record, in the order of writing, of this time or later; records of an earlier time are not
// shown from there on. Otherwise it is as [Cursor.Seek]: a [*MissedError] follows when the log still records that
// records of this time or later were removed, with the range of ids that contains them. The zero Time means the
// earliest possible time.
func (c *Cursor) SeekTime(t time.Time) error {
	ns, given, err := unixNano(t)
	if err != nil {
		return err
	}
	if !given {
		ns = math.MinInt64
	}
	return c.move(func() *cbinlog.Error { return c.c.SeekTime(ns) })
}

// SeekEnd goes after the newest record, whatever the filter: records shown next were appended later. Errors are those
// of [Cursor.Seek].
func (c *Cursor) SeekEnd() error {
	return c.move(func() *cbinlog.Error { return c.c.SeekEnd() })
}

// move drops the copied records, unless moving fails and the cursor stays where it is.
func (c *Cursor) move(call func() *cbinlog.Error) error {
	c.isCalled()
	err := c.use(call)
	if err == nil {
		c.frames, c.at = nil, 0
	}
	return err
}

// TailState says why a cursor is at an end.
type TailState uint32

const (
	// TailMore: it is not.
	TailMore TailState = iota
	// TailClosed: the log was closed cleanly, or the filter's range has ended; everything was read.
	TailClosed
	// TailLive: a writer has the log open; more may come.
	TailLive
	// TailUnclosed: no writer has it open and it was never closed; it ends with a whole block. A strict reader fails there
	// with ErrCorrupt; this state distinguishes that from damage.
	TailUnclosed
	// TailTorn: no writer has it open, and after the last whole block is the torn tail that a crash left. A strict reader
	// fails there with ErrCorrupt; this state distinguishes that from damage.
	TailTorn
	// TailCorrupt: the cursor stopped at damage.
	TailCorrupt
)

var tailStates = [...]string{"more", "closed", "live", "unclosed", "torn", "corrupt"}

// String is the state as a word, such as "torn".
func (s TailState) String() string {
	if int(s) < len(tailStates) {
		return tailStates[s]
	}
	return "unknown"
}

// Tail is where and why a cursor is at an end.
type Tail struct {
	// State says why.
	State TailState
	// NextID is the id that the next record would have: the value of [Filter.FromID] to continue reading later.
	NextID uint64
	// Offset is the place in the file at which reading stopped.
	Offset uint64
	// UnreadBytes is the number of bytes that follow there.
	UnreadBytes uint64
	// Path is that file.
	Path string
	// Reason is what was wrong with the unread bytes; "" for nothing.
	Reason string
}

// Tail returns where and why the cursor is at an end.
func (c *Cursor) Tail() (Tail, error) {
	var tail Tail
	err := c.use(func() *cbinlog.Error {
		found, failure := c.c.Tail()
		tail = Tail{
			State: TailState(found.State), NextID: found.NextID, Offset: found.Offset,
			UnreadBytes: found.UnreadBytes, Path: found.Path, Reason: found.Reason,
		}
		return failure
	})
	if err == nil && c.at < len(c.frames) {
		// The library is ahead by the copied records.
		tail.NextID = Record{firstFrame(c.frames[c.at:])}.ID()
	}
	return tail, err
}

// TypeName returns the name that the type number stands for, as far as the log has been read; false when it has none.
func (c *Cursor) TypeName(t Type) (string, bool) {
	if name, known := c.names[t]; known {
		return name, true
	}
	var name string
	err := c.use(func() (failure *cbinlog.Error) {
		name, failure = c.c.TypeName(uint32(t))
		return failure
	})
	if err != nil {
		return "", false
	}
	if c.names == nil {
		c.names = make(map[Type]string)
	}
	c.names[t] = name
	return name, true
}

// TypeInfo returns what the log says of the type, in the segment of the record that was shown last. Errors are
// [ErrNotFound] for a type without a name there, and [ErrIO] when its schema cannot be read.
func (c *Cursor) TypeInfo(t Type) (TypeInfo, error) {
	var info cbinlog.TypeInfo
	err := c.use(func() (failure *cbinlog.Error) {
		info, failure = c.c.TypeInfo(uint32(t))
		return failure
	})
	if err != nil {
		return TypeInfo{}, err
	}
	return infoOf(&info), nil
}
