package slogbinlog_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/slogtest"
	"time"

	"binlog"
	"binlog/slogbinlog"
)

// newHandler returns a handler of a new log, and a function that reads the log.
func newHandler(t *testing.T, options *slogbinlog.Options) (*slogbinlog.Handler, *binlog.Writer, func() []entry) {
	t.Helper()
	directory := filepath.Join(t.TempDir(), "log")
	writer, err := binlog.OpenWriter(directory)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { writer.Close() })
	handler, err := slogbinlog.New(writer, options)
	if err != nil {
		t.Fatal(err)
	}
	return handler, writer, func() []entry {
		t.Helper()
		if err := writer.Flush(); err != nil {
			t.Fatal(err)
		}
		return entries(t, directory)
	}
}

type entry struct {
	time    time.Time
	level   string
	message string
	pairs   [][2]string
}

func entries(t *testing.T, directory string) []entry {
	t.Helper()
	reader, err := binlog.OpenReader(directory)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	cursor, err := reader.Cursor(binlog.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	defer cursor.Close()
	var all []entry
	for r, err := range cursor.All() {
		if err != nil {
			t.Fatal(err)
		}
		name, _ := cursor.TypeName(r.Type())
		e := entry{time: r.Time(), level: strings.TrimPrefix(name, "slog."), message: string(r.Payload())}
		for key, value := range r.Metadata().All() {
			e.pairs = append(e.pairs, [2]string{key, value})
		}
		all = append(all, e)
	}
	return all
}

// asMap returns what slogtest expects: groups are maps.
func (e entry) asMap() map[string]any {
	out := map[string]any{slog.TimeKey: e.time, slog.LevelKey: e.level, slog.MessageKey: e.message}
	for _, pair := range e.pairs {
		if pair == [2]string{slogbinlog.TimeKey, slogbinlog.NoTime} {
			delete(out, slog.TimeKey)
			continue
		}
		at := out
		keys := strings.Split(pair[0], ".")
		for _, group := range keys[:len(keys)-1] {
			inner, _ := at[group].(map[string]any)
			if inner == nil {
				inner = make(map[string]any)
				at[group] = inner
			}
			at = inner
		}
		at[keys[len(keys)-1]] = pair[1]
	}
	return out
}

func TestTheHandlerIsOneOfSlogs(t *testing.T) {
	var read func() []entry
	slogtest.Run(t, func(t *testing.T) slog.Handler {
		var handler slog.Handler
		handler, _, read = newHandler(t, nil)
		return handler
	}, func(t *testing.T) map[string]any {
		all := read()
		if len(all) != 1 {
			t.Fatalf("%d records", len(all))
		}
		// Every record of a log has a time: it is now where slog has none.
		if age := time.Since(all[0].time); age < -time.Minute || age > time.Hour {
			t.Errorf("a record is of %v", all[0].time)
		}
		return all[0].asMap()
	})
}

func TestARecordOfSlogBecomesOneOfTheLog(t *testing.T) {
	handler, _, read := newHandler(t, &slogbinlog.Options{Level: slog.LevelDebug, AddSource: true})
	logger := slog.New(handler).With("service", "orders").WithGroup("request")
	logger.Warn("order taken", "id", 4711, slog.Group("customer", "name", "Ädä", "vip", true),
		"took", 1500*time.Millisecond, "at", time.Unix(0, 0).UTC(), "err", errors.New("none"), "bytes", []byte("raw"),
		"bad", "\xff", "list", []int{1, 2})
	logger.Log(context.Background(), slog.LevelInfo+2, "between")
	logger.Log(context.Background(), slog.LevelDebug-4, "below all")
	all := read()
	if len(all) != 2 {
		t.Fatalf("%d records: %+v", len(all), all)
	}
	e := all[0]
	if e.level != "WARN" || e.message != "order taken" || time.Since(e.time) > time.Hour {
		t.Errorf("%+v", e)
	}
	if source := e.pairs[0]; source[0] != slogbinlog.SourceKey || !strings.Contains(source[1], "handler_test.go:") {
		t.Error(source)
	}
	want := [][2]string{
		{"service", "orders"}, {"request.id", "4711"}, {"request.customer.name", "Ädä"}, {"request.customer.vip", "true"},
		{"request.took", "1.5s"}, {"request.at", "1970-01-01T00:00:00Z"}, {"request.err", "none"}, {"request.bytes", "raw"},
		{"request.bad", "\uFFFD"}, {"request.list", "[1 2]"},
	}
	if !slices.Equal(e.pairs[1:], want) {
		t.Errorf("%v\nand not\n%v", e.pairs[1:], want)
	}
	if e := all[1]; e.level != "INFO" || e.pairs[0] != [2]string{slogbinlog.LevelKey, "INFO+2"} {
		t.Errorf("%+v", e)
	}
}

func TestErrorsAreDurableWhenTheyAreLoggedIfSoAsked(t *testing.T) {
	handler, writer, _ := newHandler(t, &slogbinlog.Options{SyncLevel: slog.LevelError})
	logger := slog.New(handler)
	logger.Info("soon")
	if p, err := writer.Position(); err != nil || p.Durable != 0 {
		t.Errorf("%+v, %v", p, err)
	}
	logger.Error("now")
	if p, err := writer.Position(); err != nil || p.Durable != p.Appended || p.Durable == 0 {
		t.Errorf("%+v, %v", p, err)
	}
}

func TestAClosedLogIsAnErrorOfTheHandler(t *testing.T) {
	handler, writer, _ := newHandler(t, nil)
	writer.Close()
	if err := handler.Handle(context.Background(), slog.Record{Message: "late"}); !errors.Is(err, binlog.ErrClosed) {
		t.Error(err)
	}
	if _, err := slogbinlog.New(writer, nil); !errors.Is(err, binlog.ErrClosed) {
		t.Error(err)
	}
}

// The function runs while an append of the handler waits for it.
func TestAFunctionOfTheWriterThatLogsToItGetsAnErrorAndNoDeadlock(t *testing.T) {
	var handler atomic.Pointer[slogbinlog.Handler]
	var refused atomic.Int32
	hook := binlog.HookCall(func(binlog.SegmentFile) (string, error) {
		if h := handler.Load(); h != nil && errors.Is(h.Handle(context.Background(), slog.Record{Message: "within"}), binlog.ErrInvalid) {
			refused.Add(1)
		}
		return "", nil
	})
	directory := filepath.Join(t.TempDir(), "log")
	writer, err := binlog.OpenWriter(directory, binlog.WithBlockBytes(1<<14), binlog.WithSegmentBytes(1<<16), binlog.WithOnClose(hook))
	if err != nil {
		t.Fatal(err)
	}
	defer writer.Close()
	h, err := slogbinlog.New(writer, nil)
	if err != nil {
		t.Fatal(err)
	}
	handler.Store(h)
	text := strings.Repeat("x", 1000)
	for range 1000 {
		if err := h.Handle(context.Background(), slog.Record{Message: text}); err != nil {
			t.Fatal(err)
		}
	}
	if err := writer.Sync(); err != nil || refused.Load() == 0 {
		t.Error(err, refused.Load())
	}
}

func TestGoroutinesShareAHandlerAndWhatIsMadeOfIt(t *testing.T) {
	handler, _, read := newHandler(t, nil)
	base := slog.New(handler).With("a", 1)
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			logger := base.With("g", g)
			for i := range 100 {
				logger.Info("message", "i", i)
			}
		}()
	}
	wg.Wait()
	next := make(map[string]int)
	for _, e := range read() {
		g := e.pairs[1][1]
		if len(e.pairs) != 3 || e.pairs[2][1] != fmt.Sprint(next[g]) {
			t.Fatalf("%+v", e)
		}
		next[g]++
	}
	if len(next) != 8 {
		t.Error(next)
	}
}

