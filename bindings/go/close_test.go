package binlog

import (
	"context"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"binlog/internal/cbinlog"
)

func TestUseAfterCloseIsAnError(t *testing.T) {
	directory := newLog(t)
	w := open(t, directory)
	appendN(t, w, 3)
	must(t, w.Close())
	var b Batch
	b.Append(1, nil)
	large := make([]byte, gatherCopyBytes+1)
	for name, call := range map[string]func() error{
		"append":       func() error { _, err := w.Append(1, nil); return err },
		"record":       func() error { _, err := w.AppendRecord(NewRecord{}); return err },
		"gather":       func() error { _, err := w.Gather(1, large); return err },
		"gather small": func() error { _, err := w.Gather(1, nil); return err },
		"gather head":  func() error { _, err := w.GatherRecord(NewRecord{}, large); return err },
		"batch":        func() error { _, err := w.AppendBatch(&b); return err },
		"records":      func() error { _, err := w.AppendRecords([]NewRecord{{}}); return err },
		"in place":     func() error { _, err := w.AppendRecords([]NewRecord{{Payload: large}}); return err },
		"type":         func() error { _, err := w.Type("a", ""); return err },
		"flush":        w.Flush,
		"sync":         w.Sync,
		"tick":         w.Tick,
		"roll":         w.Roll,
		"because":      func() error { return w.RollBecause("x") },
		"set roll":     func() error { return w.SetRoll(RollOptions{Check: func(SegmentState) bool { return false }}) },
		"heartbeat":    w.Heartbeat,
		"position":     func() error { _, err := w.Position(); return err },
		"dropped":      func() error { _, err := w.Dropped(); return err },
		"failures":     func() error { _, err := w.Failures(); return err },
		"status":       func() error { _, err := w.ShipStatus(); return err },
		"metrics":      func() error { _, err := w.ShipMetrics(); return err },
	} {
		err := call()
		wantIs(t, err, ErrClosed)
		if err != ErrClosed {
			t.Errorf("%s: %v", name, err)
		}
	}
	wantIs(t, ErrClosed, fs.ErrClosed)

	r := openReader(t, directory)
	c := openCursor(t, r, Filter{})
	must(t, r.Close())
	must(t, r.Close())
	_, err := r.Segments()
	wantIs(t, err, ErrClosed)
	_, err = r.Counts()
	wantIs(t, err, ErrClosed)
	for _, err = range r.Records(Filter{}) {
	}
	wantIs(t, err, ErrClosed)
	for _, err = range r.Follow(context.Background(), Filter{}) {
	}
	wantIs(t, err, ErrClosed)

	// A cursor works on after its reader was closed.
	first, err := c.Next()
	must(t, err)
	must(t, c.Close())
	must(t, c.Close())
	_, err = c.Next()
	wantIs(t, err, ErrClosed)
	_, err = c.Get(1)
	wantIs(t, err, ErrClosed)
	wantIs(t, c.Seek(1), ErrClosed)
	wantIs(t, c.SeekTime(time.Time{}), ErrClosed)
	wantIs(t, c.Wait(context.Background()), ErrClosed)
	_, err = c.Tail()
	wantIs(t, err, ErrClosed)
	if _, known := c.TypeName(1); known {
		t.Error("a closed cursor knows a name")
	}
	for _, err = range c.All() {
	}
	wantIs(t, err, ErrClosed)
	if string(first.Payload()) != "record 1" {
		t.Errorf("a view shows %q when its cursor is closed", first.Payload())
	}
}

func TestHandlesThatWereNeverOpenedAreNoCrash(t *testing.T) {
	var w Writer
	_, err := w.Append(1, nil)
	wantIs(t, err, ErrInvalid)
	must(t, w.Close())
	var r Reader
	_, err = r.Segments()
	wantIs(t, err, ErrInvalid)
	must(t, r.Close())
	var c Cursor
	_, err = c.Next()
	wantIs(t, err, ErrInvalid)
	must(t, c.Close())
	var s Shipper
	_, err = s.Run(context.Background(), nil)
	wantIs(t, err, ErrInvalid)
	_, err = s.Status()
	wantIs(t, err, ErrInvalid)
	must(t, s.Close())
}

