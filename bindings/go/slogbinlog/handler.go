// Package slogbinlog is a [slog.Handler] that writes structured log records into a binary log.
//
//	writer, err := binlog.OpenWriter("service-log", binlog.WithContentType("text/plain"))
//	...
//	handler, err := slogbinlog.New(writer, nil)
//	...
//	slog.SetDefault(slog.New(handler))
//	slog.Info("order taken", "order", 4711, slog.Group("customer", "id", 7))
//
// One record of slog becomes one record of the log:
//
//	message     the payload
//	time        the record's time; for a record without one now, and the metadata "time" = "none" says so
//	level       the record's type, which is named: "slog.DEBUG", "slog.INFO", "slog.WARN" or "slog.ERROR", the highest of
//	            them that the level reaches; a level between them is also the metadata "level", such as "INFO+2"
//	attributes  metadata, in their order; groups come before their attributes' keys with a dot: "customer.id" = "7"
//	source      the metadata "source", such as "/src/main.go:42", with Options.AddSource
//
// The index of the log therefore finds the errors among millions of other records, and those of one attribute's value:
//
//	binlog cat --type slog.ERROR --where customer.id=7 service-log
package slogbinlog

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"binlog"
)

// Keys of the metadata that are not the user's own. An attribute of the same key follows them.
const (
	// LevelKey is the key of a level that is none of the four named ones.
	LevelKey = slog.LevelKey
	// SourceKey is the key of the line of code with [Options.AddSource].
	SourceKey = slog.SourceKey
	// TimeKey is the key of [NoTime] when the record of slog had no time.
	TimeKey = slog.TimeKey
)

// NoTime is the value of [TimeKey] for a record of slog whose time is zero: the record in the log has the time of
// writing, and slog's rules for handlers require that none is shown.
const NoTime = "none"

// Options are the options of a handler. Zeros are the defaults.
type Options struct {
	// Level is the least level that is written; slog.LevelInfo when it is nil. A *slog.LevelVar can change it later.
	Level slog.Leveler
	// AddSource writes the line of code that logged.
	AddSource bool
	// SyncLevel, if it is not nil, is the least level at which a record is durable before the call that logs it returns.
	// The durability of others depends on the writer's options.
	SyncLevel slog.Leveler
}

// Handler writes records of slog to a binary log. Goroutines may share it, and all handlers that are made of it: their
// records follow in the order in which they are handled. A record is staged in an appender ([binlog.Appender]), until the
// writer's policies, Flush, Sync or Close collect it.
type Handler struct {
	out     *out
	options Options
	types   [len(levels)]binlog.Type
	// The attributes of WithAttrs, as metadata.
	attributes binlog.Metadata
	// The groups of WithGroup, each followed by a dot.
	prefix string
}

// out is what a handler and those made of it share.
type out struct {
	writer   *binlog.Writer
	mu       sync.Mutex
	appender *binlog.Appender
}

func (o *out) append(r binlog.NewRecord) error {
	if !o.mu.TryLock() {
		// A function that the writer has called would wait here for the append that waits for it. It gets an error instead.
		if _, err := o.writer.Type(levels[0].name, ""); err != nil {
			return err
		}
		o.mu.Lock()
	}
	defer o.mu.Unlock()
	return o.appender.AppendRecord(r)
}

var levels = [...]struct {
	level slog.Level
	name  string
}{
	{slog.LevelDebug, "slog.DEBUG"}, {slog.LevelInfo, "slog.INFO"}, {slog.LevelWarn, "slog.WARN"}, {slog.LevelError, "slog.ERROR"},
}

// New makes a handler that writes to the log of a writer, which the caller still has to close. `options` may be nil.
// Errors are those of [binlog.Writer.Type] and [binlog.Writer.OpenAppender].
func New(writer *binlog.Writer, options *Options) (*Handler, error) {
	appender, err := writer.OpenAppender()
	if err != nil {
		return nil, err
	}
	h := &Handler{out: &out{writer: writer, appender: appender}}
	if options != nil {
		h.options = *options
	}
	for i, l := range levels {
		if h.types[i], err = writer.Type(l.name, "text/plain"); err != nil {
			appender.Close()
			return nil, err
		}
	}
	return h, nil
}

