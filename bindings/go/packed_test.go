package binlog

import (
	"bytes"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"binlog/internal/cbinlog"
)

// someRecords are records of all kinds of lengths, the same each time.
func someRecords(n int) []NewRecord {
	random := rand.New(rand.NewPCG(1, 2))
	text := func() string { return "ключ-значение-0123456789"[:2*random.IntN(8)] }
	all := make([]NewRecord, n)
	for i := range all {
		r := NewRecord{Type: Type(random.Uint32()), Time: time.Unix(0, random.Int64()-random.Int64())}
		for range random.IntN(4) {
			r.Metadata = r.Metadata.Add(text(), text())
		}
		r.Payload = bytes.Repeat([]byte{byte(i)}, random.IntN(70))
		all[i] = r
	}
	return all
}

func TestABatchIsTheFramesThatTheLibraryMakes(t *testing.T) {
	var b Batch
	// Earlier contents do not show through.
	b.Append(1, bytes.Repeat([]byte{0xff}, 1<<17))
	b.Reset()
	reference, used := make([]byte, 1<<20), 0
	for _, r := range someRecords(500) {
		b.AppendRecord(r)
		var status int32
		used, status = cbinlog.PackedPut(reference, used, cbinlog.View{
			TimeNS: r.Time.UnixNano(), Type: uint32(r.Type), Flags: flagHasTime,
			Payload: r.Payload, Len: len(r.Payload), Metadata: r.Metadata,
		})
		if status != 0 {
			t.Fatal(status)
		}
	}
	b.Append(7, []byte("now"))
	used, _ = cbinlog.PackedPut(reference, used, cbinlog.View{Type: 7, Payload: []byte("now"), Len: 3})
	if !bytes.Equal(b.frames, reference[:used]) {
		t.Error("the frames differ")
	}
	if b.Len() != 501 {
		t.Error(b.Len())
	}
}

func TestARecordSaysWhatTheLibraryReadsInItsFrame(t *testing.T) {
	var frames []byte
	for i, r := range someRecords(500) {
		frames = appendFrame(frames, r.Type, uint64(i), r.Time.UnixNano(), flagHasTime, r.Metadata, r.Payload, uint32(len(r.Payload)))
	}
	frames = appendFrame(frames, 3, 9, -1, flagNoPayload, Pairs("a", "b"), nil, 1000)
	for len(frames) > 0 {
		r := Record{firstFrame(frames)}
		view, taken, status := cbinlog.PackedNext(frames)
		if status != 0 || taken != len(r.frame) {
			t.Fatalf("status %d, %d bytes, not %d", status, taken, len(r.frame))
		}
		if r.ID() != view.ID || r.UnixNano() != view.TimeNS || uint32(r.Type()) != view.Type || r.Len() != view.Len ||
			!bytes.Equal(r.Payload(), view.Payload) || !bytes.Equal(r.Metadata(), view.Metadata) {
			t.Fatalf("%v is not %+v", r, view)
		}
		frames = frames[taken:]
	}
}

func TestTheZeroRecordIsNothing(t *testing.T) {
	var r Record
	if r.ID() != 0 || r.Len() != 0 || r.Payload() != nil || r.Metadata() != nil || r.Type() != 0 || r.IsEvent() ||
		r.UnixNano() != 0 || r.Clone().ID() != 0 || r.String() == "" {
		t.Error(r)
	}
}

