package cbinlog

// #include "shim.h"
//
// #cgo noescape blgo_error_free
// #cgo nocallback blgo_error_free
// #cgo noescape binlog_status_name
// #cgo nocallback binlog_status_name
import "C"

// Invalid is BINLOG_E_INVALID.
const Invalid = int32(C.BINLOG_E_INVALID)

// NoMemory is BINLOG_E_NO_MEMORY.
const NoMemory = int32(C.BINLOG_E_NO_MEMORY)

// Closed is the status of an append that comes after closing. The library has no such status.
const Closed = int32(C.BLGO_CLOSED)

// Error is the contents of an error of the library.
type Error struct {
	Status      int32
	OSCode      int32
	Message     string
	Path        string
	Offset      int64
	RecordID    uint64
	MissedFirst uint64
	MissedLast  uint64
}

// Fail makes an error of its own, for what is detected on this side.
func Fail(status int32, message string) *Error {
	return &Error{Status: status, Message: message, Offset: -1}
}

// result converts the result of a call into an error, and frees it; nil stays nil.
func result(err *C.blgo_error) *Error {
	if err == nil {
		return nil
	}
	facts := facts(err)
	C.blgo_error_free(err)
	return facts
}

func facts(err *C.blgo_error) *Error {
	return &Error{
		Status:      int32(err.status),
		OSCode:      int32(err.os_code),
		Message:     C.GoString(err.message),
		Path:        C.GoString(err.path),
		Offset:      int64(err.offset),
		RecordID:    uint64(err.record_id),
		MissedFirst: uint64(err.missed_first),
		MissedLast:  uint64(err.missed_last),
	}
}

// StatusName is the status as a word, such as "E_CORRUPT".
func StatusName(status int32) string {
	return C.GoString(C.binlog_status_name(C.binlog_status(status)))
}
