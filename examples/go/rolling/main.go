// A log that begins a new segment every few records. Each segment that is closed is moved to a spool directory, and
// a function is called with it, which might upload it.
//
// Usage: rolling [LOG DIRECTORY]
package main

import (
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	"binlog"
)

func main() {
	directory := "rolling-log"
	if len(os.Args) > 1 {
		directory = os.Args[1]
	}
	if err := run(directory, directory+"-spool"); err != nil {
		log.Fatal(err)
	}
}

func run(directory, spool string) error {
	if err := os.MkdirAll(spool, 0o750); err != nil {
		return err
	}
	announce := func(segment binlog.SegmentFile) (movedTo string, err error) {
		fmt.Printf("%s: %d records from %d on, closed because of %q\n",
			filepath.Base(segment.Path), segment.Records, segment.FirstID, segment.Reason)
		return "", nil // it stays where it is
	}
	writer, err := binlog.OpenWriter(directory,
		binlog.WithName("orders"),
		binlog.WithRoll(binlog.RollOptions{
			// The first rule that is met rolls. Period and Zone would roll at each full hour of some place's clock.
			Records: 4,
			Age:     time.Hour,
			Check:   func(s binlog.SegmentState) bool { return s.Bytes > 1<<20 },
		}),
		binlog.WithOnClose(binlog.HookMoveTo(spool), binlog.HookCall(announce)),
		// A hook that fails costs no record, and is reported here.
		binlog.WithOnFailure(func(err *binlog.Error) { fmt.Fprintln(os.Stderr, err) }))
	if err != nil {
		return err
	}
	defer writer.Close()
	for i := range 10 {
		if _, err := writer.Append(1, fmt.Appendf(nil, "order %d", i+1)); err != nil {
			return err
		}
	}
	if err := writer.RollBecause("end of the day"); err != nil {
		return err
	}
	if err := writer.Close(); err != nil {
		return err
	}

	// The files are a log in any directory.
	reader, err := binlog.OpenReader(spool)
	if err != nil {
		return err
	}
	defer reader.Close()
	for record, err := range reader.Records(binlog.Filter{Last: 2}) {
		if err != nil {
			return err
		}
		fmt.Printf("record %d: %s\n", record.ID(), record.Payload())
	}
	return nil
}
