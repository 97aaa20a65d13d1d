package binlog

import (
	"fmt"
	"io/fs"
	"maps"
	"math"
	"slices"
	"time"

	"binlog/internal/cbinlog"
)

// WriterOption says how a log is written; [OpenWriter] takes any number of them.
type WriterOption interface{ applyToWriter(*writerConfig) }

// OpenOption is an option of writers and of readers.
type OpenOption interface {
	WriterOption
	ReaderOption
}

type writerConfig struct {
	cbinlog.WriterOptions
	onFailure func(*Error)
	check     func(SegmentState) bool
	// The first invalid value of an option.
	err *Error
}

type writerOption func(*writerConfig)

func (o writerOption) applyToWriter(c *writerConfig) { o(c) }

func (c *writerConfig) invalid(format string, args ...any) {
	if c.err == nil {
		c.err = invalid(format, args...)
	}
}

// Codec says how payloads are compressed, block by block.
type Codec uint32

const (
	// CodecNone leaves payloads as they are.
	CodecNone Codec = 0
	// CodecLZ4 is the fastest.
	CodecLZ4 Codec = 1
	// CodecZstd is smaller.
	CodecZstd Codec = 2
)

// Lag limits how far one state may be behind another: in records, in bytes of payload, and in time. Zeros are the
// defaults.
type Lag struct {
	// Records and Bytes: an append that would leave so many behind catches up before it returns; 0: no limit.
	Records, Bytes uint64
	// Interval: what is so old is caught up with, on time [WithBackground], else in the next append or [Writer.Tick].
	// Rounded up to milliseconds; less than 0 means never.
	Interval time.Duration
}

// Unlimited is for [WithSegmentBytes]: a segment may grow to any size.
const Unlimited uint64 = math.MaxUint64

const never = math.MaxUint32

// WithBackground encodes and writes in a thread of the library, which also keeps the intervals.
func WithBackground() WriterOption {
	return writerOption(func(c *writerConfig) { c.Background = true })
}

// WithName gives the log a name of 1 to 128 bytes of UTF-8 without a slash, with which its files' names begin.
// "default" without it.
func WithName(name string) WriterOption {
	return writerOption(func(c *writerConfig) {
		c.Name = name
		if name == "" {
			c.invalid("the log's name is empty")
		}
	})
}

// WithContentType gives the MIME type of the payloads. "application/octet-stream" without it.
func WithContentType(contentType string) WriterOption {
	return writerOption(func(c *writerConfig) { c.ContentType = contentType })
}

// WithParameters stores facts of your own in every segment's header.
func WithParameters(parameters map[string]string) WriterOption {
	return writerOption(func(c *writerConfig) { c.Parameters = pairsOf(parameters) })
}

// pairsOf returns key, value, key, value ..., sorted by key.
func pairsOf(m map[string]string) []string {
	var pairs []string
	for _, key := range slices.Sorted(maps.Keys(m)) {
		pairs = append(pairs, key, m[key])
	}
	return pairs
}

// WithCodec compresses payloads.
func WithCodec(codec Codec) WriterOption {
	return writerOption(func(c *writerConfig) { c.Codec = uint32(codec) })
}

// WithZstd compresses payloads with Zstandard at a level; 0 means 1.
func WithZstd(level int) WriterOption {
	return writerOption(func(c *writerConfig) {
		c.Codec = uint32(CodecZstd)
		c.CodecLevel = int32(level)
		if int64(level) != int64(c.CodecLevel) {
			c.invalid("%d is no level of Zstandard", level)
		}
	})
}

// WithBlockBytes ends blocks at so many bytes of payload: 4 KiB to 16 MiB. 128 KiB without it.
func WithBlockBytes(n uint32) WriterOption {
	return writerOption(func(c *writerConfig) { c.BlockBytes = n })
}

// WithSegmentBytes rolls to a new segment before one grows over so many bytes. 1 GiB without it. A segment contains at
// least one block, and can be larger because of it: a block of small records has up to 256 KiB of entries.
func WithSegmentBytes(n uint64) WriterOption {
	return writerOption(func(c *writerConfig) { c.SegmentBytes = n })
}