// Enabled reports whether records of a level are written.
func (h *Handler) Enabled(_ context.Context, level slog.Level) bool {
	least := slog.LevelInfo
	if h.options.Level != nil {
		least = h.options.Level.Level()
	}
	return level >= least
}

// Memory in which a record is built.
type scratch struct {
	metadata binlog.Metadata
	payload  []byte
}

var scratches = sync.Pool{New: func() any { return new(scratch) }}

// A scratch that a large record has grown beyond this is not kept.
const keptBytes = 64 << 10

// Handle writes a record. Errors are those of [binlog.Appender.AppendRecord] and, with [Options.SyncLevel], of
// [binlog.Writer.Sync].
func (h *Handler) Handle(_ context.Context, record slog.Record) error {
	s := scratches.Get().(*scratch)
	typ, exact := h.typeOf(record.Level)
	m := s.metadata[:0]
	if record.Time.IsZero() {
		m = m.Add(TimeKey, NoTime)
	}
	if !exact {
		m = m.Add(LevelKey, record.Level.String())
	}
	if h.options.AddSource && record.PC != 0 {
		frame, _ := runtime.CallersFrames([]uintptr{record.PC}).Next()
		m = m.Add(SourceKey, utf8Of(frame.File)+":"+strconv.Itoa(frame.Line))
	}
	m = append(m, h.attributes...)
	record.Attrs(func(a slog.Attr) bool {
		m = add(m, h.prefix, a)
		return true
	})
	payload := append(s.payload[:0], record.Message...)
	err := h.out.append(binlog.NewRecord{Type: typ, Time: record.Time, Metadata: m, Payload: payload})
	if cap(m)+cap(payload) <= keptBytes {
		s.metadata, s.payload = m, payload
		scratches.Put(s)
	}
	if err == nil && h.options.SyncLevel != nil && record.Level >= h.options.SyncLevel.Level() {
		err = h.out.writer.Sync()
	}
	return err
}

// typeOf returns the type of the highest named level that is reached, and whether it is exactly that level.
func (h *Handler) typeOf(level slog.Level) (t binlog.Type, exact bool) {
	at := 0
	for i := range levels {
		if level >= levels[i].level {
			at = i
		}
	}
	return h.types[at], level == levels[at].level
}

// WithAttrs returns a handler that writes these attributes with each record, too.
func (h *Handler) WithAttrs(attributes []slog.Attr) slog.Handler {
	with := *h
	// Clipped: an append must not change what other handlers share.
	with.attributes = slices.Clip(with.attributes)
	for _, a := range attributes {
		with.attributes = add(with.attributes, h.prefix, a)
	}
	return &with
}

// WithGroup returns a handler that puts the group's name before the keys of later attributes.
func (h *Handler) WithGroup(name string) slog.Handler {
	if name == "" {
		return h
	}
	with := *h
	with.prefix += utf8Of(name) + "."
	return &with
}

// add adds an attribute, or those of a group.
func add(m binlog.Metadata, prefix string, a slog.Attr) binlog.Metadata {
	value := a.Value.Resolve()
	if value.Kind() == slog.KindGroup {
		if a.Key != "" {
			prefix += utf8Of(a.Key) + "."
		}
		for _, inner := range value.Group() {
			m = add(m, prefix, inner)
		}
		return m
	}
	if a.Equal(slog.Attr{}) {
		return m
	}
	key := utf8Of(a.Key)
	if prefix != "" {
		key = prefix + key
	}
	return m.Add(key, utf8Of(textOf(value)))
}

func textOf(value slog.Value) string {
	switch value.Kind() {
	case slog.KindTime:
		return value.Time().Format(time.RFC3339Nano)
	case slog.KindAny:
		switch v := value.Any().(type) {
		case []byte:
			return string(v)
		case error:
			return v.Error()
		default:
			return fmt.Sprintf("%+v", v)
		}
	}
	return value.String()
}

// utf8Of returns the text with U+FFFD for bytes that are not UTF-8, for which the log would refuse the whole record.
func utf8Of(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }
