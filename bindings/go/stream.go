package binlog

import "io"

// PayloadWriter is an [io.Writer] for what writes bytes, such as log.Logger, json.Encoder or a command's output: each Write appends one record of this type, of now, with these bytes as its payload. Goroutines may share it. Closing it is
// closing the writer.
//
// Write returns the errors of [Writer.Append], and how many bytes were taken: all, or none. All were taken, too, when
// [Error.RecordID] says so, and when [WithFullDiskDrop] has dropped the record. A writer that puts small pieces together, such
// as bufio.Writer, puts the bounds of records where its buffer is full.
func (w *Writer) PayloadWriter(t Type) io.Writer { return payloadWriter{w, t} }

type payloadWriter struct {
	writer *Writer
	typ    Type
}

func (p payloadWriter) Write(payload []byte) (int, error) {
	_, err := p.writer.Append(p.typ, payload)
	return taken(len(payload), err), err
}

func (p payloadWriter) WriteString(payload string) (int, error) { return p.Write([]byte(payload)) }

// taken is how many bytes a Write has taken that ended with this error.
func taken(n int, err error) int {
	if failure, known := err.(*Error); err == nil || known && failure.RecordID != 0 {
		return n
	}
	return 0
}

// PayloadReader is an [io.Reader] of the payloads from where the cursor is to the end of the log as it is then, one after the
// other and with nothing in between. It uses the cursor, which nothing else should use meanwhile; closing it is closing the
// cursor.
//
// [io.EOF] comes at the end; the same call goes on when more has been appended meanwhile. Other errors are those of
// [Cursor.Next], behind everything before them; behind a [*MissedError] the next call goes on. It is an [io.WriterTo], too, so
// that [io.Copy] writes each payload at once, without a copy.
func (c *Cursor) PayloadReader() io.Reader { return &payloadReader{cursor: c} }

type payloadReader struct {
	cursor *Cursor
	// What of the last record was not read yet: a view.
	rest []byte
}

// more has bytes be there.
func (p *payloadReader) more() error {
	for len(p.rest) == 0 {
		record, err := p.cursor.Next()
		if err != nil {
			return err
		}
		p.rest = record.Payload()
	}
	return nil
}

func (p *payloadReader) Read(out []byte) (int, error) {
	if len(out) == 0 {
		return 0, nil
	}
	if err := p.more(); err != nil {
		return 0, err
	}
	n := copy(out, p.rest)
	p.rest = p.rest[n:]
	return n, nil
}

func (p *payloadReader) WriteTo(out io.Writer) (total int64, err error) {
	for {
		if err := p.more(); err == io.EOF {
			return total, nil
		} else if err != nil {
			return total, err
		}
		n, err := out.Write(p.rest)
		total += int64(n)
		if n < len(p.rest) && err == nil {
			err = io.ErrShortWrite
		}
		p.rest = p.rest[n:]
		if err != nil {
			return total, err
		}
	}
}
