package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"binlog"
)

func types(path string, to io.Writer) error {
	reader, err := binlog.OpenReader(path)
	if err != nil {
		return err
	}
	defer reader.Close()
	all, err := reader.Types()
	if err != nil {
		return err
	}
	for _, info := range all {
		if _, err := fmt.Fprintln(to, typeInfo(info)); err != nil {
			return err
		}
	}
	return nil
}

func read(path string, filter binlog.Filter, salvage bool, to io.Writer) error {
	var records, events, segments, losses []string
	var options []binlog.ReaderOption
	if salvage {
		options = append(options, binlog.WithSalvage(func(l binlog.Loss) { losses = append(losses, loss(l)) }))
	}
	filter.Events = true
	end, err := func() (string, error) {
		reader, err := binlog.OpenReader(path, options...)
		if err != nil {
			return "", err
		}
		defer reader.Close()
		found, err := reader.Segments()
		if err != nil {
			return "", err
		}
		for _, s := range found {
			segments = append(segments, segment(s))
		}
		cursor, err := reader.Cursor(filter)
		if err != nil {
			return "", err
		}
		defer cursor.Close()
		for r, err := range cursor.All() {
			switch {
			case err != nil:
				return "", err
			case r.IsEvent():
				events = append(events, event(r))
			default:
				records = append(records, record(r, cursor))
			}
		}
		tail, err := cursor.Tail()
		return endOf(tail), err
	}()
	var failure *binlog.Error
	if errors.As(err, &failure) {
		end = endWith(failure)
	} else if err != nil {
		return err
	}
	lost := ""
	if salvage {
		lost = "  \"losses\": " + lines(losses) + ",\n"
	}
	_, err = fmt.Fprintf(to, "{\n  \"end\": %s,\n  \"events\": %s,\n%s  \"records\": %s,\n  \"segments\": %s\n}\n",
		end, lines(events), lost, lines(records), lines(segments))
	return err
}

// lines is a list with an element a line.
func lines(elements []string) string {
	var out strings.Builder
	for i, element := range elements {
		if i > 0 {
			out.WriteByte(',')
		}
		out.WriteString("\n    " + element)
	}
	return "[" + out.String() + "]"
}

const (
	patienceForLog    = 30 * time.Second
	patienceForRecord = 60 * time.Second
)

func tail(directory string, count uint64, to io.Writer) error {
	out := bufio.NewWriter(to)
	reader, err := openWhenThere(directory)
	if err != nil {
		return err
	}
	defer reader.Close()
	cursor, err := reader.Cursor(binlog.Filter{FromID: 1})
	if err != nil {
		return err
	}
	defer cursor.Close()
	for seen := uint64(0); seen < count; {
		for r, err := range cursor.All() {
			if err != nil {
				return err
			}
			fmt.Fprintln(out, record(r, cursor))
			if seen++; seen == count {
				break
			}
		}
		if seen < count {
			if err := waitAWhile(cursor); err != nil {
				return fmt.Errorf("after %d records: %w", seen, err)
			}
		}
	}
	return out.Flush()
}

func waitAWhile(cursor *binlog.Cursor) error {
	ctx, cancel := context.WithTimeout(context.Background(), patienceForRecord)
	defer cancel()
	return cursor.Wait(ctx)
}

func openWhenThere(directory string) (*binlog.Reader, error) {
	for began := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		reader, err := binlog.OpenReader(directory)
		if !errors.Is(err, binlog.ErrNotFound) || time.Since(began) > patienceForLog {
			return reader, err
		}
	}
}