func TestMetadataIsWhatTheLibraryMakesAndReads(t *testing.T) {
	long := string(bytes.Repeat([]byte("x"), 20_000))
	pairs := []string{"", "", "", "twice", "ключ", "значение 🗝", "a", long, "b", long[:128], "b", "second"}
	m := Pairs(pairs...)
	reference, used := make([]byte, 1<<16), 0
	for i := 0; i < len(pairs); i += 2 {
		var status int32
		if used, status = cbinlog.MetadataPut(reference, used, pairs[i], pairs[i+1]); status != 0 {
			t.Fatal(status)
		}
	}
	if !bytes.Equal(m, reference[:used]) {
		t.Fatal("the bytes differ")
	}
	rest, i := []byte(m), 0
	for key, value := range m.All() {
		k, v, taken, status := cbinlog.MetadataNext(rest)
		if status != 0 || k != key || v != value || key != pairs[i] || value != pairs[i+1] {
			t.Fatalf("pair %d: %q=%q, %q=%q", i/2, key, value, k, v)
		}
		rest, i = rest[taken:], i+2
	}
	if i != len(pairs) || m.Len() != len(pairs)/2 {
		t.Errorf("%d of %d", i, len(pairs))
	}
	for _, key := range []string{"", "ключ", "b", "none"} {
		value, status := cbinlog.MetadataFind(m, key)
		if mine, found := m.Lookup(key); found != (status == 0) || string(mine) != value || m.Get(key) != value {
			t.Errorf("%q: %q", key, mine)
		}
	}
	if got := m.Map(); len(got) != 4 || got["b"] != long[:128] || got[""] != "" {
		t.Errorf("%d keys, %q", len(got), got[""])
	}
}

func TestMetadataThatIsNotWellFormedEndsQuietly(t *testing.T) {
	for _, m := range []Metadata{{5}, {0x80}, {1, 'k'}, {1, 'k', 9, 'v'}, bytes.Repeat([]byte{0xff}, 12)} {
		for range m.All() {
			t.Errorf("%v has a pair", m)
		}
		if _, found := m.Lookup("k"); found {
			t.Errorf("%v has the key", m)
		}
		w := open(t, newLog(t))
		_, err := w.AppendRecord(NewRecord{Metadata: m})
		wantIs(t, err, ErrInvalid)
		_, err = openReader(t, writeLog(t, 1, 0)).Cursor(Filter{Metadata: m})
		wantIs(t, err, ErrInvalid)
	}
}

func TestPairsWithoutALastValuePanic(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	Pairs("a", "b", "c")
}

func TestABatchRefusesWhatItCannotTake(t *testing.T) {
	w := open(t, newLog(t))
	var b Batch
	b.AppendRecord(NewRecord{Payload: []byte("good")})
	b.AppendRecord(NewRecord{Time: time.Date(3000, 1, 1, 0, 0, 0, 0, time.UTC)})
	_, err := w.AppendBatch(&b)
	wantIs(t, err, ErrInvalid)
	b.Reset()
	b.Append(EventClosed, nil)
	_, err = w.AppendBatch(&b)
	wantIs(t, err, ErrInvalid)
	b.Reset()
	id, err := w.AppendBatch(&b)
	if err != nil || id != 1 {
		t.Errorf("an empty batch gives %d, %v", id, err)
	}
	if p, err := w.Position(); err != nil || p.Appended != 0 {
		t.Errorf("something was appended: %+v, %v", p, err)
	}
}

func TestTimesAreKeptToTheNanosecondFromTheFirstToTheLast(t *testing.T) {
	directory := newLog(t)
	w := open(t, directory)
	times := []int64{math.MinInt64, math.MinInt64 + 1, -1, 0, 1, 1_700_000_000_123_456_789, math.MaxInt64}
	for _, ns := range times {
		_, err := w.AppendRecord(NewRecord{Time: time.Unix(0, ns)})
		must(t, err)
	}
	for _, beyond := range []time.Time{
		time.Unix(0, math.MinInt64).Add(-1), time.Unix(0, math.MaxInt64).Add(1), time.Date(1, 1, 1, 0, 0, 1, 0, time.UTC),
	} {
		_, err := w.AppendRecord(NewRecord{Time: beyond})
		wantIs(t, err, ErrInvalid)
	}
	before := time.Now()
	_, err := w.AppendRecord(NewRecord{})
	must(t, err)
	must(t, w.Close())
	i := 0
	for r, err := range openReader(t, directory).Records(Filter{}) {
		must(t, err)
		if i < len(times) && r.UnixNano() != times[i] {
			t.Errorf("%d became %d", times[i], r.UnixNano())
		}
		if i == len(times) && (r.Time().Before(before.Add(-time.Second)) || r.Time().After(time.Now().Add(time.Second))) {
			t.Errorf("now is %v", r.Time())
		}
		i++
	}
	if i != len(times)+1 {
		t.Error(i)
	}
}
