package binlog

import "binlog/internal/cbinlog"

// CompressOptions say how finished segments are compressed, and what becomes of them. Zeros are the defaults.
type CompressOptions struct {
	// Codec is what blocks are compressed with: [CodecZstd], which zero stands for, or [CodecLZ4].
	Codec Codec
	// Level is zstd's, 1 to 22, or less than 0 for the fast ones; 0 stands for 3. LZ4 has none; gzip's end at 9.
	Level int
	// Threads that compress and compare, the calling one among them: 1 to 64; 0 stands for 1, and none is started.
	Threads uint32
	// BlockBytes of payload end a block, which is what is read and decompressed to show one record: 4 KiB to 16 MiB; 0
	// stands for 1 MiB.
	BlockBytes uint32
	// NoDictionary gives no segment a zstd dictionary. Otherwise one with blocks of 256 KiB or less gets it if a try with
	// some of them shows that it saves clearly more than it takes.
	NoDictionary bool
	// SHA256Name tells the file's SHA-256 in its name.
	SHA256Name bool

	// What follows is not for shipping ([ArchiveOptions.Compress]).

	// Whole compresses the file as a whole, for the tools of others.
	Whole Whole
	// KeepSource leaves the source beside what was made of it; readers take one of the two.
	KeepSource bool
	// RemoveSingle removes the source also when it is a log of one file, which stays otherwise.
	RemoveSingle bool
	// DryRun writes nothing and tells what would be done.
	DryRun bool
	// Progress is told how far the work has come, about once for each 4 MiB, and when a segment begins, is written and is
	// compared. When it returns false, the work stops with an [ErrIO], and the current segment is as it was. A panic stops
	// it, too, and comes out of the call.
	Progress func(Progress) (goOn bool)
}

// Whole is the format of a file that is compressed as a whole. To find one record in it, all before it has to be read.
type Whole uint32

const (
	// WholeNone is for segments of which single records can be read.
	WholeNone Whole = 0
	// WholeGzip makes `NAME.binlog.gz`.
	WholeGzip Whole = 1
	// WholeZstd makes `NAME.binlog.zst`.
	WholeZstd Whole = 2
)

// Progress says how far the work on one segment has come.
type Progress struct {
	// Path is the file that is being read.
	Path string
	// Done is bytes of it that were read, to be written and to be compared with what was written: in the end twice Bytes,
	// its length.
	Done, Bytes uint64
}

// Compressed is a segment that was compressed, or made an ordinary one again.
type Compressed struct {
	// Path is the file that was made, or that an earlier run had made.
	Path string
	// Source is the file that it was made of.
	Source string
	// SHA256 is that of what was made, in hexadecimal digits, with [CompressOptions.SHA256Name]; "" otherwise.
	SHA256 string
	// Sequence is the segment's number in its log.
	Sequence uint64
	// Records is how many are in it, events not counted; 0 after a dry run.
	Records uint64
	// BytesBefore and BytesAfter are the lengths of the source and of what was made; the second is 0 after a dry run.
	BytesBefore, BytesAfter uint64
	// SourceRemoved says that the source is gone.
	SourceRemoved bool
}

// Compress compresses finished segments: those in the directory `path` that have a successor, of the log called `log`, or
// of each log there when it is ""; one file; or the files that match a pattern. In a directory, the newest segment of each
// log, in which a writer goes on, and those that are compressed already are passed over; a log of one file is compressed
// when it is named and was closed, and stays beside what is made of it. No lock is taken, and no writer or reader is
// disturbed. It returns the segments that were compressed, log by log, the oldest first.
//
// At each moment, also when the power fails, each segment is there and whole in one of its two forms: what is made is read
// back and compared record by record before the source goes. What a run that was cut short has left, the next one finishes
// or removes.
//
// Errors are [ErrInvalid] for wrong options, a URL, and a file that is the newest of its log, not closed, or compressed
// already; [ErrNotFound]; [ErrLocked] when a writer or another process has the segment; [ErrCorrupt] when it is damaged;
// [ErrUnsupported] when the library lacks the codec; [ErrNoSpace] and [ErrIO]. A segment that failed is as it was; the
// others of a directory are compressed nevertheless, and the error is the first one.
func Compress(path, log string, options CompressOptions) ([]Compressed, error) {
	return compressed(path, log, options, cbinlog.Compress)
}

// Decompress makes ordinary segments of compressed ones, with the same records under the same ids; a file that was
// compressed as a whole becomes what it was, byte for byte. Of the options, KeepSource, RemoveSingle, DryRun and Progress
// count. Otherwise it is as [Compress].
func Decompress(path, log string, options CompressOptions) ([]Compressed, error) {
	return compressed(path, log, options, cbinlog.Decompress)
}

func compressed(path, log string, options CompressOptions,
	call func(path, log string, options *cbinlog.CompressOptions) ([]cbinlog.Compressed, *cbinlog.Error),
) ([]Compressed, error) {
	c, invalid := options.options()
	if invalid != nil {
		return nil, invalid
	}
	made, err := call(path, log, c)
	all := make([]Compressed, len(made))
	for i := range made {
		all[i] = Compressed(made[i])
	}
	return all, asError(err)
}

func (o *CompressOptions) options() (*cbinlog.CompressOptions, *Error) {
	c := &cbinlog.CompressOptions{
		Codec: uint32(o.Codec), Level: int32(o.Level), Threads: o.Threads, BlockBytes: o.BlockBytes,
		Whole: uint32(o.Whole), KeepSource: o.KeepSource, SHA256Name: o.SHA256Name, NoDictionary: o.NoDictionary,
		DryRun: o.DryRun, RemoveSingle: o.RemoveSingle,
	}
	if int64(c.Level) != int64(o.Level) {
		return nil, invalid("%d is no level of compression", o.Level)
	}
	if progress := o.Progress; progress != nil {
		c.Progress = func(p cbinlog.Progress) bool { return progress(Progress(p)) }
	}
	return c, nil
}
