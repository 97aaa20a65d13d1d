package cbinlog

// Calls that ship or compare report events: they call back.

// #include "shim.h"
//
// #cgo noescape blgo_shipper_open
// #cgo nocallback blgo_shipper_open
// #cgo noescape blgo_shipper_accept
// #cgo nocallback blgo_shipper_accept
// #cgo noescape blgo_shipper_replace
// #cgo nocallback blgo_shipper_replace
// #cgo noescape blgo_shipper_forget
// #cgo nocallback blgo_shipper_forget
// #cgo noescape binlog_shipper_stop
// #cgo nocallback binlog_shipper_stop
// #cgo noescape blgo_shipper_status
// #cgo nocallback blgo_shipper_status
// #cgo noescape blgo_shipper_metrics
// #cgo nocallback blgo_shipper_metrics
// #cgo noescape binlog_shipper_close
// #cgo nocallback binlog_shipper_close
import "C"

import "unsafe"

// ShipOptions are binlog_ship_options.
type ShipOptions struct {
	NoRollAtClose  bool
	DryRun         bool
	InFlight       uint32
	Threads        uint32
	URL            string
	Credentials    string
	Keep           Retention
	KeepRemote     Retention
	Compress       *CompressOptions
	PartBytes      uint64
	Bandwidth      uint64
	TimeoutMS      uint64
	FirstDelayMS   uint64
	LongestDelayMS uint64
	PatienceMS     uint64
	StaleMS        uint64
	CloseWaitMS    uint64
	FileMode       uint32
}

// Opens stores on servers, if the library for that is linked; otherwise libbinlog loads it.
var openStore C.binlog_store_open_callback

func (a *arena) ship(o *ShipOptions) *C.binlog_ship_options {
	c := &makeC[C.binlog_ship_options](a, 1)[0]
	c.struct_size = C.sizeof_binlog_ship_options
	if o.NoRollAtClose {
		c.flags |= C.BINLOG_SHIP_NO_ROLL_AT_CLOSE
	}
	if o.DryRun {
		c.flags |= C.BINLOG_SHIP_DRY_RUN
	}
	c.in_flight = C.uint32_t(o.InFlight)
	c.url = a.text(o.URL, "the store's URL")
	c.credentials = a.optional(o.Credentials, "the file of credentials")
	c.keep = a.retention(&o.Keep)
	c.keep_remote = a.retention(&o.KeepRemote)
	if o.Compress != nil {
		c.compress = a.compress(o.Compress)
	}
	c.part_bytes = C.uint64_t(o.PartBytes)
	c.bandwidth = C.uint64_t(o.Bandwidth)
	c.timeout_ms = C.uint64_t(o.TimeoutMS)
	c.first_delay_ms = C.uint64_t(o.FirstDelayMS)
	c.longest_delay_ms = C.uint64_t(o.LongestDelayMS)
	c.patience_ms = C.uint64_t(o.PatienceMS)
	c.stale_ms = C.uint64_t(o.StaleMS)
	c.close_wait_ms = C.uint64_t(o.CloseWaitMS)
	c.file_mode = C.uint32_t(o.FileMode)
	c.threads = C.uint32_t(o.Threads)
	c.open_store, c.open_store_userdata = openStore, nil
	return c
}

// ShipStatus is binlog_ship_status. LastFailure is nil when nothing has failed.
type ShipStatus struct {
	Log, Store                      string
	State                           uint32
	WaitingSegments, WaitingBytes   uint64
	OldestWaitingNS                 int64
	UploadedSegments, UploadedBytes uint64
	SentBytes                       uint64
	PrunedSegments                  uint64
	Failures                        uint64
	LastFailureNS                   int64
	LastUploadNS                    int64
	ShippedUpTo                     uint64
	DamagedSegments                 uint64
	MissingSegments                 uint64
	LastFailure                     *Error
}

