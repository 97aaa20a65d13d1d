package binlog

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestRecordsComeBackAsTheyWereAppendedByEveryWay(t *testing.T) {
	directory := newLog(t)
	w := open(t, directory, WithCodec(CodecLZ4))
	named, err := w.Type("login", "text/plain")
	must(t, err)
	large := bytes.Repeat([]byte("large "), 100_000)
	m := Pairs("host", "example.org", "ключ", "значение")
	at := time.Unix(1_700_000_000, 42)
	full := func(payload string) NewRecord {
		return NewRecord{Type: named, Time: at, Metadata: m, Payload: []byte(payload)}
	}
	head := full("")

	var want []string
	expect := func(id uint64, err error, typ Type, m Metadata, payload string) {
		t.Helper()
		must(t, err)
		want = append(want, fmt.Sprintf("%d %v %s %d %.40q", id, typ, m, len(payload), payload))
	}
	id, err := w.Append(7, []byte("any bytes"))
	expect(id, err, 7, nil, "any bytes")
	id, err = w.Append(7, nil)
	expect(id, err, 7, nil, "")
	id, err = w.AppendRecord(full("alice"))
	expect(id, err, named, m, "alice")
	id, err = w.Gather(8, []byte("in "), nil, []byte("parts"))
	expect(id, err, 8, nil, "in parts")
	id, err = w.Gather(8)
	expect(id, err, 8, nil, "")
	id, err = w.Gather(8, large, []byte("and"), large)
	expect(id, err, 8, nil, string(large)+"and"+string(large))
	id, err = w.GatherRecord(head, []byte("b"), []byte("ob"))
	expect(id, err, named, m, "bob")
	id, err = w.GatherRecord(head, large, large)
	expect(id, err, named, m, string(large)+string(large))
	var b Batch
	b.Append(1, []byte("first"))
	b.AppendRecord(full("second"))
	id, err = w.AppendBatch(&b)
	expect(id, err, 1, nil, "first")
	expect(id+1, nil, named, m, "second")
	id, err = w.AppendRecords([]NewRecord{full("third"), {Type: 2, Payload: []byte("fourth")}})
	expect(id, err, named, m, "third")
	expect(id+1, nil, 2, nil, "fourth")
	id, err = w.AppendRecords([]NewRecord{full(string(large)), {Type: 3}})
	expect(id, err, named, m, string(large))
	expect(id+1, nil, 3, nil, "")
	must(t, w.Close())

	var got []string
	reader := openReader(t, directory)
	for r, err := range reader.Records(Filter{}) {
		must(t, err)
		got = append(got, fmt.Sprintf("%d %v %s %d %.40q", r.ID(), r.Type(), r.Metadata(), r.Len(), string(r.Payload())))
		if r.Type() == named && !r.Time().Equal(at) {
			t.Errorf("record %d is of %v", r.ID(), r.Time())
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	counts, err := reader.Counts()
	must(t, err)
	if len(counts) == 0 || counts[0] != (TypeCount{Type: named, Records: 6, Name: "login"}) {
		t.Errorf("%+v", counts)
	}
}

func TestOptionsReachTheLog(t *testing.T) {
	directory := newLog(t)
	w := open(t, directory,
		WithBackground(), WithName("orders"), WithContentType("application/json"),
		WithParameters(map[string]string{"b": "2", "a": "1"}), WithZstd(3), WithBlockBytes(8192),
		WithSegmentBytes(Unlimited), WithIndexBytes(1<<20), WithFillAhead(1<<20), WithRecordMaxBytes(1000),
		WithFlush(Lag{Records: 10, Bytes: 1000, Interval: -1}), WithSync(Lag{Records: 100, Interval: time.Hour}),
		WithFileMode(0o600), WithFileGroup(fmt.Sprint(os.Getgid())), WithHeartbeat(time.Hour),
		WithFullDiskWait(time.Second), WithKeep(Retention{Segments: 2, Age: time.Hour, Bytes: 1 << 40}),
		WithRoll(RollOptions{Period: 50 * 365 * 24 * time.Hour, Age: time.Hour, Records: 1 << 40, Zone: "Europe/Berlin", NameTemplate: "{name}-{seq}"}),
	)
	_, err := w.Append(1, make([]byte, 1001))
	wantIs(t, err, ErrTooLarge)
	appendN(t, w, 12)
	p, err := w.Position()
	must(t, err)
	if p.Appended != 12 || p.Flushed < 10 {
		t.Errorf("%+v", p)
	}
	must(t, w.Sync())
	if p, err = w.Position(); err != nil || p != (Position{12, 12, 12}) {
		t.Errorf("%+v, %v", p, err)
	}
	for range 3 {
		must(t, w.Roll())
		appendN(t, w, 1)
	}
	must(t, w.Heartbeat())
	must(t, w.Tick())
	if n, err := w.Dropped(); n != 0 || err != nil {
		t.Error(n, err)
	}
	must(t, w.Close())

	segments, err := openReader(t, directory).Segments()
	must(t, err)
	last := segments[len(segments)-1]
	if len(segments) != 2 || last.Name != "orders" || last.ContentType != "application/json" || last.Sequence != 4 ||
		last.Parameters["a"] != "1" || last.Parameters["b"] != "2" || last.FirstID != 15 || last.Bytes == 0 ||
		filepath.Base(last.Path) != "orders-0000000004.binlog" || time.Since(last.Created) > time.Hour {
		t.Errorf("%+v", segments)
	}
	info, err := os.Stat(last.Path)
	must(t, err)
	if info.Mode().Perm() != 0o600 {
		t.Error(info.Mode())
	}
}

func TestWrongArgumentsAreInvalid(t *testing.T) {
	for name, option := range map[string]WriterOption{
		"an empty name":               WithName(""),
		"a name with a slash":         WithName("a/b"),
		"a name with a NUL":           WithName("a\x00b"),
		"a block that is too small":   WithBlockBytes(1),
		"an index in tiny pieces":     WithIndexBytes(1),
		"a period of half seconds":    WithRoll(RollOptions{Period: 1500 * time.Millisecond}),
		"a negative period":           WithRoll(RollOptions{Period: -time.Second}),
		"a negative age":              WithRoll(RollOptions{Age: -1}),
		"an unknown zone":             WithRoll(RollOptions{Period: time.Hour, Zone: "Nowhere/Here"}),
		"an unknown conversion":       WithRoll(RollOptions{NameTemplate: "{name}.%Q"}),
		"a template with a NUL":       WithRoll(RollOptions{NameTemplate: "{name}\x00"}),
		"a negative age to keep":      WithKeep(Retention{Age: -1}),
		"a negative wait":             WithFullDiskWait(-1),
		"negative heartbeats":         WithHeartbeat(-1),
		"a mode that is no file's":    WithFileMode(os.ModeDir | 0o700),
		"no mode":                     WithFileMode(0),
		"an unknown codec":            WithCodec(9),
		"a level beyond all":          WithZstd(1 << 40),
		"a hook without a directory":  WithOnClose(HookMoveTo("")),
		"parameters with a NUL":       WithParameters(map[string]string{"a\x00": ""}),
		"a requirement with a NUL":    WithRequired(Required{Name: "\x00"}),
		"records beyond all lengths":  WithRecordMaxBytes(1 << 62),
		"a hook's argument with NULs": WithOnOpen(HookChangeExtension(".\x00")),
		"no option":                   nil,
	} {
		w, err := OpenWriter(newLog(t), option)
		if w != nil {
			w.Close()
		}
		if err == nil || !isStatus(err, ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, path := range []string{"", "a\x00b"} {
		_, err := OpenWriter(path)
		wantIs(t, err, ErrInvalid)
		_, err = OpenReader(path)
		if err == nil {
			t.Errorf("%q was opened", path)
		}
	}

	_, err := OpenReader(t.TempDir(), nil)
	wantIs(t, err, ErrInvalid)

	w := open(t, newLog(t))
	_, err = w.AppendBatch(nil)
	wantIs(t, err, ErrInvalid)
	_, err = w.Append(FirstEventType, nil)
	wantIs(t, err, ErrInvalid)
	_, err = w.Append(FirstNamedType+5, nil)
	wantIs(t, err, ErrInvalid)
	_, err = w.Type("", "")
	wantIs(t, err, ErrInvalid)
	_, err = w.Type("a\x00", "")
	wantIs(t, err, ErrInvalid)
	_, err = w.GatherRecord(NewRecord{Payload: []byte("x")}, []byte("y"))
	wantIs(t, err, ErrInvalid)
	wantIs(t, w.RollBecause(""), ErrInvalid)
	wantIs(t, w.RollBecause("\x00"), ErrInvalid)
	wantIs(t, w.SetRoll(RollOptions{Zone: "Nowhere/Here"}), ErrInvalid)
	wantIs(t, w.SetRoll(RollOptions{Zone: "\x00"}), ErrInvalid)
	wantIs(t, w.SetRoll(RollOptions{Age: -1}), ErrInvalid)
	if p, err := w.Position(); err != nil || p.Appended != 0 {
		t.Errorf("something was appended: %+v, %v", p, err)
	}

	r := openReader(t, writeLog(t, 3, 0))
	_, err = r.Cursor(Filter{TypeNames: []string{"\x00"}})
	wantIs(t, err, ErrInvalid)
	_, err = r.Cursor(Filter{FromTime: time.Unix(0, 0)})
	wantIs(t, err, ErrInvalid)
	_, err = r.Cursor(Filter{ToTime: time.Date(3000, 1, 1, 0, 0, 0, 0, time.UTC)})
	wantIs(t, err, ErrInvalid)
	_, err = Prune(t.TempDir(), "", Retention{})
	wantIs(t, err, ErrInvalid)
	_, err = Prune(t.TempDir(), "", Retention{Age: -1})
	wantIs(t, err, ErrInvalid)
	_, err = Recover("\x00", newLog(t), nil)
	wantIs(t, err, ErrInvalid)
	_, err = RecoverInPlace(filepath.Join(t.TempDir(), "*.binlog"), nil)
	wantIs(t, err, ErrInvalid)
	_, err = RebuildIndex("\x00")
	wantIs(t, err, ErrInvalid)
}

func isStatus(err error, status Status) bool {
	failure, ok := err.(*Error)
	return ok && failure.Status == status && failure.Message != ""
}

func TestASecondWriterIsLockedOutAndAnotherLogIsAMismatch(t *testing.T) {
	directory := newLog(t)
	w := open(t, directory, WithName("orders"), WithParameters(map[string]string{"unit": "7"}))
	_, err := OpenWriter(directory, WithName("orders"))
	wantIs(t, err, ErrLocked)
	appendN(t, w, 1)
	must(t, w.Close())
	for _, required := range []Required{{Name: "trades"}, {ContentType: "x/y"}, {Parameters: map[string]string{"unit": "8"}}} {
		_, err = OpenReader(directory, WithRequired(required))
		wantIs(t, err, ErrMismatch)
	}
	_, err = OpenWriter(directory, WithName("orders"), WithRequired(Required{ContentType: "x/y"}))
	wantIs(t, err, ErrMismatch)
	good := Required{Name: "orders", Parameters: map[string]string{"unit": "7"}}
	openReader(t, directory, WithRequired(good))
	open(t, directory, WithName("orders"), WithRequired(good))
}

func TestALogInASingleFileNeverRolls(t *testing.T) {
	path := filepath.Join(t.TempDir(), "one.binlog")
	w, err := OpenWriterFile(path)
	must(t, err)
	appendN(t, w, 3)
	wantIs(t, w.Roll(), ErrUnsupported)
	must(t, w.Close())
	if got := texts(t, path, Filter{}); len(got) != 3 {
		t.Error(got)
	}
}

func TestGoroutinesShareAWriter(t *testing.T) {
	directory := newLog(t)
	w := open(t, directory, WithRoll(RollOptions{Records: 500}))
	const goroutines, each = 8, 300
	var wg sync.WaitGroup
	for g := range goroutines {
		wg.Add(1)
		go func() {
			defer wg.Done()
			var b Batch
			for i := range each {
				payload := fmt.Appendf(nil, "%d/%d", g, i)
				var err error
				switch i % 4 {
				case 0:
					_, err = w.Append(1, payload)
				case 1:
					_, err = w.AppendRecord(NewRecord{Type: 1, Metadata: Pairs("g", fmt.Sprint(g)), Payload: payload})
				case 2:
					_, err = w.Gather(1, payload[:1], payload[1:])
				case 3:
					b.Reset()
					b.Append(1, payload)
					_, err = w.AppendBatch(&b)
				}
				if err == nil && i%100 == 0 {
					err = w.Sync()
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
		}()
	}
	wg.Wait()
	must(t, w.Close())
	next := make([]int, goroutines)
	id := uint64(0)
	for r, err := range openReader(t, directory).Records(Filter{}) {
		must(t, err)
		var g, i int
		if _, err := fmt.Sscanf(string(r.Payload()), "%d/%d", &g, &i); err != nil || next[g] != i || r.ID() != id+1 {
			t.Fatalf("record %d: %s, %v", r.ID(), r.Payload(), err)
		}
		next[g]++
		id++
	}
	if id != goroutines*each {
		t.Errorf("%d records", id)
	}
}

func TestABatchIsAllOrNothingAndMayBeUsedAgain(t *testing.T) {
	directory := newLog(t)
	w := open(t, directory, WithRecordMaxBytes(100))
	_, err := w.AppendRecords([]NewRecord{{Payload: []byte("small")}, {Payload: make([]byte, 101)}})
	wantIs(t, err, ErrTooLarge)
	var b Batch
	for i := range 3 {
		b.Reset()
		for j := range 100 {
			b.Append(Type(i), []byte{byte(j)})
		}
		first, err := w.AppendBatch(&b)
		if err != nil || first != uint64(100*i+1) {
			t.Fatal(first, err)
		}
	}
	must(t, w.Close())
	if got := texts(t, directory, Filter{}); len(got) != 300 {
		t.Error(len(got))
	}
}
