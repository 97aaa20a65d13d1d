package cbinlog

// #include "shim.h"
//
// #cgo noescape blgo_reader_plan
// #cgo nocallback blgo_reader_plan
import "C"

import "unsafe"

// Split is a binlog_split.
type Split struct {
	Token, Location     string
	FirstID, LastID     uint64
	Records, Bytes      uint64
	FirstTime, LastTime int64
}

// Plan divides what the filter selects into splits.
func (r Reader) Plan(filter *Filter, targetBytes, most uint64) ([]Split, *Error) {
	var a arena
	defer a.free()
	c := a.filter(filter)
	options := &makeC[C.binlog_plan_options](&a, 1)[0]
	options.struct_size = C.sizeof_binlog_plan_options
	options.target_bytes, options.most = C.uint64_t(targetBytes), C.uint64_t(most)
	if a.err != nil {
		return nil, a.err
	}
	found := C.blgo_reader_plan(r.c, c, options)
	defer free(unsafe.Pointer(found.splits))
	defer C.binlog_plan_close(found.plan)
	if err := result(found.err); err != nil {
		return nil, err
	}
	all := make([]Split, found.n)
	for i, s := range unsafe.Slice(found.splits, found.n) {
		all[i] = Split{
			Token: C.GoString(s.token), Location: C.GoString(s.location),
			FirstID: uint64(s.first_id), LastID: uint64(s.last_id), Records: uint64(s.records), Bytes: uint64(s.bytes),
			FirstTime: int64(s.first_time_ns), LastTime: int64(s.last_time_ns),
		}
	}
	return all, nil
}
