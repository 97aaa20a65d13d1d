package binlog

import (
	"bytes"
	"encoding/binary"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func openAppender(t testing.TB, w *Writer) *Appender {
	t.Helper()
	a, err := w.OpenAppender()
	must(t, err)
	t.Cleanup(func() { a.Close() })
	return a
}

func numbered(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

// counted returns how many records of each type there are; the payloads of each are 0, 1, 2 ...
func counted(t *testing.T, directory string) map[Type]uint64 {
	t.Helper()
	next := make(map[Type]uint64)
	for r, err := range openReader(t, directory).Records(Filter{}) {
		must(t, err)
		if n := binary.BigEndian.Uint64(r.Payload()); n != next[r.Type()] {
			t.Fatalf("type %d: %d follows %d", r.Type(), n, next[r.Type()])
		}
		next[r.Type()]++
	}
	return next
}

func TestAppenderKeepsOrderTimesAndMetadataOfEveryKind(t *testing.T) {
	directory := newLog(t)
	large := bytes.Repeat([]byte("large"), 60000)
	began := time.Now()
	w := open(t, directory)
	named, err := w.Type("named", "")
	must(t, err)
	a := openAppender(t, w)
	at := time.Unix(0, -5)
	for range 3 {
		must(t, a.Append(1, []byte("a")))
		must(t, a.Append(named, []byte("b")))
		must(t, a.AppendRecord(NewRecord{Type: 9, Time: at, Metadata: Pairs("key", "value"), Payload: []byte("c")}))
		must(t, a.AppendRecord(NewRecord{Type: 9, Payload: []byte("d")}))
		must(t, a.Gather(10, []byte("e"), []byte("f")))
		var b Batch
		b.Append(11, []byte("g"))
		b.Append(11, []byte("h"))
		must(t, a.AppendBatch(&b))
		must(t, a.Append(12, large))
		must(t, a.Append(13, nil))
	}
	last, err := a.Flush()
	must(t, err)
	if last != 27 {
		t.Errorf("the last id is %d", last)
	}
	must(t, w.Close())
	wants := []string{"a", "b", "c", "d", "ef", "g", "h", string(large), ""}
	i := 0
	for r, err := range openReader(t, directory).Records(Filter{}) {
		must(t, err)
		if want := wants[i%9]; string(r.Payload()) != want {
			t.Fatalf("record %d is %.20q, not %.20q", r.ID(), r.Payload(), want)
		}
		if i%9 == 2 {
			if !r.Time().Equal(at) || r.Metadata().Get("key") != "value" {
				t.Errorf("record %d has %v, %v", r.ID(), r.Time(), r.Metadata())
			}
		} else if r.Time().Before(began.Truncate(time.Microsecond)) || r.Time().After(time.Now()) {
			t.Errorf("record %d is of %v", r.ID(), r.Time())
		}
		i++
	}
}

func TestAppendersAreInEachFlushSyncAndRoll(t *testing.T) {
	w := open(t, newLog(t), WithBackground())
	one, other := openAppender(t, w), openAppender(t, w)
	appended := uint64(0)
	for i := range 300 {
		for range i%7 + 1 {
			must(t, one.Append(1, []byte("one")))
			must(t, other.Append(2, []byte("other")))
			appended += 2
		}
		must(t, []func() error{w.Flush, w.Sync, w.Roll}[i%3]())
		position, err := w.Position()
		must(t, err)
		if position.Flushed != appended || i%3 != 0 && position.Durable != appended {
			t.Fatalf("%d records and %+v", appended, position)
		}
	}
}

// A flush has everything that was appended before it began, and nothing is lost or there twice.
func TestAppendersBesideOneThatCollects(t *testing.T) {
	const goroutines, each = 3, 200_000
	directory := newLog(t)
	w := open(t, directory, WithBackground())
	var appended [goroutines]atomic.Uint64
	var running sync.WaitGroup
	var ended atomic.Int32
	for i := range goroutines {
		running.Add(1)
		go func() {
			defer running.Done()
			defer ended.Add(1)
			a, err := w.OpenAppenderBytes(1 << 16)
			must(t, err)
			for n := range uint64(each) {
				must(t, a.Append(Type(i), numbered(n)))
				appended[i].Store(n + 1)
			}
			must(t, a.Close())
		}()
	}
	for i := 0; ended.Load() < goroutines; i++ {
		before := uint64(0)
		for j := range appended {
			before += appended[j].Load()
		}
		switch {
		case i%16 == 0:
			must(t, w.Roll())
		case i%4 == 0:
			must(t, w.Sync())
		default:
			must(t, w.Flush())
		}
		position, err := w.Position()
		must(t, err)
		if position.Flushed < before {
			t.Fatalf("%d records were appended, and %+v", before, position)
		}
	}
	running.Wait()
	must(t, w.Close())
	for typ, n := range counted(t, directory) {
		if n != each {
			t.Errorf("%d records of type %d", n, typ)
		}
	}
}

func TestAppendersOfAWriterThatIsClosedMeanwhile(t *testing.T) {
	for round := range 20 {
		directory := newLog(t)
		var options []WriterOption
		if round%2 == 0 {
			options = append(options, WithBackground())
		}
		w := open(t, directory, options...)
		var taken [2]uint64
		var running sync.WaitGroup
		for i := range taken {
			a := openAppender(t, w)
			running.Add(1)
			go func() {
				defer running.Done()
				for {
					if err := a.Append(Type(i), numbered(taken[i])); err != nil {
						if !errors.Is(err, ErrClosed) {
							t.Error(err)
						}
						return
					}
					taken[i]++
				}
			}()
		}
		time.Sleep(5 * time.Millisecond)
		must(t, w.Close())
		running.Wait()
		there := counted(t, directory)
		for i, n := range taken {
			if there[Type(i)] != n {
				t.Errorf("round %d: %d of %d records are there", round, there[Type(i)], n)
			}
		}
	}
}

func TestAppenderIsFlushedByTheInterval(t *testing.T) {
	w := open(t, newLog(t), WithBackground(), WithFlush(Lag{Interval: 20 * time.Millisecond}))
	a := openAppender(t, w)
	for i := uint64(1); i <= 5; i++ {
		must(t, a.Append(1, numbered(i)))
		until(t, "it is flushed", func() bool {
			position, err := w.Position()
			must(t, err)
			return position.Flushed == i
		})
	}
}

func TestAppenderRefusesWhatTheWriterRefuses(t *testing.T) {
	directory := newLog(t)
	w := open(t, directory, WithRecordMaxBytes(1000))
	if _, err := w.OpenAppenderBytes(-1); !errors.Is(err, ErrInvalid) {
		t.Error(err)
	}
	if _, err := w.OpenAppenderBytes(1); !errors.Is(err, ErrInvalid) {
		t.Error(err)
	}
	a := openAppender(t, w)
	must(t, a.Append(1, numbered(0)))
	for _, typ := range []Type{FirstNamedType, FirstNamedType + 5, FirstEventType, FirstEventType + 1, 1<<32 - 1} {
		if err := a.Append(typ, nil); !errors.Is(err, ErrInvalid) {
			t.Errorf("%v: %v", typ, err)
		}
	}
	if err := a.Append(1, make([]byte, 1001)); !errors.Is(err, ErrTooLarge) {
		t.Error(err)
	}
	for _, m := range []Metadata{{1}, {1, 0xff, 0}, {5, 'a', 1, 'b'}, Pairs("a", "\xff")} {
		if err := a.AppendRecord(NewRecord{Type: 1, Metadata: m}); !errors.Is(err, ErrInvalid) {
			t.Errorf("%v: %v", m, err)
		}
	}
	if err := a.AppendRecord(NewRecord{Type: 1, Time: time.Unix(1<<40, 0)}); !errors.Is(err, ErrInvalid) {
		t.Error(err)
	}
	if err := a.AppendBatch(nil); !errors.Is(err, ErrInvalid) {
		t.Error(err)
	}
	must(t, a.Append(1, numbered(1)))
	must(t, a.Close())
	must(t, a.Close())
	if err := a.Append(1, numbered(2)); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
	if _, err := a.Flush(); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
	late := openAppender(t, w)
	must(t, late.Append(1, numbered(2)))
	must(t, w.Close())
	if err := late.Append(1, numbered(3)); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
	must(t, late.Close())
	if _, err := w.OpenAppender(); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
	if there := counted(t, directory); there[1] != 3 {
		t.Error(there)
	}
}

// Closing an appender is no exception from the rule that anybody may close: no record is lost, or said to be.
func TestAppenderThatIsClosedMeanwhile(t *testing.T) {
	directory := newLog(t)
	w := open(t, directory)
	total := uint64(0)
	for round := range 200 {
		a := openAppender(t, w)
		taken := make(chan uint64)
		go func() {
			n := uint64(0)
			for ; a.Append(1, numbered(total+n)) == nil; n++ {
				if n%50 == 0 {
					runtime.Gosched()
				}
			}
			taken <- n
		}()
		time.Sleep(time.Duration(round*5) * time.Microsecond)
		must(t, a.Close())
		total += <-taken
	}
	must(t, w.Close())
	if there := counted(t, directory)[1]; there != total {
		t.Errorf("%d of %d records are there", there, total)
	}
}

// This is against the rules. It must not damage what others have appended, or the process.
func TestAppenderThatSeveralGoroutinesUse(t *testing.T) {
	directory := newLog(t)
	w := open(t, directory)
	other := openAppender(t, w)
	a := openAppender(t, w)
	large := make([]byte, 60000)
	var running sync.WaitGroup
	for i := range 4 {
		running.Add(1)
		go func() {
			defer running.Done()
			for n := range 300 {
				switch (i + n) % 3 {
				case 0:
					_ = a.Gather(2, large)
				case 1:
					_, _ = a.Flush()
				default:
					_ = a.AppendBatch(new(Batch))
				}
			}
		}()
	}
	for n := range uint64(1000) {
		must(t, other.Append(1, numbered(n)))
	}
	running.Wait()
	must(t, w.Close())
	n := uint64(0)
	for r, err := range openReader(t, directory).Records(Filter{Types: []Type{1}}) {
		must(t, err)
		if binary.BigEndian.Uint64(r.Payload()) != n {
			t.Fatalf("record %d is another one", n)
		}
		n++
	}
	if n != 1000 {
		t.Error(n)
	}
}

func TestAppenderThatWasNeverOpened(t *testing.T) {
	var a Appender
	_, flushed := a.Flush()
	for _, err := range []error{a.Append(1, nil), a.AppendRecord(NewRecord{}), a.Gather(1), a.AppendBatch(new(Batch)), flushed, a.Close()} {
		if !errors.Is(err, ErrInvalid) {
			t.Error(err)
		}
	}
}

func TestAppendersThatAreForgotten(t *testing.T) {
	w := open(t, newLog(t))
	for range 50 {
		a, err := w.OpenAppender()
		must(t, err)
		must(t, a.Append(1, []byte("forgotten")))
	}
	runtime.GC()
	must(t, w.Flush())
	if position, err := w.Position(); err != nil || position.Flushed != 50 {
		t.Error(position, err)
	}
}
