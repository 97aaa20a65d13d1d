package binlog

import (
	"context"
	"fmt"
	"iter"
	"runtime"
	"strings"
	"time"

	"binlog/internal/cbinlog"
)

// ReaderOption says how a log is read; [OpenReader] takes any number of them.
type ReaderOption interface{ applyToReader(*readerConfig) }

type readerConfig struct {
	cbinlog.ReaderOptions
}

type readerOption func(*readerConfig)

func (o readerOption) applyToReader(c *readerConfig) { o(c) }

const (
	readerStrict  = 1
	readerSalvage = 2
)

// WithStrict makes a torn tail, an end without a clean close and a damaged index errors, too. Without it, damage is an
// error after everything before it was read, and a torn tail is an end, which [Cursor.Tail] reports.
func WithStrict() ReaderOption {
	return readerOption(func(c *readerConfig) { c.Mode = readerStrict })
}

// WithSalvage continues after damage, and calls `onLoss` (which may be nil) with each loss before the records after it
// are shown. Each cursor reports the losses that it meets, possibly several goroutines at the same time. The function
// must not use the cursor or the reader: that is [ErrInvalid] where the call would wait for itself. When it panics, the call in which that happens continues to its end without
// calling it again, and then panics with the same value; when several goroutines salvage at the same time, one of their
// calls does.
func WithSalvage(onLoss func(Loss)) ReaderOption {
	return readerOption(func(c *readerConfig) {
		c.Mode = readerSalvage
		c.OnLoss = listenerOf(onLoss)
	})
}

// WithLog reads only the log of this name, of the logs of a directory or a pattern. Without it, or with "", all of them
// are read, one after the other. [ErrNotFound] when none has the name. The state of the other logs then does not
// matter.
func WithLog(name string) ReaderOption {
	return readerOption(func(c *readerConfig) { c.Log = name })
}

// WithCache keeps what is fetched of a log in a store in a directory of this machine, and does not fetch it again. The
// directory is created if necessary, and any number of processes of one user may share it; one that others may write is
// refused, as they could put records into the log. It holds at most so many bytes, and the least recently used are
// removed first; 0 means 1 GiB.
func WithCache(directory string, bytes uint64) ReaderOption {
	return readerOption(func(c *readerConfig) { c.Cache, c.CacheBytes = directory, bytes })
}

// WithCredentials names a file of KEY=VALUE lines with the credentials for a log in a store, which others must not be
// able to read. Without it, they come from the environment, or from the machine itself.
func WithCredentials(file string) ReaderOption {
	return readerOption(func(c *readerConfig) { c.Credentials = file })
}

// WithBlockMax limits the memory, in bytes, that reading one block may take: its stored bytes, and its decompressed
// bytes. A block that takes more is [ErrTooLarge], and a loss for a reader that salvages. Without it, the limit is 4
// GiB: enough for every block that a writer makes without compression. Use a lower one for logs from others.
func WithBlockMax(bytes uint64) ReaderOption {
	return readerOption(func(c *readerConfig) { c.BlockMaxBytes = bytes })
}

func listenerOf(onLoss func(Loss)) *cbinlog.LossListener {
	if onLoss == nil {
		return nil
	}
	return cbinlog.NewLossListener(func(loss cbinlog.Loss) { onLoss(lossOf(loss)) })
}

// LossKind is the kind of a [Loss]. Later versions may add kinds.
type LossKind uint32

const (
	// LossDamage: bytes that differ from what was written.
	LossDamage LossKind = iota + 1
	// LossTornTail: the end of a log that a crash tore: its bytes had never been durable.
	LossTornTail
	// LossMissing: bytes, records or segments that should be there are not.
	LossMissing
	// LossHeaderLost: the beginning of a segment is damaged, or nothing is left of it.
	LossHeaderLost
	// LossShifted: bytes were removed from the file, or inserted; the following ones are read at their new place.
	LossShifted
	// LossHole: bytes left by a power cut, which are no blocks, as a later segment of the log records.
	LossHole
	// LossDouble: a file whose segment is read from another file; no record is lost.
	LossDouble
	// LossMisnamed: a file that has the name of another segment; it is read in its place, and no record is lost.
	LossMisnamed
	// LossOtherForm: a damaged file whose segment is read from its other form; no record is lost.
	LossOtherForm
	// LossNewer: something that only a newer version of the library can read.
	LossNewer
	// LossTypeName: the name of a type.
	LossTypeName
	// LossIndex: a damaged INDEX block; no record is lost.
	LossIndex
	// LossTooLarge: a block that takes more memory than the reader's options allow.
	LossTooLarge
)

