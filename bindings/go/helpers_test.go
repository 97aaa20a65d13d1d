package binlog

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// patience is how long a test waits for what must happen; only a failing one waits so long.
const patience = time.Minute

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newLog(t testing.TB) string { return filepath.Join(t.TempDir(), "log") }

// newStore is the URL of an empty directory.
func newStore(t testing.TB) string { return "file://" + t.TempDir() }

// openShipper opens a shipper that the test closes at its end, if it has not done so itself.
func openShipper(t testing.TB, directory string, archive ShipOptions) *Shipper {
	t.Helper()
	s, err := OpenShipper(directory, "", archive)
	must(t, err)
	t.Cleanup(func() { s.Close() })
	return s
}

// segmentsIn returns the names of the segments in a directory, or at the URL of one.
func segmentsIn(t testing.TB, directory string) []string {
	t.Helper()
	entries, err := os.ReadDir(strings.TrimPrefix(directory, "file://"))
	must(t, err)
	var names []string
	for _, entry := range entries {
		if strings.HasSuffix(entry.Name(), ".binlog") {
			names = append(names, entry.Name())
		}
	}
	return names
}

// until waits for what must happen.
func until(t testing.TB, what string, done func() bool) {
	t.Helper()
	for began := time.Now(); !done(); time.Sleep(time.Millisecond) {
		if time.Since(began) > patience {
			t.Fatalf("waited too long until %s", what)
		}
	}
}

// open opens a writer that the test closes at its end, if it has not done so itself.
func open(t testing.TB, directory string, options ...WriterOption) *Writer {
	t.Helper()
	w, err := OpenWriter(directory, options...)
	must(t, err)
	t.Cleanup(func() { w.Close() })
	return w
}

func openReader(t testing.TB, path string, options ...ReaderOption) *Reader {
	t.Helper()
	r, err := OpenReader(path, options...)
	must(t, err)
	t.Cleanup(func() { r.Close() })
	return r
}

func openCursor(t testing.TB, r *Reader, filter Filter) *Cursor {
	t.Helper()
	c, err := r.Cursor(filter)
	must(t, err)
	t.Cleanup(func() { c.Close() })
	return c
}

// appendN appends "record 1", "record 2" ... and returns the last id.
func appendN(t testing.TB, w *Writer, n int) uint64 {
	t.Helper()
	p, err := w.Position()
	must(t, err)
	for i := range uint64(n) {
		_, err := w.Append(1, fmt.Appendf(nil, "record %d", p.Appended+i+1))
		must(t, err)
	}
	return p.Appended + uint64(n)
}

// writeLog makes a log of n records, with some of them a segment, and returns its directory.
func writeLog(t testing.TB, n, segment int) string {
	t.Helper()
	directory := newLog(t)
	w := open(t, directory, WithRoll(RollOptions{Records: uint64(segment)}))
	appendN(t, w, n)
	must(t, w.Close())
	return directory
}

// texts reads everything: id and payload of each record.
func texts(t testing.TB, path string, filter Filter, options ...ReaderOption) []string {
	t.Helper()
	var all []string
	for r, err := range openReader(t, path, options...).Records(filter) {
		must(t, err)
		all = append(all, fmt.Sprintf("%d %s", r.ID(), r.Payload()))
	}
	return all
}

func wantIs(t testing.TB, err, target error) {
	t.Helper()
	if !errors.Is(err, target) {
		t.Fatalf("got %v, not %v", err, target)
	}
}

// in ends the test when f does not end in time.
func in(t testing.TB, what string, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	select {
	case <-done:
	case <-time.After(patience):
		t.Fatalf("%s does not end", what)
	}
}

func withPatience(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}
