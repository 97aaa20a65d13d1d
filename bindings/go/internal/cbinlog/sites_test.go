package cbinlog

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Functions of the header that Go does not use, and why.
var without = map[string]string{
	"binlog_roll_options_init":     "options are zeroed, which is the same",
	"binlog_retention_init":        "options are zeroed, which is the same",
	"binlog_required_init":         "options are zeroed, which is the same",
	"binlog_writer_options_init":   "options are zeroed, which is the same",
	"binlog_reader_options_init":   "options are zeroed, which is the same",
	"binlog_plan_options_init":     "options are zeroed, which is the same",
	"binlog_filter_init":           "options are zeroed, which is the same",
	"binlog_compress_options_init": "options are zeroed, which is the same",
	"binlog_ship_options_init":     "options are zeroed, which is the same",
	"binlog_type_options_init":     "options are zeroed, which is the same",
	"binlog_metadata_put_text":     "strings of Go's have a length, and binlog_metadata_put takes that",
	"binlog_cursor_interrupt":      "no wait is one of C's: Go polls the descriptor",
	"binlog_loss_kind_name":        "Loss.String has words of its own",
	"binlog_tail_state_name":       "TailState.String has words of its own",
	"binlog_appender_options_init": "options are zeroed, which is the same",
	"binlog_appender_open":         "Go stages by itself",
	"binlog_appender_append":       "Go stages by itself",
	"binlog_appender_gather":       "binlog_appender_gather_record does the same",
	"binlog_appender_append_batch": "batches are packed",
	"binlog_table_options_init":    "tables are not bound: their streams are for engines that load C",
	"binlog_reader_table":          "tables are not bound: their streams are for engines that load C",
	"binlog_cursor_next_batch":     "binlog_cursor_read_packed brings as many, into memory of Go's",
}

var comment = regexp.MustCompile(`(?s:/\*.*?\*/)|(?m://.*$)`)

func source(t *testing.T, pattern string) string {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatal(pattern, err)
	}
	var all strings.Builder
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all.WriteString(comment.ReplaceAllString(string(text), ""))
	}
	return all.String()
}

func count(in, pattern string) int { return len(regexp.MustCompile(pattern).FindAllString(in, -1)) }

func TestEachFunctionOfTheHeaderIsCalledAtOneSite(t *testing.T) {
	shim, code := source(t, "shim.[ch]"), source(t, "*.go")
	functions := regexp.MustCompile(`(?m)^(?:\w[\w ]*[ *])(binlog_\w+)\(`).FindAllStringSubmatch(
		comment.ReplaceAllString(source(t, "../../../../include/binlog.h"), ""), -1)
	if len(functions) < 75 {
		t.Fatalf("only %d functions were found in the header", len(functions))
	}
	for _, function := range functions {
		name := function[1]
		if name == "binlog_error_free" {
			continue // shim.c frees what it took, or could not take
		}
		calls := count(shim, `\b`+name+`\(`) + count(code, `C\.`+name+`\(`)
		if _, known := without[name]; known != (calls == 0) || calls > 1 {
			t.Errorf("%s is called at %d sites", name, calls)
		}
	}
	for _, declared := range regexp.MustCompile(`(?m)^(?:static inline )?[\w]+ \*?(blgo_\w+)\(`).FindAllStringSubmatch(source(t, "shim.h"), -1) {
		name := declared[1]
		want := 1
		if name == "blgo_take" { // shim.c's own
			want = 0
		}
		if calls := count(code, `C\.`+name+`\(`); calls != want {
			t.Errorf("%s is called at %d sites", name, calls)
		}
	}
}

func TestNoOtherPackageUsesC(t *testing.T) {
	err := filepath.WalkDir("../..", func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") || filepath.Dir(path) == "../../internal/cbinlog" {
			return err
		}
		text, err := os.ReadFile(path)
		if strings.Contains(string(text), `import "C"`) {
			t.Errorf("%s uses C", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestEachFieldOfTheHeadersOptionsIsSet(t *testing.T) {
	header, code := comment.ReplaceAllString(source(t, "../../../../include/binlog.h"), ""), source(t, "*.go")+source(t, "shim.[ch]")
	structs := regexp.MustCompile(`(?s)typedef struct (binlog_(?:\w+_options|filter|retention|required|hook)) \{(.*?)\n\} `).
		FindAllStringSubmatch(header, -1)
	if len(structs) < 8 {
		t.Fatalf("only %d structs of options were found in the header", len(structs))
	}
	for _, each := range structs {
		if each[1] == "binlog_table_options" {
			continue // a table's stream is for engines that load C
		}
		fields := regexp.MustCompile(`(\w+)(?:\[\d+\])?;`).FindAllStringSubmatch(each[2], -1)
		for _, field := range fields {
			name := field[1]
			if strings.HasPrefix(name, "reserved") {
				continue
			}
			if count(code, `(?:\.|->)_?`+name+`(?:, [\w.]+)* :?= |\b_?`+name+`: |&\w+->`+name+`\b`) == 0 {
				t.Errorf("nothing sets %s.%s", each[1], name)
			}
		}
	}
}
