package cbinlog

// Calls that read may report losses, and closing drops the listener: both call back.

// #include "shim.h"
//
// #cgo noescape blgo_reader_segments
// #cgo nocallback blgo_reader_segments
import "C"

import (
	"time"
	"unsafe"
)

// ReaderOptions are binlog_reader_options.
type ReaderOptions struct {
	Mode          uint32
	OnLoss        *LossListener
	Require       Required
	Cache         string
	CacheBytes    uint64
	Log           string
	Credentials   string
	BlockMaxBytes uint64
}

// Reader is a binlog_reader.
type Reader struct{ c *C.binlog_reader }

// OpenReader opens a segment, a directory, the files that match a pattern, or the URL of a store.
func OpenReader(path string, options *ReaderOptions) (Reader, *Error) {
	return openReader(path, "the path", options, func(place *C.char, c *C.binlog_reader_options) C.blgo_opened {
		return C.blgo_reader_open(place, c)
	})
}

// OpenSplit opens a split by its token.
func OpenSplit(token string, options *ReaderOptions) (Reader, *Error) {
	return openReader(token, "the token", options, func(place *C.char, c *C.binlog_reader_options) C.blgo_opened {
		return C.blgo_split_open(place, c)
	})
}

func openReader(
	path, what string, options *ReaderOptions, open func(*C.char, *C.binlog_reader_options) C.blgo_opened,
) (Reader, *Error) {
	var a arena
	defer a.free()
	c := &makeC[C.binlog_reader_options](&a, 1)[0]
	c.struct_size = C.sizeof_binlog_reader_options
	c.mode = C.uint32_t(options.Mode)
	c.require = a.required(&options.Require)
	c.cache = a.optional(options.Cache, "the directory of the cache")
	c.cache_bytes = C.uint64_t(options.CacheBytes)
	c.block_max_bytes = C.uint64_t(options.BlockMaxBytes)
	c.credentials = a.optional(options.Credentials, "the file of credentials")
	c.log = a.optional(options.Log, "the log's name")
	c.open_store, c.open_store_userdata = openStore, nil
	place := a.text(path, what)
	if a.err != nil {
		return Reader{}, a.err
	}
	if options.OnLoss != nil {
		C.blgo_set_loss(c, lend(options.OnLoss))
	}
	r := open(place, c)
	return Reader{(*C.binlog_reader)(r.handle)}, result(r.err)
}

// IsCalling says whether this goroutine runs the listener of losses, called while the reader opens a cursor.
func (r Reader) IsCalling() bool { return caller(uintptr(unsafe.Pointer(r.c))).isCalling() }

// Close frees the reader.
func (r Reader) Close() { C.binlog_reader_close(r.c) }

// Segment is what a segment's header contains.
type Segment struct {
	Sequence    uint64
	FirstID     uint64
	Created     time.Time
	Bytes       uint64
	Path        string
	Name        string
	ContentType string
	Parameters  map[string]string
}

// Segments returns all segments.
func (r Reader) Segments() ([]Segment, *Error) {
	found := C.blgo_reader_segments(r.c)
	defer free(unsafe.Pointer(found.segments))
	if err := result(found.err); err != nil {
		return nil, err
	}
	all := make([]Segment, found.n)
	for i, c := range unsafe.Slice(found.segments, found.n) {
		all[i] = Segment{
			Sequence:    uint64(c.sequence),
			FirstID:     uint64(c.first_id),
			Created:     time.Unix(0, int64(c.created_ns)),
			Bytes:       uint64(c.bytes),
			Path:        C.GoString(c.path),
			Name:        C.GoString(c.name),
			ContentType: C.GoString(c.content_type),
			Parameters:  make(map[string]string, c.parameter_count),
		}
		strings := unsafe.Slice(c.parameters, 2*c.parameter_count)
		for j := 0; j+1 < len(strings); j += 2 {
			all[i].Parameters[C.GoString(strings[j])] = C.GoString(strings[j+1])
		}
	}
	return all, nil
}

// Counts returns the number of records of each type.
func (r Reader) Counts() ([]TypeCount, *Error) {
	var all []TypeCount
	handle := lend(&all)
	defer blgoDrop(handle)
	counted := C.blgo_reader_counts(r.c, handle)
	return all, result(counted.err)
}

// TypeInfo is binlog_type_info.
type TypeInfo struct {
	Type                                 uint32
	Name, ContentType, Encoding, Message string
	Schema                               []byte
	SchemaSHA256                         [32]byte
}

func typeInfo(c *C.binlog_type_info) TypeInfo {
	info := TypeInfo{
		Type:        uint32(c._type),
		Name:        C.GoString(c.name),
		ContentType: C.GoString(c.content_type),
		Encoding:    C.GoString(c.encoding),
		Message:     C.GoString(c.message),
	}
	if c.schema_len != 0 {
		info.Schema = append([]byte(nil), view(c.schema, c.schema_len)...)
	}
	for i, b := range c.schema_sha256 {
		info.SchemaSHA256[i] = byte(b)
	}
	return info
}

// Types returns the named types of the log.
func (r Reader) Types() ([]TypeInfo, *Error) {
	var all []TypeInfo
	handle := lend(&all)
	defer blgoDrop(handle)
	described := C.blgo_reader_types(r.c, handle)
	return all, result(described.err)
}
