package cbinlog

// #include "shim.h"
//
// #cgo noescape blgo_set_hook
// #cgo nocallback blgo_set_hook
// #cgo noescape blgo_set_check
// #cgo nocallback blgo_set_check
// #cgo noescape blgo_set_failure
// #cgo nocallback blgo_set_failure
// #cgo noescape blgo_set_loss
// #cgo nocallback blgo_set_loss
// #cgo noescape blgo_function
// #cgo nocallback blgo_function
// #cgo noescape blgo_begin_function
// #cgo nocallback blgo_begin_function
// #cgo noescape blgo_end_function
// #cgo nocallback blgo_end_function
// #cgo noescape blgo_object_is_calling
// #cgo nocallback blgo_object_is_calling
import "C"

import (
	"fmt"
	"runtime"
	"runtime/cgo"
	"strings"
	"sync/atomic"
	"time"
)

// SegmentFile is a segment as hooks see it.
type SegmentFile struct {
	Path     string
	Log      string
	Reason   string
	Sequence uint64
	Created  time.Time
	FirstID  uint64
	Records  uint64
	Bytes    uint64
}

// SegmentState is the segment that is being written, as a check sees it.
type SegmentState struct {
	Path     string
	Sequence uint64
	Created  time.Time
	Now      time.Time
	Bytes    uint64
	FirstID  uint64
	Records  uint64
}

// Loss is something that could not be read.
type Loss struct {
	Kind      uint32
	Path      string
	Reason    string
	Offset    uint64
	Bytes     uint64
	FirstID   uint64
	LastID    uint64
	FirstPage uint64
	PageCount uint64
	Durable   bool
}

// TypeCount is the number of records of a type in a log.
type TypeCount struct {
	Type    uint32
	Records uint64
	Name    string
	// SeveralNumbers is true when the records have several numbers, of which Type is the first.
	SeveralNumbers bool
}

// Pruned is a segment that was removed, or would be.
type Pruned struct {
	Path     string
	Reason   string
	Sequence uint64
	Bytes    uint64
	FirstID  uint64
	LastID   uint64
}

// Hook is a step for a segment: one of the library's own, or Call. Call returns where it has moved the file, or "".
// Status and message of its error are reported.
type Hook struct {
	Kind     uint32
	Argument string
	Call     func(SegmentFile) (movedTo string, err *Error)
}

// Check says whether a log rolls now. Panicked is called when Ask has panicked, which means "no".
type Check struct {
	Ask      func(SegmentState) bool
	Panicked func(SegmentState, *Panicked)
}

// LossListener receives losses. The value it panics with is kept for the call in which that happened, and the function
// is not called again until Repanic has returned the value to that call.
type LossListener struct {
	function func(Loss)
	panicked atomic.Pointer[Panicked]
}

// NewLossListener makes one from a function.
func NewLossListener(function func(Loss)) *LossListener { return &LossListener{function: function} }

// Repanic panics with the value of the listener's last panic, if there was one since the last call. l may be nil.
func (l *LossListener) Repanic() {
	if l == nil {
		return
	}
	if panicked := l.panicked.Swap(nil); panicked != nil {
		panic(panicked.Value)
	}
}

// Other values of handles.
type (
	hookFunc    func(SegmentFile) (string, *Error)
	failureFunc func(*Error)
	// called is a function that a writer calls.
	called[F any] struct {
		by       Writer
		function F
	}
)

// handles counts what is registered with the library; a test checks that each handle is dropped.
var handles atomic.Int64

// Handles is the number of Go functions that the library holds now.
func Handles() int64 { return handles.Load() }

// lend registers a function: the receiver of the handle calls blgoDrop with it once.
func lend(function any) C.uintptr_t {
	handles.Add(1)
	return C.uintptr_t(cgo.NewHandle(function))
}

//export blgoDrop
func blgoDrop(handle C.uintptr_t) {
	cgo.Handle(handle).Delete()
	handles.Add(-1)
}

func value[T any](handle C.uintptr_t) T { return cgo.Handle(handle).Value().(T) }

// Panicked is the value a function panicked with; a function that ended its goroutine counts as one.
type Panicked struct{ Value any }

func (p *Panicked) String() string { return fmt.Sprintf("panic: %v", p.Value) }

// caller is the address in C of what calls a function: a writer, a shipper, a reader or a cursor; 0 for none.
type caller C.uintptr_t

// isCalling says whether this goroutine runs a function that the object has called, and for which closing would wait.
func (c caller) isCalling() bool { return c != 0 && C.blgo_object_is_calling(C.uintptr_t(c)) != 0 }

// guarded runs a user's function for C. `by` has called it, or zero where that does not matter. It gets a goroutine of
// its own, since neither a panic nor a runtime.Goexit (such as testing.T.FailNow's) may unwind the frames of C below
// this one; and a thread of its own, by which the caller recognises calls from its own function.
func guarded(by caller, function func()) (panicked *Panicked) {
	done := make(chan *Panicked, 1)
	outer := C.blgo_function()
	go func() {
		if by != 0 || outer != nil {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			C.blgo_begin_function(C.uintptr_t(by), outer)
			defer C.blgo_end_function()
		}
		problem := &Panicked{Value: "the function ended its goroutine"}
		defer func() {
			if problem != nil {
				if value := recover(); value != nil {
					problem.Value = value
				}
			}
			done <- problem
		}()
		function()
		problem = nil
	}()
	return <-done
}

