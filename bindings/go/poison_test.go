//go:build binlog_poison

package binlog

import (
	"bytes"
	"context"
	"testing"
	"time"
)

func panics(t *testing.T, what string, f func()) {
	t.Helper()
	defer func() {
		t.Helper()
		if recover() == nil {
			t.Errorf("%s does not panic", what)
		}
	}()
	f()
}

func TestEachViewThatIsKeptIsNoticed(t *testing.T) {
	const n = 3000
	directory := writeLog(t, n, 500)
	c := openCursor(t, openReader(t, directory), Filter{})
	var records, clones []Record
	for r, err := range c.All() {
		must(t, err)
		if len(records) > 0 {
			panics(t, "the record of the turn before", func() { records[len(records)-1].ID() })
		}
		records, clones = append(records, r), append(clones, r.Clone())
	}
	if len(records) != n {
		t.Fatal(len(records))
	}
	panics(t, "a clone that comes too late", func() { records[n-1].Clone() })
	for i, r := range clones {
		if r.ID() != uint64(i)+1 || len(r.Payload()) == 0 {
			t.Fatal(r)
		}
	}
}

func TestAViewEndsWithTheNextCallThatShowsOrMoves(t *testing.T) {
	directory := writeLog(t, 100, 0)
	for what, call := range map[string]func(*Cursor) error{
		"next": func(c *Cursor) error { _, err := c.Next(); return err },
		"get":  func(c *Cursor) error { _, err := c.Get(50); return err },
		"seek": func(c *Cursor) error { return c.Seek(50) },
		"time": func(c *Cursor) error { return c.SeekTime(time.Time{}) },
		"wait": func(c *Cursor) error { return c.Wait(context.Background()) },
		"loop": func(c *Cursor) error {
			for _, err := range c.All() {
				return err
			}
			return nil
		},
	} {
		c := openCursor(t, openReader(t, directory), Filter{})
		for _, show := range []func() (Record, error){c.Next, func() (Record, error) { return c.Get(7) }} {
			r, err := show()
			must(t, err)
			c.TypeName(r.Type())
			_, err = c.Tail()
			must(t, err)
			payload := r.Payload()
			if len(payload) == 0 {
				t.Error(r)
			}
			must(t, call(c))
			panics(t, "a record before "+what, func() { r.Payload() })
			if len(bytes.Trim(payload, "\xdb")) != 0 {
				t.Errorf("a payload before %s is %q", what, payload)
			}
		}
	}
}

func TestALoopMaySeekWithoutLosingItsRecord(t *testing.T) {
	c := openCursor(t, openReader(t, writeLog(t, 100, 0)), Filter{})
	for r, err := range c.All() {
		must(t, err)
		if r.ID() == 1 {
			must(t, c.Seek(90))
			other, err := c.Get(95)
			must(t, err)
			if r.ID() != 1 || string(r.Payload()) != "record 1" || other.ID() != 95 {
				t.Error(r, other)
			}
		}
	}
}
