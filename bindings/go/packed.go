package binlog

import (
	"encoding/binary"
	"math"
)

// Packed frames (docs/c-api.md) carry many records over the boundary to C at once, in both directions:
//
//	0 u32 size, a multiple of 8   4 u32 type   8 u64 id   16 i64 time   24 u32 metadata length   28 u32 payload length
//	32 u32 flags   36 u32 zero   40 metadata, payload, zeros up to the size
const (
	frameHeader = 40

	frameHasTime   = 1
	frameNoPayload = 4
)

// parseFrame is the first record of frames that the library has made, and the frame's size.
func parseFrame(frames []byte, r *Record) int {
	h := frames[:frameHeader:len(frames)]
	size := int(binary.LittleEndian.Uint32(h))
	metadataEnd := frameHeader + int(binary.LittleEndian.Uint32(h[24:]))
	length := binary.LittleEndian.Uint32(h[28:])
	payloadEnd := metadataEnd + int(length)
	if binary.LittleEndian.Uint32(h[32:])&frameNoPayload != 0 {
		payloadEnd = metadataEnd
	}
	r.Type = Type(binary.LittleEndian.Uint32(h[4:]))
	r.ID = binary.LittleEndian.Uint64(h[8:])
	r.UnixNano = int64(binary.LittleEndian.Uint64(h[16:]))
	r.Len = length
	r.Metadata = Metadata(frames[frameHeader:metadataEnd:metadataEnd])
	r.Payload = frames[metadataEnd:payloadEnd:payloadEnd]
	return size
}

// Batch is records that are appended all at once: all or none of them, also after a crash. They are packed as they are
// added, so that appending them crosses to the library once. Writing many small records is fastest this way.
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

// AppendRecord adds a record with a time or metadata of its own. What it points to is copied.
func (b *Batch) AppendRecord(r NewRecord) {
	ns, given, err := unixNano(r.Time)
	if err != nil {
		b.fail(err)
		return
	}
	flags := uint32(0)
	if given {
		flags = frameHasTime
	}
	b.put(r.Type, flags, ns, r.Metadata, r.Payload)
}

// Len is the number of records in it.
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

// appendFrame adds a frame, as append does. `length` is the payload's, also when that is absent.
func appendFrame(frames []byte, t Type, id uint64, ns int64, flags uint32, metadata, payload []byte, length uint32) []byte {
	used := len(frames)
	size := (frameHeader + len(metadata) + len(payload) + 7) &^ 7
	if cap(frames)-used < size {
		frames = grow(frames, size)
	}
	frames = frames[:used+size]
	frame := frames[used:]
	// The padding; what it has too much is overwritten.
	binary.LittleEndian.PutUint64(frame[size-8:], 0)
	binary.LittleEndian.PutUint32(frame, uint32(size))
	binary.LittleEndian.PutUint32(frame[4:], uint32(t))
	binary.LittleEndian.PutUint64(frame[8:], id)
	binary.LittleEndian.PutUint64(frame[16:], uint64(ns))
	binary.LittleEndian.PutUint32(frame[24:], uint32(len(metadata)))
	binary.LittleEndian.PutUint32(frame[28:], length)
	binary.LittleEndian.PutUint64(frame[32:], uint64(flags))
	n := copy(frame[frameHeader:], metadata)
	copy(frame[frameHeader+n:], payload)
	return frames
}

func grow(frames []byte, size int) []byte {
	used := len(frames)
	more := make([]byte, used, max(2*cap(frames), used+size, 4096))
	copy(more, frames)
	return more
}
