package binlog

import (
	"bytes"
	"io"
	"log"
	"strings"
	"testing"
	"testing/iotest"
)

func TestEachWriteOfAPayloadWriterIsARecord(t *testing.T) {
	directory := newLog(t)
	w := open(t, directory, WithRecordMaxBytes(1000))
	out := w.PayloadWriter(7)
	log.New(out, "", 0).Print("a line")
	n, err := io.WriteString(out, "a string")
	must(t, err)
	if n != 8 {
		t.Error(n)
	}
	n, err = out.Write(make([]byte, 2000))
	wantIs(t, err, ErrTooLarge)
	if n != 0 {
		t.Errorf("%d bytes of a record that was refused", n)
	}
	if n := taken(5, &Error{Status: ErrIO, RecordID: 3}); n != 5 {
		t.Errorf("%d bytes of a record that waits in memory", n)
	}
	must(t, w.Close())
	_, err = out.Write(nil)
	wantIs(t, err, ErrClosed)
	if got := texts(t, directory, Filter{Types: []Type{7}}); len(got) != 2 || got[0] != "1 a line\n" || got[1] != "2 a string" {
		t.Errorf("%q", got)
	}
}

func TestAPayloadReaderShowsThePayloadsOneAfterTheOther(t *testing.T) {
	directory := newLog(t)
	w := open(t, directory)
	want := strings.Repeat("some words, and ", 20_000)
	payloads := w.PayloadWriter(1)
	for rest := want; rest != ""; {
		n := min(len(rest), 1+len(rest)%977)
		_, err := io.WriteString(payloads, rest[:n])
		must(t, err)
		rest = rest[n:]
		if n%5 == 0 {
			_, err := payloads.Write(nil)
			must(t, err)
		}
	}
	must(t, w.Flush())
	reader := openReader(t, directory)
	must(t, iotest.TestReader(openCursor(t, reader, Filter{}).PayloadReader(), []byte(want)))
	c := openCursor(t, reader, Filter{})
	in := c.PayloadReader()
	var out bytes.Buffer
	// Some of it by Read, the rest by WriteTo.
	_, err := io.CopyN(&out, in, 10_001)
	must(t, err)
	_, err = io.Copy(&out, in)
	must(t, err)
	if out.String() != want {
		t.Error("other bytes")
	}
	// It continues when there is more.
	_, err = io.WriteString(payloads, "more")
	must(t, err)
	must(t, w.Flush())
	more, err := io.ReadAll(in)
	must(t, err)
	if string(more) != "more" {
		t.Errorf("%q", more)
	}
	_, err = io.WriteString(payloads, "again")
	must(t, err)
	must(t, w.Flush())
	if _, err = io.Copy(shortWriter{}, in); err != io.ErrShortWrite {
		t.Error(err)
	}
	if rest, err := io.ReadAll(in); err != nil || string(rest) != "gain" {
		t.Errorf("%q, %v", rest, err)
	}
	must(t, c.Close())
	_, err = in.Read(make([]byte, 1))
	wantIs(t, err, ErrClosed)
}

// shortWriter takes one byte.
type shortWriter struct{}

func (shortWriter) Write([]byte) (int, error) { return 1, nil }
