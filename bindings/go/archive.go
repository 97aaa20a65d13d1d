package binlog

import (
	"io/fs"
	"time"

	"binlog/internal/cbinlog"
)

// ArchiveOptions say where a log is shipped to, and how: by its writer ([WithArchive]) or beside it ([OpenShipper]). Zeros
// are the defaults; only URL is needed. Times are rounded up to milliseconds.
//
// Nothing secret is in it: credentials are in a file, in the environment, or known to the machine itself.
type ArchiveOptions struct {
	// URL names the store: "s3://BUCKET/PREFIX?region=...", "gs://BUCKET/PREFIX", "az://CONTAINER/PREFIX?account=...",
	// "swift://CONTAINER/PREFIX?auth=...", "file:///DIRECTORY", or "exec:COMMAND", which finds the file's path in the
	// environment variable BINLOG_PATH and its name in BINLOG_NAME. docs/stores.md tells all of their options. A URL with
	// something secret in it is refused.
	URL string
	// Credentials is a file of KEY=VALUE lines, which others must not be able to read. "" is for those of the environment,
	// or of the machine itself.
	Credentials string
	// Keep says which segments stay here once the store holds them; without a rule all do. A segment that the store does
	// not hold stays in any case, and so do those behind it. Before a file is removed the store is asked once more.
	// [Retention.Unshipped] is refused.
	Keep Retention
	// KeepRemote says which segments stay in the store; the others are removed there when one was shipped, and once an hour.
	// Without a rule all stay. [Retention.Unshipped] is refused.
	KeepRemote Retention
	// Compress compresses each segment before it is shipped, and removes the source; nil ships segments as they are. Whole,
	// KeepSource, RemoveSingle, DryRun and Progress are refused.
	Compress *CompressOptions
	// InFlight is how many requests there may be at a time, for the parts of one segment: 1 to 64; 0 stands for 4.
	InFlight uint32
	// Threads is how many are at work, 1 to 64; 0 stands for 1, which is only the one that ships. With more, so many compute
	// the checksums of a segment that goes in parts, and while one becomes an object, as many less one that come next are
	// read already, and their parts are sent. They become objects in their order all the same.
	Threads uint32
	// PartBytes: segments over so many bytes go in parts of it, up to 1 GiB, or in larger ones where it would take more than
	// 1000; 0 stands for 8 MiB. An upload holds as many parts in memory as are in flight. S3, Google and Azure want 5 MiB
	// at least.
	PartBytes uint64
	// Bandwidth is how many bytes a second are sent at most; 0 is no limit.
	Bandwidth uint64
	// Timeout: a request has failed after so long without any progress; 0 stands for 30 seconds.
	Timeout time.Duration
	// FirstDelay is how long to wait after a first failure at most, and LongestDelay, doubling, after one of many; 0 stands
	// for 1 second and 5 minutes. The time is chosen at random between nothing and that.
	FirstDelay, LongestDelay time.Duration
	// Patience: so long [Shipper.Run] tries again without getting any further before it fails; 0 stands for 5 minutes.
	Patience time.Duration
	// Stale: what is left of uploads of this log that were begun longer ago is given up at the start; 0 stands for 7 days.
	Stale time.Duration
	// CloseWait: so long [Writer.Close] goes on shipping; 0 stands for 5 seconds. What is left then is shipped when the log
	// is opened again.
	CloseWait time.Duration
	// NoRollAtClose: [Writer.Close] does not roll first. The records of the newest segment are shipped then when the log
	// has been opened again and has rolled.
	NoRollAtClose bool
	// DryRun writes, sends and removes nothing: [Shipper.Run] only tells what it would do. It is refused by a writer.
	DryRun bool
	// FileMode is the permission bits of the file in the log's directory that says how far each segment is; 0 stands for
	// 0640.
	FileMode fs.FileMode
}

