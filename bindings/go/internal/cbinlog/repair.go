package cbinlog

// #include "shim.h"
//
// #cgo noescape blgo_rebuild_index
// #cgo nocallback blgo_rebuild_index
import "C"

// Recovery is binlog_recovery.
type Recovery struct {
	Records     uint64
	LostRecords uint64
	Losses      uint64
	Segments    uint64
}

func sums(c C.binlog_recovery) Recovery {
	return Recovery{
		Records:     uint64(c.records),
		LostRecords: uint64(c.lost_records),
		Losses:      uint64(c.losses),
		Segments:    uint64(c.segments),
	}
}

// lendForCall registers a listener for one call; 0 for nil.
func lendForCall(onLoss *LossListener) (handle C.uintptr_t, drop func()) {
	if onLoss == nil {
		return 0, func() {}
	}
	handle = lend(onLoss)
	return handle, func() { blgoDrop(handle) }
}

// Recover writes what can be read of a log to a new one.
func Recover(source, target string, onLoss *LossListener) (Recovery, *Error) {
	var a arena
	defer a.free()
	from, to := a.text(source, "the source"), a.text(target, "the target")
	if a.err != nil {
		return Recovery{}, a.err
	}
	handle, drop := lendForCall(onLoss)
	defer drop()
	r := C.blgo_recover(from, to, handle)
	return sums(r.sums), result(r.err)
}

// RecoverInPlace writes damaged segments anew.
func RecoverInPlace(path string, onLoss *LossListener) (Recovery, *Error) {
	var a arena
	defer a.free()
	place := a.text(path, "the path")
	if a.err != nil {
		return Recovery{}, a.err
	}
	handle, drop := lendForCall(onLoss)
	defer drop()
	r := C.blgo_recover_in_place(place, handle)
	return sums(r.sums), result(r.err)
}

// RebuildIndex completes the index of each segment that lacks a part.
func RebuildIndex(path string) (int, *Error) {
	var a arena
	defer a.free()
	place := a.text(path, "the path")
	if a.err != nil {
		return 0, a.err
	}
	r := C.blgo_rebuild_index(place)
	return int(r.value), result(r.err)
}

// Prune removes old segments, or with dryRun only returns which.
func Prune(path, log string, keep *Retention, dryRun bool) ([]Pruned, *Error) {
	var a arena
	defer a.free()
	place, name, rules := a.text(path, "the path"), a.optional(log, "the log's name"), a.retention(keep)
	if a.err != nil {
		return nil, a.err
	}
	var flags C.uint32_t
	if dryRun {
		flags = C.BINLOG_PRUNE_DRY_RUN
	}
	var all []Pruned
	handle := lend(&all)
	defer blgoDrop(handle)
	r := C.blgo_prune(place, name, rules, flags, handle)
	return all, result(r.err)
}
