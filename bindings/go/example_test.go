package binlog_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"binlog"
)

func check(err error) {
	if err != nil {
		panic(err)
	}
}

// inNewDirectory runs an example in a new directory.
func inNewDirectory(f func(directory string)) {
	directory, err := os.MkdirTemp("", "binlog-example-")
	check(err)
	defer os.RemoveAll(directory)
	f(filepath.Join(directory, "log"))
}

func Example() {
	inNewDirectory(func(directory string) {
		writer, err := binlog.OpenWriter(directory)
		check(err)
		id, err := writer.Append(7, []byte("hello"))
		check(err)
		check(writer.Close())

		reader, err := binlog.OpenReader(directory)
		check(err)
		defer reader.Close()
		for record, err := range reader.Records(binlog.Filter{FromID: id}) {
			check(err)
			fmt.Printf("%d: %s\n", record.ID(), record.Payload())
		}
	})
	// Output: 1: hello
}

func ExampleWriter_AppendRecord() {
	inNewDirectory(func(directory string) {
		writer, err := binlog.OpenWriter(directory)
		check(err)
		login, err := writer.Type("login", "text/plain")
		check(err)
		_, err = writer.AppendRecord(binlog.NewRecord{
			Type:     login,
			Time:     time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC),
			Metadata: binlog.Pairs("host", "example.org"),
			Payload:  []byte("alice"),
		})
		check(err)
		check(writer.Close())

		reader, err := binlog.OpenReader(directory)
		check(err)
		defer reader.Close()
		for record, err := range reader.Records(binlog.Filter{TypeNames: []string{"login"}}) {
			check(err)
			fmt.Printf("%s: %s from %s\n", record.Time().UTC(), record.Payload(), record.Metadata().Get("host"))
		}
	})
	// Output: 2026-11-21 10:00:00 +0000 UTC: alice from example.org
}

func ExampleWriter_AppendBatch() {
	inNewDirectory(func(directory string) {
		writer, err := binlog.OpenWriter(directory)
		check(err)
		defer writer.Close()
		var batch binlog.Batch
		for range 2 {
			batch.Reset() // and fill it again, without allocating
			for i := range 3 {
				batch.Append(1, fmt.Appendf(nil, "part %d", i))
			}
			first, err := writer.AppendBatch(&batch)
			check(err)
			fmt.Println("from", first, "to", first+uint64(batch.Len())-1)
		}
	})
	// Output:
	// from 1 to 3
	// from 4 to 6
}

func ExampleReader_Follow() {
	inNewDirectory(func(directory string) {
		writer, err := binlog.OpenWriter(directory)
		check(err)
		defer writer.Close()
		reader, err := binlog.OpenReader(directory)
		check(err)
		defer reader.Close()

		written := make(chan struct{})
		go func() {
			defer close(written)
			for i := range 3 {
				_, err := writer.Append(1, fmt.Appendf(nil, "record %d", i+1))
				check(err)
				check(writer.Flush()) // from here on readers see it
				check(writer.Roll())
			}
		}()
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		for record, err := range reader.Follow(ctx, binlog.Filter{}) {
			if errors.Is(err, context.Canceled) {
				fmt.Println("enough")
				break
			}
			check(err)
			fmt.Printf("%s\n", record.Payload())
			if record.ID() == 3 {
				cancel()
			}
		}
		<-written
	})
	// Output:
	// record 1
	// record 2
	// record 3
	// enough
}

func ExampleCursor_Get() {
	inNewDirectory(func(directory string) {
		writer, err := binlog.OpenWriter(directory)
		check(err)
		for i := range 1000 {
			_, err := writer.Append(1, fmt.Appendf(nil, "number %d", i+1))
			check(err)
		}
		check(writer.Close())

		reader, err := binlog.OpenReader(directory)
		check(err)
		defer reader.Close()
		cursor, err := reader.Cursor(binlog.Filter{})
		check(err)
		defer cursor.Close()
		record, err := cursor.Get(999)
		check(err)
		fmt.Printf("%s\n", record.Payload())
		record, err = cursor.Next()
		check(err)
		fmt.Printf("%s\n", record.Payload())
		_, err = cursor.Next()
		fmt.Println(err == io.EOF)
		_, err = cursor.Get(1001)
		fmt.Println(errors.Is(err, binlog.ErrNotFound))
	})
	// Output:
	// number 999
	// number 1000
	// true
	// true
}

