package binlog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

func TestTheFilterShowsWhatItLetsThrough(t *testing.T) {
	directory := newLog(t)
	w := open(t, directory)
	rare, err := w.Type("rare", "")
	must(t, err)
	for i := range 20 {
		r := NewRecord{Type: Type(1 + i%2), Time: time.Unix(int64(i), 0), Payload: []byte("x")}
		if i%10 == 5 {
			r.Type, r.Metadata = rare, Pairs("key", "value", "n", fmt.Sprint(i))
		}
		_, err := w.AppendRecord(r)
		must(t, err)
	}
	must(t, w.Close())
	reader := openReader(t, directory)
	for name, want := range map[string]struct {
		filter Filter
		ids    []uint64
	}{
		"ids":          {Filter{FromID: 3, ToID: 5}, []uint64{3, 4, 5}},
		"times":        {Filter{FromTime: time.Unix(2, 0), ToTime: time.Unix(4, 0)}, []uint64{3, 4}},
		"types":        {Filter{Types: []Type{2, rare}, ToID: 6}, []uint64{2, 4, 6}},
		"names":        {Filter{TypeNames: []string{"rare"}}, []uint64{6, 16}},
		"metadata":     {Filter{Metadata: Pairs("n", "15", "key", "value")}, []uint64{16}},
		"last":         {Filter{Last: 2}, []uint64{19, 20}},
		"newest first": {Filter{NewestFirst: true, Last: 3}, []uint64{20, 19, 18}},
	} {
		var ids []uint64
		for r, err := range reader.Records(want.filter) {
			must(t, err)
			ids = append(ids, r.ID())
		}
		if !slices.Equal(ids, want.ids) {
			t.Errorf("%s: %v, not %v", name, ids, want.ids)
		}
	}
	for r, err := range reader.Records(Filter{HeadersOnly: true, Last: 1}) {
		must(t, err)
		if r.Len() != 1 || r.Payload() != nil {
			t.Error(r)
		}
	}
	var events []Type
	for r, err := range reader.Records(Filter{Events: true}) {
		must(t, err)
		if r.IsEvent() {
			events = append(events, r.Type())
		}
	}
	if !slices.Equal(events, []Type{EventStarted, EventOpened, EventType, EventStopped, EventClosed}) {
		t.Error(events)
	}
}

func TestACursorGoesOnWhereItWasLeft(t *testing.T) {
	directory := newLog(t)
	w := open(t, directory)
	appendN(t, w, 5)
	must(t, w.Flush())
	c := openCursor(t, openReader(t, directory), Filter{})
	wantTail := func(state TailState, next uint64) {
		t.Helper()
		tail, err := c.Tail()
		must(t, err)
		if tail.State != state || tail.NextID != next {
			t.Errorf("%v, %d", tail.State, tail.NextID)
		}
	}
	r, err := c.Next()
	must(t, err)
	wantTail(TailMore, 2)
	for r, err = range c.All() {
		must(t, err)
		if r.ID() == 3 {
			break
		}
	}
	wantTail(TailMore, 4)
	var ids []uint64
	for r, err := range c.All() {
		must(t, err)
		ids = append(ids, r.ID())
	}
	if !slices.Equal(ids, []uint64{4, 5}) {
		t.Error(ids)
	}
	if _, err = c.Next(); err != io.EOF {
		t.Error(err)
	}
	wantTail(TailLive, 6)
	appendN(t, w, 1)
	must(t, w.Flush())
	if r, err = c.Next(); err != nil || r.ID() != 6 {
		t.Error(r, err)
	}
	must(t, w.Close())
	if _, err = c.Next(); err != io.EOF {
		t.Error(err)
	}
	wantTail(TailClosed, 7)
}

