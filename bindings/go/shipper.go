package binlog

import (
	"context"
	"fmt"
	"runtime"
	"sync/atomic"
	"time"

	"binlog/internal/cbinlog"
)

// Shipper ships the closed segments of one log to one store, beside its writer or without one. Goroutines may share it:
// calls that ship or compare take turns, and no other call waits for them.
type Shipper struct {
	gate gate
	c    cbinlog.Shipper
	net  runtime.Cleanup
	// The error of the context that has stopped it; empty after Stop, or while it is not stopped.
	stoppedBy atomic.Pointer[error]
}

// OpenShipper makes a shipper of the log called `log` in a directory; of the only one there when it is "". Nothing is
// sent yet, and no request is made. A writer may have the log open: only segments that have a successor are shipped.
//
// Errors are [ErrInvalid] for an invalid URL or options, and for several logs without a name; [ErrNotFound] when there
// is no such directory or log; [ErrLocked] when another shipper ships the log already, which may be its writer's (not
// with [ShipOptions.DryRun]); [ErrIO]; [ErrUnsupported] when the store is on a server and libbinlog_stores.so.0 is not
// installed.
func OpenShipper(directory, log string, archive ShipOptions) (*Shipper, error) {
	options, invalid := archive.options()
	if invalid != nil {
		return nil, invalid
	}
	c, err := cbinlog.OpenShipper(directory, log, options)
	if err != nil {
		return nil, asError(err)
	}
	s := &Shipper{c: c}
	s.net = runtime.AddCleanup(s, cbinlog.Shipper.Close, c)
	return s, nil
}

// Run ships all segments that are closed, in their order, and removes those here that need not stay. Temporary failures
// are retried for as long as [ShipOptions.Patience] says. `onEvent` (which may be nil) is called with each event: when
// it returns false, this call stops. It must not use the shipper except for [Shipper.Status], [Shipper.Metrics] and
// [Shipper.Stop]: other calls return [ErrInvalid], as they would wait for themselves. A panic of it stops the call, too, and continues in the caller.
//
// When the context is done during the call, the shipper is stopped as by [Shipper.Stop], for good, and the context's
// error is returned; each later call returns it, too, whatever its own context is. With a context that is done before,
// it does nothing.
//
// Otherwise the error is the first that a person has to fix, or that did not pass in that time; no later segment is
// shipped before it: [ErrMismatch] when the store holds another object of the segment's name, which is left as it is;
// [ErrIO] and other errors of the store or the system. [ErrCorrupt], after all other work, when segments are damaged,
// which are not sent, or missing: nothing from the first of them on is removed here, and `onEvent` was called with
// each.
func (s *Shipper) Run(ctx context.Context, onEvent func(ShipEvent) (goOn bool)) (ShipReport, error) {
	var report cbinlog.ShipReport
	err := s.work(ctx, func() (stopped bool, err *cbinlog.Error) {
		report, err = s.c.Run(events(onEvent))
		return report.Stopped, err
	})
	return ShipReport(report), err
}

// Follow ships the closed segments and those that are closed later, until the context is done, [Shipper.Stop] is
// called, or `onEvent` returns false. It retries for ever: `onEvent` and [Shipper.Status] report failures. The error is
// nil or the context's. Otherwise it is as [Shipper.Run].
func (s *Shipper) Follow(ctx context.Context, onEvent func(ShipEvent) (goOn bool)) error {
	return s.work(ctx, func() (stopped bool, err *cbinlog.Error) { return true, s.c.Follow(events(onEvent)) })
}

// Verify compares what the store holds with what is here, and with what is known of removed segments. Nothing is
// changed. With `readBack` it reads every object, also where the store's own checksum would be enough. `onEvent` (which
// may be nil) is called with each segment that is compared; it and the context are as for [Shipper.Run].
//
// Problems are no error: they are in [ShipVerified.Problems]. Errors are [ErrUnsupported] for "exec:", whose objects
// cannot be read; [ErrIO] and other errors of the store or the system, without a retry, except that reading an object
// back is retried for half a minute.
func (s *Shipper) Verify(
	ctx context.Context, readBack bool, onEvent func(ShipEvent) (goOn bool),
) (ShipVerified, error) {
	var c cbinlog.ShipVerified
	err := s.work(ctx, func() (stopped bool, err *cbinlog.Error) {
		c, err = s.c.Verify(readBack, events(onEvent))
		return c.Stopped, err
	})
	found := ShipVerified{
		SoundSegments: c.SoundSegments, SoundBytes: c.SoundBytes, WaitingSegments: c.WaitingSegments,
		FirstSequence: c.FirstSequence, LastSequence: c.LastSequence, AcceptedSegments: c.AcceptedSegments,
		Stopped: c.Stopped,
	}
	for _, problem := range c.Problems {
		if ShipProblemKind(problem.Kind) == shipForeign {
			found.Foreign = append(found.Foreign, problem.Object)
			continue
		}
		found.Problems = append(found.Problems, ShipProblem{
			Kind: ShipProblemKind(problem.Kind), IsHere: problem.IsHere, Sequence: problem.Sequence,
			LastSequence: problem.LastSequence, Object: problem.Object, Message: problem.Message,
		})
	}
	return found, err
}

