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
// those that ship or compare take turns, and nobody else waits for them.
type Shipper struct {
	gate gate
	c    cbinlog.Shipper
	net  runtime.Cleanup
	// The error of the context that has stopped it; empty when Stop has, or nobody.
	stoppedBy atomic.Pointer[error]
}

// OpenShipper makes a shipper of the log called `log` in a directory; of the only one there when it is "". Nothing is sent
// yet, and no request is made. A writer may have the log open: only segments that have a successor are shipped.
//
// Errors are [ErrInvalid] for a URL or options that are none, and for several logs without a name; [ErrNotFound] when there
// is no such directory or log; [ErrLocked] when somebody ships the log already, which may be its writer (not with
// [ArchiveOptions.DryRun]); [ErrIO]; [ErrUnsupported] when the store is on a server and libbinlog_stores.so.0 is not there.
func OpenShipper(directory, log string, archive ArchiveOptions) (*Shipper, error) {
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

// Run ships all segments that are closed, in their order, and removes those here that need not stay. What fails and may
// work later is tried again for as long as [ArchiveOptions.Patience] says. `tell` (which may be nil) is told of each step:
// when it returns false, this call stops. It must not use the shipper but for [Shipper.Status], [Shipper.Metrics] and
// [Shipper.Stop]; a panic of its stops the call, too, and comes out of it.
//
// When the context is done while it runs, the shipper is stopped as by [Shipper.Stop], for good, and the context's error is
// returned; so it is by each later call, whatever its own context is. With a context that is done before, it does nothing.
//
// Otherwise the error is the first that somebody has to mend, or that did not pass in that time; no later segment is shipped
// before it: [ErrMismatch] when the store holds another object of the segment's name, which is left as it is; [ErrIO] and
// what else the store or the system says. [ErrCorrupt], once all else is done, when segments are damaged, which are not sent,
// or missing: nothing from the first of them on is removed here, and `tell` was told of each.
func (s *Shipper) Run(ctx context.Context, tell func(ArchiveEvent) (goOn bool)) (ArchiveReport, error) {
	var report cbinlog.ArchiveReport
	err := s.work(ctx, func() (stopped bool, err *cbinlog.Error) {
		report, err = s.c.Run(events(tell))
		return report.Stopped, err
	})
	return ArchiveReport(report), err
}

// Follow ships what there is and what is still to come, until the context is done, [Shipper.Stop] is called, or `tell`
// returns false. What fails is tried again for ever: `tell` and [Shipper.Status] tell of it. The error is nil or the
// context's. Otherwise it is as [Shipper.Run].
func (s *Shipper) Follow(ctx context.Context, tell func(ArchiveEvent) (goOn bool)) error {
	return s.work(ctx, func() (stopped bool, err *cbinlog.Error) { return true, s.c.Follow(events(tell)) })
}

// Verify compares what the store holds with what is here, and with what is known of what was here. Nothing is changed.
// With `readBack` it reads every object, also where the store's own checksum would do. `tell` (which may be nil) is told of
// each segment that is compared; it and the context are as for [Shipper.Run].
//
// What is wrong is no error: [ArchiveVerified.Problems] tells. Errors are [ErrUnsupported] for "exec:", whose objects nobody
// can look at; [ErrIO] and what else the store or the system says, without another try.
func (s *Shipper) Verify(
	ctx context.Context, readBack bool, tell func(ArchiveEvent) (goOn bool),
) (ArchiveVerified, error) {
	var c cbinlog.ArchiveVerified
	err := s.work(ctx, func() (stopped bool, err *cbinlog.Error) {
		c, err = s.c.Verify(readBack, events(tell))
		return c.Stopped, err
	})
	found := ArchiveVerified{
		SoundSegments: c.SoundSegments, SoundBytes: c.SoundBytes, WaitingSegments: c.WaitingSegments,
		FirstSequence: c.FirstSequence, LastSequence: c.LastSequence, AcceptedSegments: c.AcceptedSegments,
		Stopped: c.Stopped,
	}
	for _, problem := range c.Problems {
		if ArchiveProblemKind(problem.Kind) == archiveForeign {
			found.Foreign = append(found.Foreign, problem.Object)
			continue
		}
		found.Problems = append(found.Problems, ArchiveProblem{
			Kind: ArchiveProblemKind(problem.Kind), IsHere: problem.IsHere, Sequence: problem.Sequence,
			LastSequence: problem.LastSequence, Object: problem.Object, Message: problem.Message,
		})
	}
	return found, err
}

// Accept says that a damaged segment is to be sent as it is, or that a missing one is lost and not waited for. `segment` is its
// number or the name of its file; of missing ones also the first and the last number with a dash between ("3-5"). Nothing is
// sent yet. It waits until nobody ships with this shipper. [ErrInvalid] when the segment is neither damaged nor missing, or is
// none of the log's; [ErrIO].
func (s *Shipper) Accept(segment string) error {
	return s.change(func() *cbinlog.Error { return s.c.Accept(segment) })
}

// Replace makes room in the store for the segment as it is here, when the object of its name is another one: that is kept under
// another name (NAME.replaced-1), compared, and removed; the next [Shipper.Run] sends the segment. `segment` is its number or
// the name of its file. [ErrInvalid] when it is none of the log's closed ones, or the store holds it as it is here; [ErrCorrupt]
// when the file here is damaged and that was not accepted; [ErrNotFound] when the store has no such object; [ErrUnsupported]
// for "exec:"; [ErrIO] and what else the store or the system says.
func (s *Shipper) Replace(segment string) error {
	return s.change(func() *cbinlog.Error { return s.c.Replace(segment) })
}

// Forget forgets the shipper's store: segments are no longer kept here because it does not hold them. What it holds stays there.
// For a store that the log is no longer shipped to; when a log has several, a segment is removed here only once all of them
// hold it.
func (s *Shipper) Forget() error { return s.change(s.c.Forget) }

func (s *Shipper) change(change func() *cbinlog.Error) error {
	if !s.gate.enter() {
		return ErrClosed
	}
	defer s.gate.leave()
	return asError(change())
}

// work does what blocks, and lets the context end it.
func (s *Shipper) work(ctx context.Context, work func() (stopped bool, err *cbinlog.Error)) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if !s.gate.enter() {
		return ErrClosed
	}
	defer s.gate.leave()
	defer context.AfterFunc(ctx, func() {
		reason := ctx.Err()
		s.stoppedBy.CompareAndSwap(nil, &reason)
		s.Stop()
	})()
	stopped, err := work()
	switch {
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

// Stop makes the calls in progress return soon, and those that are still to come at once: what is being sent is given up,
// and gone on with by the next shipper. It does not wait for them. A stopped shipper stays so.
func (s *Shipper) Stop() {
	if s.gate.enter() {
		s.c.Stop()
		s.gate.leave()
	}
}

// Status says how far it is. It never waits for those who ship.
func (s *Shipper) Status() (ArchiveStatus, error) {
	if !s.gate.enter() {
		return ArchiveStatus{}, ErrClosed
	}
	defer s.gate.leave()
	c, err := s.c.Status()
	return archiveStatus(&c), asError(err)
}

// Metrics says the same in the text format of Prometheus, with the labels `log` and `store`.
func (s *Shipper) Metrics() (string, error) {
	if !s.gate.enter() {
		return "", ErrClosed
	}
	defer s.gate.leave()
	text, err := s.c.Metrics()
	return text, asError(err)
}

// Close stops the calls that are under way, waits for them, and frees the shipper, so that another one may ship the log. It
// returns nil. Closing again does nothing.
func (s *Shipper) Close() error {
	s.Stop()
	s.gate.shut(func() {
		s.net.Stop()
		s.c.Close()
	})
	return nil
}

// ArchiveReport is what [Shipper.Run] has done, or would do.
type ArchiveReport struct {
	// UploadedSegments are in the store now and were not known to be there before; UploadedBytes is their length.
	UploadedSegments, UploadedBytes uint64
	// FoundSegments is how many of them were there already.
	FoundSegments uint64
	// PrunedSegments were removed here; PrunedBytes is their length.
	PrunedSegments, PrunedBytes uint64
	// Stopped says that it was told to stop before all was done.
	Stopped bool
}

// ArchiveEventKind is what has happened.
type ArchiveEventKind uint32

const (
	// ArchiveBegins: a segment is about to be sent, or compared.
	ArchiveBegins ArchiveEventKind = 1
	// ArchiveSent: so many more bytes of it have been taken, or were found in the store from an earlier try.
	ArchiveSent ArchiveEventKind = 2
	// ArchiveUploaded: the store holds it.
	ArchiveUploaded ArchiveEventKind = 3
	// ArchivePruned: its file here was removed.
	ArchivePruned ArchiveEventKind = 4
	// ArchiveFailed: something has failed.
	ArchiveFailed ArchiveEventKind = 5
)

func (k ArchiveEventKind) String() string {
	return nameOf(k, "", "begins", "sent", "uploaded", "pruned", "failed")
}

// ArchiveEvent is something that happens while a log is shipped or compared.
type ArchiveEvent struct {
	// Kind says what.
	Kind ArchiveEventKind
	// Path, Sequence and Bytes are the segment's file, its number in the log, and its length, when it begins, is uploaded or
	// is pruned. When something was sent, Bytes is how many more bytes.
	Path     string
	Sequence uint64
	Bytes    uint64
	// Found says of an uploaded segment that the store held it already.
	Found bool
	// Err is what has failed; nil otherwise.
	Err *Error
	// Wait is how long until what has failed is tried again; less than 0 when it is not.
	Wait time.Duration
}

func events(tell func(ArchiveEvent) bool) func(cbinlog.ArchiveEvent) bool {
	if tell == nil {
		return nil
	}
	return func(c cbinlog.ArchiveEvent) bool {
		event := ArchiveEvent{
			Kind: ArchiveEventKind(c.Kind), Path: c.Path, Sequence: c.Sequence, Bytes: c.Bytes, Found: c.Found,
			Wait: time.Duration(c.WaitNS),
		}
		if c.Err != nil {
			event.Err = publicError(c.Err)
		}
		return tell(event)
	}
}

// ArchiveVerified is what [Shipper.Verify] has found.
type ArchiveVerified struct {
	// SoundSegments are in the store as they were shipped; SoundBytes is their length.
	SoundSegments, SoundBytes uint64
	// WaitingSegments are closed and wait to be shipped.
	WaitingSegments uint64
	// FirstSequence and LastSequence are the numbers of the oldest and the newest segment that are here or there; 0 when
	// there is none.
	FirstSequence, LastSequence uint64
	// AcceptedSegments are neither here nor there, and their loss was accepted.
	AcceptedSegments uint64
	// Problems are what is wrong, in the order of the segments.
	Problems []ArchiveProblem
	// Foreign are the names of objects that begin as the log's do and are no segments of it. They are left alone.
	Foreign []string
	// Stopped says that it was told to stop before all was looked at.
	Stopped bool
}

// ArchiveProblemKind is what is wrong.
type ArchiveProblemKind uint32

const (
	// ArchiveMissing: a segment that was shipped is not in the store.
	ArchiveMissing ArchiveProblemKind = 1
	// ArchiveDifferent: the object in the store is another one than was shipped.
	ArchiveDifferent ArchiveProblemKind = 2
	// ArchiveGap: segments of the log are neither here nor in the store.
	ArchiveGap ArchiveProblemKind = 3

	archiveForeign ArchiveProblemKind = 4

	// ArchiveChanged: the file here is damaged, or is no longer what was shipped. Object is its name.
	ArchiveChanged ArchiveProblemKind = 5
	// ArchiveDamaged: the object is what was shipped, and it was damaged then, which nobody has accepted. It is only found when
	// objects are read back.
	ArchiveDamaged ArchiveProblemKind = 6
)

func (k ArchiveProblemKind) String() string {
	return nameOf(k, "", "missing", "different", "gap", "foreign", "changed", "damaged")
}

// ArchiveProblem is something that is wrong with what the store holds.
type ArchiveProblem struct {
	// Kind says what.
	Kind ArchiveProblemKind
	// Sequence is the segment's number, and LastSequence that of the last one of a gap, otherwise the same.
	Sequence, LastSequence uint64
	// IsHere says of a missing segment that its file is still here.
	IsHere bool
	// Object is its name in the store; "" for a gap.
	Object string
	// Message is one line for people.
	Message string
}

func (p ArchiveProblem) String() string { return p.Message }

// nameOf is the name of a number, or the number itself.
func nameOf[N ~uint32](n N, names ...string) string {
	if uint64(n) < uint64(len(names)) && names[n] != "" {
		return names[n]
	}
	return fmt.Sprint(uint32(n))
}
