package binlog

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"time"
)

// Type is the type of a record: a number of yours below [FirstNamedType], one that [Writer.Type] returned for a name,
// or an event of the library.
type Type uint32

const (
	// FirstNamedType is the first type that stands for a name.
	FirstNamedType Type = 0x40000000
	// FirstEventType is the first event of the library.
	FirstEventType Type = 0x80000000
)

// Events of the library, which cursors show with [Filter.Events].
const (
	// EventStarted: a writer began.
	EventStarted = FirstEventType + 1 + iota
	// EventStopped: a writer ended.
	EventStopped
	// EventHeartbeat: a writer is alive.
	EventHeartbeat
	// EventRotateNext: the log continues in the segment named by the metadata "file".
	EventRotateNext
	// EventRotatePrev: the log continues that of the segment named by the metadata "file".
	EventRotatePrev
	// EventOpened: the segment was opened for writing.
	EventOpened
	// EventClosed: the segment was closed.
	EventClosed
	// EventRecovered: a torn tail was cut (metadata "offset", "bytes", "kept", "reason"), or a recovery records which
	// records are lost here (metadata "first_lost_id", "last_lost_id").
	EventRecovered
	// EventDropped: records were dropped by the policy for a full disk: metadata "count" (since the last such event),
	// "total" (since the writer was opened).
	EventDropped
	// EventType: a type was named: metadata "id", "name", "content_type".
	EventType
	// EventSchema: a schema of types: metadata "sha256", "encoding"; the payload is the schema.
	EventSchema
)

var eventNames = [...]string{
	"STARTED", "STOPPED", "HEARTBEAT", "ROTATE_NEXT", "ROTATE_PREV", "OPENED", "CLOSED", "RECOVERED", "DROPPED", "TYPE",
	"SCHEMA",
}

// IsEvent reports whether it is an event of the library.
func (t Type) IsEvent() bool { return t >= FirstEventType }

// IsNamed reports whether it stands for a name, which [Cursor.TypeName] returns.
func (t Type) IsNamed() bool { return t >= FirstNamedType && t < FirstEventType }

// String is the name of an event, such as "ROTATE_NEXT", and the number of all other types.
func (t Type) String() string {
	if i := int64(t) - int64(EventStarted); i >= 0 && i < int64(len(eventNames)) {
		return eventNames[i]
	}
	return fmt.Sprintf("%d", uint32(t))
}

// NewRecord is a record to be appended.
type NewRecord struct {
	// Type is a number of yours, or one that [Writer.Type] returned.
	Type Type
	// Time is the record's time, with a precision of nanoseconds, from 1677 to 2262; the zero Time means now.
	Time time.Time
	// Metadata is pairs of strings, in their order.
	Metadata Metadata
	// Payload is any bytes.
	Payload []byte
}

// Record is a record as a cursor shows it: a view that lives until the cursor's next Next, Get, Seek, SeekTime or Wait,
// and in a loop until its next turn. [Record.Clone] keeps it. With the build tag binlog_poison, a view that is kept too
// long contains only bytes 0xDB, and a Record panics; without it, it shows other bytes, sooner or later. The zero
// Record has no bytes, and all its values are zero.
type Record struct {
	// A packed frame, as the library has made it.
	frame []byte
}

// ID is 1, 2, 3 ... across the whole log. An event has the id of the record that follows it.
func (r Record) ID() uint64 { return r.uint64(frameID) }

// Type is a number of the writer's own, one that stands for a name, or an event.
func (r Record) Type() Type { return Type(r.uint32(frameType)) }

// UnixNano is the record's time in nanoseconds since 1970-01-01 UTC.
func (r Record) UnixNano() int64 { return int64(r.uint64(frameTime)) }

// Time is the record's time, in the local zone.
func (r Record) Time() time.Time { return time.Unix(0, r.UnixNano()) }

// Len is the payload's length in bytes, also when only headers are read.
func (r Record) Len() int { return int(r.uint32(framePayloadLen)) }

// Metadata is pairs of strings: a view.
func (r Record) Metadata() Metadata {
	if len(r.frame) < frameHeader {
		return nil
	}
	end := frameHeader + int(r.uint32(frameMetadataLen))
	return Metadata(r.frame[frameHeader:end:end])
}

// Payload is the payload: a view, which is empty when only headers are read.
func (r Record) Payload() []byte {
	if len(r.frame) < frameHeader || r.uint32(frameFlags)&flagNoPayload != 0 {
		return nil
	}
	begin := frameHeader + int(r.uint32(frameMetadataLen))
	end := begin + int(r.uint32(framePayloadLen))
	return r.frame[begin:end:end]
}

// IsEvent reports whether it is an event of the library.
func (r Record) IsEvent() bool { return r.Type().IsEvent() }

// Clone returns the record with memory of its own.
func (r Record) Clone() Record {
	r.check()
	return Record{bytes.Clone(r.frame)}
}

// New returns the record for appending it to another log, with its type, time, metadata and payload, which stay views.
func (r Record) New() NewRecord {
	return NewRecord{Type: r.Type(), Time: r.Time(), Metadata: r.Metadata(), Payload: r.Payload()}
}

// String is for people: id, type, time and length.
func (r Record) String() string {
	return fmt.Sprintf("record %d of type %v, %s, %d bytes", r.ID(), r.Type(), r.Time().UTC().Format(time.RFC3339Nano), r.Len())
}

func (r Record) uint32(at int) uint32 {
	if len(r.frame) < frameHeader {
		return 0
	}
	r.check()
	return binary.LittleEndian.Uint32(r.frame[at:])
}

func (r Record) uint64(at int) uint64 {
	if len(r.frame) < frameHeader {
		return 0
	}
	r.check()
	return binary.LittleEndian.Uint64(r.frame[at:])
}

// unixNano is a time as the library counts it; false for none. Times that 64 bits do not hold are an error.
func unixNano(t time.Time) (ns int64, given bool, err error) {
	if t.IsZero() {
		return 0, false, nil
	}
	// Seconds beyond these would overflow; the first and the last one do so in part.
	const first, last = math.MinInt64/1_000_000_000 - 1, math.MaxInt64 / 1_000_000_000
	ns = t.UnixNano()
	if s := t.Unix(); s < first || s > last || (s == first && ns > 0) || (s == last && ns < 0) {
		return 0, false, invalid("the time %s is beyond the 64 bits of nanoseconds since 1970", t.Format(time.RFC3339))
	}
	return ns, true, nil
}