func TestGetAndSeekGoAnywhere(t *testing.T) {
	directory := writeLog(t, 100, 30)
	c := openCursor(t, openReader(t, directory), Filter{})
	for _, id := range []uint64{50, 1, 100, 30, 31} {
		r, err := c.Get(id)
		must(t, err)
		if r.ID() != id || string(r.Payload()) != fmt.Sprintf("record %d", id) {
			t.Errorf("%d: %v", id, r)
		}
		if next, err := c.Next(); id < 100 && (err != nil || next.ID() != id+1) {
			t.Errorf("behind %d: %v, %v", id, next, err)
		}
	}
	_, err := c.Get(101)
	wantIs(t, err, ErrNotFound)
	must(t, c.Seek(98))
	var ids []uint64
	for r, err := range c.All() {
		must(t, err)
		ids = append(ids, r.ID())
		if len(ids) == 1 {
			must(t, c.Seek(60))
		}
		if len(ids) == 3 {
			must(t, c.Seek(99))
		}
	}
	if !slices.Equal(ids, []uint64{98, 60, 61, 99, 100}) {
		t.Errorf("a seek within a loop: %v", ids)
	}
	must(t, c.SeekTime(time.Time{}))
	if r, err := c.Next(); err != nil || r.ID() != 1 {
		t.Error(r, err)
	}
	at := time.Now().Add(time.Hour)
	must(t, c.SeekTime(at))
	if _, err := c.Next(); err != io.EOF {
		t.Error(err)
	}
	must(t, c.SeekEnd())
	wantIs(t, c.SeekTime(time.Date(3000, 1, 1, 0, 0, 0, 0, time.UTC)), ErrInvalid)
	backward := openCursor(t, openReader(t, directory), Filter{NewestFirst: true})
	_, err = backward.Get(1)
	wantIs(t, err, ErrUnsupported)
	wantIs(t, backward.Seek(1), ErrUnsupported)
}

func TestRecordsLargerThanTheBufferAreReadAmongSmallOnes(t *testing.T) {
	directory := newLog(t)
	w := open(t, directory)
	sizes := []int{10, bufferBytes - frameHeader, bufferBytes - frameHeader + 1, 5, 3 << 20, 0, 200_000}
	for i, size := range sizes {
		_, err := w.AppendRecord(NewRecord{Metadata: Pairs("i", fmt.Sprint(i)), Payload: bytes.Repeat([]byte{byte(i)}, size)})
		must(t, err)
	}
	must(t, w.Close())
	c := openCursor(t, openReader(t, directory), Filter{})
	for i, size := range sizes {
		r, err := c.Next()
		must(t, err)
		if r.Len() != size || !bytes.Equal(r.Payload(), bytes.Repeat([]byte{byte(i)}, size)) || r.Metadata().Get("i") != fmt.Sprint(i) {
			t.Errorf("record %d has %d bytes", i, r.Len())
		}
	}
	if r, err := c.Get(5); err != nil || r.Len() != 3<<20 {
		t.Error(r, err)
	}
}

func TestACloneOutlivesItsCursor(t *testing.T) {
	reader := openReader(t, writeLog(t, 3000, 1000))
	var first Record
	for r, err := range reader.Records(Filter{}) {
		must(t, err)
		if r.ID() == 1 {
			first = r.Clone()
		}
	}
	if first.ID() != 1 || string(first.Payload()) != "record 1" || first.New().Type != 1 {
		t.Error(first)
	}
}

func TestNamesOfTypesAreReported(t *testing.T) {
	directory := newLog(t)
	w := open(t, directory)
	login, err := w.Type("login", "text/plain")
	must(t, err)
	if again, err := w.Type("login", ""); err != nil || again != login || !login.IsNamed() {
		t.Error(again, err)
	}
	_, err = w.Append(login, []byte("alice"))
	must(t, err)
	must(t, w.Close())
	c := openCursor(t, openReader(t, directory), Filter{})
	_, err = c.Next()
	must(t, err)
	for range 2 {
		if name, known := c.TypeName(login); !known || name != "login" {
			t.Error(name)
		}
		if _, known := c.TypeName(login + 1); known {
			t.Error("a number that was never given has a name")
		}
	}
}