// WithRecordMaxBytes refuses payloads that are longer, up to 2 GiB - 1. 1 GiB without it.
func WithRecordMaxBytes(n uint64) WriterOption {
	return writerOption(func(c *writerConfig) { c.RecordMaxBytes = n })
}

// WithFlush limits what is only in the writer's memory, and would be lost with the process. Without it, or with an
// Interval of 0, that is what was appended in the last second.
func WithFlush(lag Lag) WriterOption {
	return writerOption(func(c *writerConfig) {
		c.FlushRecords, c.FlushBytes = lag.Records, lag.Bytes
		c.FlushIntervalMS = c.interval(lag.Interval)
	})
}

// WithSync limits what is not yet on the disk, and would be lost with the machine. Lag{Records: 1} makes each append
// durable before it returns. Without it, and with an Interval of 0, only [Writer.Sync], rolling and closing make
// records durable.
func WithSync(lag Lag) WriterOption {
	return writerOption(func(c *writerConfig) {
		c.SyncRecords, c.SyncBytes = lag.Records, lag.Bytes
		c.SyncIntervalMS = c.interval(lag.Interval)
	})
}

// interval is in milliseconds of 32 bits; larger values mean never, as does less than 0.
func (c *writerConfig) interval(d time.Duration) uint32 {
	ms := (uint64(d) + uint64(time.Millisecond) - 1) / uint64(time.Millisecond)
	if d < 0 || ms >= never {
		return never
	}
	return uint32(ms)
}

// milliseconds returns a rule's time, rounded up; less than 0 is an error.
func milliseconds(d time.Duration, what string) (uint64, *Error) {
	if d < 0 {
		return 0, invalid("%s is %s, less than nothing", what, d)
	}
	return (uint64(d) + uint64(time.Millisecond) - 1) / uint64(time.Millisecond), nil
}

func (c *writerConfig) milliseconds(d time.Duration, what string) uint64 {
	ms, err := milliseconds(d, what)
	if err != nil && c.err == nil {
		c.err = err
	}
	return ms
}

// WithFileMode gives new files these permission bits, whatever the umask is. 0640 without it.
func WithFileMode(mode fs.FileMode) WriterOption {
	return writerOption(func(c *writerConfig) {
		c.FileMode = uint32(mode.Perm())
		if mode&^fs.ModePerm != 0 || mode == 0 {
			c.invalid("%v is no permission bits for a file", mode)
		}
	})
}

// WithFileGroup gives new files a group, by name or by its number in digits.
func WithFileGroup(group string) WriterOption {
	return writerOption(func(c *writerConfig) { c.FileGroup = group })
}

// WithFullDiskWait lets append, flush, sync, roll and close wait for space on a full disk, for `limit` at the most (0
// is for ever), instead of failing with [ErrNoSpace] at once. A program that must be able to close on a full disk sets
// a limit.
func WithFullDiskWait(limit time.Duration) WriterOption {
	return writerOption(func(c *writerConfig) {
		c.FullDisk = fullDiskWait
		c.FullDiskWaitMS = c.milliseconds(limit, "the limit of waiting for space")
	})
}

// WithFullDiskDrop lets an append that finds no space on a full disk drop its record, or all of its batch, instead of
// failing with [ErrNoSpace]: it returns the id 0 and no error, and [Writer.Dropped] counts. Flush, sync, roll and close
// fail as long as accepted records cannot be written.
func WithFullDiskDrop() WriterOption {
	return writerOption(func(c *writerConfig) { c.FullDisk = fullDiskDrop })
}

const (
	fullDiskWait = 1
	fullDiskDrop = 2
)

// WithIndexBytes writes an INDEX block after so many bytes of the file, at least 4096: an opening after a crash may
// have to search as much. 64 MiB without it.
func WithIndexBytes(n uint64) WriterOption {
	return writerOption(func(c *writerConfig) { c.IndexBytes = n })
}