func ExampleWithOnClose() {
	inNewDirectory(func(directory string) {
		writer, err := binlog.OpenWriter(directory,
			binlog.WithName("orders"),
			binlog.WithRoll(binlog.RollOptions{Records: 2}),
			binlog.WithOnClose(
				binlog.HookChangeExtension(".done"),
				binlog.HookCall(func(segment binlog.SegmentFile) (movedTo string, err error) {
					fmt.Println(filepath.Base(segment.Path), segment.Records, segment.Reason)
					return "", nil
				})))
		check(err)
		for range 3 {
			_, err := writer.Append(1, nil)
			check(err)
		}
		check(writer.Close())
	})
	// Output:
	// orders.0000000001.done 2 records
	// orders.0000000002.done 1 close
}

func ExampleError() {
	inNewDirectory(func(directory string) {
		writer, err := binlog.OpenWriter(directory)
		check(err)
		defer writer.Close()

		_, err = binlog.OpenWriter(directory)
		fmt.Println(errors.Is(err, binlog.ErrLocked))
		var failure *binlog.Error
		if errors.As(err, &failure) {
			fmt.Println(failure.Status.Name(), filepath.Base(failure.Path))
		}
	})
	// Output:
	// true
	// E_LOCKED default.lock
}

// damage changes a byte of a file.
func damage(path, where string) {
	content, err := os.ReadFile(path)
	check(err)
	content[bytes.Index(content, []byte(where))] ^= 1
	check(os.WriteFile(path, content, 0o600))
}

func ExampleWithSalvage() {
	inNewDirectory(func(directory string) {
		writer, err := binlog.OpenWriter(directory)
		check(err)
		_, err = writer.Append(1, []byte("before"))
		check(err)
		check(writer.Flush())
		_, err = writer.Append(1, []byte("damaged"))
		check(err)
		check(writer.Flush())
		_, err = writer.Append(1, []byte("behind"))
		check(err)
		check(writer.Close())
		damage(filepath.Join(directory, "default.0000000001.binlog"), "damaged")

		reader, err := binlog.OpenReader(directory, binlog.WithSalvage(func(loss binlog.Loss) {
			fmt.Println("lost:", loss.FirstID, "to", loss.LastID)
		}))
		check(err)
		defer reader.Close()
		for record, err := range reader.Records(binlog.Filter{}) {
			check(err)
			fmt.Printf("%s\n", record.Payload())
		}
	})
	// Output:
	// before
	// lost: 2 to 2
	// behind
}

func ExampleShipper() {
	inNewDirectory(func(directory string) {
		writer, err := binlog.OpenWriter(directory, binlog.WithRoll(binlog.RollOptions{Records: 2}))
		check(err)
		for i := range 5 {
			_, err := writer.Append(7, fmt.Appendf(nil, "record %d", i+1))
			check(err)
		}
		check(writer.Close())

		store := "file://" + directory + "-store?create=true"
		shipper, err := binlog.OpenShipper(directory, "", binlog.ShipOptions{URL: store})
		check(err)
		defer shipper.Close()
		_, err = shipper.Run(context.Background(), func(event binlog.ShipEvent) bool {
			if event.Kind == binlog.ShipUploaded {
				fmt.Println(filepath.Base(event.Path))
			}
			return true // continue
		})
		check(err)

		reader, err := binlog.OpenReader(store)
		check(err)
		defer reader.Close()
		for record, err := range reader.Records(binlog.Filter{Last: 1}) {
			check(err)
			fmt.Printf("%d: %s\n", record.ID(), record.Payload())
		}
	})
	// Output:
	// default.0000000001.binlog
	// default.0000000002.binlog
	// 4: record 4
}