func TestAPatternReadsManyLogs(t *testing.T) {
	directory := t.TempDir()
	for _, name := range []string{"a", "b"} {
		w := open(t, directory, WithName(name))
		appendN(t, w, 2)
		must(t, w.Close())
	}
	if got := texts(t, filepath.Join(directory, "*.binlog"), Filter{}); len(got) != 4 {
		t.Error(got)
	}
}

// damagedLog is a log of 300 records in one segment, whose file was changed.
func damagedLog(t *testing.T, damage func(segment []byte) []byte) string {
	t.Helper()
	directory := newLog(t)
	w := open(t, directory, WithBlockBytes(4096))
	for i := range 300 {
		_, err := w.Append(1, fmt.Appendf(nil, "record number %04d %s", i+1, bytes.Repeat([]byte("."), 200)))
		must(t, err)
	}
	must(t, w.Close())
	path := filepath.Join(directory, "default.0000000001.binlog")
	segment, err := os.ReadFile(path)
	must(t, err)
	must(t, os.WriteFile(path, damage(segment), 0o600))
	return directory
}

func oneByte(segment []byte) []byte {
	segment[bytes.Index(segment, []byte("record number 0150"))] ^= 1
	return segment
}

func TestDamageIsReportedAfterEverythingBeforeIt(t *testing.T) {
	directory := damagedLog(t, oneByte)
	c := openCursor(t, openReader(t, directory), Filter{})
	n := 0
	var last error
	for r, err := range c.All() {
		if last = err; err == nil {
			n++
			if r.ID() != uint64(n) {
				t.Fatal(r)
			}
		}
	}
	var failure *Error
	if !errors.As(last, &failure) || failure.Status != ErrCorrupt || failure.Offset <= 0 || failure.Path == "" || n < 100 || n >= 150 {
		t.Errorf("%d records, %v", n, last)
	}
	_, err := c.Next()
	wantIs(t, err, ErrCorrupt)
	if tail, err := c.Tail(); err != nil || tail.State != TailCorrupt || tail.Path == "" || tail.Reason == "" {
		t.Errorf("%+v, %v", tail, err)
	}
}

func TestATornTailIsAnEndAndForStrictReadersAnError(t *testing.T) {
	directory := damagedLog(t, func(segment []byte) []byte { return segment[:len(segment)*2/3] })
	// As a kill leaves it: the log's length at its close is not recorded.
	must(t, os.Remove(filepath.Join(directory, "default.lock")))
	c := openCursor(t, openReader(t, directory), Filter{})
	n := 0
	for _, err := range c.All() {
		must(t, err)
		n++
	}
	if tail, err := c.Tail(); err != nil || tail.State != TailTorn || tail.UnreadBytes == 0 || n < 150 {
		t.Errorf("%d records, %+v, %v", n, tail, err)
	}
	var last error
	for _, err := range openReader(t, directory, WithStrict()).Records(Filter{}) {
		last = err
	}
	wantIs(t, last, ErrCorrupt)
}

func TestSalvageContinuesAfterDamageAndReportsIt(t *testing.T) {
	directory := damagedLog(t, oneByte)
	var losses []Loss
	lost := make(map[uint64]bool)
	reader := openReader(t, directory, WithSalvage(func(loss Loss) {
		losses = append(losses, loss)
		for id := loss.FirstID; id <= loss.LastID; id++ {
			lost[id] = true
		}
	}))
	seen := 0
	for r, err := range reader.Records(Filter{}) {
		must(t, err)
		seen++
		if lost[r.ID()] {
			t.Errorf("record %d is shown and lost", r.ID())
		}
	}
	if len(losses) != 1 || seen+len(lost) != 300 || !lost[150] {
		t.Errorf("%d seen, %d lost, %+v", seen, len(lost), losses)
	}
	l := losses[0]
	if l.Path == "" || l.Reason == "" || l.Offset == 0 || l.Bytes == 0 || l.PageCount == 0 {
		t.Errorf("%+v", l)
	}

	target := newLog(t)
	reported := 0
	sums, err := Recover(directory, target, func(Loss) { reported++ })
	must(t, err)
	if sums.Records != uint64(seen) || sums.LostRecords != uint64(len(lost)) || sums.Losses != 1 || reported != 1 || sums.Segments != 1 {
		t.Errorf("%+v, reported %d", sums, reported)
	}
	if got := texts(t, target, Filter{}); len(got) != seen {
		t.Error(len(got))
	}
	_, err = Recover(directory, target, nil)
	wantIs(t, err, ErrInvalid)
	again, err := RecoverInPlace(directory, nil)
	if err != nil || again != sums {
		t.Errorf("%+v, %v", again, err)
	}
	if got := texts(t, directory, Filter{}); len(got) != seen {
		t.Error(len(got))
	}
	if n, err := RebuildIndex(directory); n != 0 || err != nil {
		t.Error(n, err)
	}
}

