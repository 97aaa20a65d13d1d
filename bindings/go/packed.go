package binlog

import (
	"encoding/binary"
	"math"
)

// Packed frames (docs/c-api.md) pass many records to and from C in one call. A frame is little-endian: a header, then
// metadata, payload, and zeros up to a multiple of 8.
const (
	frameSize        = 0  // u32
	frameType        = 4  // u32
	frameID          = 8  // u64
	frameTime        = 16 // i64
	frameMetadataLen = 24 // u32
	framePayloadLen  = 28 // u32
	frameFlags       = 32 // u32, followed by a u32 of 0
	frameHeader      = 40

	flagHasTime   = 1
	flagNoPayload = 4
)

// firstFrame returns the first of the frames that the library has made.
func firstFrame(frames []byte) []byte {
	size := binary.LittleEndian.Uint32(frames)
	return frames[:size:size]
}

// Batch is records that are appended together: all or none of them, also after a crash. They are packed when they are
// added, and appending them calls the library once. Writing many small records is fastest this way.
//
// The zero value is an empty batch. After [Writer.AppendBatch] it can be Reset and filled again, without allocating. It
// belongs to one goroutine at a time.
type Batch struct {
	frames []byte
	n      int
	// The first record that could not be added.
	err error
}

// Append adds a record of now. The payload is copied.
func (b *Batch) Append(t Type, payload []byte) { b.put(t, 0, 0, nil, payload) }

// AppendRecord adds a record with a time or metadata of its own. Metadata and payload are copied.
func (b *Batch) AppendRecord(r NewRecord) {
	ns, given, err := unixNano(r.Time)
	if err != nil {
		b.fail(err)
		return
	}
	flags := uint32(0)
	if given {
		flags = flagHasTime
	}
	b.put(r.Type, flags, ns, r.Metadata, r.Payload)
}

// Len returns the number of records in it.
func (b *Batch) Len() int { return b.n }

// Reset empties it and keeps its memory.
func (b *Batch) Reset() { b.frames, b.n, b.err = b.frames[:0], 0, nil }

func (b *Batch) fail(err error) {
	if b.err == nil {
		b.err = err
	}
}

func (b *Batch) put(t Type, flags uint32, ns int64, metadata, payload []byte) {
	if uint64(len(metadata))+uint64(len(payload)) > math.MaxInt32-frameHeader-8 {
		b.fail(&Error{Status: ErrTooLarge, Message: "a record of a batch has 2 GiB or more", Offset: -1})
		return
	}
	b.frames = appendFrame(b.frames, t, 0, ns, flags, metadata, payload, uint32(len(payload)))
	b.n++
}

// appendFrame adds a frame, as append does. `length` is the payload's, also when the payload is left out.
func appendFrame(frames []byte, t Type, id uint64, ns int64, flags uint32, metadata, payload []byte, length uint32) []byte {
	used := len(frames)
	size := (frameHeader + len(metadata) + len(payload) + 7) &^ 7
	if cap(frames)-used < size {
		frames = grow(frames, size)
	}
	frames = frames[:used+size]
	// The padding; excess bytes of it are overwritten.
	binary.LittleEndian.PutUint64(frames[used+size-8:], 0)
	h := (*[frameHeader]byte)(frames[used:])
	binary.LittleEndian.PutUint64(h[frameSize:], uint64(size)|uint64(t)<<32)
	binary.LittleEndian.PutUint64(h[frameID:], id)
	binary.LittleEndian.PutUint64(h[frameTime:], uint64(ns))
	binary.LittleEndian.PutUint64(h[frameMetadataLen:], uint64(len(metadata))|uint64(length)<<32)
	binary.LittleEndian.PutUint64(h[frameFlags:], uint64(flags))
	at := used + frameHeader
	if len(metadata) > 0 {
		at += copy(frames[at:], metadata)
	}
	copy(frames[at:], payload)
	return frames
}

func grow(frames []byte, size int) []byte {
	used := len(frames)
	more := make([]byte, used, max(2*cap(frames), used+size, 4096))
	copy(more, frames)
	return more
}
