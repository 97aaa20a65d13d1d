package cbinlog

// #include "shim.h"
//
// #cgo noescape blgo_cursor_tail
// #cgo nocallback blgo_cursor_tail
// #cgo noescape blgo_cursor_type_name
// #cgo nocallback blgo_cursor_type_name
// #cgo noescape blgo_cursor_type
// #cgo nocallback blgo_cursor_type
import "C"

import "unsafe"

// Filter is binlog_filter.
type Filter struct {
	Flags            uint32
	FromID, ToID     uint64
	FromTime, ToTime int64
	Types            []uint32
	TypeNames        []string
	Metadata         []string // key, value, key, value ...
	Last             uint64
}

// Cursor is a binlog_cursor.
type Cursor struct{ c *C.binlog_cursor }

// Cursor opens one.
func (r Reader) Cursor(filter *Filter) (Cursor, *Error) {
	var a arena
	defer a.free()
	c := a.filter(filter)
	if a.err != nil {
		return Cursor{}, a.err
	}
	opened := C.blgo_cursor_open(r.c, c)
	return Cursor{(*C.binlog_cursor)(opened.handle)}, result(opened.err)
}

// filter makes a binlog_filter.
func (a *arena) filter(filter *Filter) *C.binlog_filter {
	c := &makeC[C.binlog_filter](a, 1)[0]
	c.struct_size = C.sizeof_binlog_filter
	c.flags = C.uint32_t(filter.Flags)
	c.from_id = C.uint64_t(filter.FromID)
	c.to_id = C.uint64_t(filter.ToID)
	c.from_time_ns = C.int64_t(filter.FromTime)
	c.to_time_ns = C.int64_t(filter.ToTime)
	types := makeC[C.uint32_t](a, len(filter.Types))
	for i, t := range filter.Types {
		types[i] = C.uint32_t(t)
	}
	c.types, c.type_count = unsafe.SliceData(types), C.size_t(len(types))
	c.type_names = a.texts(filter.TypeNames, "a type's name")
	c.type_name_count = C.size_t(len(filter.TypeNames))
	c.metadata = a.texts(filter.Metadata, "metadata of a filter")
	c.metadata_count = C.size_t(len(filter.Metadata) / 2)
	c.last = C.uint64_t(filter.Last)
	return c
}

// IsCalling says whether this goroutine runs the listener of losses that the cursor has called.
func (c Cursor) IsCalling() bool { return caller(uintptr(unsafe.Pointer(c.c))).isCalling() }

// Close frees the cursor. If it is the last that holds a listener, the listener is dropped.
func (c Cursor) Close() { C.binlog_cursor_close(c.c) }

// ReadPacked copies records of one block into buf: `n` of them, in `size` bytes. `n` is 0 at the end.
func (c Cursor) ReadPacked(buf []byte) (size, n int, err *Error) {
	r := C.blgo_cursor_read_packed(c.c, bytesOf(buf), C.size_t(len(buf)))
	return int(r.len), int(r.n), result(r.err)
}

// View is a record in memory of C, which lives until the cursor's next call.
type View struct {
	ID       uint64
	TimeNS   int64
	Type     uint32
	Flags    uint32
	Len      int // of the payload, also when Payload is empty
	Payload  []byte
	Metadata []byte
}

func viewOf(r *C.binlog_record) View {
	return View{
		ID:       uint64(r.id),
		TimeNS:   int64(r.time_ns),
		Type:     uint32(r._type),
		Flags:    uint32(r.flags),
		Len:      int(r.len),
		Payload:  view(r.data, r.len),
		Metadata: view(unsafe.Pointer(r.metadata), r.metadata_len),
	}
}

// Next is the next record; false at the end.
func (c Cursor) Next() (View, bool, *Error) {
	r := C.blgo_cursor_next(c.c)
	if r.found == 0 {
		return View{}, false, result(r.err)
	}
	return viewOf(&r.record), true, nil
}

// Get returns the record with an id.
func (c Cursor) Get(id uint64) (View, *Error) {
	r := C.blgo_cursor_get(c.c, C.uint64_t(id))
	if r.err != nil {
		return View{}, result(r.err)
	}
	return viewOf(&r.record), nil
}

// Look is the result of looking: Found says that there is a record or an error for the next call. Otherwise look again
// when Descriptor is readable, and at the latest after LookAfterNS. The descriptor is the cursor's, and the same each
// time; it is -1 if there is none.
type Look struct {
	Found       bool
	Descriptor  int
	LookAfterNS int64
}

// Look checks without waiting whether there is a record or an error for the next call.
func (c Cursor) Look() (Look, *Error) {
	r := C.blgo_cursor_look(c.c)
	return Look{Found: r.found != 0, Descriptor: int(r.descriptor), LookAfterNS: int64(r.look_after_ns)}, result(r.err)
}

// OwnDescriptor returns a duplicate of the descriptor, which the caller closes; -1 if there is none.
func OwnDescriptor(descriptor int) int { return int(C.blgo_own_descriptor(C.int(descriptor))) }

// Seek goes to a record.
func (c Cursor) Seek(id uint64) *Error {
	r := C.blgo_cursor_seek(c.c, C.uint64_t(id))
	return result(r.err)
}

// SeekTime goes to the first record of a time or later.
func (c Cursor) SeekTime(timeNS int64) *Error {
	r := C.blgo_cursor_seek_time(c.c, C.int64_t(timeNS))
	return result(r.err)
}

// SeekEnd goes after the newest record.
func (c Cursor) SeekEnd() *Error {
	r := C.blgo_cursor_seek_end(c.c)
	return result(r.err)
}

// Tail is binlog_tail.
type Tail struct {
	State       uint32
	NextID      uint64
	Offset      uint64
	UnreadBytes uint64
	Path        string
	Reason      string
}

// Tail returns where and why the cursor is at an end.
func (c Cursor) Tail() (Tail, *Error) {
	r := C.blgo_cursor_tail(c.c)
	if r.err != nil {
		return Tail{}, result(r.err)
	}
	return Tail{
		State:       uint32(r.tail.state),
		NextID:      uint64(r.tail.next_id),
		Offset:      uint64(r.tail.offset),
		UnreadBytes: uint64(r.tail.unread_bytes),
		Path:        C.GoString(r.tail.path),
		Reason:      C.GoString(r.tail.reason),
	}, nil
}

// TypeName is the name that a type was given for.
func (c Cursor) TypeName(typ uint32) (string, *Error) {
	r := C.blgo_cursor_type_name(c.c, C.uint32_t(typ))
	if r.err != nil {
		return "", result(r.err)
	}
	return string(view(r.text.data, r.text.len)), nil
}

// TypeInfo is what the log says of a type.
func (c Cursor) TypeInfo(typ uint32) (TypeInfo, *Error) {
	r := C.blgo_cursor_type(c.c, C.uint32_t(typ))
	if r.err != nil {
		return TypeInfo{}, result(r.err)
	}
	return typeInfo(&r.info), nil
}
