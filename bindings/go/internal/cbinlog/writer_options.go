package cbinlog

// #include "shim.h"
import "C"

import "unsafe"

// WriterOptions are binlog_writer_options; zero means the default.
type WriterOptions struct {
	Background      bool
	Codec           uint32
	CodecLevel      int32
	BlockBytes      uint32
	Name            string
	ContentType     string
	Parameters      []string // key, value, key, value ...
	SegmentBytes    uint64
	RecordMaxBytes  uint64
	FlushRecords    uint64
	FlushBytes      uint64
	SyncRecords     uint64
	SyncBytes       uint64
	FlushIntervalMS uint32
	SyncIntervalMS  uint32
	FileMode        uint32
	FullDisk        uint32
	FullDiskWaitMS  uint64
	IndexBytes      uint64
	SchemaBytes     uint64
	FillAheadBytes  uint64
	Roll            RollOptions
	Keep            Retention
	Require         Required
	OnOpen, OnClose []Hook
	OnFailure       func(*Error)
	HeartbeatMS     uint64
	FileGroup       string
	Ship            *ShipOptions // nil: nothing is shipped
}

// RollOptions are binlog_roll_options.
type RollOptions struct {
	PeriodS      uint64
	AgeMS        uint64
	Records      uint64
	Zone         string
	NameTemplate string
	Check        *Check
}

// Retention is binlog_retention.
type Retention struct {
	AgeMS    uint64
	Segments uint64
	Bytes    uint64
	// Unshipped: segments that no store holds are removed, too.
	Unshipped bool
}

// Required is binlog_required.
type Required struct {
	Name        string
	ContentType string
	Parameters  []string
}

func (a *arena) roll(o *RollOptions) *C.binlog_roll_options {
	c := &makeC[C.binlog_roll_options](a, 1)[0]
	c.struct_size = C.sizeof_binlog_roll_options
	c.period_s = C.uint64_t(o.PeriodS)
	c.age_ms = C.uint64_t(o.AgeMS)
	c.records = C.uint64_t(o.Records)
	c.zone = a.optional(o.Zone, "the zone")
	c.name_template = a.optional(o.NameTemplate, "the template of names")
	return c
}

// handOver passes the check to C, immediately before the call that takes it.
func (o *RollOptions) handOver(c *C.binlog_roll_options, w Writer) {
	if o.Check != nil {
		C.blgo_set_check(c, lend(called[*Check]{w, o.Check}))
	}
}

func (a *arena) retention(o *Retention) *C.binlog_retention {
	c := &makeC[C.binlog_retention](a, 1)[0]
	c.struct_size = C.sizeof_binlog_retention
	c.age_ms = C.uint64_t(o.AgeMS)
	c.segments = C.uint64_t(o.Segments)
	c.bytes = C.uint64_t(o.Bytes)
	if o.Unshipped {
		c.flags = C.BINLOG_RETENTION_UNSHIPPED
	}
	return c
}

func (a *arena) required(o *Required) *C.binlog_required {
	c := &makeC[C.binlog_required](a, 1)[0]
	c.struct_size = C.sizeof_binlog_required
	c.name = a.optional(o.Name, "the required name")
	c.content_type = a.optional(o.ContentType, "the required content type")
	c.parameters = a.texts(o.Parameters, "a required parameter")
	c.parameter_count = C.size_t(len(o.Parameters) / 2)
	return c
}

func (a *arena) hooks(all []Hook) []C.binlog_hook {
	array := makeC[C.binlog_hook](a, len(all))
	for i := range all {
		array[i].kind = C.uint32_t(all[i].Kind)
		array[i].argument = a.optional(all[i].Argument, "a hook's argument")
	}
	return array
}

func handOverHooks(all []Hook, array []C.binlog_hook, w Writer) {
	for i := range all {
		if all[i].Call != nil {
			C.blgo_set_hook(&array[i], lend(called[hookFunc]{w, all[i].Call}))
		}
	}
}

// writerOptions makes the options of C, and a function that registers the callbacks in them. That is done immediately
// before the call that takes them: from then on the library drops them, whatever the result.
func (a *arena) writerOptions(o *WriterOptions) (c *C.binlog_writer_options, handOver func(Writer)) {
	c = &makeC[C.binlog_writer_options](a, 1)[0]
	c.struct_size = C.sizeof_binlog_writer_options
	if o.Background {
		c.flags = C.BINLOG_WRITER_BACKGROUND
	}
	c.codec = C.uint32_t(o.Codec)
	c.codec_level = C.int32_t(o.CodecLevel)
	c.block_bytes = C.uint32_t(o.BlockBytes)
	c.name = a.optional(o.Name, "the log's name")
	c.content_type = a.optional(o.ContentType, "the content type")
	c.parameters = a.texts(o.Parameters, "a parameter")
	c.parameter_count = C.size_t(len(o.Parameters) / 2)
	c.segment_bytes = C.uint64_t(o.SegmentBytes)
	c.record_max_bytes = C.uint64_t(o.RecordMaxBytes)
	c.flush_records = C.uint64_t(o.FlushRecords)
	c.flush_bytes = C.uint64_t(o.FlushBytes)
	c.sync_records = C.uint64_t(o.SyncRecords)
	c.sync_bytes = C.uint64_t(o.SyncBytes)
	c.flush_interval_ms = C.uint32_t(o.FlushIntervalMS)
	c.sync_interval_ms = C.uint32_t(o.SyncIntervalMS)
	c.file_mode = C.uint32_t(o.FileMode)
	c.full_disk = C.uint32_t(o.FullDisk)
	c.full_disk_wait_ms = C.uint64_t(o.FullDiskWaitMS)
	c.index_bytes = C.uint64_t(o.IndexBytes)
	c.schema_bytes = C.uint64_t(o.SchemaBytes)
	c.fill_ahead_bytes = C.uint64_t(o.FillAheadBytes)
	c.heartbeat_ms = C.uint64_t(o.HeartbeatMS)
	c.file_group = a.optional(o.FileGroup, "the group of files")
	if o.Ship != nil {
		c.ship = a.ship(o.Ship)
	}
	roll := a.roll(&o.Roll)
	c.roll = roll
	c.keep = a.retention(&o.Keep)
	c.require = a.required(&o.Require)
	onOpen, onClose := a.hooks(o.OnOpen), a.hooks(o.OnClose)
	c.on_open, c.on_open_count = unsafe.SliceData(onOpen), C.size_t(len(onOpen))
	c.on_close, c.on_close_count = unsafe.SliceData(onClose), C.size_t(len(onClose))
	return c, func(w Writer) {
		o.Roll.handOver(roll, w)
		handOverHooks(o.OnOpen, onOpen, w)
		handOverHooks(o.OnClose, onClose, w)
		if o.OnFailure != nil {
			C.blgo_set_failure(c, lend(called[failureFunc]{w, o.OnFailure}))
		}
	}
}