// Accept says that a damaged segment is to be sent as it is, or that a missing one is lost and not waited for.
// `segment` is its number or the name of its file; of missing ones also the first and the last number with a dash
// between ("3-5"). Nothing is sent yet. It waits until no call ships with this shipper. [ErrInvalid] when the segment
// is neither damaged nor missing, or does not belong to the log; [ErrIO].
func (s *Shipper) Accept(segment string) error {
	return s.change(func() *cbinlog.Error { return s.c.Accept(segment) })
}

// Replace makes room in the store for the segment as it is here, when the object of its name is another one: that
// object is kept under another name (NAME.replaced-1), compared, and removed; the next [Shipper.Run] sends the segment.
// `segment` is its number or the name of its file. [ErrInvalid] when it is not a closed segment of the log, or the
// store holds it as it is here; [ErrCorrupt] when the file here is damaged and that was not accepted; [ErrNotFound]
// when the store has no such object; [ErrUnsupported] for "exec:"; [ErrIO] and other errors of the store or the system.
func (s *Shipper) Replace(segment string) error {
	return s.change(func() *cbinlog.Error { return s.c.Replace(segment) })
}

// Forget forgets the shipper's store, for a store that the log is no longer shipped to: segments are no longer kept
// here because it does not hold them. What it holds stays there. When a log has several stores, a segment is removed
// here only once all of them hold it.
func (s *Shipper) Forget() error { return s.change(s.c.Forget) }

func (s *Shipper) change(change func() *cbinlog.Error) error {
	if s.c.IsCalling() {
		return within("a shipper")
	}
	if !s.gate.enter() {
		return ErrClosed
	}
	defer s.gate.leave()
	return asError(change())
}

