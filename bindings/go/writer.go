package binlog

import (
	"runtime"
	"sync"

	"binlog/internal/cbinlog"
)

// Writer is a log being written. Goroutines may share it.
type Writer struct {
	// For all calls but Append, which has a gate in C.
	gate      gate
	c         cbinlog.Writer
	onFailure func(*Error)
}

// OpenWriter opens the log in a directory for writing; both are created if necessary, and appends continue after the
// last record. A log has one writer at a time: the second gets [ErrLocked]. Other errors are [ErrCorrupt] when the
// log's end is damaged (a torn tail, as a crash leaves it, is cut instead, after its bytes have been kept in a file
// beside it), [ErrMismatch], [ErrInvalid], [ErrUnsupported], [ErrNoSpace], [ErrNotFound] and [ErrIO].
func OpenWriter(directory string, options ...WriterOption) (*Writer, error) {
	return openWriter(directory, false, options)
}

// OpenWriterFile opens a log that is a single file; it is created if necessary, in an existing directory. Such a log
// never rolls: options for rolling, names and retention do nothing. Otherwise it is as [OpenWriter].
func OpenWriterFile(path string, options ...WriterOption) (*Writer, error) {
	return openWriter(path, true, options)
}

func openWriter(path string, file bool, options []WriterOption) (*Writer, error) {
	var config writerConfig
	for _, option := range options {
		if option == nil {
			return nil, invalid("an option of the writer is nil")
		}
		option.applyToWriter(&config)
	}
	if config.err != nil {
		return nil, config.err
	}
	c, err := cbinlog.OpenWriter(path, file, config.options())
	if err != nil {
		return nil, asError(err)
	}
	w := &Writer{c: c, onFailure: config.onFailure}
	// Only a safety net for a writer that was not closed: the collector may run late, or never.
	runtime.AddCleanup(w, cbinlog.Writer.Free, c)
	return w, nil
}

// Close writes what is still in memory, closes the last segment and makes it durable. The writer is closed afterwards,
// whatever the error is; the error then says which records could not be written. Closing again does nothing.
//
// A function that the writer has called (a hook, a check, that of [WithOnFailure]) cannot close it, as it would wait
// for itself: [ErrInvalid], and the writer stays open. A goroutine that it starts can, if the function does not wait
// for that.
func (w *Writer) Close() error {
	if w.c.IsCalling() {
		return invalid("a writer cannot be closed by a function that it has called: it stays open")
	}
	var err error
	// Before the gate waits for other calls: appends, which do not pass it, would be accepted meanwhile, and their
	// calls could keep those from ending.
	w.c.Refuse()
	w.gate.shut(func() { err = asError(w.c.Close()) })
	runtime.KeepAlive(w)
	return err
}

// Append appends a record of now and returns its id. The record is then in the writer's memory: [Writer.Flush],
// [Writer.Sync] or an option passes it on.
//
// Errors are [ErrInvalid] for a type that is neither yours nor named; [ErrTooLarge]; [ErrNoSpace] or [ErrIO] when the
// log cannot be written, before the record is accepted: appending it again then repeats nothing (unless
// [Error.RecordID] says that it was accepted); and [ErrFailed] after an fsync has failed. With [WithFullDiskDrop], the
// id 0 and no error says that the record was dropped.
func (w *Writer) Append(t Type, payload []byte) (id uint64, err error) {
	id, failure := w.c.Append(uint32(t), payload)
	runtime.KeepAlive(w)
	if failure != nil {
		return 0, asError(failure)
	}
	return id, nil
}

// AppendRecord appends a record with a time or metadata of its own. Otherwise it is as [Writer.Append]; [ErrInvalid]
// also for metadata that are not well-formed pairs of UTF-8, and for a time that 64 bits of nanoseconds do not hold.
func (w *Writer) AppendRecord(r NewRecord) (id uint64, err error) {
	head, err := headOf(&r)
	if err != nil {
		return 0, err
	}
	return w.appendHead(head, r.Payload)
}

func (w *Writer) appendHead(head cbinlog.Head, payload []byte) (uint64, error) {
	if !w.gate.enter() {
		return 0, ErrClosed
	}
	id, failure := w.c.AppendRecord(head, payload)
	w.gate.leave()
	return id, asError(failure)
}

func headOf(r *NewRecord) (cbinlog.Head, error) {
	ns, given, err := unixNano(r.Time)
	return cbinlog.Head{Type: uint32(r.Type), HasTime: given, TimeNS: ns, Metadata: r.Metadata}, err
}

// Parts that together are no longer than this are copied together, which costs less than pinning each of them.
const gatherCopyBytes = 16 << 10

var gatherBuffers = sync.Pool{New: func() any {
	buffer := make([]byte, 0, gatherCopyBytes)
	return &buffer
}}

