package main

import (
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"path/filepath"
	"sort"
	"strconv"
	"strings"

	"binlog"
)

// Payloads up to this length are in the JSON in hex, longer ones as their CRC-32.
const hexBytes = 64

// quoted is a string as serde_json writes it; encoding/json escapes more.
func quoted(s string) string {
	var out strings.Builder
	out.WriteByte('"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			out.WriteByte('\\')
			out.WriteByte(c)
		case c >= 0x20:
			out.WriteByte(c)
		default:
			if short := strings.IndexByte("\b\f\n\r\t", c); short >= 0 {
				out.WriteByte('\\')
				out.WriteByte("bfnrt"[short])
			} else {
				fmt.Fprintf(&out, `\u%04x`, c)
			}
		}
	}
	out.WriteByte('"')
	return out.String()
}

func metadata(m binlog.Metadata) string {
	var pairs []string
	for key, value := range m.All() {
		pairs = append(pairs, "["+quoted(key)+","+quoted(value)+"]")
	}
	return "[" + strings.Join(pairs, ",") + "]"
}

// record is a line of "records", its keys sorted.
func record(r binlog.Record, cursor *binlog.Cursor) string {
	var payload string
	if len(r.Payload()) <= hexBytes {
		payload = `"hex":` + quoted(hex.EncodeToString(r.Payload())) + ","
	} else {
		payload = `"crc32":` + strconv.FormatUint(uint64(crc32.ChecksumIEEE(r.Payload())), 10) + ","
	}
	named := ""
	if name, known := cursor.TypeName(r.Type()); known {
		named = `,"type_name":` + quoted(name)
	}
	return fmt.Sprintf(`{%s"id":%d,"length":%d,"metadata":%s,"time":%d,"type":%d%s}`,
		payload, r.ID(), r.Len(), metadata(r.Metadata()), r.UnixNano(), uint32(r.Type()), named)
}

func event(r binlog.Record) string {
	return fmt.Sprintf(`{"before_id":%d,"event":%s,"metadata":%s,"time":%d}`,
		r.ID(), quoted(r.Type().String()), metadata(r.Metadata()), r.UnixNano())
}

func segment(s binlog.Segment) string {
	keys := make([]string, 0, len(s.Parameters))
	for key := range s.Parameters {
		keys = append(keys, key)
	}
	sort.Strings(keys)
	for i, key := range keys {
		keys[i] = quoted(key) + ":" + quoted(s.Parameters[key])
	}
	return fmt.Sprintf(`{"content_type":%s,"first_id":%d,"name":%s,"parameters":{%s},"sequence":%d}`,
		quoted(s.ContentType), s.FirstID, quoted(s.Name), strings.Join(keys, ","), s.Sequence)
}

func typeInfo(info binlog.TypeInfo) string {
	var schema strings.Builder
	if info.Schema != nil {
		fmt.Fprintf(&schema, `,"schema":"%x"`, info.Schema)
	}
	if info.SchemaSHA256 != [32]byte{} {
		fmt.Fprintf(&schema, `,"schema_sha256":"%x"`, info.SchemaSHA256)
	}
	return fmt.Sprintf(`{"content_type":%s,"encoding":%s,"message":%s,"name":%s%s,"type":%d}`, quoted(info.ContentType),
		quoted(info.Encoding), quoted(info.Message), quoted(info.Name), schema.String(), info.Type)
}

func loss(l binlog.Loss) string {
	return fmt.Sprintf(`{"bytes":%d,"durable":%t,"file":%s,"first_id":%d,"first_page":%d,"kind":%d,"last_id":%d,"offset":%d,"page_count":%d}`,
		l.Bytes, l.Durable, quoted(filepath.Base(l.Path)), l.FirstID, l.FirstPage, l.Kind, l.LastID, l.Offset, l.PageCount)
}

func endOf(tail binlog.Tail) string {
	return fmt.Sprintf(`{"next_id":%d,"offset":%d,"state":%s,"unread_bytes":%d}`,
		tail.NextID, tail.Offset, quoted(tail.State.String()), tail.UnreadBytes)
}

// endWith is an error of the library: its kind, and where.
func endWith(err *binlog.Error) string {
	kind := strings.ToLower(strings.ReplaceAll(strings.TrimPrefix(err.Status.Name(), "E_"), "_", ""))
	offset := "null"
	if err.Offset >= 0 {
		offset = strconv.FormatInt(err.Offset, 10)
	}
	return fmt.Sprintf(`{"error":%s,"offset":%s}`, quoted(kind), offset)
}