func Example() {
	directory, err := os.MkdirTemp("", "slogbinlog-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(directory)
	writer, err := binlog.OpenWriter(directory)
	if err != nil {
		panic(err)
	}
	handler, err := slogbinlog.New(writer, nil)
	if err != nil {
		panic(err)
	}
	logger := slog.New(handler)
	logger.Info("order taken", "order", 4711)
	logger.Error("payment refused", "order", 4711, slog.Group("customer", "id", 7))
	if err := writer.Close(); err != nil {
		panic(err)
	}

	reader, err := binlog.OpenReader(directory)
	if err != nil {
		panic(err)
	}
	defer reader.Close()
	errorsOnly := binlog.Filter{TypeNames: []string{"slog.ERROR"}, Metadata: binlog.Pairs("customer.id", "7")}
	for record, err := range reader.Records(errorsOnly) {
		if err != nil {
			panic(err)
		}
		fmt.Printf("%s: order %s\n", record.Payload(), record.Metadata().Get("order"))
	}
	// Output: payment refused: order 4711
}

func BenchmarkHandle(b *testing.B) {
	writer, err := binlog.OpenWriter(filepath.Join(b.TempDir(), "log"))
	if err != nil {
		b.Fatal(err)
	}
	defer writer.Close()
	handler, err := slogbinlog.New(writer, nil)
	if err != nil {
		b.Fatal(err)
	}
	logger := slog.New(handler)
	b.ReportAllocs()
	for b.Loop() {
		logger.Info("order taken", "order", 4711, "customer", "example")
	}
}