// Gather appends one record of now, whose payload is the parts, one after the other. A large part is written from where
// it is, without a copy. Otherwise it is as [Writer.Append].
func (w *Writer) Gather(t Type, parts ...[]byte) (id uint64, err error) {
	if total(parts) <= gatherCopyBytes {
		return w.gatherCopied(cbinlog.Head{Type: uint32(t)}, parts)
	}
	if !w.gate.enter() {
		return 0, ErrClosed
	}
	defer w.gate.leave()
	id, failure := w.c.Gather(uint32(t), parts)
	return id, asError(failure)
}

// GatherRecord is as [Writer.Gather], with type, time and metadata of `head`, whose Payload must be empty.
func (w *Writer) GatherRecord(head NewRecord, parts ...[]byte) (id uint64, err error) {
	if len(head.Payload) != 0 {
		return 0, invalid("a record that is gathered has a payload besides its parts")
	}
	h, err := headOf(&head)
	if err != nil {
		return 0, err
	}
	if total(parts) <= gatherCopyBytes {
		return w.gatherCopied(h, parts)
	}
	if !w.gate.enter() {
		return 0, ErrClosed
	}
	defer w.gate.leave()
	id, failure := w.c.GatherRecord(h, parts)
	return id, asError(failure)
}

func total(parts [][]byte) int {
	n := 0
	for _, part := range parts {
		n += len(part)
	}
	return n
}

func (w *Writer) gatherCopied(head cbinlog.Head, parts [][]byte) (uint64, error) {
	buffer := gatherBuffers.Get().(*[]byte)
	defer gatherBuffers.Put(buffer)
	payload := (*buffer)[:0]
	for _, part := range parts {
		payload = append(payload, part...)
	}
	return w.appendHead(head, payload)
}

// AppendBatch appends all records of a batch or, on an error, none, and returns the id of the first; the others follow
// it. A crash, too, keeps all or none. Records without a time of their own get the same one. The batch is not changed.
// An empty one takes no id and returns the next one. Otherwise it is as [Writer.Append]; [ErrTooLarge] when the batch
// is over 2 GiB.
func (w *Writer) AppendBatch(b *Batch) (firstID uint64, err error) {
	if b == nil {
		return 0, invalid("there is no batch: it is nil")
	}
	if b.err != nil {
		return 0, b.err
	}
	if !w.gate.enter() {
		return 0, ErrClosed
	}
	firstID, failure := w.c.AppendPacked(b.frames)
	w.gate.leave()
	return firstID, asError(failure)
}

// Records of at least so many bytes on average are appended from where they are, not packed.
const packBytes = 8 << 10

var batches = sync.Pool{New: func() any { return new(Batch) }}

// AppendRecords is as [Writer.AppendBatch], for records in a slice.
func (w *Writer) AppendRecords(records []NewRecord) (firstID uint64, err error) {
	bytes := 0
	for i := range records {
		bytes += len(records[i].Payload) + len(records[i].Metadata)
	}
	if bytes >= packBytes*max(len(records), 1) {
		return w.appendInPlace(records)
	}
	b := batches.Get().(*Batch)
	defer batches.Put(b)
	b.Reset()
	for i := range records {
		b.AppendRecord(records[i])
	}
	return w.AppendBatch(b)
}

func (w *Writer) appendInPlace(records []NewRecord) (uint64, error) {
	heads := make([]cbinlog.Head, len(records))
	for i := range records {
		var err error
		if heads[i], err = headOf(&records[i]); err != nil {
			return 0, err
		}
	}
	if !w.gate.enter() {
		return 0, ErrClosed
	}
	defer w.gate.leave()
	firstID, failure := w.c.AppendBatch(len(records), func(i int) (cbinlog.Head, []byte) {
		return heads[i], records[i].Payload
	})
	return firstID, asError(failure)
}

// Type returns the number that stands for a name in this log; a new name gets one. `contentType` (a MIME type) may be
// empty and is used only when the name is new. Errors are as of [Writer.Append]; a name is never dropped.
func (w *Writer) Type(name, contentType string) (Type, error) {
	if !w.gate.enter() {
		return 0, ErrClosed
	}
	defer w.gate.leave()
	t, failure := w.c.Type(name, contentType)
	return Type(t), asError(failure)
}

// TypeOptions is a type of records; all of it is the type's identity.
type TypeOptions struct {
	// Name is the name; several types of a log may have the same, and filters take the records of all.
	Name string
	// ContentType is what the payloads are, as a MIME type; may be "".
	ContentType string
	// Encoding is how payloads are encoded: "protobuf" (the schema is a FileDescriptorSet), "jsonschema", "avro" or
	// "arrow", which have a schema; "json", "msgpack" or "cbor", which need none; or any other. "" without a schema.
	Encoding string
	// Message is the name of the message in the schema that payloads are; may be "".
	Message string
	// Schema is the schema, up to 1 MiB; empty for none.
	Schema []byte
}