func shipStatus(r *C.blgo_ship_status) (ShipStatus, *Error) {
	if r.err != nil {
		return ShipStatus{}, result(r.err)
	}
	c := &r.status
	return ShipStatus{
		Log:              C.GoString(c.log),
		Store:            C.GoString(c.store),
		State:            uint32(c.state),
		WaitingSegments:  uint64(c.waiting_segments),
		WaitingBytes:     uint64(c.waiting_bytes),
		OldestWaitingNS:  int64(c.oldest_waiting_ns),
		UploadedSegments: uint64(c.uploaded_segments),
		UploadedBytes:    uint64(c.uploaded_bytes),
		SentBytes:        uint64(c.sent_bytes),
		PrunedSegments:   uint64(c.pruned_segments),
		Failures:         uint64(c.failures),
		LastFailureNS:    int64(c.last_failure_ns),
		LastUploadNS:     int64(c.last_upload_ns),
		ShippedUpTo:      uint64(c.shipped_up_to),
		DamagedSegments:  uint64(c.damaged_segments),
		MissingSegments:  uint64(c.missing_segments),
		LastFailure:      result(r.failure),
	}, nil
}

func metrics(r C.blgo_metrics) (string, *Error) {
	defer free(unsafe.Pointer(r.text))
	if r.err != nil {
		return "", result(r.err)
	}
	return C.GoStringN(r.text, C.int(r.len)), nil
}

// ShipEvent is binlog_ship_event.
type ShipEvent struct {
	Kind     uint32
	Found    bool
	Path     string
	Sequence uint64
	Bytes    uint64
	Err      *Error
	WaitNS   int64
}

// ShipReport is binlog_ship_report.
type ShipReport struct {
	UploadedSegments, UploadedBytes uint64
	FoundSegments                   uint64
	PrunedSegments, PrunedBytes     uint64
	Stopped                         bool
}

// ShipProblem is binlog_ship_problem.
type ShipProblem struct {
	Kind         uint32
	IsHere       bool
	Sequence     uint64
	LastSequence uint64
	Object       string
	Message      string
}

// ShipVerified is binlog_ship_verified with the problems.
type ShipVerified struct {
	SoundSegments, SoundBytes   uint64
	WaitingSegments             uint64
	FirstSequence, LastSequence uint64
	AcceptedSegments            uint64
	Stopped                     bool
	Problems                    []ShipProblem
}

// shipping is one call: its callback, and the problems that it has found.
type shipping struct {
	events   callback[ShipEvent]
	problems []ShipProblem
}

// Shipper is a binlog_shipper. The function of Run, Follow and Verify may be nil; a panic of it continues in
// their caller.
type Shipper struct{ c *C.binlog_shipper }

// OpenShipper opens one.
func OpenShipper(directory, log string, options *ShipOptions) (Shipper, *Error) {
	var a arena
	defer a.free()
	place, name, c := a.text(directory, "the directory"), a.optional(log, "the log's name"), a.ship(options)
	if a.err != nil {
		return Shipper{}, a.err
	}
	r := C.blgo_shipper_open(place, name, c)
	return Shipper{(*C.binlog_shipper)(r.handle)}, result(r.err)
}

func (s Shipper) caller() caller { return caller(uintptr(unsafe.Pointer(s.c))) }

// IsCalling says whether this goroutine runs a function that the shipper has called, and for which closing would wait.
func (s Shipper) IsCalling() bool { return s.caller().isCalling() }

// Run ships all segments that are closed.
func (s Shipper) Run(onEvent func(ShipEvent) bool) (ShipReport, *Error) {
	call := shipping{events: callback[ShipEvent]{function: onEvent, by: s.caller()}}
	handle, drop := call.lend(onEvent != nil)
	defer drop()
	r := C.blgo_shipper_run(s.c, handle)
	err := result(r.err)
	call.events.repanic()
	return ShipReport{
		UploadedSegments: uint64(r.report.uploaded_segments),
		UploadedBytes:    uint64(r.report.uploaded_bytes),
		FoundSegments:    uint64(r.report.found_segments),
		PrunedSegments:   uint64(r.report.pruned_segments),
		PrunedBytes:      uint64(r.report.pruned_bytes),
		Stopped:          r.report.stopped != 0,
	}, err
}