func TestSegmentsThatWereRemovedAreReported(t *testing.T) {
	directory := writeLog(t, 50, 10)
	would, err := PruneDryRun(directory, "", Retention{Segments: 2})
	must(t, err)
	went, err := Prune(directory, "default", Retention{Segments: 2})
	must(t, err)
	if len(went) < 3 || !slices.Equal(would, went) {
		t.Fatalf("%+v, %+v", would, went)
	}
	if p := went[0]; p.FirstID != 1 || p.LastID != 10 || p.Sequence != 1 || p.Reason != "segments" || p.Bytes == 0 || p.Path == "" {
		t.Errorf("%+v", p)
	}
	_, err = Prune(directory, "other", Retention{Segments: 2})
	wantIs(t, err, ErrNotFound)
}

func TestACursorThatFellBehindGetsOnceWhatItMissed(t *testing.T) {
	directory := writeLog(t, 50, 10)
	_, err := Prune(directory, "", Retention{Segments: 2})
	must(t, err)
	c := openCursor(t, openReader(t, directory), Filter{FromID: 5})
	var missed *MissedError
	var ids []uint64
	for r, err := range c.Follow(withPatience(t)) {
		if errors.As(err, &missed) {
			continue
		}
		must(t, err)
		ids = append(ids, r.ID())
		if r.ID() == 50 {
			break
		}
	}
	if missed == nil || missed.First != 5 || missed.Last+1 != ids[0] || uint64(len(ids)) != 50-missed.Last {
		t.Errorf("%+v, then %v", missed, ids)
	}
}

func TestACursorFollowsOverRollsAndWritersUntilItIsCancelled(t *testing.T) {
	directory := newLog(t)
	const writers, each = 3, 200
	w := open(t, directory)
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	seen := make(chan uint64, writers*each)
	ended := make(chan error, 1)
	reader := openReader(t, directory)
	go func() {
		for r, err := range reader.Follow(ctx, Filter{}) {
			if err != nil {
				ended <- err
				return
			}
			seen <- r.ID()
		}
		ended <- nil
	}()
	for i := range writers {
		if i > 0 {
			w = open(t, directory)
		}
		for j := range each {
			appendN(t, w, 1)
			if j%50 == 0 {
				must(t, w.Roll())
			}
			if j%7 == 0 {
				must(t, w.Flush())
			}
		}
		must(t, w.Close())
	}
	for id := range uint64(writers * each) {
		select {
		case got := <-seen:
			if got != id+1 {
				t.Fatalf("%d behind %d", got, id)
			}
		case err := <-ended:
			t.Fatal(err)
		case <-time.After(patience):
			t.Fatalf("record %d does not come", id+1)
		}
	}
	cancel(errors.New("enough"))
	in(t, "the cancelled loop", func() {
		if err := <-ended; err != context.Canceled {
			t.Error(err)
		}
	})
}

