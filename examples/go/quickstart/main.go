// Writes typed records into a log directory and reads those of one type back.
package main

import (
	"fmt"
	"log"

	"binlog"
)

func main() {
	if err := write("quickstart-log"); err != nil {
		log.Fatal(err)
	}
	if err := read("quickstart-log"); err != nil {
		log.Fatal(err)
	}
}

func write(directory string) error {
	writer, err := binlog.OpenWriter(directory) // made if it is not there
	if err != nil {
		return err
	}
	defer writer.Close() // does nothing when it is closed below

	if _, err := writer.Append(7, []byte("any bytes")); err != nil { // a type is a number of yours ...
		return err
	}
	login, err := writer.Type("login", "text/plain") // ... or a name
	if err != nil {
		return err
	}
	_, err = writer.AppendRecord(binlog.NewRecord{
		Type:     login,
		Metadata: binlog.Pairs("host", "example.org"),
		Payload:  []byte("alice"),
	})
	if err != nil {
		return err
	}
	if err := writer.Sync(); err != nil { // from here on it survives a power cut
		return err
	}
	return writer.Close()
}

func read(directory string) error {
	reader, err := binlog.OpenReader(directory)
	if err != nil {
		return err
	}
	defer reader.Close()
	for record, err := range reader.Records(binlog.Filter{TypeNames: []string{"login"}}) {
		if err != nil {
			return err
		}
		// A record is a view until the next turn; Clone keeps it.
		fmt.Printf("record %d: %s from %s\n", record.ID(), record.Payload(), record.Metadata().Get("host"))
	}
	return nil
}
