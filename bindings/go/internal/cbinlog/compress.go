package cbinlog

// Calls that compress may report their progress: they call back.

// #include "shim.h"
//
// #cgo noescape blgo_set_progress
// #cgo nocallback blgo_set_progress
import "C"

// CompressOptions are binlog_compress_options.
type CompressOptions struct {
	Codec        uint32
	Level        int32
	Threads      uint32
	BlockBytes   uint32
	Whole        uint32
	KeepSource   bool
	SHA256Name   bool
	NoDictionary bool
	DryRun       bool
	RemoveSingle bool
	// Progress returns whether to continue. Not within ShipOptions.
	Progress func(Progress) bool
}

// Progress is binlog_progress.
type Progress struct {
	Path        string
	Done, Bytes uint64
}

// Compressed is binlog_compressed.
type Compressed struct {
	Path          string
	Source        string
	SHA256        string
	Sequence      uint64
	Records       uint64
	BytesBefore   uint64
	BytesAfter    uint64
	SourceRemoved bool
}

// compression is one call: its callback, and the segments that it has made.
type compression struct {
	progress callback[Progress]
	made     []Compressed
}

func (a *arena) compress(o *CompressOptions) *C.binlog_compress_options {
	c := &makeC[C.binlog_compress_options](a, 1)[0]
	c.struct_size = C.sizeof_binlog_compress_options
	c.codec = C.uint32_t(o.Codec)
	c.level = C.int32_t(o.Level)
	c.threads = C.uint32_t(o.Threads)
	c.block_bytes = C.uint32_t(o.BlockBytes)
	c.whole = C.uint32_t(o.Whole)
	for _, flag := range []struct {
		on  bool
		bit C.uint32_t
	}{
		{o.KeepSource, C.BINLOG_COMPRESS_KEEP_SOURCE},
		{o.SHA256Name, C.BINLOG_COMPRESS_SHA256_NAME},
		{o.NoDictionary, C.BINLOG_COMPRESS_NO_DICTIONARY},
		{o.DryRun, C.BINLOG_COMPRESS_DRY_RUN},
		{o.RemoveSingle, C.BINLOG_COMPRESS_REMOVE_SINGLE},
	} {
		if flag.on {
			c.flags |= flag.bit
		}
	}
	return c
}

// Compress compresses finished segments. A panic of Progress continues in the caller.
func Compress(path, log string, options *CompressOptions) ([]Compressed, *Error) {
	return compress(path, log, options, true)
}

// Decompress makes ordinary segments from compressed ones, and otherwise is as
// Compress.
func Decompress(path, log string, options *CompressOptions) ([]Compressed, *Error) {
	return compress(path, log, options, false)
}

func compress(path, log string, options *CompressOptions, forth bool) ([]Compressed, *Error) {
	var a arena
	defer a.free()
	place, name, c := a.text(path, "the path"), a.optional(log, "the log's name"), a.compress(options)
	if a.err != nil {
		return nil, a.err
	}
	call := compression{progress: callback[Progress]{function: options.Progress}}
	handle := lend(&call)
	defer blgoDrop(handle)
	if options.Progress != nil {
		C.blgo_set_progress(c, handle)
	}
	var r C.blgo_result
	if forth {
		r = C.blgo_compress(place, name, c, handle)
	} else {
		r = C.blgo_decompress(place, name, c, handle)
	}
	err := result(r.err)
	call.progress.repanic()
	return call.made, err
}

//export blgoProgress
func blgoProgress(handle C.uintptr_t, c *C.binlog_progress) C.int32_t {
	progress := Progress{Path: C.GoString(c.path), Done: uint64(c.done), Bytes: uint64(c.bytes)}
	return stop(value[*compression](handle).progress.call(progress))
}

//export blgoCompressed
func blgoCompressed(handle C.uintptr_t, compressed *C.binlog_compressed) {
	call := value[*compression](handle)
	call.made = append(call.made, Compressed{
		Path:          C.GoString(compressed.path),
		Source:        C.GoString(compressed.source),
		SHA256:        C.GoString(compressed.sha256),
		Sequence:      uint64(compressed.sequence),
		Records:       uint64(compressed.records),
		BytesBefore:   uint64(compressed.bytes_before),
		BytesAfter:    uint64(compressed.bytes_after),
		SourceRemoved: compressed.source_removed != 0,
	})
}