func TestClosingAWriterRacesWithItsUse(t *testing.T) {
	for range 20 {
		directory := newLog(t)
		w := open(t, directory)
		taken := make([]uint64, 4)
		var wg sync.WaitGroup
		started := make(chan struct{}, len(taken))
		for g := range taken {
			wg.Add(1)
			go func() {
				defer wg.Done()
				for first := true; ; first = false {
					id, err := w.Append(1, []byte("x"))
					if err == ErrClosed {
						return
					}
					if err != nil {
						t.Error(err)
						return
					}
					taken[g] = id
					if first {
						started <- struct{}{}
					}
				}
			}()
		}
		for range taken {
			<-started
		}
		for range 3 {
			wg.Add(1)
			go func() {
				defer wg.Done()
				if err := w.Close(); err != nil {
					t.Error(err)
				}
				// When any Close returns, the log is closed.
				if next, err := OpenWriter(directory); err == nil {
					next.Close()
				} else if !isStatus(err, ErrLocked) {
					t.Error(err)
				}
			}()
		}
		in(t, "closing", wg.Wait)
		// Everything that was accepted is in the log.
		last := uint64(0)
		for _, id := range taken {
			last = max(last, id)
		}
		if tail := texts(t, directory, Filter{Last: 1}); len(tail) != 1 || uint64(len(texts(t, directory, Filter{}))) != last {
			t.Errorf("%v is the last, not %d", tail, last)
		}
	}
}

// Another call holds Close up: an append does not pass by it.
func TestNoAppendIsAcceptedOnceCloseWasCalled(t *testing.T) {
	entered, release := make(chan struct{}, 1), make(chan struct{})
	directory := newLog(t)
	w := open(t, directory, WithOnClose(HookCall(func(s SegmentFile) (string, error) {
		if s.Sequence == 1 {
			entered <- struct{}{}
			<-release
		}
		return "", nil
	})))
	appendN(t, w, 1)
	rolled, closed := make(chan error, 1), make(chan error, 1)
	go func() { rolled <- w.Roll() }()
	in(t, "the roll", func() { <-entered })
	go func() { closed <- w.Close() }()
	until(t, "closing has begun", func() bool { _, err := w.Position(); return err == ErrClosed })
	for range 100 {
		if _, err := w.Append(1, nil); err != ErrClosed {
			t.Fatalf("an append after Close: %v", err)
		}
	}
	select {
	case err := <-closed:
		t.Fatal("Close has not waited: ", err)
	default:
	}
	close(release)
	in(t, "closing", func() { must(t, <-rolled); must(t, <-closed) })
	if got := texts(t, directory, Filter{}); len(got) != 1 {
		t.Error(got)
	}
}

// An append in a thread that is in no other one is recorded by that thread; one within a callback of another is
// counted.
func TestClosingWaitsForAnAppendAlsoWithinACallbackOfAnother(t *testing.T) {
	entered, release := make(chan struct{}, 10), make(chan struct{})
	// The check is called within each append.
	each := WithFlush(Lag{Records: 1})
	inner := open(t, newLog(t), each, WithRoll(RollOptions{Check: func(SegmentState) bool {
		entered <- struct{}{}
		<-release
		return false
	}}))
	outer := open(t, newLog(t), each, WithRoll(RollOptions{Check: func(SegmentState) bool {
		// Closing the outer one calls it again.
		if _, err := inner.Append(1, nil); err != nil && err != ErrClosed {
			t.Error(err)
		}
		return false
	}}))
	ended := make(chan string, 3)
	go func() {
		if _, err := outer.Append(1, nil); err != nil {
			t.Error(err)
		}
		ended <- "append"
	}()
	in(t, "the append", func() { <-entered })
	for _, w := range []*Writer{inner, outer} {
		go func() {
			if err := w.Close(); err != nil {
				t.Error(err)
			}
			ended <- "close"
		}()
		// The last call that is refused before closing waits.
		in(t, "turning away", func() {
			for w.c.IsOpen() {
				time.Sleep(time.Millisecond)
			}
		})
		if _, err := w.Append(1, nil); err != ErrClosed {
			t.Errorf("an append while the writer is being closed: %v", err)
		}
	}
	time.Sleep(5 * time.Millisecond)
	select {
	case what := <-ended:
		t.Fatal("an end before the append's: ", what)
	default:
	}
	close(release)
	in(t, "closing", func() {
		for range cap(ended) {
			<-ended
		}
	})
}

func TestClosingAReaderAndItsCursorsRacesWithTheirUse(t *testing.T) {
	directory := writeLog(t, 2000, 100)
	for range 20 {
		r := openReader(t, directory)
		c := openCursor(t, r, Filter{})
		var wg sync.WaitGroup
		started := make(chan struct{}, 2)
		wg.Add(2)
		go func() {
			defer wg.Done()
			started <- struct{}{}
			for {
				for record, err := range c.All() {
					if err == ErrClosed {
						return
					}
					if err != nil {
						t.Error(err)
						return
					}
					if len(record.Payload()) == 0 {
						t.Error("a record without its payload")
					}
				}
				if err := c.Seek(1); err == ErrClosed {
					return
				} else if err != nil {
					t.Error(err)
				}
			}
		}()
		go func() {
			defer wg.Done()
			started <- struct{}{}
			for {
				for _, err := range r.Records(Filter{FromID: 1990}) {
					if err == ErrClosed {
						return
					}
					if err != nil {
						t.Error(err)
						return
					}
				}
			}
		}()
		<-started
		<-started
		for range 2 {
			wg.Add(2)
			go func() { defer wg.Done(); c.Close() }()
			go func() { defer wg.Done(); r.Close() }()
		}
		in(t, "closing", wg.Wait)
	}
}

