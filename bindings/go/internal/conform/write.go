package main

import (
	"errors"
	"strconv"
	"time"

	"binlog"
)

// made is record number i of the comparison.
func made(i uint64, named binlog.Type) binlog.NewRecord {
	r := binlog.NewRecord{Type: binlog.Type(i % 5), Time: time.Unix(1_700_000_000, int64(i)*1000)}
	if i%5 == 0 {
		r.Type = named
	}
	if i%3 == 0 {
		r.Metadata = binlog.Pairs("i", strconv.FormatUint(i, 10), "ключ", "значение")
	}
	r.Payload = make([]byte, (i*7919)%700)
	for j := range r.Payload {
		r.Payload[j] = byte(i*31 + uint64(j)*7)
	}
	return r
}

func write(directory string, count uint64) (err error) {
	writer, err := open(directory, binlog.RollOptions{Records: 1000})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, writer.Close()) }()
	ways := []func(*binlog.Writer, []binlog.NewRecord) error{single, gathered, inSlice, packed}
	return appendRuns(writer, count, func(run uint64, records []binlog.NewRecord) error {
		return ways[run%uint64(len(ways))](writer, records)
	})
}

func stage(directory string, count uint64) (err error) {
	writer, err := open(directory, binlog.RollOptions{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, writer.Close()) }()
	appender, err := writer.OpenAppender()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, appender.Close()) }()
	return appendRuns(writer, count, func(run uint64, records []binlog.NewRecord) error {
		var batch binlog.Batch
		for _, r := range records {
			if run%2 == 1 {
				batch.AppendRecord(r)
			} else if err := appender.AppendRecord(r); err != nil {
				return err
			}
		}
		if batch.Len() == 0 {
			return nil
		}
		return appender.AppendBatch(&batch)
	})
}

func open(directory string, roll binlog.RollOptions) (*binlog.Writer, error) {
	return binlog.OpenWriter(directory,
		binlog.WithName("conform"),
		binlog.WithContentType("application/x-conform"),
		binlog.WithParameters(map[string]string{"writer": "go"}),
		binlog.WithRoll(roll))
}

// appendRuns makes so many records, and gives them to each in runs, which it numbers.
func appendRuns(writer *binlog.Writer, count uint64, each func(uint64, []binlog.NewRecord) error) error {
	named, err := writer.Type("conform.named", "text/plain")
	if err != nil {
		return err
	}
	position, err := writer.Position()
	if err != nil {
		return err
	}
	const run = 10
	flushed := uint64(0)
	for done := uint64(0); done < count; {
		n := min(run, count-done)
		records := make([]binlog.NewRecord, n)
		for j := range n {
			records[j] = made(position.Appended+done+j+1, named)
		}
		if err := each(done/run, records); err != nil {
			return err
		}
		done += n
		if done-flushed >= 100 {
			if err := writer.Flush(); err != nil {
				return err
			}
			flushed = done
		}
	}
	return nil
}

func single(writer *binlog.Writer, records []binlog.NewRecord) error {
	for _, r := range records {
		if _, err := writer.AppendRecord(r); err != nil {
			return err
		}
	}
	return nil
}

func gathered(writer *binlog.Writer, records []binlog.NewRecord) error {
	for _, r := range records {
		head, third := r, len(r.Payload)/3
		head.Payload = nil
		parts := [][]byte{r.Payload[:third], r.Payload[third : 2*third], r.Payload[2*third:]}
		if _, err := writer.GatherRecord(head, parts...); err != nil {
			return err
		}
	}
	return nil
}

func inSlice(writer *binlog.Writer, records []binlog.NewRecord) error {
	_, err := writer.AppendRecords(records)
	return err
}

func packed(writer *binlog.Writer, records []binlog.NewRecord) error {
	var batch binlog.Batch
	for _, r := range records {
		batch.AppendRecord(r)
	}
	_, err := writer.AppendBatch(&batch)
	return err
}