// work makes a blocking call, which the context can end.
func (s *Shipper) work(ctx context.Context, work func() (stopped bool, err *cbinlog.Error)) error {
	if s.c.IsCalling() {
		return within("a shipper")
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if !s.gate.enter() {
		return ErrClosed
	}
	defer s.gate.leave()
	stoppedBefore := s.stoppedBy.Load()
	defer context.AfterFunc(ctx, func() {
		reason := ctx.Err()
		s.stoppedBy.CompareAndSwap(nil, &reason)
		s.Stop()
	})()
	stopped, err := work()
	switch {
	// Also when nothing was left to do, which the library does not call stopped.
	case stoppedBefore != nil:
		return *stoppedBefore
	case err != nil:
		return asError(err)
	case !stopped:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	}
	// The context of another call may have stopped the shipper.
	if reason := s.stoppedBy.Load(); reason != nil {
		return *reason
	}
	return nil
}

// Stop makes the calls in progress return soon, and later ones at once: the current transfer is aborted, and the next
// shipper resumes it. It does not wait for the calls. A stopped shipper stays so.
func (s *Shipper) Stop() {
	if s.gate.enter() {
		s.c.Stop()
		s.gate.leave()
	}
}

// Status returns the progress. It never waits for the calls that ship.
func (s *Shipper) Status() (ShipStatus, error) {
	if !s.gate.enter() {
		return ShipStatus{}, ErrClosed
	}
	defer s.gate.leave()
	c, err := s.c.Status()
	return shipStatus(&c), asError(err)
}

// Metrics returns the same in the text format of Prometheus, with the labels `log` and `store`.
func (s *Shipper) Metrics() (string, error) {
	if !s.gate.enter() {
		return "", ErrClosed
	}
	defer s.gate.leave()
	text, err := s.c.Metrics()
	return text, asError(err)
}

// Close stops the calls in progress, waits for them, and frees the shipper; another one may then ship the log. Closing
// again does nothing. It returns nil; [ErrInvalid] in a function that the shipper has called: it stays open.
func (s *Shipper) Close() error {
	if s.c.IsCalling() {
		return within("a shipper")
	}
	s.Stop()
	s.gate.shut(func() {
		s.net.Stop()
		s.c.Close()
	})
	return nil
}

// ShipReport is what [Shipper.Run] has done, or would do.
type ShipReport struct {
	// UploadedSegments are in the store now and were not known to be there before; UploadedBytes is their length.
	UploadedSegments, UploadedBytes uint64
	// FoundSegments is the number of those that were there already.
	FoundSegments uint64
	// PrunedSegments were removed here; PrunedBytes is their length.
	PrunedSegments, PrunedBytes uint64
	// Stopped says that it was stopped before all was done.
	Stopped bool
}

// ShipEventKind is the kind of a [ShipEvent].
type ShipEventKind uint32

const (
	// ShipBegins: a segment is about to be sent, or compared.
	ShipBegins ShipEventKind = 1
	// ShipSent: so many more bytes of it were sent, or were found in the store from an earlier attempt.
	ShipSent ShipEventKind = 2
	// ShipUploaded: the store holds it.
	ShipUploaded ShipEventKind = 3
	// ShipPruned: its file here was removed.
	ShipPruned ShipEventKind = 4
	// ShipFailed: something has failed.
	ShipFailed ShipEventKind = 5
)

func (k ShipEventKind) String() string {
	return nameOf(k, "", "begins", "sent", "uploaded", "pruned", "failed")
}

// ShipEvent is something that happens while a log is shipped or compared.
type ShipEvent struct {
	// Kind is the kind of event.
	Kind ShipEventKind
	// Path, Sequence and Bytes are the segment's file, its number in the log, and its length, for ShipBegins, ShipUploaded
	// and ShipPruned. For ShipSent, Bytes is the number of further bytes.
	Path     string
	Sequence uint64
	Bytes    uint64
	// Found says of an uploaded segment that the store held it already.
	Found bool
	// Err is the failure; nil otherwise.
	Err *Error
	// Wait is the time until the failed step is retried; less than 0 when it is not.
	Wait time.Duration
}

func events(onEvent func(ShipEvent) bool) func(cbinlog.ShipEvent) bool {
	if onEvent == nil {
		return nil
	}
	return func(c cbinlog.ShipEvent) bool {
		event := ShipEvent{
			Kind: ShipEventKind(c.Kind), Path: c.Path, Sequence: c.Sequence, Bytes: c.Bytes, Found: c.Found,
			Wait: time.Duration(c.WaitNS),
		}
		if c.Err != nil {
			event.Err = publicError(c.Err)
		}
		return onEvent(event)
	}
}

// ShipVerified is what [Shipper.Verify] has found.
type ShipVerified struct {
	// SoundSegments are in the store as they were shipped; SoundBytes is their length.
	SoundSegments, SoundBytes uint64
	// WaitingSegments are closed and wait to be shipped.
	WaitingSegments uint64
	// FirstSequence and LastSequence are the numbers of the oldest and the newest segment that are here or there; 0 when
	// there is none.
	FirstSequence, LastSequence uint64
	// AcceptedSegments are neither here nor there, and their loss was accepted.
	AcceptedSegments uint64
	// Problems are in the order of the segments.
	Problems []ShipProblem
	// Foreign are the names of objects that begin as the log's do and are no segments of it. They are left alone.
	Foreign []string
	// Stopped says that it was stopped before all segments were compared.
	Stopped bool
}

// ShipProblemKind is the kind of a [ShipProblem].
type ShipProblemKind uint32

const (
	// ShipMissing: a segment that was shipped is not in the store.
	ShipMissing ShipProblemKind = 1
	// ShipDifferent: the object in the store is another one than was shipped.
	ShipDifferent ShipProblemKind = 2
	// ShipGap: segments of the log are neither here nor in the store.
	ShipGap ShipProblemKind = 3

	shipForeign ShipProblemKind = 4

	// ShipChanged: the file here is damaged, or is no longer what was shipped. Object is its name.
	ShipChanged ShipProblemKind = 5
	// ShipDamaged: the object is what was shipped, but it was damaged then, and that was not accepted. It is only found
	// when objects are read back.
	ShipDamaged ShipProblemKind = 6
)

func (k ShipProblemKind) String() string {
	return nameOf(k, "", "missing", "different", "gap", "foreign", "changed", "damaged")
}

// ShipProblem is a difference between the store and what it should hold.
type ShipProblem struct {
	// Kind is the kind of problem.
	Kind ShipProblemKind
	// Sequence is the segment's number, and LastSequence that of the last one of a gap, otherwise the same.
	Sequence, LastSequence uint64
	// IsHere says of a missing segment that its file is still here.
	IsHere bool
	// Object is its name in the store; "" for a gap.
	Object string
	// Message is one line for people.
	Message string
}

func (p ShipProblem) String() string { return p.Message }

// nameOf is the name of a number, or the number itself.
func nameOf[N ~uint32](n N, names ...string) string {
	if uint64(n) < uint64(len(names)) && names[n] != "" {
		return names[n]
	}
	return fmt.Sprint(uint32(n))
}