// TypeOf returns the number of a type in this log. A type that differs in anything from those of the log gets a new
// number, also under a name that other types have. Readers are told all of it: [Cursor.TypeInfo], [Reader.Types]. Errors
// are [ErrInvalid] for texts that are too long or a schema without an encoding, [ErrTooLarge] for a schema over 1 MiB or
// over what all schemas may have together ([WithSchemaBytes]), and those of [Writer.Append]; a type is never dropped.
func (w *Writer) TypeOf(options TypeOptions) (Type, error) {
	if !w.gate.enter() {
		return 0, ErrClosed
	}
	defer w.gate.leave()
	t, failure := w.c.TypeOf((*cbinlog.TypeOptions)(&options))
	return Type(t), asError(failure)
}

// Flush passes everything appended so far to the system, where it survives the end of this process, however it ends.
// Errors are [ErrNoSpace] or [ErrIO] (what could not be written waits for the next attempt) and [ErrFailed].
func (w *Writer) Flush() error { return w.call(cbinlog.Writer.Flush) }

// Sync makes everything appended so far durable: it survives the end of the machine. Goroutines that sync at the same
// time share one fdatasync. Errors are as of [Writer.Flush]; [ErrNotFound] when the file of a segment was removed,
// replaced or moved, with the ids of the records that are lost with it; [ErrFailed] when the fsync fails, and from all
// later calls until the log is opened anew: what is on the disk is then unknown.
func (w *Writer) Sync() error { return w.call(cbinlog.Writer.Sync) }

// Tick does what is due by time: the intervals of [WithFlush], [WithSync] and [WithHeartbeat], rolling by the clock;
// and what rolls have deferred: it prepares the next file, makes closed segments durable, runs hooks, removes old
// segments. Only a writer without [WithBackground] needs it, at intervals, from a goroutine of its own: when its log
// may be idle, or when no append may wait for the disk because of a roll. Errors are as of [Writer.Sync].
func (w *Writer) Tick() error { return w.call(cbinlog.Writer.Tick) }

// Roll ends the current segment and continues in a new one; nothing happens while the current one holds no record.
// Errors are as of [Writer.Sync]; [ErrUnsupported] for a log that is a single file.
func (w *Writer) Roll() error { return w.call(cbinlog.Writer.Roll) }

// RollBecause is as [Writer.Roll] with a reason of 1 to 256 bytes of UTF-8, which [EventRotateNext] and the hooks get.
func (w *Writer) RollBecause(reason string) error {
	return w.call(func(c cbinlog.Writer) *cbinlog.Error { return c.RollBecause(reason) })
}

// SetRoll gives the log new rules for rolling and new names, which replace those of [WithRoll]; they begin with a new
// segment at once. [ErrInvalid] for invalid ones: then the old ones stay. Otherwise it is as [Writer.Roll].
func (w *Writer) SetRoll(roll RollOptions) error {
	options, err := roll.options()
	if err != nil {
		return err
	}
	options.Check = checkOf(roll.Check, w.onFailure)
	return w.call(func(c cbinlog.Writer) *cbinlog.Error { return c.SetRoll(&options) })
}

// Heartbeat writes an [EventHeartbeat] now, and passes it to the system. Errors are as of [Writer.Flush].
func (w *Writer) Heartbeat() error { return w.call(cbinlog.Writer.Heartbeat) }

func (w *Writer) call(f func(cbinlog.Writer) *cbinlog.Error) error {
	if !w.gate.enter() {
		return ErrClosed
	}
	defer w.gate.leave()
	return asError(f(w.c))
}

// Position is the id of the last record in each state; 0 for none.
type Position struct {
	// Appended: accepted by the writer.
	Appended uint64
	// Flushed: passed to the system, survives the process.
	Flushed uint64
	// Durable: on the disk, survives the machine.
	Durable uint64
}

// Position returns how far the log is appended, flushed and durable. It never waits.
func (w *Writer) Position() (Position, error) {
	if !w.gate.enter() {
		return Position{}, ErrClosed
	}
	defer w.gate.leave()
	appended, flushed, durable, failure := w.c.Position()
	return Position{appended, flushed, durable}, asError(failure)
}

// Dropped returns the number of records that [WithFullDiskDrop] has dropped since the writer was opened. It never
// waits.
func (w *Writer) Dropped() (uint64, error) { return w.count(cbinlog.Writer.Dropped) }

// Failures returns the number of failures apart from the writing of records since the writer was opened; each is
// reported to the function of [WithOnFailure]. It never waits.
func (w *Writer) Failures() (uint64, error) { return w.count(cbinlog.Writer.Failures) }

func (w *Writer) count(f func(cbinlog.Writer) (uint64, *cbinlog.Error)) (uint64, error) {
	if !w.gate.enter() {
		return 0, ErrClosed
	}
	defer w.gate.leave()
	n, failure := f(w.c)
	return n, asError(failure)
}
