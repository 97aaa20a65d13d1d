// From shoebox to this library, call by call. shoebox, a library in Python, keeps string:string dictionaries and
// payloads (mostly JSON) in archives. A roll manager opens and closes them as a roll checker says, and notifies
// callbacks. The calls that its users wrote are quoted at each step; the new ones follow.
//
// Usage: migrate [LOG DIRECTORY]
package main

import (
	"encoding/json"
	"fmt"
	"log"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"binlog"
)

func main() {
	directory := "migrate-log"
	if len(os.Args) > 1 {
		directory = os.Args[1]
	}
	if err := write(directory); err != nil {
		log.Fatal(err)
	}
	if err := read(directory); err != nil {
		log.Fatal(err)
	}
}

// metadataOf is a shoebox dictionary as metadata.
func metadataOf(dictionary map[string]string) binlog.Metadata {
	var m binlog.Metadata
	for _, key := range slices.Sorted(maps.Keys(dictionary)) {
		m = m.Add(key, dictionary[key])
	}
	return m
}

func write(directory string) error {
	// shoebox:  class Callback:
	//               def on_open(self, filename): ...
	//               def on_close(self, filename): ...
	//
	// A callback is a hook here. It gets more than the name, may move the file, and may fail without harm.
	opened := func(segment binlog.SegmentFile) (string, error) {
		fmt.Println("opened", filepath.Base(segment.Path))
		return "", nil
	}
	closed := func(segment binlog.SegmentFile) (string, error) {
		fmt.Println("closed", filepath.Base(segment.Path), "with", segment.Records, "records")
		return "", nil
	}

	// shoebox:  checker = roll_checker.SizeRollChecker(roll_size_mb=100)
	//           x = roll_manager.WritingRollManager("test_%c.events", checker)
	//
	// Size is an option of its own, elapsed time is RollOptions.Age, and a user's own checker is RollOptions.Check. The
	// number in the name distinguishes files of the same second, which shoebox overwrote.
	writer, err := binlog.OpenWriter(directory,
		binlog.WithName("test"),
		binlog.WithContentType("application/json"),
		binlog.WithSegmentBytes(100<<20),
		binlog.WithRoll(binlog.RollOptions{
			NameTemplate: "{name}_{seq}.events",
			Check:        func(s binlog.SegmentState) bool { return s.Records >= 6 },
		}),
		binlog.WithOnOpen(binlog.HookCall(opened)),
		binlog.WithOnClose(binlog.HookCall(closed)))
	if err != nil {
		return err
	}
	defer writer.Close()

	// shoebox:  for index in range(10):
	//               x.write({"index": str(index)}, "payload_%d" % index)
	for index := range 10 {
		payload, err := json.Marshal(map[string]any{"payload": index})
		if err != nil {
			return err
		}
		_, err = writer.AppendRecord(binlog.NewRecord{
			Metadata: metadataOf(map[string]string{"index": fmt.Sprint(index)}),
			Payload:  payload,
		})
		if err != nil {
			return err
		}
		// The checker is called when something is written to the file. shoebox wrote each record at once; here the caller
		// decides that, with WithFlush.
		if err := writer.Flush(); err != nil {
			return err
		}
	}

	// shoebox:  x.close()
	return writer.Close()
}

func read(directory string) error {
	// shoebox:  manager = roll_manager.ReadingRollManager("test_*.events")
	reader, err := binlog.OpenReader(filepath.Join(directory, "test_*.events.binlog"))
	if err != nil {
		return err
	}
	defer reader.Close()

	// shoebox:  while True:
	//               try:
	//                   metadata, json_payload = manager.read()
	//               except roll_manager.NoMoreFiles:
	//                   break
	for record, err := range reader.Records(binlog.Filter{}) {
		if err != nil {
			return err // reports damage, with file and offset
		}
		metadata, payload := record.Metadata().Map(), record.Payload()
		fmt.Println(record.ID(), metadata["index"], string(payload))
	}

	// What shoebox could not do: read one record without those before it.
	cursor, err := reader.Cursor(binlog.Filter{Metadata: binlog.Pairs("index", "7")})
	if err != nil {
		return err
	}
	defer cursor.Close()
	record, err := cursor.Next()
	if err != nil {
		return err
	}
	fmt.Println("index 7 is record", record.ID())
	return nil
}
