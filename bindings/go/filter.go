package binlog

import (
	"time"

	"binlog/internal/cbinlog"
)

// Filter says which records a cursor shows. Zeros show all of the user's records. A record must meet all conditions.
type Filter struct {
	// FromID and ToID: from this id to that one, both shown; 0: no bound.
	FromID, ToID uint64
	// FromTime and ToTime: from this time on and before that one; the zero Time: no bound. The second 1970-01-01 00:00:00
	// UTC itself cannot be a bound.
	FromTime, ToTime time.Time
	// Types and TypeNames: of these types, or of those with these names; of all when both are empty.
	Types     []Type
	TypeNames []string
	// Metadata: with each of these pairs, exactly.
	Metadata Metadata
	// Last: only the last so many of the records that match the rest, in the same order; 0: all. Events do not count.
	Last uint64
	// NewestFirst: from the newest record to the oldest; what is appended later is not shown. Not [WithSalvage].
	NewestFirst bool
	// HeadersOnly: never read the bytes of payloads. [Record.Len] returns their length.
	HeadersOnly bool
	// Events: show the library's own events, too.
	Events bool
}

const (
	filterHeaders     = 1
	filterEvents      = 2
	filterNewestFirst = 4
)

func (f *Filter) options() (*cbinlog.Filter, error) {
	c := &cbinlog.Filter{FromID: f.FromID, ToID: f.ToID, TypeNames: f.TypeNames, Last: f.Last}
	for _, t := range f.Types {
		c.Types = append(c.Types, uint32(t))
	}
	for rest := []byte(f.Metadata); len(rest) > 0; {
		key, value, next, ok := nextPair(rest)
		if !ok {
			return nil, invalid("the metadata of a filter are no pairs")
		}
		c.Metadata = append(c.Metadata, string(key), string(value))
		rest = next
	}
	for flag, set := range map[uint32]bool{
		filterHeaders: f.HeadersOnly, filterEvents: f.Events, filterNewestFirst: f.NewestFirst,
	} {
		if set {
			c.Flags |= flag
		}
	}
	var err error
	if c.FromTime, err = bound(f.FromTime); err != nil {
		return nil, err
	}
	c.ToTime, err = bound(f.ToTime)
	return c, err
}

// bound is a time as filters take it, where 0 means none.
func bound(t time.Time) (int64, error) {
	ns, given, err := unixNano(t)
	if err == nil && given && ns == 0 {
		err = invalid("a filter cannot be bounded by 1970-01-01T00:00:00Z itself: take a nanosecond more or less")
	}
	return ns, err
}
