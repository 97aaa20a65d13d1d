package binlog

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	"binlog/internal/cbinlog"
)

// Status says what kind of failure an [*Error] is. The statuses are errors themselves, for errors.Is.
type Status int32

const (
	// ErrInvalid says that the arguments are wrong; nothing was done.
	ErrInvalid Status = -1
	// ErrIO says that the system failed to read or write; [Error.OSCode] says why.
	ErrIO Status = -2
	// ErrCorrupt says that the bytes of a file are not what a writer wrote.
	ErrCorrupt Status = -3
	// ErrNotFound says that there is no such file, log, record, type or key.
	ErrNotFound Status = -4
	// ErrLocked says that another writer has the log open, or that another process ships it.
	ErrLocked Status = -5
	// ErrTooLarge says that a record or a batch is over its limit.
	ErrTooLarge Status = -6
	// ErrUnsupported says that this build, this format version or this kind of log cannot do it.
	ErrUnsupported Status = -7
	// ErrFailed says that an fsync failed earlier: the writer refuses everything until the log is opened anew.
	ErrFailed Status = -8
	// ErrNoSpace says that the disk, the quota or the file size limit is full. Writing works again once there is space.
	ErrNoSpace Status = -9
	// ErrForked says that the writer was opened before a fork, and this is the child.
	ErrForked Status = -10
	// ErrMissed says that the next records were removed with old segments: see [MissedError].
	ErrMissed Status = -11
	// ErrMismatch says that the log is not the required one, or that a store holds another object than was shipped.
	ErrMismatch Status = -12
	// ErrNoMemory says that the system has no memory for what a file, the caller or another machine asked for. Nothing was
	// done, and the same call may be repeated.
	ErrNoMemory Status = -13
	// ErrInterrupted says that a wait was interrupted. [Cursor.Wait] does not return it: its context ends it.
	ErrInterrupted Status = -14
	// ErrPanic says that the library has a defect. The handle can only be closed.
	ErrPanic Status = -100
)

var statusTexts = map[Status][2]string{
	ErrInvalid:     {"E_INVALID", "wrong arguments"},
	ErrIO:          {"E_IO", "the system failed to read or write"},
	ErrCorrupt:     {"E_CORRUPT", "the bytes are not what a writer wrote"},
	ErrNotFound:    {"E_NOT_FOUND", "not found"},
	ErrLocked:      {"E_LOCKED", "another writer has the log open, or somebody else ships it"},
	ErrTooLarge:    {"E_TOO_LARGE", "over a limit"},
	ErrUnsupported: {"E_UNSUPPORTED", "not supported"},
	ErrFailed:      {"E_FAILED", "an fsync has failed; open the log anew"},
	ErrNoSpace:     {"E_NO_SPACE", "the disk is full"},
	ErrForked:      {"E_FORKED", "opened before a fork"},
	ErrMissed:      {"E_MISSED", "records were removed with old segments"},
	ErrMismatch:    {"E_MISMATCH", "another log than was required, or another object in the store"},
	ErrNoMemory:    {"E_NO_MEMORY", "no memory"},
	ErrInterrupted: {"E_INTERRUPTED", "a waiting was interrupted"},
	ErrPanic:       {"E_PANIC", "a defect of the library"},
}

// Name is the status as in the header binlog.h, such as "E_CORRUPT"; "UNKNOWN" for an unknown number.
func (s Status) Name() string {
	if texts, known := statusTexts[s]; known {
		return texts[0]
	}
	return "UNKNOWN"
}

// Error says in a few words what the status means.
func (s Status) Error() string {
	if texts, known := statusTexts[s]; known {
		return "binlog: " + texts[1]
	}
	return fmt.Sprintf("binlog: status %d", int32(s))
}

// Error is a failure that the library reports.
//
// errors.Is finds its Status, the errno in OSCode (which finds fs.ErrNotExist and fs.ErrPermission in turn), and
// fs.ErrNotExist for any [ErrNotFound].
type Error struct {
	// Status is one of the Err constants.
	Status Status
	// Message is one line for people, with file, offset and reason.
	Message string
	// Path is the file or directory it happened in; "" for none.
	Path string
	// Offset is where in that file, in bytes from its beginning; -1 for nowhere in particular.
	Offset int64
	// OSCode is the system's errno when a system call failed, else 0.
	OSCode syscall.Errno
	// RecordID is the id of the last record that a failed append accepted: the record waits in the writer's memory, and
	// only the flush or sync that a policy asked for failed. 0: nothing was accepted; append it again.
	RecordID uint64
}

func (e *Error) Error() string { return "binlog: " + e.Message }

// Is is for errors.Is.
func (e *Error) Is(target error) bool {
	return target == e.Status || (target == fs.ErrNotExist && e.Status == ErrNotFound)
}

// Unwrap is for errors.Is and errors.As: the errno, if there is one.
func (e *Error) Unwrap() error {
	if e.OSCode == 0 {
		return nil
	}
	return e.OSCode
}

// MissedError reports to a cursor that fell behind which records are no longer in the log, because old segments were
// removed. It is returned once, and the next call continues after them. errors.Is finds [ErrMissed] in it.
type MissedError struct {
	// First and Last are the ids of the first and the last record that are gone.
	First, Last uint64
	err         *Error
}

func (e *MissedError) Error() string { return e.err.Error() }

// Unwrap is for errors.Is and errors.As: the [*Error].
func (e *MissedError) Unwrap() error { return e.err }

// ErrClosed is returned by calls on an object that was closed. errors.Is finds fs.ErrClosed in it.
var ErrClosed error = closedError{}

type closedError struct{}

func (closedError) Error() string        { return "binlog: use after close" }
func (closedError) Is(target error) bool { return target == fs.ErrClosed }

// asError converts an error to the public type; a nil pointer must not become an error.
func asError(err *cbinlog.Error) error {
	if err == nil {
		return nil
	}
	if err.Status == cbinlog.Closed {
		return ErrClosed
	}
	public := publicError(err)
	if public.Status == ErrMissed {
		return &MissedError{First: err.MissedFirst, Last: err.MissedLast, err: public}
	}
	return public
}

func publicError(err *cbinlog.Error) *Error {
	return &Error{
		Status:   Status(err.Status),
		Message:  err.Message,
		Path:     err.Path,
		Offset:   err.Offset,
		OSCode:   syscall.Errno(err.OSCode),
		RecordID: err.RecordID,
	}
}

func invalid(format string, args ...any) *Error {
	return &Error{Status: ErrInvalid, Message: fmt.Sprintf(format, args...), Offset: -1}
}

// within refuses a call of an object by a function that the object has called: it would wait for itself.
func within(object string) *Error {
	return invalid("%s must not be used by a function that it calls", object)
}

// statusOf returns the status for the library of an error of the user's own.
func statusOf(err error) Status {
	var known *Error
	if errors.As(err, &known) {
		return known.Status
	}
	return ErrIO
}
