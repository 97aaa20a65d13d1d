package binlog

import (
	"time"

	"binlog/internal/cbinlog"
)

// RollOptions say when a log rolls to a new segment besides [WithSegmentBytes], and the names of segments. The first
// rule that is met rolls. Zeros are no rules, and the default names.
type RollOptions struct {
	// Period rolls at each multiple of so much time, by the wall clock of Zone: time.Hour is each full hour, 24 hours each
	// midnight. Whole seconds, up to 100 years. Multiples of more than a day are counted from 1970-01-01.
	Period time.Duration
	// Age rolls so long after the segment was begun; rounded up to milliseconds.
	Age time.Duration
	// Records rolls after so many: no segment holds more, except for a larger batch.
	Records uint64
	// Zone is the time zone of Period and of the times in names, such as "Europe/Berlin"; "" is UTC.
	Zone string
	// NameTemplate is the name of segments: "{name}" is the log's name, "{seq}" the segment's number in ten digits, the
	// rest as in strftime(3), from a fixed set of conversions; "" is "{name}.{seq}". ".binlog" is added.
	NameTemplate string
	// Check rolls when it returns true. It is called after each write to the file and in [Writer.Tick], possibly by
	// several threads at the same time, and must not write to the log: see the package's documentation. A panic means
	// "no", and is reported to the function of [WithOnFailure].
	Check func(SegmentState) bool
}

func (o *RollOptions) options() (cbinlog.RollOptions, *Error) {
	c := cbinlog.RollOptions{Records: o.Records, Zone: o.Zone, NameTemplate: o.NameTemplate}
	if o.Period < 0 || o.Period%time.Second != 0 {
		return c, invalid("a log cannot roll every %s: a period is whole seconds", o.Period)
	}
	c.PeriodS = uint64(o.Period / time.Second)
	var err *Error
	c.AgeMS, err = milliseconds(o.Age, "the age at which a log rolls")
	return c, err
}

// Retention says which old segments are removed. All given rules apply; the segment that is being written stays in any
// case. Zeros are no rules.
type Retention struct {
	// Age: a segment is removed when the one after it was begun longer ago; rounded up to milliseconds.
	Age time.Duration
	// Segments: the oldest are removed until no more than so many are there, including the one being written.
	Segments uint64
	// Bytes: the oldest are removed until all together take no more than so many bytes, including the one being written.
	Bytes uint64
	// Unshipped: of a log that is shipped to a store, segments that no store holds are removed, too. Otherwise such a
	// segment stays, with those after it, whatever the rules say.
	Unshipped bool
}

func (r *Retention) rules() (cbinlog.Retention, *Error) {
	age, err := milliseconds(r.Age, "the age at which segments go")
	return cbinlog.Retention{AgeMS: age, Segments: r.Segments, Bytes: r.Bytes, Unshipped: r.Unshipped}, err
}

// Required is what the file headers of a log must contain for it to be opened. Zeros accept any log.
type Required struct {
	// Name is the log's name.
	Name string
	// ContentType is the MIME type of the payloads.
	ContentType string
	// Parameters must be there with these values; there may be others.
	Parameters map[string]string
}

func (r Required) required() cbinlog.Required {
	return cbinlog.Required{Name: r.Name, ContentType: r.ContentType, Parameters: pairsOf(r.Parameters)}
}

// SegmentState is the segment that is being written, as [RollOptions.Check] sees it.
type SegmentState struct {
	// Path is its file.
	Path string
	// Sequence is its number in the log, from 1.
	Sequence uint64
	// Created is when it was begun.
	Created time.Time
	// Now is the current time.
	Now time.Time
	// Bytes is the length of the file.
	Bytes uint64
	// FirstID is the id of the first record in it.
	FirstID uint64
	// Records is how many are in it.
	Records uint64
}

// SegmentFile is a segment, as hooks see it.
type SegmentFile struct {
	// Path is where its file is now.
	Path string
	// Log is the log's name.
	Log string
	// Reason is why it was closed: "bytes", "period", "age", "records", "check", "options", "moved", "close", or the
	// reason given to [Writer.RollBecause]; "" when it is being opened.
	Reason string
	// Sequence is its number in the log, from 1.
	Sequence uint64
	// Created is when it was begun.
	Created time.Time
	// FirstID is the id of the first record in it, or of the one that will be the first.
	FirstID uint64
	// Records is how many are in it.
	Records uint64
	// Bytes is the length of the file.
	Bytes uint64
}

// Hook is a step that is run with a segment. Hooks run one after the other, each with the place where the one before
// has left the file. One that fails is reported to the function of [WithOnFailure], and counted by [Writer.Failures];
// the others still run.
//
// They run outside of the library's locks: in a thread of the library [WithBackground]; with a goroutine that calls
// [Writer.Tick] often, in that call; else in the append, flush or other call that rolled, and in those that open or
// close (docs/rolling.md). A hook that appends, flushes, syncs, ticks, rolls or closes its own writer gets [ErrInvalid].
type Hook struct{ hook cbinlog.Hook }

const (
	hookCall            = 1
	hookChangeExtension = 2
	hookMoveTo          = 3
	hookDelete          = 4
)

// HookCall is a function of your own. It returns where it has moved the file, or "" when it has not. A panic is a
// failure of the hook. HookCall panics when there is no function.
func HookCall(call func(SegmentFile) (movedTo string, err error)) Hook {
	if call == nil {
		panic("binlog.HookCall: no function")
	}
	return Hook{cbinlog.Hook{Kind: hookCall, Call: func(segment cbinlog.SegmentFile) (string, *cbinlog.Error) {
		movedTo, err := call(SegmentFile(segment))
		if err != nil {
			return movedTo, cbinlog.Fail(int32(statusOf(err)), err.Error())
		}
		return movedTo, nil
	}}}
}

// HookChangeExtension gives the file another extension, such as ".done", in place of what follows the last dot of its
// name, that dot included. It never replaces a file: it fails.
func HookChangeExtension(extension string) Hook {
	return Hook{cbinlog.Hook{Kind: hookChangeExtension, Argument: extension}}
}

// HookMoveTo moves the file into a directory, which must exist; to another file system, too. A relative path is
// relative to the working directory at the time of the call that the hook is given to. It never replaces a file: it
// fails.
func HookMoveTo(directory string) Hook {
	return Hook{cbinlog.Hook{Kind: hookMoveTo, Argument: directory}}
}

// HookDelete removes the file. It should be the last hook: later ones find no file.
func HookDelete() Hook { return Hook{cbinlog.Hook{Kind: hookDelete}} }

func hooksOf(hooks []Hook) []cbinlog.Hook {
	all := make([]cbinlog.Hook, len(hooks))
	for i, h := range hooks {
		all[i] = h.hook
	}
	return all
}
