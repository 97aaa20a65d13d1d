package binlog

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"binlog/internal/cbinlog"
)

// Every test of this file ends with as many functions held by the library as before.
func heldAsBefore(t *testing.T) {
	before := cbinlog.Handles()
	t.Cleanup(func() {
		if after := cbinlog.Handles(); after != before {
			t.Errorf("the library holds %d functions, before %d", after, before)
		}
	})
}

// list is a slice that callbacks append to.
type list[T any] struct {
	mu  sync.Mutex
	all []T
}

func (l *list[T]) add(x T) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, x)
}

func (l *list[T]) get() []T {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.all)
}

func bothWays(t *testing.T, test func(t *testing.T, way []WriterOption)) {
	t.Run("in the call", func(t *testing.T) { test(t, nil) })
	t.Run("in the background", func(t *testing.T) { test(t, []WriterOption{WithBackground()}) })
}

func TestHooksRunForEachSegmentInTheirOrder(t *testing.T) {
	bothWays(t, func(t *testing.T, way []WriterOption) {
		heldAsBefore(t)
		directory, spool := newLog(t), t.TempDir()
		var opened, closed list[SegmentFile]
		w := open(t, directory, append(way, WithName("orders"),
			WithOnOpen(HookCall(func(s SegmentFile) (string, error) { opened.add(s); return "", nil })),
			WithOnClose(
				HookChangeExtension(".done"),
				HookMoveTo(spool),
				HookCall(func(s SegmentFile) (string, error) {
					moved := s.Path + ".mine"
					return moved, os.Rename(s.Path, moved)
				}),
				HookCall(func(s SegmentFile) (string, error) { closed.add(s); return "", nil }),
			))...)
		appendN(t, w, 2)
		must(t, w.RollBecause("a reason"))
		appendN(t, w, 3)
		must(t, w.Close())

		o, c := opened.get(), closed.get()
		if len(o) != 2 || o[0].Sequence != 1 || o[1].FirstID != 3 || o[0].Reason != "" || o[0].Log != "orders" {
			t.Errorf("opened %+v", o)
		}
		if len(c) != 2 {
			t.Fatalf("closed %+v", c)
		}
		if c[0].Reason != "a reason" || c[0].Records != 2 || c[0].Bytes == 0 || c[1].Reason != "close" || c[1].FirstID != 3 {
			t.Errorf("closed %+v", c)
		}
		for _, s := range c {
			if filepath.Dir(s.Path) != spool || !strings.HasSuffix(s.Path, ".done.mine") {
				t.Errorf("a hook finds it at %s", s.Path)
			}
			if _, err := os.Stat(s.Path); err != nil {
				t.Error(err)
			}
		}
		if got := texts(t, filepath.Join(spool, "*.mine"), Filter{}); len(got) != 5 {
			t.Error(got)
		}
	})
}

func TestAHookThatFailsIsReportedAndTheOthersRun(t *testing.T) {
	bothWays(t, func(t *testing.T, way []WriterOption) {
		heldAsBefore(t)
		var failures list[Error]
		var reached list[string]
		hook := func(f func() error) Hook {
			return HookCall(func(SegmentFile) (string, error) { return "", f() })
		}
		w := open(t, newLog(t), append(way,
			WithOnFailure(func(err *Error) { failures.add(*err) }),
			WithOnClose(
				hook(func() error { return errors.New("nobody answers") }),
				hook(func() error { panic("a defect") }),
				hook(func() error { runtime.Goexit(); return nil }),
				hook(func() error { return fmt.Errorf("wrapped: %w", &Error{Status: ErrNoSpace, Message: "full"}) }),
				hook(func() error { reached.add("the last"); return nil }),
			))...)
		appendN(t, w, 1)
		must(t, w.Roll())
		// The failures of the background thread are complete when the writer is closed.
		n, err := w.Failures()
		must(t, err)
		must(t, w.Close())
		got := failures.get()
		if len(got) != 8 || len(reached.get()) != 2 || (way == nil && n != 4) {
			t.Fatalf("%d failures (%d counted), reached %v: %v", len(got), n, reached.get(), got)
		}
		for i, want := range []struct {
			status Status
			text   string
		}{{ErrIO, "nobody answers"}, {ErrIO, "panic: a defect"}, {ErrIO, "ended its goroutine"}, {ErrNoSpace, "wrapped: "}} {
			if got[i].Status != want.status || !strings.Contains(got[i].Message, want.text) || got[i].Path == "" {
				t.Errorf("%+v, not %v", got[i], want)
			}
		}
	})
}

