package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"binlog"
)

const golden = "../../../../tests/golden"

func TestEveryGoldenFileIsReadAsItsJSONSays(t *testing.T) {
	expected, err := filepath.Glob(filepath.Join(golden, "*.json"))
	if err != nil || len(expected) < 15 {
		t.Fatalf("%d golden files, %v", len(expected), err)
	}
	for _, file := range expected {
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var got strings.Builder
		if err := read(strings.TrimSuffix(file, ".json"), binlog.Filter{}, false, &got); err != nil {
			t.Fatal(err)
		}
		if got.String() != string(want) {
			t.Errorf("%s:\n%s\nand not\n%s", file, got.String(), want)
		}
	}
}

func TestStringsAreEscapedAsTheGoldenFilesDo(t *testing.T) {
	if got := quoted("\"\\\b\f\n\r\t\x00\x1f\x7f/ключ🗝"); got != `"\"\\\b\f\n\r\t\u0000\u001f`+"\x7f"+`/ключ🗝"` {
		t.Error(got)
	}
}

func TestWhatIsWrittenIsReadAndFollowed(t *testing.T) {
	directory := filepath.Join(t.TempDir(), "log")
	followed := make(chan error, 1)
	var lines strings.Builder
	go func() { followed <- tail(directory, 2345, &lines) }()
	for _, n := range []uint64{1234, 1111} {
		if err := write(directory, n); err != nil {
			t.Fatal(err)
		}
	}
	if err := <-followed; err != nil {
		t.Fatal(err)
	}
	all := strings.Split(strings.TrimSpace(lines.String()), "\n")
	if len(all) != 2345 {
		t.Fatal(len(all))
	}
	for i, line := range all {
		if want := fmt.Sprintf(`"id":%d,"length":%d,`, i+1, (i+1)*7919%700); !strings.Contains(line, want) {
			t.Fatalf("%s is not in %s", want, line)
		}
		if strings.Contains(line, `"type_name":"conform.named"`) != ((i+1)%5 == 0) || strings.Contains(line, "ключ") != ((i+1)%3 == 0) {
			t.Fatal(line)
		}
	}
	var got strings.Builder
	if err := read(directory, binlog.Filter{}, false, &got); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(got.String(), all[0]) || !strings.Contains(got.String(), `"parameters":{"writer":"go"}`) {
		t.Error(got.String()[:200])
	}
}
