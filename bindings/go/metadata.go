package binlog

import (
	"encoding/binary"
	"iter"
	"unicode/utf8"
)

// Metadata is pairs of strings, in their order, in the library's encoding: for each pair varint key length, key, varint
// value length, value. A key may occur more than once. The zero value is no pairs.
//
// It grows as slices do, and can be reused:
//
//	m = m[:0].Add("host", host).Add("user", user)
//
// Keys and values are UTF-8; an append refuses anything else.
type Metadata []byte

// Pairs makes metadata of keys and values: key, value, key, value ... It panics when the last key has no value.
func Pairs(keysAndValues ...string) Metadata {
	if len(keysAndValues)%2 != 0 {
		panic("binlog.Pairs: the last key has no value")
	}
	size := 0
	for _, s := range keysAndValues {
		size += len(s) + 2
	}
	m := make(Metadata, 0, size)
	for i := 0; i < len(keysAndValues); i += 2 {
		m = m.Add(keysAndValues[i], keysAndValues[i+1])
	}
	return m
}

// Add returns the metadata with one more pair, as append does: in the same memory if there is room.
func (m Metadata) Add(key, value string) Metadata {
	m = binary.AppendUvarint(m, uint64(len(key)))
	m = append(m, key...)
	m = binary.AppendUvarint(m, uint64(len(value)))
	return append(m, value...)
}

// All shows the pairs in their order, as strings of their own. Malformed bytes end it.
func (m Metadata) All() iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for key, value := range m.Views() {
			if !yield(string(key), string(value)) {
				return
			}
		}
	}
}

// Views shows the pairs in their order without allocating: views, which live as long as the record's.
func (m Metadata) Views() iter.Seq2[[]byte, []byte] {
	return func(yield func(key, value []byte) bool) {
		rest := []byte(m)
		for len(rest) > 0 {
			key, value, next, ok := nextPair(rest)
			if !ok || !yield(key, value) {
				return
			}
			rest = next
		}
	}
}

// Lookup returns the value of the first pair with this key: a view, without allocating. False when there is none.
func (m Metadata) Lookup(key string) ([]byte, bool) {
	rest := []byte(m)
	for len(rest) > 0 {
		k, value, next, ok := nextPair(rest)
		if !ok {
			break
		}
		if string(k) == key {
			return value, true
		}
		rest = next
	}
	return nil, false
}

// Get returns the value of the first pair with this key; "" when there is none.
func (m Metadata) Get(key string) string {
	value, _ := m.Lookup(key)
	return string(value)
}

// Len returns the number of pairs.
func (m Metadata) Len() int {
	n := 0
	for range m.Views() {
		n++
	}
	return n
}

// Map is the pairs as a map; of a key that comes more than once it has the first value.
func (m Metadata) Map() map[string]string {
	pairs := make(map[string]string)
	for key, value := range m.Views() {
		if _, seen := pairs[string(key)]; !seen {
			pairs[string(key)] = string(value)
		}
	}
	return pairs
}

// isValid reports whether it is whole pairs of UTF-8.
func (m Metadata) isValid() bool {
	rest := []byte(m)
	for len(rest) > 0 {
		key, value, next, ok := nextPair(rest)
		if !ok || !utf8.Valid(key) || !utf8.Valid(value) {
			return false
		}
		rest = next
	}
	return true
}

func nextPair(m []byte) (key, value, rest []byte, ok bool) {
	key, m, ok = nextText(m)
	if !ok {
		return nil, nil, nil, false
	}
	value, rest, ok = nextText(m)
	return key, value, rest, ok
}

func nextText(m []byte) (text, rest []byte, ok bool) {
	n, size := binary.Uvarint(m)
	if size <= 0 || n > uint64(len(m)-size) {
		return nil, nil, false
	}
	end := size + int(n)
	return m[size:end:end], m[end:], true
}
