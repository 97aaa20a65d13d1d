package binlog

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"binlog/internal/cbinlog"
)

const header = "../../include/binlog.h"

// defined are the constants of the header that begin so, without that beginning.
func defined(t *testing.T, beginning string) map[string]int64 {
	t.Helper()
	text, err := os.ReadFile(header)
	must(t, err)
	found := make(map[string]int64)
	for _, match := range regexp.MustCompile(`(?m)^#define BINLOG_(\w+) \(?(-?\w+?)u?\)?$`).FindAllStringSubmatch(string(text), -1) {
		if name, ok := strings.CutPrefix(match[1], beginning); ok {
			n, err := strconv.ParseInt(match[2], 0, 64)
			must(t, err)
			found[name] = n
		}
	}
	if len(found) == 0 {
		t.Fatalf("%s defines nothing that begins with %s", header, beginning)
	}
	return found
}

func wantSame(t *testing.T, what string, header, here map[string]int64) {
	t.Helper()
	for name, n := range header {
		if m, known := here[name]; !known || m != n {
			t.Errorf("%s: %s is %d in the header, and here %d (%v)", what, name, n, m, known)
		}
	}
	if len(header) != len(here) {
		t.Errorf("%s: %d in the header, %d here", what, len(header), len(here))
	}
}

func TestEveryStatusOfTheHeaderIsKnown(t *testing.T) {
	here := make(map[string]int64)
	for status, texts := range statusTexts {
		here[strings.TrimPrefix(texts[0], "E_")] = int64(status)
		if name := cbinlog.StatusName(int32(status)); name != texts[0] || status.Name() != name {
			t.Errorf("%d is %s here and %s in the library", status, status.Name(), name)
		}
		if status.Error() == "" || !strings.HasPrefix(status.Error(), "binlog: ") {
			t.Errorf("%s says %q", status.Name(), status.Error())
		}
	}
	wantSame(t, "statuses", defined(t, "E_"), here)
	if Status(-99).Name() != cbinlog.StatusName(-99) {
		t.Error("a number that is no status has a name")
	}
}

func TestTheConstantsAreThoseOfTheHeader(t *testing.T) {
	events := make(map[string]int64)
	for i := range eventNames {
		events[eventNames[i]] = int64(EventStarted) + int64(i)
	}
	wantSame(t, "events", defined(t, "EVENT_"), events)
	for name, n := range events {
		if Type(n).String() != name {
			t.Errorf("%s is called %s", name, Type(n))
		}
	}
	wantSame(t, "types", defined(t, "TYPE_"), map[string]int64{"NAMED": int64(FirstNamedType), "EVENT": int64(FirstEventType)})
	tails := make(map[string]int64)
	for i, name := range tailStates {
		tails[strings.ToUpper(name)] = int64(i)
	}
	wantSame(t, "tails", defined(t, "TAIL_"), tails)
	wantSame(t, "codecs", defined(t, "CODEC_"), map[string]int64{
		"NONE": int64(CodecNone), "LZ4": int64(CodecLZ4), "ZSTD": int64(CodecZstd),
	})
	wantSame(t, "hooks", defined(t, "HOOK_"), map[string]int64{
		"CALL": hookCall, "CHANGE_EXTENSION": hookChangeExtension, "MOVE_TO": hookMoveTo, "DELETE": hookDelete,
	})
	wantSame(t, "full disk", defined(t, "FULL_DISK_"), map[string]int64{"FAIL": 0, "WAIT": fullDiskWait, "DROP": fullDiskDrop})
	wantSame(t, "modes", defined(t, "READER_"), map[string]int64{"PREFIX": 0, "STRICT": readerStrict, "SALVAGE": readerSalvage})
	wantSame(t, "filters", defined(t, "FILTER_"), map[string]int64{
		"HEADERS": filterHeaders, "EVENTS": filterEvents, "NEWEST_FIRST": filterNewestFirst,
	})
	wantSame(t, "records", defined(t, "RECORD_"), map[string]int64{"TIME": flagHasTime, "EVENT": 2, "NO_PAYLOAD": flagNoPayload})
	wantSame(t, "archive states and options", defined(t, "SHIP_"), map[string]int64{
		"IDLE": int64(ShipIdle), "WORKING": int64(ShipWorking), "WAITING": int64(ShipWaiting),
		"EVENT_BEGINS": int64(ShipBegins), "EVENT_SENT": int64(ShipSent), "EVENT_UPLOADED": int64(ShipUploaded),
		"EVENT_PRUNED": int64(ShipPruned), "EVENT_FAILED": int64(ShipFailed),
		"PROBLEM_MISSING": int64(ShipMissing), "PROBLEM_DIFFERENT": int64(ShipDifferent),
		"PROBLEM_GAP": int64(ShipGap), "PROBLEM_FOREIGN": int64(shipForeign),
		"PROBLEM_CHANGED": int64(ShipChanged), "PROBLEM_DAMAGED": int64(ShipDamaged),
		// Of these, package cbinlog takes the header's own.
		"NO_ROLL_AT_CLOSE": 1, "DRY_RUN": 2, "VERIFY_READ_BACK": 1,
	})
	wantSame(t, "whole files", defined(t, "WHOLE_"), map[string]int64{
		"NONE": int64(WholeNone), "GZIP": int64(WholeGzip), "ZSTD": int64(WholeZstd),
	})
	// And of these. A new constant must be added here, too.
	wantSame(t, "compression", defined(t, "COMPRESS_"), map[string]int64{
		"KEEP_SOURCE": 1, "SHA256_NAME": 2, "NO_DICTIONARY": 4, "DRY_RUN": 8, "REMOVE_SINGLE": 16,
	})
	wantSame(t, "retention", defined(t, "RETENTION_"), map[string]int64{"UNSHIPPED": 1})
	for kind, name := range map[fmt.Stringer]string{
		ShipIdle: "idle", ShipWorking: "working", ShipWaiting: "waiting", ShipState(9): "9",
		ShipBegins: "begins", ShipSent: "sent", ShipUploaded: "uploaded", ShipPruned: "pruned",
		ShipFailed: "failed", ShipEventKind(0): "0",
		ShipMissing: "missing", ShipDifferent: "different", ShipGap: "gap", ShipProblemKind(9): "9",
	} {
		if kind.String() != name {
			t.Errorf("%T %s is called %s", kind, name, kind)
		}
	}
	wantSame(t, "never", defined(t, "NEVER"), map[string]int64{"": never})
}

