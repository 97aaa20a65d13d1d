// One record from parts that lie apart: a small header, two large buffers that are not copied together first, and a
// trailer. Then the payloads are skipped and only the headers read.
//
// Usage: gather [LOG DIRECTORY]
package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"log"
	"os"

	"binlog"
)

const frameBytes = 512 << 10

func main() {
	directory := "gather-log"
	if len(os.Args) > 1 {
		directory = os.Args[1]
	}
	if err := run(directory); err != nil {
		log.Fatal(err)
	}
}

func run(directory string) error {
	writer, err := binlog.OpenWriter(directory)
	if err != nil {
		return err
	}
	defer writer.Close()
	image, err := writer.Type("stereo.image", "application/octet-stream")
	if err != nil {
		return err
	}
	left, right := bytes.Repeat([]byte("L"), frameBytes), bytes.Repeat([]byte("R"), frameBytes)
	for frame := range uint32(3) {
		header := binary.LittleEndian.AppendUint32(nil, frame+1)
		// The parts may be reused after the call returns.
		id, err := writer.Gather(image, header, left, right, []byte("end"))
		if err != nil {
			return err
		}
		fmt.Printf("frame %d is record %d\n", frame+1, id)
	}
	if err := writer.Close(); err != nil {
		return err
	}

	reader, err := binlog.OpenReader(directory)
	if err != nil {
		return err
	}
	defer reader.Close()
	for record, err := range reader.Records(binlog.Filter{HeadersOnly: true}) {
		if err != nil {
			return err
		}
		fmt.Printf("record %d has %d bytes, none of which was read\n", record.ID(), record.Len())
	}
	return nil
}
