package binlog

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestTheSplitsOfAPlanShowEachRecordOnce(t *testing.T) {
	directory := t.TempDir()
	w, err := OpenWriter(directory)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3000 {
		if _, err := w.Append(Type(i%3), []byte(fmt.Sprintf("record %d", i))); err != nil {
			t.Fatal(err)
		}
		if i%700 == 0 {
			if err := w.Roll(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	r, err := OpenReader(directory)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	wanted := Filter{Types: []Type{1}}
	splits, err := r.Plan(wanted, PlanOptions{TargetBytes: 1})
	if err != nil || len(splits) < 4 {
		t.Fatal(len(splits), err)
	}
	next := uint64(2)
	for _, split := range splits {
		part, err := OpenSplit(split.Token)
		if err != nil {
			t.Fatal(err)
		}
		for record, err := range part.Records(wanted) {
			if err != nil || record.ID() != next {
				t.Fatal(record.ID(), next, err)
			}
			next += 3
		}
		part.Close()
	}
	if next != 3002 {
		t.Error(next)
	}
	if _, err := r.Plan(Filter{Last: 1}, PlanOptions{}); !errors.Is(err, ErrInvalid) {
		t.Error(err)
	}
	if _, err := OpenSplit("nonsense"); !errors.Is(err, ErrInvalid) {
		t.Error(err)
	}
}

func TestWhatIsWrongWithATokenIsTheErrorOfItsKind(t *testing.T) {
	directory, other := filepath.Join(t.TempDir(), "log"), filepath.Join(t.TempDir(), "log")
	for _, log := range []string{directory, other} {
		w, err := OpenWriter(log)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 40 {
			if _, err := w.Append(1, []byte(fmt.Sprint(i))); err != nil {
				t.Fatal(err)
			}
			if i%10 == 9 {
				if err := w.Roll(); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	r, err := OpenReader(directory)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	splits, err := r.Plan(Filter{}, PlanOptions{TargetBytes: 1})
	if err != nil || len(splits) < 4 {
		t.Fatal(len(splits), err)
	}
	if few, err := r.Plan(Filter{}, PlanOptions{TargetBytes: 1, Most: 1}); err != nil || len(few) != 1 {
		t.Error(len(few), err)
	}
	token := splits[0].Token
	if err := os.Remove(filepath.Join(directory, "default.0000000001.binlog")); err != nil {
		t.Fatal(err)
	}
	for wrong, expected := range map[string]error{
		"":                                      ErrInvalid,
		token + "\n":                            ErrInvalid,
		token + "\x00":                          ErrInvalid,
		token[:len(token)/3]:                    ErrInvalid,
		strings.Replace(token, ":1:", ":9:", 1): ErrUnsupported,
		strings.Replace(token, splits[0].Location, other, 1): ErrMismatch,
		token: ErrMissed,
	} {
		if part, err := OpenSplit(wrong); !errors.Is(err, expected) {
			t.Errorf("%q: %v, %v", wrong, part, err)
		}
	}
	r.Close()
	if _, err := r.Plan(Filter{}, PlanOptions{}); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
}
