// A log whose closed segments go to an object store: its writer compresses and ships them, and only the newest stay here.
// Then the store is compared with what it should hold, and the log is read where it lies, by type.
//
// Usage: archive [LOG DIRECTORY [STORE URL]], such as
//
//	archive orders 's3://bucket/orders?region=eu-central-1'
//	archive orders 'swift://container/orders?auth=https://swift.example.org/auth/v1.0'
//	archive orders file:///mnt/archive/orders
//
// Credentials are in the environment, or known to the machine: docs/stores.md. Without a URL, a directory is the store.
package main

import (
	"context"
	"fmt"
	"log"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"binlog"
)

func main() {
	directory, store := "archive-log", ""
	if len(os.Args) > 1 {
		directory = os.Args[1]
	}
	if len(os.Args) > 2 {
		store = os.Args[2]
	}
	if err := run(directory, store); err != nil {
		log.Fatal(err)
	}
}

func run(directory, store string) error {
	if store == "" {
		place, err := filepath.Abs("archive-store")
		if err != nil {
			return err
		}
		store = (&url.URL{Scheme: "file", Path: place, RawQuery: "create=true"}).String()
	}
	archive := binlog.ShipOptions{
		URL:       store,
		Compress:  &binlog.CompressOptions{},
		Keep:      binlog.Retention{Segments: 2}, // here; and all of those that the store does not hold yet
		CloseWait: time.Minute,                   // for what is still to be sent when the writer is closed
	}
	if err := write(directory, archive); err != nil {
		return err
	}
	if err := verify(directory, archive); err != nil {
		return err
	}
	return read(store)
}

func write(directory string, archive binlog.ShipOptions) error {
	writer, err := binlog.OpenWriter(directory,
		binlog.WithName("orders"),
		binlog.WithRoll(binlog.RollOptions{Records: 4}),
		binlog.WithShipping(archive),
		// The store may be unavailable: records are written nevertheless, and shipped when it is back.
		binlog.WithOnFailure(func(err *binlog.Error) { fmt.Fprintln(os.Stderr, err) }))
	if err != nil {
		return err
	}
	defer writer.Close()
	order, err := writer.Type("order", "text/plain")
	if err != nil {
		return err
	}
	payment, err := writer.Type("payment", "text/plain")
	if err != nil {
		return err
	}
	for i := range 10 {
		if _, err := writer.Append(order, fmt.Appendf(nil, "order %d", i+1)); err != nil {
			return err
		}
		if i%4 == 3 {
			if _, err := writer.Append(payment, fmt.Appendf(nil, "order %d is paid", i)); err != nil {
				return err
			}
		}
	}
	return writer.Close() // rolls first, so that all records are shipped
}

func verify(directory string, archive binlog.ShipOptions) error {
	shipper, err := binlog.OpenShipper(directory, "orders", archive)
	if err != nil {
		return err
	}
	defer shipper.Close()
	// Ships what the writer has left, as for a log that is shipped beside its writer: here nothing.
	report, err := shipper.Run(context.Background(), nil)
	if err != nil {
		return err
	}
	found, err := shipper.Verify(context.Background(), false, nil)
	if err != nil {
		return err
	}
	for _, problem := range found.Problems {
		fmt.Println(problem)
	}
	fmt.Printf("shipped by hand: %d; sound in the store: %d; problems: %d\n",
		report.UploadedSegments, found.SoundSegments, len(found.Problems))
	return nil
}

func read(store string) error {
	reader, err := binlog.OpenReader(store)
	if err != nil {
		return err
	}
	defer reader.Close()
	// Only the blocks that contain records of this type are fetched.
	for record, err := range reader.Records(binlog.Filter{TypeNames: []string{"payment"}}) {
		if err != nil {
			return err
		}
		fmt.Printf("record %d: %s\n", record.ID(), record.Payload())
	}
	return nil
}
