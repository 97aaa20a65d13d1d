package cbinlog

// The calls that append, flush, roll or close may run the user's hooks, checks and listeners. Therefore they are
// neither noescape nor nocallback: their arguments must not lie on a stack that a callback may move.

// #include "shim.h"
//
// #cgo noescape blgo_writer_position
// #cgo nocallback blgo_writer_position
// #cgo noescape blgo_writer_dropped
// #cgo nocallback blgo_writer_dropped
// #cgo noescape blgo_writer_refuse
// #cgo nocallback blgo_writer_refuse
// #cgo noescape blgo_is_open
// #cgo nocallback blgo_is_open
// #cgo noescape blgo_writer_failures
// #cgo nocallback blgo_writer_failures
// #cgo noescape blgo_writer_ship_status
// #cgo nocallback blgo_writer_ship_status
// #cgo noescape blgo_writer_ship_metrics
// #cgo nocallback blgo_writer_ship_metrics
import "C"

import (
	"runtime"
	"sync"
	"unsafe"
)

// Writer is a binlog_writer.
type Writer struct{ c C.blgo_writer }

// OpenWriter opens the log in a directory, or with `file` the one that is a single file.
func OpenWriter(path string, file bool, options *WriterOptions) (Writer, *Error) {
	var a arena
	defer a.free()
	c, handOver := a.writerOptions(options)
	place := a.text(path, "the path")
	if a.err != nil {
		return Writer{}, a.err
	}
	gate := zeroed(C.sizeof_blgo_gate)
	w := Writer{C.blgo_writer(uintptr(gate))}
	handOver(w)
	var r C.blgo_result
	if file {
		r = C.blgo_writer_open_file(w.c, place, c)
	} else {
		r = C.blgo_writer_open(w.c, place, c)
	}
	if r.err != nil {
		w.Free()
		return Writer{}, result(r.err)
	}
	return w, nil
}

// Close waits for the appends in progress, closes the log and frees its handle, whatever it returns. Append then
// returns that the writer is closed; no other function but Free may be called any more.
func (w Writer) Close() *Error {
	if w.c == 0 {
		return nil
	}
	r := C.blgo_writer_close(w.c)
	return result(r.err)
}

// IsCalling says whether this goroutine runs a function that the writer has called, and for which closing would wait.
func (w Writer) IsCalling() bool { return w.caller().isCalling() }

func (w Writer) caller() caller { return caller(w.c) }

// Refuse makes later calls of Append return that the writer is closed, as the first step of closing. It does not wait.
func (w Writer) Refuse() {
	if w.c != 0 {
		C.blgo_writer_refuse(w.c)
	}
}

// IsOpen says whether closing has not begun yet.
func (w Writer) IsOpen() bool { return C.blgo_is_open(w.c) != 0 }

// Free frees what Close leaves, and closes first if necessary: once, when no reference to the writer is left.
func (w Writer) Free() { C.blgo_writer_free(w.c) }

// Append appends a record of now; the status Closed says that the writer is closed.
func (w Writer) Append(typ uint32, data []byte) (uint64, *Error) {
	if w.c == 0 {
		return 0, Fail(Invalid, "the writer was never opened")
	}
	r := C.blgo_writer_append(w.c, C.uint32_t(typ), bytesOf(data), C.size_t(len(data)))
	if r.err != nil {
		return 0, result(r.err)
	}
	return uint64(r.value), nil
}

// Head is a record without its payload.
type Head struct {
	Type     uint32
	HasTime  bool
	TimeNS   int64
	Metadata []byte
}

func (h *Head) flags() C.uint32_t {
	if h.HasTime {
		return C.BINLOG_RECORD_TIME
	}
	return 0
}

// AppendRecord appends a record with time or metadata.
func (w Writer) AppendRecord(head Head, data []byte) (uint64, *Error) {
	r := C.blgo_writer_append_record(w.c, C.uint32_t(head.Type), head.flags(), C.int64_t(head.TimeNS),
		bytesOf(data), C.size_t(len(data)), bytesOf(head.Metadata), C.size_t(len(head.Metadata)))
	return uint64(r.value), result(r.err)
}

// scratch pins Go's memory for views of C.
type scratch struct {
	slices  []C.binlog_slice
	records []C.binlog_record
	pinner  runtime.Pinner
}

var scratches = sync.Pool{New: func() any { return new(scratch) }}

func (s *scratch) release() {
	s.pinner.Unpin()
	clear(s.slices)
	clear(s.records)
	s.slices, s.records = s.slices[:0], s.records[:0]
	scratches.Put(s)
}

// pinned returns the bytes' address, which C may keep in its own structs until the scratch is released.
func (s *scratch) pinned(data []byte) *C.uint8_t {
	if len(data) == 0 {
		return nil
	}
	s.pinner.Pin(unsafe.SliceData(data))
	return bytesOf(data)
}

func (s *scratch) parts(parts [][]byte) {
	for _, part := range parts {
		s.slices = append(s.slices, C.binlog_slice{data: unsafe.Pointer(s.pinned(part)), len: C.size_t(len(part))})
	}
}

// Gather appends one record of now from parts, which are not copied together.
func (w Writer) Gather(typ uint32, parts [][]byte) (uint64, *Error) {
	s := scratches.Get().(*scratch)
	defer s.release()
	s.parts(parts)
	r := C.blgo_writer_gather(w.c, C.uint32_t(typ), unsafe.SliceData(s.slices), C.size_t(len(s.slices)))
	return uint64(r.value), result(r.err)
}

