package binlog

import "binlog/internal/cbinlog"

// Recovery is what a recovery saved, and what it could not save.
type Recovery struct {
	// Records is the number of records in the segments that were written.
	Records uint64
	// LostRecords is the number of records that are known to be lost.
	LostRecords uint64
	// Losses is the number of reported losses; a loss need not cost a record.
	Losses uint64
	// Segments is the number of segments that were written.
	Segments uint64
}

// Recover writes everything that can be read of the log at `source` (a file, a directory or a pattern) to a new log:
// segments of the same names in the directory `target`, which is created if necessary and must hold no segment. The
// source is only read. Ids stay as they are; where records are lost, an event records which. `onLoss` (which may be
// nil) is called with each loss when it is found; if it panics, Recover panics with the same value after its work.
//
// A loss is no error: the sums report it. Errors are [ErrNotFound] when nothing is there or the target is no directory,
// [ErrCorrupt] when there is no block in any of the files, [ErrUnsupported], [ErrInvalid] when the target holds
// segments already, [ErrIO] and [ErrNoSpace]. After an error the target keeps what was written before it.
func Recover(source, target string, onLoss func(Loss)) (Recovery, error) {
	listener := listenerOf(onLoss)
	sums, err := cbinlog.Recover(source, target, listener)
	listener.Repanic()
	return Recovery(sums), asError(err)
}

// RecoverInPlace writes the damaged segments of the log at `path` (a directory or a file) anew, under their names,
// after keeping the damaged files as SEGMENT.damaged. Segments without damage are left alone. A crash in the middle
// leaves every segment either as it was or recovered; another call continues. Otherwise it is as [Recover]; [ErrLocked]
// when a writer has the log open, [ErrInvalid] for a pattern.
func RecoverInPlace(path string, onLoss func(Loss)) (Recovery, error) {
	listener := listenerOf(onLoss)
	sums, err := cbinlog.RecoverInPlace(path, listener)
	listener.Repanic()
	return Recovery(sums), asError(err)
}

// RebuildIndex appends a complete index to each segment of the log at `path` (a directory or a file) whose index is
// incomplete, and closes the segment. It reads headers, no payload, and returns the number of segments that it changed.
// [ErrCorrupt] when a segment is damaged or ends with a torn tail and has to be recovered first, [ErrLocked] when a
// writer has the log open, [ErrNotFound], [ErrUnsupported], [ErrInvalid] (also for a pattern), [ErrIO], [ErrNoSpace].
func RebuildIndex(path string) (int, error) {
	written, err := cbinlog.RebuildIndex(path)
	return written, asError(err)
}

// Pruned is a segment that was removed, or would be.
type Pruned struct {
	// Path is its file.
	Path string
	// Reason is the rule by which it was removed: "age", "segments" or "bytes".
	Reason string
	// Sequence is its number in the log.
	Sequence uint64
	// Bytes is the length of the file.
	Bytes uint64
	// FirstID and LastID are of its first and its last record; LastID is FirstID - 1 when it holds none.
	FirstID, LastID uint64
}

// Prune removes the old segments of the log called `log` in a directory, or of each log there, by itself, when `log` is
// "". A log's last segment always stays, and a writer may have the log open. Only files whose headers make them
// segments of the log are removed, and never through a symbolic link. It returns the removed segments, log by log, the
// oldest first. Errors are [ErrInvalid], also without a rule; [ErrNotFound] when there is no such directory or log;
// [ErrIO]: some may have been removed before, the message says how many.
func Prune(directory, log string, keep Retention) ([]Pruned, error) {
	return prune(directory, log, keep, false)
}

// PruneDryRun returns what [Prune] would remove, and removes nothing.
func PruneDryRun(directory, log string, keep Retention) ([]Pruned, error) {
	return prune(directory, log, keep, true)
}

func prune(directory, log string, keep Retention, dryRun bool) ([]Pruned, error) {
	rules, invalid := keep.rules()
	if invalid != nil {
		return nil, invalid
	}
	gone, err := cbinlog.Prune(directory, log, &rules, dryRun)
	all := make([]Pruned, len(gone))
	for i := range gone {
		all[i] = Pruned(gone[i])
	}
	return all, asError(err)
}