var lossKinds = [...]string{
	"unknown", "damage", "torn_tail", "missing", "header_lost", "shifted", "hole",
	"double", "misnamed", "other_form", "newer", "type_name", "index", "too_large",
}

func (k LossKind) String() string {
	if int(k) < len(lossKinds) {
		return lossKinds[k]
	}
	return lossKinds[0]
}

// Loss is something that a cursor or a recovery could not read, or skipped.
type Loss struct {
	// Kind says what it is.
	Kind LossKind
	// Path is the file it was in, or that shows that it is missing.
	Path string
	// Reason is what is wrong with the bytes, in one line.
	Reason string
	// Offset and Bytes are the place of what was skipped; Bytes is 0 when the bytes that should follow are missing.
	Offset, Bytes uint64
	// FirstID and LastID are of the records that are lost; 0 and 0 when there are none, or they are unknown.
	FirstID, LastID uint64
	// FirstPage is the number of the first damaged page of 4 KiB of the block's payload, PageCount the number of damaged
	// pages; 0 and 0 when the damage is not in pages.
	FirstPage, PageCount uint64
	// Durable says that the bytes had been made durable: a disk or a person damaged them, and not a crash.
	Durable bool
}

// String is the loss in one line: the file, the offset, what is wrong, and what is lost.
func (l Loss) String() string {
	var text strings.Builder
	fmt.Fprintf(&text, "%s: offset %d: %s", l.Path, l.Offset, l.Reason)
	if l.Bytes > 0 {
		fmt.Fprintf(&text, "; %d bytes unread", l.Bytes)
	}
	switch {
	case l.LastID == 0:
	case l.FirstID == l.LastID:
		fmt.Fprintf(&text, ", record %d lost", l.FirstID)
	default:
		fmt.Fprintf(&text, ", records %d to %d lost", l.FirstID, l.LastID)
	}
	if l.Durable {
		text.WriteString(", durable once")
	}
	return text.String()
}

func lossOf(l cbinlog.Loss) Loss {
	return Loss{
		Kind: LossKind(l.Kind), Path: l.Path, Reason: l.Reason, Offset: l.Offset, Bytes: l.Bytes, FirstID: l.FirstID,
		LastID: l.LastID, FirstPage: l.FirstPage, PageCount: l.PageCount, Durable: l.Durable,
	}
}

// Reader is a log to be read. Goroutines may share it.
type Reader struct {
	gate   gate
	c      cbinlog.Reader
	onLoss *cbinlog.LossListener
	net    runtime.Cleanup
}

// OpenReader opens a segment file, a log's directory, or the files that match a pattern (*, ?, [...]). Files that gzip
// or zstd have compressed as a whole are recognised by their contents.
//
// The URL of a store, as in [ShipOptions.URL], is a log, too, which is read in the store with few requests: with a
// prefix ("s3://BUCKET/PREFIX?region=...") all of its segments, with the name of one after the prefix only that one,
// and with a pattern (*, [...]) in its place those that match. A request that fails for a temporary reason is retried
// for half a minute.
//
// Errors are [ErrNotFound] when nothing is there, [ErrCorrupt] when a file does not begin as a segment does (with
// [WithSalvage]: when there is no block in any of them), [ErrUnsupported] when it is of a newer version, [ErrMismatch],
// [ErrInvalid] and [ErrIO].
func OpenReader(path string, options ...ReaderOption) (*Reader, error) {
	return openBy(path, options, cbinlog.OpenReader)
}

func openBy(
	path string, options []ReaderOption, open func(string, *cbinlog.ReaderOptions) (cbinlog.Reader, *cbinlog.Error),
) (*Reader, error) {
	var config readerConfig
	for _, option := range options {
		if option == nil {
			return nil, invalid("an option of the reader is nil")
		}
		option.applyToReader(&config)
	}
	c, err := open(path, &config.ReaderOptions)
	if err != nil {
		return nil, asError(err)
	}
	r := &Reader{c: c, onLoss: config.OnLoss}
	r.net = runtime.AddCleanup(r, cbinlog.Reader.Close, c)
	return r, nil
}

// Close frees the reader; its cursors remain usable. Closing again does nothing. It returns nil; [ErrInvalid] in the
// function of [WithSalvage], called while the reader opens a cursor: the reader stays open.
func (r *Reader) Close() error {
	if r.c.IsCalling() {
		return within("a reader")
	}
	r.gate.shut(func() {
		r.net.Stop()
		r.c.Close()
	})
	return nil
}