// GatherRecord is Gather with time and metadata.
func (w Writer) GatherRecord(head Head, parts [][]byte) (uint64, *Error) {
	s := scratches.Get().(*scratch)
	defer s.release()
	s.parts(parts)
	r := C.blgo_writer_gather_record(w.c, C.uint32_t(head.Type), head.flags(), C.int64_t(head.TimeNS),
		bytesOf(head.Metadata), C.size_t(len(head.Metadata)), unsafe.SliceData(s.slices), C.size_t(len(s.slices)))
	return uint64(r.value), result(r.err)
}

// AppendBatch appends `n` records from where they are, all or none; `record` returns each.
func (w Writer) AppendBatch(n int, record func(i int) (Head, []byte)) (uint64, *Error) {
	s := scratches.Get().(*scratch)
	defer s.release()
	for i := range n {
		head, data := record(i)
		s.records = append(s.records, C.binlog_record{
			_type: C.uint32_t(head.Type), flags: head.flags(), time_ns: C.int64_t(head.TimeNS),
			data: unsafe.Pointer(s.pinned(data)), len: C.size_t(len(data)),
			metadata: s.pinned(head.Metadata), metadata_len: C.size_t(len(head.Metadata)),
		})
	}
	r := C.blgo_writer_append_batch(w.c, unsafe.SliceData(s.records), C.size_t(len(s.records)))
	return uint64(r.value), result(r.err)
}

// AppendPacked appends the records of packed frames, all or none.
func (w Writer) AppendPacked(frames []byte) (uint64, *Error) {
	r := C.blgo_writer_append_packed(w.c, bytesOf(frames), C.size_t(len(frames)))
	return uint64(r.value), result(r.err)
}

// Type is the number that stands for a name.
func (w Writer) Type(name, contentType string) (uint32, *Error) {
	var a arena
	defer a.free()
	cName, cContentType := a.text(name, "the type's name"), a.optional(contentType, "the content type")
	if a.err != nil {
		return 0, a.err
	}
	r := C.blgo_writer_type(w.c, cName, cContentType)
	return uint32(r.value), result(r.err)
}

// TypeOptions are binlog_type_options.
type TypeOptions struct {
	Name, ContentType, Encoding, Message string
	Schema                               []byte
}

// TypeOf is the number that stands for a type.
func (w Writer) TypeOf(options *TypeOptions) (uint32, *Error) {
	var a arena
	defer a.free()
	c := &makeC[C.binlog_type_options](&a, 1)[0]
	c.struct_size = C.sizeof_binlog_type_options
	c.name = a.text(options.Name, "the type's name")
	c.content_type = a.optional(options.ContentType, "the content type")
	c.encoding = a.optional(options.Encoding, "the encoding")
	c.message = a.optional(options.Message, "the message")
	schema := makeC[byte](&a, len(options.Schema))
	copy(schema, options.Schema)
	c.schema, c.schema_len = unsafe.Pointer(unsafe.SliceData(schema)), C.size_t(len(schema))
	if a.err != nil {
		return 0, a.err
	}
	r := C.blgo_writer_type_of(w.c, c)
	return uint32(r.value), result(r.err)
}

// Flush passes everything to the system.
func (w Writer) Flush() *Error {
	r := C.blgo_writer_flush(w.c)
	return result(r.err)
}

// Sync makes everything durable.
func (w Writer) Sync() *Error {
	r := C.blgo_writer_sync(w.c)
	return result(r.err)
}

// Tick does what the intervals require.
func (w Writer) Tick() *Error {
	r := C.blgo_writer_tick(w.c)
	return result(r.err)
}

// Position returns how far the log is appended, flushed and durable.
func (w Writer) Position() (appended, flushed, durable uint64, err *Error) {
	r := C.blgo_writer_position(w.c)
	p := r.position
	return uint64(p.appended_id), uint64(p.flushed_id), uint64(p.durable_id), result(r.err)
}

// Dropped counts the records that were dropped because of a full disk.
func (w Writer) Dropped() (uint64, *Error) {
	r := C.blgo_writer_dropped(w.c)
	return uint64(r.value), result(r.err)
}

// Roll begins a new segment.
func (w Writer) Roll() *Error {
	r := C.blgo_writer_roll(w.c)
	return result(r.err)
}

// RollBecause is Roll with a reason.
func (w Writer) RollBecause(reason string) *Error {
	var a arena
	defer a.free()
	text := a.text(reason, "the reason")
	if a.err != nil {
		return a.err
	}
	r := C.blgo_writer_roll_because(w.c, text)
	return result(r.err)
}

// SetRoll gives the log new rules.
func (w Writer) SetRoll(options *RollOptions) *Error {
	var a arena
	defer a.free()
	c := a.roll(options)
	if a.err != nil {
		return a.err
	}
	options.handOver(c, w)
	r := C.blgo_writer_set_roll(w.c, c)
	return result(r.err)
}

// Heartbeat writes one.
func (w Writer) Heartbeat() *Error {
	r := C.blgo_writer_heartbeat(w.c)
	return result(r.err)
}

// Failures counts what has failed apart from writing.
func (w Writer) Failures() (uint64, *Error) {
	r := C.blgo_writer_failures(w.c)
	return uint64(r.value), result(r.err)
}

// ShipStatus returns the progress of shipping.
func (w Writer) ShipStatus() (ShipStatus, *Error) {
	r := C.blgo_writer_ship_status(w.c)
	return shipStatus(&r)
}

// ShipMetrics returns it in the text format of Prometheus.
func (w Writer) ShipMetrics() (string, *Error) { return metrics(C.blgo_writer_ship_metrics(w.c)) }
