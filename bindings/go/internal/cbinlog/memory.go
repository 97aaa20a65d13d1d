package cbinlog

// #include "shim.h"
//
// #cgo noescape blgo_free
// #cgo nocallback blgo_free
// #cgo noescape blgo_zeroed
// #cgo nocallback blgo_zeroed
import "C"

import (
	"strings"
	"unsafe"
)

// arena holds what options point to, in memory of C: userdata are small numbers in pointers, which Go's collector must
// not see.
type arena struct {
	blocks []unsafe.Pointer
	// The first value that could not be converted for C.
	err *Error
}

func (a *arena) free() {
	for _, block := range a.blocks {
		free(block)
	}
	a.blocks = nil
}

func free(block unsafe.Pointer) { C.blgo_free(block) }

// tryZeroed returns memory of C, or nil when there is none.
func tryZeroed(bytes uintptr) unsafe.Pointer { return C.blgo_zeroed(C.size_t(max(bytes, 1))) }

func zeroed(bytes uintptr) unsafe.Pointer {
	block := tryZeroed(bytes)
	if block == nil {
		panic("binlog: out of memory")
	}
	return block
}

// make returns n zeroed values of type T in memory of C; nil for none. Without memory they are Go's, and the arena has
// an error, so C never sees them.
func makeC[T any](a *arena, n int) []T {
	if n == 0 {
		return nil
	}
	var one T
	block := tryZeroed(unsafe.Sizeof(one) * uintptr(n))
	if block == nil {
		if a.err == nil {
			a.err = Fail(NoMemory, "there is no memory for the arguments")
		}
		return make([]T, n)
	}
	a.blocks = append(a.blocks, block)
	return unsafe.Slice((*T)(block), n)
}

// text is the string with a final NUL. `what` names it in the error for a string that contains a NUL.
func (a *arena) text(s, what string) *C.char {
	if strings.IndexByte(s, 0) >= 0 && a.err == nil {
		a.err = Fail(Invalid, what+" holds a NUL byte")
	}
	bytes := makeC[byte](a, len(s)+1)
	copy(bytes, s)
	return (*C.char)(unsafe.Pointer(unsafe.SliceData(bytes)))
}

// optional is NULL for an empty string.
func (a *arena) optional(s, what string) *C.char {
	if s == "" {
		return nil
	}
	return a.text(s, what)
}

// texts is an array of strings; NULL for none.
func (a *arena) texts(all []string, what string) **C.char {
	array := makeC[*C.char](a, len(all))
	for i, s := range all {
		array[i] = a.text(s, what)
	}
	return unsafe.SliceData(array)
}

func bytesOf(data []byte) *C.uint8_t { return (*C.uint8_t)(unsafe.SliceData(data)) }

// view is memory of C as a slice; the caller knows how long it lives.
func view(data unsafe.Pointer, n C.size_t) []byte {
	if data == nil {
		return nil
	}
	return unsafe.Slice((*byte)(data), int(n))
}