// Segment is what a segment's header contains.
type Segment struct {
	// Sequence is its number in its log, from 1.
	Sequence uint64
	// FirstID is the id of the first record in it.
	FirstID uint64
	// Created is when it was begun.
	Created time.Time
	// Bytes is its length when the reader was opened; 0 for a file that is compressed as a whole.
	Bytes uint64
	// Path is the file.
	Path string
	// Name is the log's name.
	Name string
	// ContentType is the MIME type of its payloads.
	ContentType string
	// Parameters are the writer's own facts.
	Parameters map[string]string
}

// Segments returns the segments at the time when the reader was opened, in the order of writing.
func (r *Reader) Segments() ([]Segment, error) {
	if !r.gate.enter() {
		return nil, ErrClosed
	}
	defer r.gate.leave()
	found, err := r.c.Segments()
	if err != nil {
		return nil, asError(err)
	}
	all := make([]Segment, len(found))
	for i := range found {
		all[i] = Segment(found[i])
	}
	return all, nil
}

// TypeCount is the number of records of a type in a log.
type TypeCount struct {
	// Type is the type's number.
	Type Type
	// Records is the number of records.
	Records uint64
	// Name is the name that the number stands for; "" when it has none.
	Name string
	// SeveralNumbers is true when the records have several numbers, of which Type is the first: a name has another one
	// with each schema.
	SeveralNumbers bool
}

// Counts returns the number of records of each type, the most frequent first: from the index, and from the headers of
// what the index does not cover; no payload is read. Events are not counted. Errors are [ErrIO], and [ErrCorrupt] where
// headers have to be read and are damaged, whatever the reader's options are.
func (r *Reader) Counts() ([]TypeCount, error) {
	if !r.gate.enter() {
		return nil, ErrClosed
	}
	defer r.gate.leave()
	counted, err := r.c.Counts()
	if err != nil {
		return nil, asError(err)
	}
	all := make([]TypeCount, len(counted))
	for i, c := range counted {
		all[i] = TypeCount{Type: Type(c.Type), Records: c.Records, Name: c.Name, SeveralNumbers: c.SeveralNumbers}
	}
	return all, nil
}

// TypeInfo is what a log says of a named type.
type TypeInfo struct {
	// Type is the number that its records have.
	Type Type
	// Name, ContentType, Encoding and Message are as in [TypeOptions]; "" where the log says nothing.
	Name, ContentType, Encoding, Message string
	// Schema is nil when there is none, and when the log has lost it.
	Schema []byte
	// SchemaSHA256 is the schema's SHA-256, also when the schema is lost; zeros without one.
	SchemaSHA256 [32]byte
}

func infoOf(c *cbinlog.TypeInfo) TypeInfo {
	return TypeInfo{
		Type:         Type(c.Type),
		Name:         c.Name,
		ContentType:  c.ContentType,
		Encoding:     c.Encoding,
		Message:      c.Message,
		Schema:       c.Schema,
		SchemaSHA256: c.SchemaSHA256,
	}
}

// Types returns the named types of the log as it is now, by number; of several logs, those of each. What is damaged is
// left out. The error is [ErrIO].
func (r *Reader) Types() ([]TypeInfo, error) {
	if !r.gate.enter() {
		return nil, ErrClosed
	}
	defer r.gate.leave()
	described, err := r.c.Types()
	if err != nil {
		return nil, asError(err)
	}
	all := make([]TypeInfo, len(described))
	for i := range described {
		all[i] = infoOf(&described[i])
	}
	return all, nil
}

// Records shows the records that the filter matches, to the current end of the log. An error ends the loop; only after
// a [*MissedError] it continues, if the loop body does. A record is a view until the next turn.
//
// Each loop opens a cursor of its own, and closes it.
func (r *Reader) Records(filter Filter) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		cursor, err := r.Cursor(filter)
		if err != nil {
			yield(Record{}, err)
			return
		}
		defer cursor.Close()
		cursor.All()(yield)
	}
}

// Follow is as [Reader.Records], but waits for more records at the end: over rolls, and from one writer to the next.
// When the context is done, it ends with the context's error.
func (r *Reader) Follow(ctx context.Context, filter Filter) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		cursor, err := r.Cursor(filter)
		if err != nil {
			yield(Record{}, err)
			return
		}
		defer cursor.Close()
		cursor.Follow(ctx)(yield)
	}
}
