// Command bench is this language's part of the benchmark of all languages.
//
//	bench WORK SIZE COUNT DIR
//
// It prints the nanoseconds that COUNT records of SIZE bytes took:
//
//	append        one call each, and a flush
//	append-staged the same through an appender
//	append-batch  a hundred each time, and a flush
//	read          every record of the log in DIR by a loop over the reader
//	plain-append  without this library: a buffered file with a length and a CRC-32C for each record
//
// Before that it does the same with a quarter of the records (all of them to read), to warm up.
package main

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"binlog"
)

func main() {
	took, err := run(os.Args[1:])
	if err != nil {
		fmt.Fprintf(os.Stderr, "bench: %v\n", err)
		os.Exit(1)
	}
	fmt.Println(took.Nanoseconds())
}

type work func(payload []byte, count int, directory string) (time.Duration, error)

var works = map[string]work{
	"append":        appendEach,
	"append-staged": appendStaged,
	"append-batch":  appendBatches,
	"read":          readAll,
	"plain-append":  appendPlainly,
}

func run(args []string) (time.Duration, error) {
	if len(args) != 4 || works[args[0]] == nil {
		return 0, errors.New("usage: bench append|append-staged|append-batch|read|plain-append SIZE COUNT DIR")
	}
	size, err := strconv.Atoi(args[1])
	if err != nil {
		return 0, err
	}
	count, err := strconv.Atoi(args[2])
	if err != nil {
		return 0, err
	}
	payload := make([]byte, size)
	for i := range payload {
		payload[i] = byte(i*31 + 7)
	}
	do, directory := works[args[0]], args[3]
	if args[0] == "read" {
		if _, err := do(payload, count, directory); err != nil {
			return 0, err
		}
		return do(payload, count, directory)
	}
	scratch, err := os.MkdirTemp(filepath.Dir(filepath.Clean(directory)), "warm-up-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(scratch)
	if _, err := do(payload, count/4, scratch); err != nil {
		return 0, err
	}
	return do(payload, count, directory)
}

// timed opens a log for `append`, which is timed, and closes it.
func timed(directory string, appendAll func(*binlog.Writer) error) (took time.Duration, err error) {
	writer, err := binlog.OpenWriter(directory, binlog.WithName("bench"))
	if err != nil {
		return 0, err
	}
	defer func() {
		if closing := writer.Close(); err == nil {
			err = closing
		}
	}()
	began := time.Now()
	if err := appendAll(writer); err != nil {
		return 0, err
	}
	if err := writer.Flush(); err != nil {
		return 0, err
	}
	return time.Since(began), nil
}

func appendEach(payload []byte, count int, directory string) (time.Duration, error) {
	return timed(directory, func(writer *binlog.Writer) error {
		for range count {
			if _, err := writer.Append(1, payload); err != nil {
				return err
			}
		}
		return nil
	})
}

func appendStaged(payload []byte, count int, directory string) (time.Duration, error) {
	return timed(directory, func(writer *binlog.Writer) (err error) {
		appender, err := writer.OpenAppender()
		if err != nil {
			return err
		}
		for range count {
			if err := appender.Append(1, payload); err != nil {
				return err
			}
		}
		return appender.Close()
	})
}

func appendBatches(payload []byte, count int, directory string) (time.Duration, error) {
	const each = 100
	return timed(directory, func(writer *binlog.Writer) error {
		var batch binlog.Batch
		for done := 0; done < count; done += each {
			batch.Reset()
			for range min(each, count-done) {
				batch.Append(1, payload)
			}
			if _, err := writer.AppendBatch(&batch); err != nil {
				return err
			}
		}
		return nil
	})
}

// Receives the reader's sum, so that no compiler removes the loop.
var sum uint64

func readAll(payload []byte, count int, directory string) (time.Duration, error) {
	began := time.Now()
	reader, err := binlog.OpenReader(directory)
	if err != nil {
		return 0, err
	}
	defer reader.Close()
	records, bytes := 0, uint64(0)
	for record, err := range reader.Records(binlog.Filter{}) {
		if err != nil {
			return 0, err
		}
		records++
		payload := record.Payload()
		bytes += uint64(len(payload))
		if len(payload) > 0 {
			bytes += uint64(payload[0])
		}
	}
	took := time.Since(began)
	sum = bytes
	if records != count {
		return 0, fmt.Errorf("%s has %d records, not %d", directory, records, count)
	}
	expected := uint64(count) * uint64(len(payload))
	if len(payload) > 0 {
		expected += uint64(count) * uint64(payload[0])
	}
	if bytes != expected {
		return 0, fmt.Errorf("the payloads in %s are others than were written", directory)
	}
	return took, nil
}

func appendPlainly(payload []byte, count int, directory string) (took time.Duration, err error) {
	if err := os.MkdirAll(directory, 0o750); err != nil {
		return 0, err
	}
	file, err := os.Create(filepath.Join(directory, "plain"))
	if err != nil {
		return 0, err
	}
	defer func() {
		if closing := file.Close(); err == nil {
			err = closing
		}
	}()
	castagnoli := crc32.MakeTable(crc32.Castagnoli)
	out := bufio.NewWriterSize(file, 128<<10)
	var head [8]byte
	began := time.Now()
	for range count {
		binary.LittleEndian.PutUint32(head[:], uint32(len(payload)))
		binary.LittleEndian.PutUint32(head[4:], crc32.Checksum(payload, castagnoli))
		if _, err := out.Write(head[:]); err != nil {
			return 0, err
		}
		if _, err := out.Write(payload); err != nil {
			return 0, err
		}
	}
	if err := out.Flush(); err != nil {
		return 0, err
	}
	return time.Since(began), nil
}