func TestAListenerThatPanicsDoesNoHarm(t *testing.T) {
	bothWays(t, func(t *testing.T, way []WriterOption) {
		heldAsBefore(t)
		var reported list[int]
		w := open(t, newLog(t), append(way,
			WithOnFailure(func(*Error) { reported.add(1); panic("in the listener") }),
			WithOnClose(HookMoveTo("/nowhere/at/all")))...)
		appendN(t, w, 1)
		must(t, w.Close())
		if len(reported.get()) != 1 {
			t.Error(reported.get())
		}
	})
}

func TestACheckRollsTheLog(t *testing.T) {
	bothWays(t, func(t *testing.T, way []WriterOption) {
		heldAsBefore(t)
		directory := newLog(t)
		var states list[SegmentState]
		w := open(t, directory, append(way, WithRoll(RollOptions{Check: func(s SegmentState) bool {
			states.add(s)
			return s.Records >= 2
		}}))...)
		for range 6 {
			appendN(t, w, 1)
			must(t, w.Flush())
			must(t, w.Tick())
		}
		must(t, w.Close())
		segments, err := openReader(t, directory).Segments()
		must(t, err)
		seen := states.get()
		if len(segments) < 2 || len(seen) < 2 {
			t.Fatalf("%d segments, asked %d times", len(segments), len(seen))
		}
		s := seen[0]
		if s.Path == "" || s.Sequence != 1 || s.FirstID != 1 || s.Bytes == 0 || s.Now.Before(s.Created) {
			t.Errorf("%+v", s)
		}
	})
}

func TestACheckThatPanicsSaysNoAndIsReported(t *testing.T) {
	heldAsBefore(t)
	directory := newLog(t)
	var failures list[Error]
	w := open(t, directory, WithOnFailure(func(err *Error) { failures.add(*err) }))
	must(t, w.SetRoll(RollOptions{Check: func(SegmentState) bool { panic("a defect") }}))
	appendN(t, w, 2)
	must(t, w.Flush())
	must(t, w.Tick())
	must(t, w.Close())
	got := failures.get()
	if len(got) == 0 || got[0].Status != ErrInvalid || !strings.Contains(got[0].Message, "a defect") || got[0].Path == "" {
		t.Errorf("%+v", got)
	}
	if n := len(texts(t, directory, Filter{})); n != 2 {
		t.Error(n)
	}
	// SetRoll begins a segment, and nothing else did.
	if segments, err := openReader(t, directory).Segments(); err != nil || len(segments) != 2 {
		t.Errorf("it rolled nevertheless: %+v, %v", segments, err)
	}
}