func (o *ArchiveOptions) options() (*cbinlog.ArchiveOptions, *Error) {
	c := &cbinlog.ArchiveOptions{
		NoRollAtClose: o.NoRollAtClose, DryRun: o.DryRun, InFlight: o.InFlight, Threads: o.Threads, URL: o.URL,
		Credentials: o.Credentials, PartBytes: o.PartBytes, Bandwidth: o.Bandwidth, FileMode: uint32(o.FileMode.Perm()),
	}
	if o.FileMode&^fs.ModePerm != 0 {
		return nil, invalid("%v is no permission bits for a file", o.FileMode)
	}
	var err *Error
	if c.Keep, err = o.Keep.rules(); err != nil {
		return nil, err
	}
	if c.KeepRemote, err = o.KeepRemote.rules(); err != nil {
		return nil, err
	}
	if o.Compress != nil {
		if o.Compress.Progress != nil {
			return nil, invalid("shipping tells of no progress of compression")
		}
		if c.Compress, err = o.Compress.options(); err != nil {
			return nil, err
		}
	}
	for _, duration := range []struct {
		to   *uint64
		d    time.Duration
		what string
	}{
		{&c.TimeoutMS, o.Timeout, "the time without progress"},
		{&c.FirstDelayMS, o.FirstDelay, "the first delay"},
		{&c.LongestDelayMS, o.LongestDelay, "the longest delay"},
		{&c.PatienceMS, o.Patience, "the patience"},
		{&c.StaleMS, o.Stale, "the age of stale uploads"},
		{&c.CloseWaitMS, o.CloseWait, "the time that closing waits"},
	} {
		if *duration.to, err = milliseconds(duration.d, duration.what); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// WithArchive ships closed segments to a store, in a thread of the library. What fails is tried again for ever: the function
// of [WithOnFailure] is told of each failure, also of one that somebody else ships the log, and [Writer.ArchiveStatus] says
// how far it is. A log that is a single file has no closed segments: [ErrUnsupported]. Hooks that move or remove segments do
// not go together with it: what is gone cannot be shipped.
func WithArchive(archive ArchiveOptions) WriterOption {
	return writerOption(func(c *writerConfig) {
		options, err := archive.options()
		if err != nil && c.err == nil {
			c.err = err
		}
		c.Archive = options
	})
}

// ArchiveStatus says how far the shipping that [WithArchive] asked for is. It never waits. [ErrNotFound] when the writer
// ships nothing.
func (w *Writer) ArchiveStatus() (ArchiveStatus, error) {
	if !w.gate.enter() {
		return ArchiveStatus{}, ErrClosed
	}
	defer w.gate.leave()
	c, err := w.c.ArchiveStatus()
	return archiveStatus(&c), asError(err)
}

// ArchiveMetrics says the same in the text format of Prometheus, with the labels `log` and `store`. Otherwise it is as
// [Writer.ArchiveStatus].
func (w *Writer) ArchiveMetrics() (string, error) {
	if !w.gate.enter() {
		return "", ErrClosed
	}
	defer w.gate.leave()
	text, err := w.c.ArchiveMetrics()
	return text, asError(err)
}

// ArchiveState is what a shipper is doing.
type ArchiveState uint32

const (
	// ArchiveIdle: nothing waits, or nobody has begun.
	ArchiveIdle ArchiveState = 0
	// ArchiveWorking: segments are being shipped.
	ArchiveWorking ArchiveState = 1
	// ArchiveWaiting: something has failed, and is tried again later.
	ArchiveWaiting ArchiveState = 2
)

func (s ArchiveState) String() string {
	return nameOf(s, "idle", "working", "waiting")
}

// ArchiveStatus says how far the shipping of a log is. Counters begin at 0 when the shipper or the writer is opened.
type ArchiveStatus struct {
	// Log is the log's name, and Store the store's URL without options.
	Log, Store string
	// State is what is being done.
	State ArchiveState
	// WaitingSegments are closed and not in the store yet; WaitingBytes is their length.
	WaitingSegments, WaitingBytes uint64
	// DamagedSegments are closed and damaged: they are not sent, and count as waiting.
	DamagedSegments uint64
	// MissingSegments are neither here nor in the store, although the log tells of them, and nobody has accepted that.
	MissingSegments uint64
	// OldestWaiting is how long ago the oldest of them was closed; 0 when none waits.
	OldestWaiting time.Duration
	// UploadedSegments were found to be in the store; UploadedBytes is their length.
	UploadedSegments, UploadedBytes uint64
	// SentBytes is how many the store has taken, also in vain; what it had already is not counted.
	SentBytes uint64
	// PrunedSegments is how many had their files removed here.
	PrunedSegments uint64
	// Failures is how many steps have failed.
	Failures uint64
	// LastFailure is the last of them, and LastFailureTime when it was; nil and the zero time when there was none.
	LastFailure     *Error
	LastFailureTime time.Time
	// LastUpload is when a segment was found to be in the store last; the zero time when none was.
	LastUpload time.Time
	// ShippedUpTo is the number of the newest segment up to which all closed ones are in the store; 0 for none.
	ShippedUpTo uint64
}

func archiveStatus(c *cbinlog.ArchiveStatus) ArchiveStatus {
	status := ArchiveStatus{
		Log: c.Log, Store: c.Store, State: ArchiveState(c.State),
		WaitingSegments: c.WaitingSegments, WaitingBytes: c.WaitingBytes, OldestWaiting: time.Duration(c.OldestWaitingNS),
		UploadedSegments: c.UploadedSegments, UploadedBytes: c.UploadedBytes, SentBytes: c.SentBytes,
		PrunedSegments: c.PrunedSegments, Failures: c.Failures, ShippedUpTo: c.ShippedUpTo,
		DamagedSegments: c.DamagedSegments, MissingSegments: c.MissingSegments,
		LastFailureTime: timeOrNone(c.LastFailureNS), LastUpload: timeOrNone(c.LastUploadNS),
	}
	if c.LastFailure != nil {
		status.LastFailure = publicError(c.LastFailure)
	}
	return status
}

// timeOrNone is the zero time for 0.
func timeOrNone(ns int64) time.Time {
	if ns == 0 {
		return time.Time{}
	}
	return time.Unix(0, ns)
}