// WithSchemaBytes lets the schemas of the log's types have so many bytes together, up to 64 MiB: each segment begins with
// all of them. 1 MiB without it.
func WithSchemaBytes(n uint64) WriterOption {
	return writerOption(func(c *writerConfig) { c.SchemaBytes = n })
}

// WithFillAhead fills a segment with zeros ahead of its blocks, n bytes at a time, up to 64 MiB: a sync then commits data
// alone, which on ext4 takes two thirds of the time. The file is up to n bytes longer than its contents until it is
// closed, and everything is written twice. 0 is never. Without this option, n is 1 MiB if [WithSync] syncs at least each
// 64 records, each 64 KiB or each 10 ms, and 0 otherwise.
func WithFillAhead(n uint64) WriterOption {
	if n == 0 {
		n = math.MaxUint64 // BINLOG_FILL_NEVER
	}
	return writerOption(func(c *writerConfig) { c.FillAheadBytes = n })
}

// WithHeartbeat writes an [EventHeartbeat] when so much time has passed since the last one, [WithBackground] or in
// [Writer.Tick]: it shows a reader that the writer of an idle log is alive.
func WithHeartbeat(every time.Duration) WriterOption {
	return writerOption(func(c *writerConfig) { c.HeartbeatMS = c.milliseconds(every, "the time between heartbeats") })
}

// WithRoll says when the log rolls besides its segments' size, and the names of segments.
func WithRoll(roll RollOptions) WriterOption {
	return writerOption(func(c *writerConfig) {
		options, err := roll.options()
		if err != nil && c.err == nil {
			c.err = err
		}
		c.Roll, c.check = options, roll.Check
	})
}

// WithKeep removes old segments after each roll and when the log is opened. Without it all stay.
func WithKeep(keep Retention) WriterOption {
	return writerOption(func(c *writerConfig) {
		rules, err := keep.rules()
		if err != nil && c.err == nil {
			c.err = err
		}
		c.Keep = rules
	})
}

// WithRequired opens an existing log only if it has these properties: [ErrMismatch] otherwise. For writers and readers.
func WithRequired(required Required) OpenOption { return requiredOption(required) }

type requiredOption Required

func (o requiredOption) applyToWriter(c *writerConfig) { c.Require = Required(o).required() }
func (o requiredOption) applyToReader(c *readerConfig) { c.Require = Required(o).required() }

// WithOnOpen runs hooks when a segment is begun, or an existing one is continued; in their order.
func WithOnOpen(hooks ...Hook) WriterOption {
	return writerOption(func(c *writerConfig) { c.OnOpen = hooksOf(hooks) })
}

// WithOnClose runs hooks when a segment was closed and is durable, also for the last one, when the writer is closed.
func WithOnClose(hooks ...Hook) WriterOption {
	return writerOption(func(c *writerConfig) { c.OnClose = hooksOf(hooks) })
}

// WithOnFailure calls `report` with failures that no call returns: of a hook, the removal of an old segment, the
// `.active` file, an active file that was removed by others, shipping to a store, a check that panicked.
// [Writer.Failures] counts them, except for the checks. If the function panics, that is lost.
func WithOnFailure(report func(*Error)) WriterOption {
	return writerOption(func(c *writerConfig) { c.onFailure = report })
}

// options are those for the library.
func (c *writerConfig) options() *cbinlog.WriterOptions {
	if report := c.onFailure; report != nil {
		c.OnFailure = func(err *cbinlog.Error) { report(publicError(err)) }
	}
	c.Roll.Check = checkOf(c.check, c.onFailure)
	return &c.WriterOptions
}

func checkOf(check func(SegmentState) bool, onFailure func(*Error)) *cbinlog.Check {
	if check == nil {
		return nil
	}
	return &cbinlog.Check{
		Ask: func(state cbinlog.SegmentState) bool { return check(SegmentState(state)) },
		Panicked: func(state cbinlog.SegmentState, panicked *cbinlog.Panicked) {
			if onFailure != nil {
				onFailure(&Error{
					Status:  ErrInvalid,
					Message: fmt.Sprintf("a check for rolling failed: %v: %s", panicked, state.Path),
					Path:    state.Path, Offset: -1,
				})
			}
		},
	}
}
