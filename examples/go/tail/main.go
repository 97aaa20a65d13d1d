// Follows a log while it is written, over rolls, and continues after the last processed record when it is started
// again: it only stores that record's id.
//
// Usage: tail LOG DIRECTORY STATE FILE [RECORDS]
//
// It waits for more until RECORDS were shown, or until Ctrl-C.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"os/signal"
	"strconv"
	"strings"

	"binlog"
)

func main() {
	if len(os.Args) < 3 {
		log.Fatal("usage: tail LOG DIRECTORY STATE FILE [RECORDS]")
	}
	limit := -1
	if len(os.Args) > 3 {
		var err error
		if limit, err = strconv.Atoi(os.Args[3]); err != nil {
			log.Fatal(err)
		}
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := follow(ctx, os.Args[1], os.Args[2], limit); err != nil {
		log.Fatal(err)
	}
}

func follow(ctx context.Context, directory, state string, limit int) error {
	last, err := load(state)
	if err != nil {
		return err
	}
	reader, err := binlog.OpenReader(directory)
	if err != nil {
		return err
	}
	defer reader.Close()
	for record, err := range reader.Follow(ctx, binlog.Filter{FromID: last + 1}) {
		var missed *binlog.MissedError
		switch {
		case errors.Is(err, context.Canceled):
			return nil
		case errors.As(err, &missed):
			fmt.Printf("missed %d to %d: they went with old segments\n", missed.First, missed.Last)
			continue
		case err != nil:
			return err
		}
		fmt.Printf("%d %s\n", record.ID(), record.Payload())
		// After the record was processed. A program that must not see a record twice stores the id together with its result.
		if err := save(state, record.ID()); err != nil {
			return err
		}
		if limit--; limit == 0 {
			return nil
		}
	}
	return nil
}

func load(state string) (uint64, error) {
	text, err := os.ReadFile(state)
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil // from the log's first record
	}
	if err != nil {
		return 0, err
	}
	return strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64)
}

// save replaces the file in one step: a crash leaves the old id or the new one.
func save(state string, id uint64) error {
	if err := os.WriteFile(state+".new", fmt.Appendln(nil, id), 0o600); err != nil {
		return err
	}
	return os.Rename(state+".new", state)
}
