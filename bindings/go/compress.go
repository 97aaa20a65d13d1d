package binlog

import "binlog/internal/cbinlog"

// CompressOptions say how finished segments are compressed, and what happens to the sources. Zeros are the defaults.
type CompressOptions struct {
	// Codec compresses the blocks: [CodecZstd], which zero means, or [CodecLZ4].
	Codec Codec
	// Level is zstd's, 1 to 22, or less than 0 for the fast ones; 0 means 3. LZ4 has none; gzip's end at 9.
	Level int
	// Threads that compress and compare, including the calling one: 1 to 64; 0 means 1, and none is started.
	Threads uint32
	// BlockBytes of payload end a block, which is read and decompressed to show one record: 4 KiB to 16 MiB; 0 means 1
	// MiB.
	BlockBytes uint32
	// NoDictionary gives no segment a zstd dictionary. Otherwise one with blocks of 256 KiB or less gets one if a test
	// with some of them shows that it clearly saves more than it takes.
	NoDictionary bool
	// SHA256Name puts the file's SHA-256 into its name.
	SHA256Name bool

	// The fields below are not for shipping ([ShipOptions.Compress]).

	// Whole compresses the file as a whole, for other tools.
	Whole Whole
	// KeepSource keeps the source beside the result; readers use one of the two.
	KeepSource bool
	// RemoveSingle removes the source also when it is a log of one file, which is kept otherwise.
	RemoveSingle bool
	// DryRun writes nothing and returns what would be done.
	DryRun bool
	// Progress is called about once for each 4 MiB, and when a segment begins, is written and is compared. When it returns
	// false, the work stops with an [ErrIO], and the current segment is as it was. A panic stops the work, too, and
	// continues in the calling goroutine.
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

// Progress is the progress of the work on one segment.
type Progress struct {
	// Path is the file that is being read.
	Path string
	// Done is the number of bytes of it that were read, first to be written and then to be compared with the result: in
	// the end twice Bytes, its length.
	Done, Bytes uint64
}

// Compressed is a segment that was compressed, or made an ordinary one again.
type Compressed struct {
	// Path is the new file, which this run or an earlier one has made.
	Path string
	// Source is the file it was made from.
	Source string
	// SHA256 is that of the new file, in hexadecimal digits, with [CompressOptions.SHA256Name]; "" otherwise.
	SHA256 string
	// Sequence is the segment's number in its log.
	Sequence uint64
	// Records is the number of its records without events; 0 after a dry run.
	Records uint64
	// BytesBefore and BytesAfter are the lengths of the source and of the new file; the second is 0 after a dry run.
	BytesBefore, BytesAfter uint64
	// SourceRemoved says that the source was removed.
	SourceRemoved bool
}

// Compress compresses finished segments: those in the directory `path` that have a successor, of the log called `log`,
// or of each log there when it is ""; one file; or the files that match a pattern. In a directory, the newest segment
// of each log, which a writer may continue, and compressed segments are skipped; a log of one file is compressed when
// it is named and was closed, and is kept beside the result. No lock is taken, and no writer or reader is disturbed. It
// returns the segments that were compressed, log by log, the oldest first.
//
// At each moment, also when the power fails, each segment is whole in one of its two forms: the result is read back and
// compared record by record before the source is removed. A later run finishes or removes what an interrupted one has
// left.
//
// Errors are [ErrInvalid] for wrong options, a URL, and a file that is the newest of its log, not closed, or compressed
// already; [ErrNotFound]; [ErrLocked] when a writer or another process has the segment; [ErrCorrupt] when it is
// damaged; [ErrUnsupported] when the library lacks the codec; [ErrNoSpace] and [ErrIO]. A segment that failed is as it
// was; the others of a directory are compressed nevertheless, and the error is the first one.
func Compress(path, log string, options CompressOptions) ([]Compressed, error) {
	return compressed(path, log, options, cbinlog.Compress)
}

// Decompress makes ordinary segments from compressed ones, with the same records and ids; a file that was compressed as
// a whole becomes the original, byte for byte. It uses the options KeepSource, RemoveSingle, DryRun and Progress.
// Otherwise it is as [Compress].
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