func TestAWaitEndsWithItsContextAndWithWhatComes(t *testing.T) {
	directory := newLog(t)
	w := open(t, directory)
	c := openCursor(t, openReader(t, directory), Filter{})
	done, cancel := context.WithCancel(context.Background())
	cancel()
	wantIs(t, c.Wait(done), context.Canceled)
	short, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	wantIs(t, c.Wait(short), context.DeadlineExceeded)

	waited := make(chan error, 1)
	go func() { waited <- c.Wait(context.Background()) }()
	appendN(t, w, 1)
	must(t, w.Flush())
	in(t, "the wait", func() { must(t, <-waited) })
	r, err := c.Next()
	must(t, err)
	if r.ID() != 1 {
		t.Error(r)
	}
	appendN(t, w, 2)
	must(t, w.Flush())
	_, err = c.Next()
	must(t, err)
	// One record was copied and not shown: there is nothing to wait for.
	must(t, c.Wait(context.Background()))
}

func TestALoopDoesNotAllocateForItsRecords(t *testing.T) {
	directory := newLog(t)
	w := open(t, directory)
	m := Pairs("host", "example.org")
	const n = 20_000
	for range n {
		_, err := w.AppendRecord(NewRecord{Type: 1, Metadata: m, Payload: make([]byte, 100)})
		must(t, err)
	}
	must(t, w.Close())
	c := openCursor(t, openReader(t, directory), Filter{})
	bytes := 0
	round := func() {
		must(t, c.Seek(1))
		seen := 0
		for r, err := range c.All() {
			if err != nil {
				t.Fatal(err)
			}
			host, _ := r.Metadata().Lookup("host")
			for key, value := range r.Metadata().Views() {
				bytes += len(key) + len(value)
			}
			bytes += len(r.Payload()) + len(host) + int(r.UnixNano()&1) + int(r.Type())
			seen++
		}
		if seen != n {
			t.Fatal(seen)
		}
	}
	round()
	blocks := float64(n * 150 / bufferBytes)
	if allocations := testing.AllocsPerRun(3, round); allocations > 3*blocks+50 || allocations > n/20 {
		t.Errorf("%.0f allocations for %d records in some %.0f pieces", allocations, n, blocks)
	}
}

func TestAppendingDoesNotAllocate(t *testing.T) {
	w := open(t, newLog(t))
	payload := make([]byte, 100)
	head, tail := payload[:10], payload[10:]
	parts := [][]byte{head, tail}
	m := Pairs("a", "b")
	now := time.Now()
	var b Batch
	for name, call := range map[string]func() error{
		"append": func() error { _, err := w.Append(1, payload); return err },
		"record": func() error {
			_, err := w.AppendRecord(NewRecord{Time: now, Metadata: m, Payload: payload})
			return err
		},
		"gather": func() error { _, err := w.Gather(1, parts...); return err },
		"batch": func() error {
			b.Reset()
			for range 10 {
				b.AppendRecord(NewRecord{Time: now, Metadata: m, Payload: payload})
			}
			_, err := w.AppendBatch(&b)
			return err
		},
	} {
		if allocations := testing.AllocsPerRun(1000, func() { must(t, call()) }); allocations >= 1 {
			t.Errorf("%s: %.1f allocations", name, allocations)
		}
	}
}

func TestOneOfSeveralLogsIsReadByItsName(t *testing.T) {
	directory := newLog(t)
	for _, name := range []string{"a", "ab"} {
		w := open(t, directory, WithName(name))
		for i := range 3 {
			_, err := w.Append(1, fmt.Appendf(nil, "%s%d", name, i))
			must(t, err)
			must(t, w.Roll())
		}
		must(t, w.Close())
	}
	if all := texts(t, directory, Filter{}); len(all) != 6 {
		t.Errorf("both are %q", all)
	}
	if last := texts(t, directory, Filter{Last: 2}, WithLog("a")); !slices.Equal(last, []string{"2 a1", "3 a2"}) {
		t.Errorf("the last of one are %q", last)
	}
	for _, name := range []string{"b", "a\x00b"} {
		if _, err := OpenReader(directory, WithLog(name)); !errors.Is(err, ErrNotFound) && !errors.Is(err, ErrInvalid) {
			t.Errorf("%q: %v", name, err)
		}
	}
}
