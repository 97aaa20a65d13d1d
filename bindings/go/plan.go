package binlog

import (
	"math"
	"time"

	"binlog/internal/cbinlog"
)

// PlanOptions say how a log is planned. The zero value is the default.
type PlanOptions struct {
	// TargetBytes of the blocks in a split, as they are stored; 0: 64 MiB.
	TargetBytes uint64
	// Most: no more splits than this, as far as possible; 0: no limit.
	Most uint64
}

// Split is a part of a log that is read independently of the others.
type Split struct {
	// Token is one line of text, for [OpenSplit] in this process or in another one. It contains no credentials.
	Token string
	// Location is where the log is: an absolute path, a pattern, or a URL with its options.
	Location string
	// FirstID and LastID are of the records that can be in it. LastID is FirstID - 1 if there are only events in it.
	FirstID, LastID uint64
	// Records is how many of them the filter may want, by the index; fewer may match, never more.
	Records uint64
	// Bytes of the blocks with these records, as they are stored.
	Bytes uint64
	// FirstTime and LastTime: no record in these blocks is earlier or later; the zero Time: not known.
	FirstTime, LastTime time.Time
}

// Plan divides what the filter selects into splits. Each record that it selects now is in exactly one; records that
// are appended later are in none. The filter is not a part of the tokens: use it again for each split. Errors are
// [ErrInvalid] for a filter with Last or NewestFirst, and those of opening segments; damage is met by those who read
// the split that contains its place.
func (r *Reader) Plan(filter Filter, options PlanOptions) ([]Split, error) {
	c, err := filter.options()
	if err != nil {
		return nil, err
	}
	if !r.gate.enter() {
		return nil, ErrClosed
	}
	defer r.gate.leave()
	found, failed := r.c.Plan(c, options.TargetBytes, options.Most)
	if failed != nil {
		return nil, asError(failed)
	}
	all := make([]Split, len(found))
	for i, s := range found {
		all[i] = Split{
			Token: s.Token, Location: s.Location, FirstID: s.FirstID, LastID: s.LastID, Records: s.Records, Bytes: s.Bytes,
		}
		if s.FirstTime != math.MinInt64 {
			all[i].FirstTime = time.Unix(0, s.FirstTime)
		}
		if s.LastTime != math.MaxInt64 {
			all[i].LastTime = time.Unix(0, s.LastTime)
		}
	}
	return all, nil
}

// OpenSplit opens a split by its token: a reader that shows the records of the split and no others. Errors are
// [ErrInvalid] for a text that is no token, [ErrUnsupported] for one of another version, [ErrMissed] when all segments
// of the split were removed, [ErrMismatch] when another log is at its place, and those of [OpenReader].
func OpenSplit(token string, options ...ReaderOption) (*Reader, error) {
	return openBy(token, options, cbinlog.OpenSplit)
}
