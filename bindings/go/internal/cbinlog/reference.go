package cbinlog

// The library's functions for metadata and packed frames. This module has its own in Go, which need no crossing; the
// tests compare the two.

// #include "shim.h"
//
// #cgo noescape blgo_metadata_put
// #cgo nocallback blgo_metadata_put
// #cgo noescape blgo_metadata_next
// #cgo nocallback blgo_metadata_next
// #cgo noescape blgo_metadata_find
// #cgo nocallback blgo_metadata_find
// #cgo noescape blgo_packed_put
// #cgo nocallback blgo_packed_put
import "C"

import "unsafe"

func charsOf(s string) *C.char { return (*C.char)(unsafe.Pointer(unsafe.StringData(s))) }

// MetadataPut adds a pair to the `used` bytes in buf, and returns the new number of used bytes.
func MetadataPut(buf []byte, used int, key, value string) (int, int32) {
	r := C.blgo_metadata_put(bytesOf(buf), C.size_t(len(buf)), C.size_t(used),
		charsOf(key), C.size_t(len(key)), charsOf(value), C.size_t(len(value)))
	return int(r.len), int32(r.status)
}

// MetadataNext returns the first pair, and the number of bytes that it takes.
func MetadataNext(metadata []byte) (key, value string, taken int, status int32) {
	r := C.blgo_metadata_next(bytesOf(metadata), C.size_t(len(metadata)))
	key, value = string(view(r.key.data, r.key.len)), string(view(r.value.data, r.value.len))
	return key, value, int(r.taken), int32(r.status)
}

// MetadataFind is the value of the first pair with a key.
func MetadataFind(metadata []byte, key string) (string, int32) {
	r := C.blgo_metadata_find(bytesOf(metadata), C.size_t(len(metadata)), charsOf(key), C.size_t(len(key)))
	return string(view(r.text.data, r.text.len)), int32(r.status)
}

// PackedPut adds a frame to the `used` bytes in buf, and returns the new number of used bytes.
func PackedPut(buf []byte, used int, r View) (int, int32) {
	packed := C.blgo_packed_put(bytesOf(buf), C.size_t(len(buf)), C.size_t(used), C.uint64_t(r.ID),
		C.uint32_t(r.Type), C.uint32_t(r.Flags), C.int64_t(r.TimeNS), bytesOf(r.Payload), C.size_t(r.Len),
		bytesOf(r.Metadata), C.size_t(len(r.Metadata)))
	return int(packed.len), int32(packed.status)
}

// PackedNext returns the first record of packed frames, with views into them, and the number of bytes that it takes.
// Because of the views its function is not noescape.
func PackedNext(frames []byte) (r View, taken int, status int32) {
	next := C.blgo_packed_next(bytesOf(frames), C.size_t(len(frames)))
	return viewOf(&next.record), int(next.taken), int32(next.status)
}