func TestAnErrorIsItsStatusItsErrnoAndWhatTheErrnoIs(t *testing.T) {
	_, err := OpenReader(newLog(t))
	wantIs(t, err, ErrNotFound)
	wantIs(t, err, fs.ErrNotExist)
	if errors.Is(err, ErrCorrupt) {
		t.Error("it is another status, too")
	}

	// Without an errno, too.
	_, err = openCursor(t, openReader(t, writeLog(t, 1, 0)), Filter{}).Get(2)
	wantIs(t, err, fs.ErrNotExist)

	path := newLog(t)
	must(t, os.WriteFile(path, []byte("no log, but a text\n"), 0o600))
	_, err = OpenReader(path)
	wantIs(t, err, ErrCorrupt)
	var failure *Error
	if !errors.As(err, &failure) || failure.Path != path || failure.Offset != 0 || failure.OSCode != 0 {
		t.Errorf("%+v", failure)
	}
	// A file where a directory is needed.
	_, err = OpenWriter(path + "/below")
	if !errors.As(err, &failure) || failure.OSCode == 0 {
		t.Fatalf("%+v has no errno", failure)
	}
	wantIs(t, err, failure.OSCode)
	var errno syscall.Errno
	if !errors.As(err, &errno) || errno != syscall.ENOTDIR {
		t.Errorf("%v is not ENOTDIR", err)
	}
	if failure.Error() != "binlog: "+failure.Message || !strings.Contains(failure.Message, path) {
		t.Errorf("%q does not name %s", failure.Error(), path)
	}
}

func TestAMissedErrorIsAlsoAnError(t *testing.T) {
	err := asError(&cbinlog.Error{Status: int32(ErrMissed), Message: "gone", MissedFirst: 3, MissedLast: 9})
	wantIs(t, err, ErrMissed)
	var missed *MissedError
	var failure *Error
	if !errors.As(err, &missed) || missed.First != 3 || missed.Last != 9 || !errors.As(err, &failure) {
		t.Errorf("%#v", err)
	}
	if asError(nil) != nil {
		t.Error("no error is one")
	}
}