// callback calls a user's function with the events of one call; its result says whether to continue. A panic means
// "stop".
type callback[T any] struct {
	function func(T) bool
	by       caller
	panicked *Panicked
}

func (c *callback[T]) call(event T) (goOn bool) {
	if c.function == nil {
		return true
	}
	if c.panicked != nil {
		return false
	}
	c.panicked = guarded(c.by, func() { goOn = c.function(event) })
	return goOn && c.panicked == nil
}

// repanic panics with the value the function panicked with, after the call.
func (c *callback[T]) repanic() {
	if c.panicked != nil {
		panic(c.panicked.Value)
	}
}

func stop(goOn bool) C.int32_t {
	if goOn {
		return 0
	}
	return 1
}

//export blgoHook
func blgoHook(handle C.uintptr_t, segment *C.binlog_segment_file, answer *C.blgo_answer) {
	file := SegmentFile{
		Path:     C.GoString(segment.path),
		Log:      C.GoString(segment.log),
		Reason:   C.GoString(segment.reason),
		Sequence: uint64(segment.sequence),
		Created:  time.Unix(0, int64(segment.created_ns)),
		FirstID:  uint64(segment.first_id),
		Records:  uint64(segment.records),
		Bytes:    uint64(segment.bytes),
	}
	hook := value[called[hookFunc]](handle)
	var movedTo string
	var err *Error
	if panicked := guarded(hook.by.caller(), func() { movedTo, err = hook.function(file) }); panicked != nil {
		movedTo, err = "", Fail(int32(C.BINLOG_E_IO), panicked.String())
	}
	if err == nil && strings.ContainsRune(movedTo, 0) {
		movedTo, err = "", Fail(int32(C.BINLOG_E_INVALID), "the path that a hook has moved a segment to has a NUL in it")
	}
	if movedTo != "" {
		answer.moved_to = C.CString(movedTo)
	}
	if err != nil {
		answer.failure = C.CString(err.Message)
		answer.status = C.binlog_status(err.Status)
	}
}

//export blgoCheck
func blgoCheck(handle C.uintptr_t, state *C.binlog_segment_state) C.int32_t {
	seen := SegmentState{
		Path:     C.GoString(state.path),
		Sequence: uint64(state.sequence),
		Created:  time.Unix(0, int64(state.created_ns)),
		Now:      time.Unix(0, int64(state.now_ns)),
		Bytes:    uint64(state.bytes),
		FirstID:  uint64(state.first_id),
		Records:  uint64(state.records),
	}
	check := value[called[*Check]](handle)
	roll := false
	if panicked := guarded(check.by.caller(), func() { roll = check.function.Ask(seen) }); panicked != nil {
		guarded(check.by.caller(), func() { check.function.Panicked(seen, panicked) })
		return 0
	}
	if roll {
		return 1
	}
	return 0
}

//export blgoFailure
func blgoFailure(handle C.uintptr_t, err *C.blgo_error) {
	failure, listener := facts(err), value[called[failureFunc]](handle)
	guarded(listener.by.caller(), func() { listener.function(failure) })
}

//export blgoLoss
func blgoLoss(handle, reporter C.uintptr_t, c *C.binlog_loss) {
	loss := Loss{
		Kind:      uint32(c.kind),
		Path:      C.GoString(c.path),
		Reason:    C.GoString(c.reason),
		Offset:    uint64(c.offset),
		Bytes:     uint64(c.bytes),
		FirstID:   uint64(c.first_id),
		LastID:    uint64(c.last_id),
		FirstPage: uint64(c.first_page),
		PageCount: uint64(c.page_count),
		Durable:   c.durable != 0,
	}
	listener := value[*LossListener](handle)
	if listener.panicked.Load() != nil {
		return
	}
	if panicked := guarded(caller(reporter), func() { listener.function(loss) }); panicked != nil {
		listener.panicked.CompareAndSwap(nil, panicked)
	}
}

//export blgoCounted
func blgoCounted(handle C.uintptr_t, counted *C.binlog_type_count) {
	all := value[*[]TypeCount](handle)
	*all = append(*all, TypeCount{
		Type: uint32(counted._type), Records: uint64(counted.records), Name: C.GoString(counted.name),
		SeveralNumbers: counted.several_numbers != 0,
	})
}

//export blgoDescribed
func blgoDescribed(handle C.uintptr_t, info *C.binlog_type_info) {
	all := value[*[]TypeInfo](handle)
	*all = append(*all, typeInfo(info))
}

//export blgoPruned
func blgoPruned(handle C.uintptr_t, pruned *C.binlog_pruned) {
	all := value[*[]Pruned](handle)
	*all = append(*all, Pruned{
		Path:     C.GoString(pruned.path),
		Reason:   C.GoString(pruned.reason),
		Sequence: uint64(pruned.sequence),
		Bytes:    uint64(pruned.bytes),
		FirstID:  uint64(pruned.first_id),
		LastID:   uint64(pruned.last_id),
	})
}