func TestFunctionsAreGivenBackHoweverTheCallEnds(t *testing.T) {
	heldAsBefore(t)
	before := cbinlog.Handles()
	hook := HookCall(func(SegmentFile) (string, error) { return "", nil })
	all := []WriterOption{
		WithOnOpen(hook, hook), WithOnClose(hook), WithOnFailure(func(*Error) {}),
		WithRoll(RollOptions{Check: func(SegmentState) bool { return false }}),
	}
	held := func(n int64) {
		t.Helper()
		if got := cbinlog.Handles() - before; got != n {
			t.Errorf("%d functions are held, not %d", got, n)
		}
	}
	directory := newLog(t)
	w := open(t, directory, all...)
	held(5)
	// Registered, and dropped, by calls that fail.
	for _, wrong := range []WriterOption{WithBlockBytes(1), WithName("\x00"), WithWrong()} {
		if _, err := OpenWriter(newLog(t), append(all, wrong)...); err == nil {
			t.Error("it opens")
		}
		held(5)
	}
	_, err := OpenWriter(directory, all...)
	wantIs(t, err, ErrLocked)
	held(5)
	// A check that replaces another, and one that is refused.
	must(t, w.SetRoll(RollOptions{Check: func(SegmentState) bool { return false }}))
	wantIs(t, w.SetRoll(RollOptions{Zone: "Nowhere/Here", Check: func(SegmentState) bool { return false }}), ErrInvalid)
	must(t, w.Close())
	held(0)

	r := openReader(t, directory, WithSalvage(func(Loss) {}))
	held(1)
	c := openCursor(t, r, Filter{})
	must(t, r.Close())
	held(1)
	must(t, c.Close())
	held(0)
	_, err = OpenReader(newLog(t), WithSalvage(func(Loss) {}))
	wantIs(t, err, ErrNotFound)
	_, err = Recover(newLog(t), newLog(t), func(Loss) {})
	wantIs(t, err, ErrNotFound)
	held(0)
}

// WithWrong is an option that only the library rejects.
func WithWrong() WriterOption { return WithOnClose(Hook{cbinlog.Hook{Kind: 99}}) }

func TestAPanicOfALossListenerComesOutOfTheCall(t *testing.T) {
	heldAsBefore(t)
	directory := damagedLog(t, oneByte)
	reported := 0
	reader := openReader(t, directory, WithSalvage(func(Loss) {
		reported++
		panic("enough")
	}))
	c := openCursor(t, reader, Filter{})
	seen := 0
	round := func() (panicked any) {
		defer func() { panicked = recover() }()
		for _, err := range c.All() {
			must(t, err)
			seen++
		}
		return nil
	}
	if panicked := round(); panicked != "enough" || reported != 1 {
		t.Errorf("%v, reported %d times", panicked, reported)
	}
	before := seen
	if panicked := round(); panicked != nil || seen <= before || seen < 200 {
		t.Errorf("%v, %d and then %d records", panicked, before, seen)
	}

	target := newLog(t)
	func() {
		defer func() {
			if recover() != "enough" {
				t.Error("Recover does not panic")
			}
		}()
		_, _ = Recover(directory, target, func(Loss) { panic("enough") })
	}()
	if got := len(texts(t, target, Filter{})); got != seen {
		t.Errorf("%d records were recovered, %d salvaged", got, seen)
	}
}

// wantWithin is for calls that would wait for the function that makes them.
func wantWithin(t *testing.T, name string, err error) {
	t.Helper()
	if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), "must not be used by a function that it calls") {
		t.Errorf("%s: %v", name, err)
	}
}

func TestAListenerOfLossesCannotUseTheCursorThatCallsIt(t *testing.T) {
	heldAsBefore(t)
	directory := damagedLog(t, oneByte)
	var c *Cursor
	reported := 0
	reader := openReader(t, directory, WithSalvage(func(Loss) {
		reported++
		_, next := c.Next()
		_, get := c.Get(1)
		_, tail := c.Tail()
		for name, err := range map[string]error{
			"Close": c.Close(), "Next": next, "Get": get, "Seek": c.Seek(1), "SeekTime": c.SeekTime(time.Now()),
			"SeekEnd": c.SeekEnd(), "Tail": tail, "Wait": c.Wait(context.Background()),
		} {
			wantWithin(t, name, err)
		}
		// Another one may be used.
		other, err := OpenReader(directory)
		must(t, err)
		cursor, err := other.Cursor(Filter{})
		must(t, err)
		_, err = cursor.Next()
		must(t, err)
		must(t, cursor.Close())
		must(t, other.Close())
	}))
	c = openCursor(t, reader, Filter{})
	in(t, "salvaging", func() {
		seen := 0
		for _, err := range c.All() {
			must(t, err)
			seen++
		}
		if reported != 1 || seen < 200 {
			t.Errorf("reported %d times, %d records", reported, seen)
		}
		must(t, c.Close())
	})
}