func TestClosingACursorEndsItsWait(t *testing.T) {
	directory := newLog(t)
	open(t, directory)
	c := openCursor(t, openReader(t, directory), Filter{})
	if _, err := c.Next(); err != io.EOF {
		t.Fatal(err)
	}
	waited := make(chan error, 1)
	go func() { waited <- c.Wait(context.Background()) }()
	must(t, c.Close())
	in(t, "the wait", func() { wantIs(t, <-waited, ErrClosed) })
}

func TestALoopMayCloseItsCursor(t *testing.T) {
	c := openCursor(t, openReader(t, writeLog(t, 10, 0)), Filter{})
	n := 0
	for r, err := range c.All() {
		if n == 0 {
			must(t, err)
			must(t, c.Close())
			if string(r.Payload()) != "record 1" {
				t.Error(r)
			}
		} else {
			wantIs(t, err, ErrClosed)
		}
		n++
	}
	if n != 2 {
		t.Error(n)
	}
}

// Only a safety net, but it must work.
func TestWhatIsForgottenIsClosedByTheCollector(t *testing.T) {
	directory, store := newLog(t), newStore(t)
	held := cbinlog.Handles()
	forget := func() {
		w, err := OpenWriter(directory, WithOnFailure(func(*Error) {}))
		must(t, err)
		appendN(t, w, 1)
		r, err := OpenReader(directory, WithSalvage(func(Loss) {}))
		must(t, err)
		_, err = r.Cursor(Filter{})
		must(t, err)
		s, err := OpenShipper(directory, "", ShipOptions{URL: store})
		must(t, err)
		_, err = s.Run(context.Background(), func(ShipEvent) bool { return true })
		must(t, err)
	}
	forget()
	for began := time.Now(); ; time.Sleep(time.Millisecond) {
		runtime.GC()
		w, err := OpenWriter(directory)
		s, failure := OpenShipper(directory, "", ShipOptions{URL: store})
		if err == nil {
			must(t, w.Close())
		}
		if failure == nil {
			must(t, s.Close())
		}
		if err == nil && failure == nil && cbinlog.Handles() == held {
			break
		}
		if time.Since(began) > patience {
			t.Fatalf("still %d functions are held", cbinlog.Handles()-held)
		}
	}
	if got := texts(t, directory, Filter{}); len(got) != 1 {
		t.Error(got)
	}
}

func TestTheGateWaitsForWhoIsInAndTurnsAwayWhoComes(t *testing.T) {
	var g gate
	if !g.enter() || !g.enter() {
		t.Fatal("an open gate is shut")
	}
	closed := make(chan struct{})
	go func() {
		g.shut(func() {})
		close(closed)
	}()
	for g.enter() {
		g.leave()
		runtime.Gosched()
	}
	g.leave()
	select {
	case <-closed:
		t.Fatal("it did not wait for the second one")
	default:
	}
	for range 100 {
		if g.enter() {
			t.Fatal("a shut gate lets through")
		}
	}
	g.leave()
	in(t, "shutting", func() { <-closed })
	g.shut(func() { t.Error("shut twice") })
}

func TestNoFileStaysOpen(t *testing.T) {
	open := func() int {
		entries, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Skip(err)
		}
		return len(entries)
	}
	directory := filepath.Join(t.TempDir(), "log")
	before := open()
	for range 10 {
		w, err := OpenWriter(directory, WithBackground())
		must(t, err)
		appendN(t, w, 1)
		r, err := OpenReader(directory)
		must(t, err)
		c, err := r.Cursor(Filter{})
		must(t, err)
		_, err = c.Next()
		if err != io.EOF {
			must(t, err)
		}
		short, cancel := context.WithTimeout(context.Background(), time.Millisecond)
		_ = c.Wait(short)
		cancel()
		for range r.Records(Filter{}) {
		}
		must(t, c.Close())
		must(t, r.Close())
		must(t, w.Close())
	}
	if after := open(); after > before {
		t.Errorf("%d files are open, %d were before", after, before)
	}
}
