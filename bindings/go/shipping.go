package binlog

import (
	"io/fs"
	"time"

	"binlog/internal/cbinlog"
)

// ShipOptions say where a log is shipped to, and how: by its writer ([WithShipping]) or beside it ([OpenShipper]).
// Zeros are the defaults; only URL is required. Times are rounded up to milliseconds.
//
// They contain no secrets: credentials are in a file, in the environment, or known to the machine itself.
type ShipOptions struct {
	// URL names the store: "s3://BUCKET/PREFIX?region=...", "gs://BUCKET/PREFIX", "az://CONTAINER/PREFIX?account=...",
	// "swift://CONTAINER/PREFIX?auth=...", "file:///DIRECTORY", or "exec:COMMAND", which finds the file's path in the
	// environment variable BINLOG_PATH and its name in BINLOG_NAME. docs/stores.md describes all options. A URL with a
	// secret in it is refused.
	URL string
	// Credentials is a file of KEY=VALUE lines, which others must not be able to read. "" means those of the environment,
	// or of the machine itself.
	Credentials string
	// Keep says which segments stay here after the store holds them; without a rule all do. A segment that the store does
	// not hold stays in any case, and so do those after it. Before a file is removed, the store is checked once more.
	// [Retention.Unshipped] is refused.
	Keep Retention
	// KeepRemote says which segments stay in the store; the others are removed there after a segment was shipped, and once
	// an hour. Without a rule all stay. [Retention.Unshipped] is refused.
	KeepRemote Retention
	// Compress compresses each segment before it is shipped, and removes the source; nil ships segments as they are. Whole,
	// KeepSource, RemoveSingle, DryRun and Progress are refused.
	Compress *CompressOptions
	// InFlight is the maximum number of concurrent requests for the parts of one segment: 1 to 64; 0 means 4.
	InFlight uint32
	// Threads is the number of threads, 1 to 64; 0 means 1, which is the shipping thread alone. With more, so many compute
	// the checksums of a segment that is sent in parts. While one segment becomes an object, up to Threads - 1 following
	// ones are read already, and their parts are sent. They still become objects in their order.
	Threads uint32
	// PartBytes: larger segments are sent in parts of so many bytes, up to 1 GiB, or in larger ones where there would be
	// more than 1000; 0 means 8 MiB. An upload holds as many parts in memory as are in flight. S3, Google and Azure
	// require at least 5 MiB.
	PartBytes uint64
	// Bandwidth is the maximum number of bytes a second that are sent; 0 is no limit.
	Bandwidth uint64
	// Timeout: a request fails after so long without any progress; 0 means 30 seconds.
	Timeout time.Duration
	// FirstDelay is the maximum delay after a first failure, and LongestDelay, after doubling, the maximum after many; 0
	// means 1 second and 5 minutes. The delay is chosen at random between 0 and that.
	FirstDelay, LongestDelay time.Duration
	// Patience: [Shipper.Run] fails after retrying for so long without progress; 0 means 5 minutes.
	Patience time.Duration
	// Stale: unfinished uploads of this log that were begun longer ago are aborted at the start; 0 means 7 days.
	Stale time.Duration
	// CloseWait: [Writer.Close] continues shipping for so long; 0 means 5 seconds. Segments that are left then are shipped
	// when the log is opened again.
	CloseWait time.Duration
	// NoRollAtClose: [Writer.Close] does not roll first. The records of the newest segment are then shipped after the log
	// was opened again and has rolled.
	NoRollAtClose bool
	// DryRun writes, sends and removes nothing: [Shipper.Run] only reports what it would do. A writer refuses it.
	DryRun bool
	// FileMode is the permission bits of the ledger, a file in the log's directory that records the state of each segment;
	// 0 means 0640.
	FileMode fs.FileMode
}

func (o *ShipOptions) options() (*cbinlog.ShipOptions, *Error) {
	c := &cbinlog.ShipOptions{
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
			return nil, invalid("compression reports no progress when a log is shipped")
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

// WithShipping ships closed segments to a store, in a thread of the library. It retries for ever: each failure is
// reported to the function of [WithOnFailure], also that another shipper ships the log, and [Writer.ShipStatus] returns
// the progress. A log that is a single file has no closed segments: [ErrUnsupported]. It cannot be combined with hooks
// that move or remove segments: those segments could not be shipped.
func WithShipping(archive ShipOptions) WriterOption {
	return writerOption(func(c *writerConfig) {
		options, err := archive.options()
		if err != nil && c.err == nil {
			c.err = err
		}
		c.Ship = options
	})
}

// ShipStatus returns the progress of the shipping that [WithShipping] asked for. It never waits. [ErrNotFound] when the
// writer ships nothing.
func (w *Writer) ShipStatus() (ShipStatus, error) {
	if !w.gate.enter() {
		return ShipStatus{}, ErrClosed
	}
	defer w.gate.leave()
	c, err := w.c.ShipStatus()
	return shipStatus(&c), asError(err)
}

// ShipMetrics returns the same in the text format of Prometheus, with the labels `log` and `store`. Otherwise it is as
// [Writer.ShipStatus].
func (w *Writer) ShipMetrics() (string, error) {
	if !w.gate.enter() {
		return "", ErrClosed
	}
	defer w.gate.leave()
	text, err := w.c.ShipMetrics()
	return text, asError(err)
}

// ShipState is the state of a shipper.
type ShipState uint32

const (
	// ShipIdle: nothing waits, or it was not started.
	ShipIdle ShipState = 0
	// ShipWorking: segments are being shipped.
	ShipWorking ShipState = 1
	// ShipWaiting: a step has failed, and is retried later.
	ShipWaiting ShipState = 2
)

func (s ShipState) String() string {
	return nameOf(s, "idle", "working", "waiting")
}

// ShipStatus is the progress of the shipping of a log. Counters begin at 0 when the shipper or the writer is opened.
type ShipStatus struct {
	// Log is the log's name, and Store the store's URL without options.
	Log, Store string
	// State is the current state.
	State ShipState
	// WaitingSegments are closed and not in the store yet; WaitingBytes is their length.
	WaitingSegments, WaitingBytes uint64
	// DamagedSegments are closed and damaged: they are not sent, and count as waiting.
	DamagedSegments uint64
	// MissingSegments are neither here nor in the store, although the log records them, and their loss was not accepted.
	MissingSegments uint64
	// OldestWaiting is the time since the oldest of them was closed; 0 when none waits.
	OldestWaiting time.Duration
	// UploadedSegments were confirmed to be in the store; UploadedBytes is their length.
	UploadedSegments, UploadedBytes uint64
	// SentBytes is the number of bytes that the store has received, also in failed attempts; what it had already is not
	// counted.
	SentBytes uint64
	// PrunedSegments is the number of segments whose files were removed here.
	PrunedSegments uint64
	// Failures is the number of failed steps.
	Failures uint64
	// LastFailure is the last of them, and LastFailureTime its time; nil and the zero time when there was none.
	LastFailure     *Error
	LastFailureTime time.Time
	// LastUpload is when a segment was last confirmed to be in the store; the zero time when none was.
	LastUpload time.Time
	// ShippedUpTo is the number of the newest segment up to which all closed ones are in the store; 0 for none.
	ShippedUpTo uint64
}

func shipStatus(c *cbinlog.ShipStatus) ShipStatus {
	status := ShipStatus{
		Log: c.Log, Store: c.Store, State: ShipState(c.State),
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
