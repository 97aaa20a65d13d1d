package binlog

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestCompressedSegmentsHoldTheSameRecordsAndGoBack(t *testing.T) {
	heldAsBefore(t)
	directory := writeLog(t, 35, 10)
	before, names := texts(t, directory, Filter{}), segmentsIn(t, directory)
	var reported list[Progress]
	made, err := Compress(directory, "", CompressOptions{
		Level: 5, Threads: 2, BlockBytes: 8192, NoDictionary: true,
		Progress: func(p Progress) bool { reported.add(p); return true },
	})
	must(t, err)
	if len(made) != 3 {
		t.Fatalf("%+v", made)
	}
	for i, one := range made {
		if one.Sequence != uint64(i+1) || one.Records != 10 || filepath.Base(one.Source) != names[i] || one.SHA256 != "" ||
			!strings.HasSuffix(one.Path, ".z.binlog") || one.BytesBefore == 0 || one.BytesAfter == 0 || !one.SourceRemoved {
			t.Errorf("%+v", one)
		}
		if _, err := os.Stat(one.Source); !os.IsNotExist(err) {
			t.Errorf("%s is still there", one.Source)
		}
	}
	for _, p := range reported.get() {
		if p.Path == "" || p.Bytes == 0 || p.Done > 2*p.Bytes {
			t.Errorf("%+v", p)
		}
	}
	if len(reported.get()) < len(made) {
		t.Errorf("progress was reported %d times", len(reported.get()))
	}
	if got := texts(t, directory, Filter{}); !slices.Equal(got, before) {
		t.Error(got)
	}
	if again, err := Compress(directory, "", CompressOptions{}); err != nil || len(again) != 0 {
		t.Errorf("%+v, %v", again, err)
	}

	if back, err := Decompress(directory, "", CompressOptions{}); err != nil || len(back) != 3 {
		t.Errorf("%+v, %v", back, err)
	}
	if got := segmentsIn(t, directory); !slices.Equal(got, names) {
		t.Error(got)
	}
	if got := texts(t, directory, Filter{}); !slices.Equal(got, before) {
		t.Error(got)
	}
}

func TestCompressionHandlesSourcesAndNamesByItsOptions(t *testing.T) {
	directory := writeLog(t, 35, 10)
	names := segmentsIn(t, directory)
	dry, err := Compress(directory, "default", CompressOptions{DryRun: true})
	must(t, err)
	if len(dry) != 3 || dry[0].SourceRemoved || !slices.Equal(segmentsIn(t, directory), names) {
		t.Errorf("%+v", dry)
	}
	_, err = Compress(directory, "another", CompressOptions{})
	wantIs(t, err, ErrNotFound)

	named, err := Compress(filepath.Join(directory, names[0]), "", CompressOptions{SHA256Name: true, KeepSource: true})
	must(t, err)
	if len(named) != 1 || len(named[0].SHA256) != 64 || !strings.Contains(named[0].Path, named[0].SHA256) ||
		named[0].SourceRemoved || len(segmentsIn(t, directory)) != len(names)+1 {
		t.Errorf("%+v", named)
	}
	whole, err := Compress(filepath.Join(directory, names[1]), "", CompressOptions{Whole: WholeGzip})
	must(t, err)
	if len(whole) != 1 || !strings.HasSuffix(whole[0].Path, names[1]+".gz") {
		t.Errorf("%+v", whole)
	}
	if got := texts(t, directory, Filter{}); len(got) != 35 {
		t.Error(got)
	}

	file := filepath.Join(t.TempDir(), "one.binlog")
	w, err := OpenWriterFile(file)
	must(t, err)
	appendN(t, w, 5)
	must(t, w.Close())
	single, err := Compress(file, "", CompressOptions{Codec: CodecLZ4, RemoveSingle: true})
	must(t, err)
	if len(single) != 1 || !single[0].SourceRemoved || len(texts(t, single[0].Path, Filter{})) != 5 {
		t.Errorf("%+v", single)
	}
}

func TestAListenerStopsTheCompressionAndItsPanicComesOut(t *testing.T) {
	heldAsBefore(t)
	directory := writeLog(t, 35, 10)
	names := segmentsIn(t, directory)
	_, err := Compress(directory, "", CompressOptions{Progress: func(Progress) bool { return false }})
	wantIs(t, err, ErrIO)
	if got := segmentsIn(t, directory); !slices.Equal(got, names) {
		t.Error(got)
	}
	func() {
		defer func() {
			if value := recover(); value != "not so" {
				t.Errorf("%v came out", value)
			}
		}()
		_, _ = Compress(directory, "", CompressOptions{Progress: func(Progress) bool { panic("not so") }})
		t.Error("no panic came out")
	}()
	if got := segmentsIn(t, directory); !slices.Equal(got, names) {
		t.Error(got)
	}
}

func TestWrongOptionsOfCompressionAreInvalid(t *testing.T) {
	directory := writeLog(t, 35, 10)
	for name, options := range map[string]CompressOptions{
		"an unknown codec":      {Codec: 9},
		"a level beyond zstd's": {Level: 99},
		"a level beyond all":    {Level: 1 << 40},
		"too many threads":      {Threads: 1000},
		"tiny blocks":           {BlockBytes: 1},
		"an unknown format":     {Whole: 9},
	} {
		if _, err := Compress(directory, "", options); err == nil || !isStatus(err, ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, path := range []string{"a\x00b", newStore(t)} {
		_, err := Compress(path, "", CompressOptions{})
		wantIs(t, err, ErrInvalid)
		_, err = Decompress(path, "", CompressOptions{})
		wantIs(t, err, ErrInvalid)
	}
	_, err := Compress(filepath.Join(directory, segmentsIn(t, directory)[3]), "", CompressOptions{})
	wantIs(t, err, ErrInvalid)
	_, err = Compress(newLog(t), "", CompressOptions{})
	wantIs(t, err, ErrNotFound)
}
