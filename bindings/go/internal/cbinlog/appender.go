package cbinlog

// #include "shim.h"
import "C"

import (
	"sync/atomic"
	"unsafe"
)

// AreaBytes is the room for frames in the area of an appender. So much is copied in one call.
const AreaBytes = 64 << 10

// Appender is a binlog_appender with the area in which Go stages records, in memory of C. FreeAppender frees both.
type Appender struct {
	writer Writer
	c      *C.binlog_appender
	area   *C.binlog_area
}

// OpenAppender opens an appender on a writer.
func (w Writer) OpenAppender(handOverBytes int) (Appender, *Error) {
	block := tryZeroed(C.sizeof_binlog_area + AreaBytes)
	if block == nil {
		return Appender{}, Fail(NoMemory, "there is no memory for an appender")
	}
	a := Appender{writer: w, area: (*C.binlog_area)(block)}
	r := C.blgo_appender_open(w.c, C.uint64_t(handOverBytes), a.area, C.sizeof_binlog_area+AreaBytes)
	if r.err != nil {
		free(block)
		return Appender{}, result(r.err)
	}
	a.c = (*C.binlog_appender)(r.handle)
	return a, nil
}

// Frames is the memory for frames.
func (a Appender) Frames() *[AreaBytes]byte {
	return (*[AreaBytes]byte)(unsafe.Add(unsafe.Pointer(a.area), C.sizeof_binlog_area))
}

// End is the word that counts bytes of complete frames.
func (a Appender) End() *uint64 { return (*uint64)(unsafe.Pointer(&a.area.end)) }

// Limit is the word with the bytes up to which frames may be completed.
func (a Appender) Limit() *uint64 { return (*uint64)(unsafe.Pointer(&a.area.limit)) }

// Taken is how many bytes of frames the library has taken.
func (a Appender) Taken() uint64 { return atomic.LoadUint64((*uint64)(unsafe.Pointer(&a.area.taken))) }

// Rules are when frames may be completed and which types they may have, as of the last call.
func (a Appender) Rules() (fromNS, untilNS int64, typesEnd uint32) {
	return int64(a.area.from_ns), int64(a.area.until_ns), uint32(a.area.types_end)
}

// PayloadMax is the longest payload of a frame.
func (a Appender) PayloadMax() int { return int(a.area.payload_max) }

// AppendRecord appends a record behind what is staged.
func (a Appender) AppendRecord(head Head, data []byte) *Error {
	r := C.blgo_appender_append_record(a.writer.c, a.c, C.uint32_t(head.Type), head.flags(), C.int64_t(head.TimeNS),
		bytesOf(data), C.size_t(len(data)), bytesOf(head.Metadata), C.size_t(len(head.Metadata)))
	return result(r.err)
}

// GatherRecord appends one record from parts, which are not copied together.
func (a Appender) GatherRecord(head Head, parts [][]byte) *Error {
	s := scratches.Get().(*scratch)
	defer s.release()
	s.parts(parts)
	r := C.blgo_appender_gather_record(a.writer.c, a.c, C.uint32_t(head.Type), head.flags(), C.int64_t(head.TimeNS),
		bytesOf(head.Metadata), C.size_t(len(head.Metadata)), unsafe.SliceData(s.slices), C.size_t(len(s.slices)))
	return result(r.err)
}

// AppendPacked appends the records of packed frames, all or none.
func (a Appender) AppendPacked(frames []byte) *Error {
	r := C.blgo_appender_append_packed(a.writer.c, a.c, bytesOf(frames), C.size_t(len(frames)))
	return result(r.err)
}

// Settle takes what is staged.
func (a Appender) Settle() *Error {
	r := C.blgo_appender_settle(a.writer.c, a.c)
	return result(r.err)
}

// Flush returns the id of the last record.
func (a Appender) Flush() (uint64, *Error) {
	r := C.blgo_appender_flush(a.writer.c, a.c)
	return uint64(r.value), result(r.err)
}

// IsCalling says whether this goroutine runs a function that the appender's writer has called.
func (a Appender) IsCalling() bool { return a.writer.IsCalling() }

// Close ends the appender once, whatever it returns. The area stays, closed.
func (a Appender) Close() *Error {
	r := C.blgo_appender_close(a.c)
	atomic.StoreUint64(a.Limit(), 0)
	return result(r.err)
}

// Free frees the area, after the appender was closed.
func (a Appender) Free() { free(unsafe.Pointer(a.area)) }