func TestAHookWithoutAFunctionPanicsWhereItIsMade(t *testing.T) {
	defer func() {
		if said := recover(); said != "binlog.HookCall: no function" {
			t.Error(said)
		}
	}()
	HookCall(nil)
}

// The stack of the goroutine that appends moves while the library holds pointers to its arguments.
func TestACallbackMayMoveTheStackOfItsCaller(t *testing.T) {
	heldAsBefore(t)
	directory := newLog(t)
	var deep func(n int) int
	deep = func(n int) int {
		var room [256]byte
		if n == 0 {
			return int(room[0])
		}
		return deep(n-1) + int(room[255])
	}
	var asked list[int]
	w := open(t, directory, WithFlush(Lag{Records: 1}), // each append writes, and calls the check
		WithRoll(RollOptions{Check: func(SegmentState) bool {
			asked.add(deep(200))
			runtime.GC()
			return false
		}}))
	const n = 30
	for i := range n {
		in(t, "an append", func() {
			var payload [64]byte
			copy(payload[:], fmt.Sprintf("record %d", i+1))
			_, err := w.Append(1, payload[:])
			if err == nil {
				_, err = w.Gather(1, payload[:32], payload[32:])
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	if n := len(asked.get()); n < 2*30 {
		t.Errorf("the check was asked %d times", n)
	}
	must(t, w.Close())
	for i, text := range texts(t, directory, Filter{}) {
		if !strings.HasPrefix(text, fmt.Sprintf("%d record %d\x00", i+1, i/2+1)) {
			t.Errorf("%q", text)
		}
	}
}

// Calls that write, flush, roll or close: each would wait for itself or be called again and again.
var useOfWriter = map[string]func(w *Writer) error{
	"Append":       func(w *Writer) error { _, err := w.Append(1, nil); return err },
	"AppendRecord": func(w *Writer) error { _, err := w.AppendRecord(NewRecord{Type: 1, Time: time.Unix(1, 0)}); return err },
	"Gather":       func(w *Writer) error { _, err := w.Gather(1, nil); return err },
	"Gather, large": func(w *Writer) error {
		_, err := w.Gather(1, make([]byte, 1<<20))
		return err
	},
	"GatherRecord": func(w *Writer) error {
		_, err := w.GatherRecord(NewRecord{Type: 1, Metadata: nil}, make([]byte, 1<<20))
		return err
	},
	"AppendBatch": func(w *Writer) error {
		var b Batch
		b.Append(1, []byte("one"))
		_, err := w.AppendBatch(&b)
		return err
	},
	"AppendRecords": func(w *Writer) error {
		_, err := w.AppendRecords([]NewRecord{{Type: 1, Payload: make([]byte, 1<<20)}})
		return err
	},
	"Type":        func(w *Writer) error { _, err := w.Type("orders", ""); return err },
	"Flush":       (*Writer).Flush,
	"Sync":        (*Writer).Sync,
	"Tick":        (*Writer).Tick,
	"Roll":        (*Writer).Roll,
	"RollBecause": func(w *Writer) error { return w.RollBecause("a test") },
	"SetRoll":     func(w *Writer) error { return w.SetRoll(RollOptions{Records: 1}) },
	"Heartbeat":   (*Writer).Heartbeat,
	"Close":       (*Writer).Close,
}

func TestAFunctionThatTheWriterHasCalledCannotWriteToItOrCloseIt(t *testing.T) {
	for _, background := range []bool{false, true} {
		directory := newLog(t)
		var w *Writer
		var mutex sync.Mutex
		refused := map[string]int{}
		closing := false
		uses := func(where string) {
			mutex.Lock()
			defer mutex.Unlock()
			refused[where]++
			for name, use := range useOfWriter {
				err := use(w)
				if closing && name != "Close" && err == ErrClosed {
					continue
				}
				if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), "that it has called") {
					t.Errorf("%s in %s: %v", name, where, err)
				}
			}
			if _, err := w.Position(); err != nil && !closing {
				t.Error(err)
			}
		}
		options := []WriterOption{
			WithOnClose(HookCall(func(SegmentFile) (string, error) {
				uses("a hook")
				return "", errors.New("for the other function")
			})),
			WithOnFailure(func(*Error) { uses("the listener of failures") }),
			WithRoll(RollOptions{Check: func(SegmentState) bool {
				uses("a check")
				return false
			}}),
		}
		if background {
			options = append(options, WithBackground())
		}
		w = open(t, directory, options...)
		in(t, "writing", func() {
			appendN(t, w, 1)
			must(t, w.Flush())
			must(t, w.Roll())
			must(t, w.Tick())
			appendN(t, w, 1)
			must(t, w.SetRoll(RollOptions{Check: func(SegmentState) bool {
				uses("another check")
				return false
			}}))
			appendN(t, w, 1)
			mutex.Lock()
			closing = true
			mutex.Unlock()
			must(t, w.Close())
		})
		if refused["a hook"] < 3 || refused["the listener of failures"] < 3 || refused["a check"] == 0 || refused["another check"] == 0 {
			t.Errorf("the functions that ran: %v", refused)
		}
		if records := texts(t, directory, Filter{}); len(records) != 3 {
			t.Errorf("the log has %q", records)
		}
	}
}

// The function of an inner writer runs within that of an outer one, in a goroutine and a thread of its own.
func TestAFunctionWithinAnotherKnowsWhoHasCalledBoth(t *testing.T) {
	each := WithFlush(Lag{Records: 1})
	var outer, inner *Writer
	var reported list[error]
	inner = open(t, newLog(t), each, WithRoll(RollOptions{Check: func(SegmentState) bool {
		if outer != nil {
			_, err := outer.Append(1, nil)
			reported.add(err)
			reported.add(outer.Close())
		}
		return false
	}}))
	outer = open(t, newLog(t), each, WithRoll(RollOptions{Check: func(SegmentState) bool {
		if _, err := inner.Append(1, nil); err != nil {
			t.Error(err)
		}
		return false
	}}))
	in(t, "an append", func() { appendN(t, outer, 1) })
	if n := len(reported.get()); n < 2 {
		t.Errorf("the inner function was called %d times", n/2)
	}
	for _, err := range reported.get() {
		wantIs(t, err, ErrInvalid)
	}
	// The threads of the functions are returned, without a record of the functions.
	in(t, "appends everywhere", func() {
		var wg sync.WaitGroup
		for range 50 {
			wg.Add(1)
			go func() {
				defer wg.Done()
				if _, err := outer.Append(1, nil); err != nil {
					t.Error(err)
				}
			}()
		}
		wg.Wait()
	})
	must(t, outer.Close())
	outer = nil
	must(t, inner.Close())
}

// In a goroutine that a function starts, the writer can be used, as in any other.
func TestAFunctionMayStartAGoroutineThatWrites(t *testing.T) {
	directory := newLog(t)
	var w *Writer
	var wg sync.WaitGroup
	w = open(t, directory, WithOnClose(HookCall(func(SegmentFile) (string, error) {
		wg.Add(1)
		go func() {
			defer wg.Done()
			if _, err := w.Append(1, []byte("of the goroutine")); err != nil && err != ErrClosed {
				t.Error(err)
			}
		}()
		return "", nil
	})))
	appendN(t, w, 1)
	must(t, w.Roll())
	must(t, w.Tick())
	in(t, "the goroutine", wg.Wait)
	if records := texts(t, directory, Filter{}); len(records) == 0 {
		t.Error("nothing was written")
	}
	must(t, w.Close())
	wg.Wait()
	if records := texts(t, directory, Filter{}); len(records) != 2 {
		t.Errorf("the log has %q", records)
	}
}