// Follow ships until it is stopped.
func (s Shipper) Follow(onEvent func(ShipEvent) bool) *Error {
	call := shipping{events: callback[ShipEvent]{function: onEvent, by: s.caller()}}
	handle, drop := call.lend(onEvent != nil)
	defer drop()
	r := C.blgo_shipper_follow(s.c, handle)
	err := result(r.err)
	call.events.repanic()
	return err
}

// lend registers the call for its duration; 0 when it reports nothing.
func (s *shipping) lend(reports bool) (handle C.uintptr_t, drop func()) {
	if !reports {
		return 0, func() {}
	}
	handle = lend(s)
	return handle, func() { blgoDrop(handle) }
}

// Verify compares what the store holds with what is here.
func (s Shipper) Verify(readBack bool, onEvent func(ShipEvent) bool) (ShipVerified, *Error) {
	call := shipping{events: callback[ShipEvent]{function: onEvent, by: s.caller()}}
	handle, drop := call.lend(true)
	defer drop()
	var flags, events C.uint32_t
	if readBack {
		flags = C.BINLOG_SHIP_VERIFY_READ_BACK
	}
	if onEvent != nil {
		events = 1
	}
	r := C.blgo_shipper_verify(s.c, flags, events, handle)
	err := result(r.err)
	call.events.repanic()
	return ShipVerified{
		SoundSegments:    uint64(r.sums.sound_segments),
		SoundBytes:       uint64(r.sums.sound_bytes),
		WaitingSegments:  uint64(r.sums.waiting_segments),
		FirstSequence:    uint64(r.sums.first_sequence),
		LastSequence:     uint64(r.sums.last_sequence),
		AcceptedSegments: uint64(r.sums.accepted_segments),
		Stopped:          r.sums.stopped != 0,
		Problems:         call.problems,
	}, err
}

// Accept says that a damaged segment is sent as it is, or that a missing one is lost.
func (s Shipper) Accept(segment string) *Error {
	var a arena
	defer a.free()
	text := a.text(segment, "the segment")
	if a.err != nil {
		return a.err
	}
	return result(C.blgo_shipper_accept(s.c, text).err)
}

// Replace makes room in the store for a segment.
func (s Shipper) Replace(segment string) *Error {
	var a arena
	defer a.free()
	text := a.text(segment, "the segment")
	if a.err != nil {
		return a.err
	}
	return result(C.blgo_shipper_replace(s.c, text).err)
}

// Forget forgets the store.
func (s Shipper) Forget() *Error { return result(C.blgo_shipper_forget(s.c).err) }

// Stop ends the calls that ship or compare, soon, and later ones at once.
func (s Shipper) Stop() { C.binlog_shipper_stop(s.c) }

// Status returns the progress.
func (s Shipper) Status() (ShipStatus, *Error) {
	r := C.blgo_shipper_status(s.c)
	return shipStatus(&r)
}

// Metrics returns it in the text format of Prometheus.
func (s Shipper) Metrics() (string, *Error) { return metrics(C.blgo_shipper_metrics(s.c)) }

// Close frees the shipper.
func (s Shipper) Close() { C.binlog_shipper_close(s.c) }

//export blgoEvent
func blgoEvent(handle C.uintptr_t, c *C.binlog_ship_event, err *C.blgo_error) C.int32_t {
	event := ShipEvent{
		Kind:     uint32(c.kind),
		Found:    c.found != 0,
		Path:     C.GoString(c.path),
		Sequence: uint64(c.sequence),
		Bytes:    uint64(c.bytes),
		WaitNS:   int64(c.wait_ns),
	}
	if c.error != nil {
		event.Err = facts(err)
	}
	return stop(value[*shipping](handle).events.call(event))
}

//export blgoProblem
func blgoProblem(handle C.uintptr_t, problem *C.binlog_ship_problem) {
	call := value[*shipping](handle)
	call.problems = append(call.problems, ShipProblem{
		Kind:         uint32(problem.kind),
		IsHere:       problem.is_here != 0,
		Sequence:     uint64(problem.sequence),
		LastSequence: uint64(problem.last_sequence),
		Object:       C.GoString(problem.object),
		Message:      C.GoString(problem.message),
	})
}
