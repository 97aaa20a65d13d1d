package binlog

import "io"

// PayloadWriter is an [io.Writer] for code that writes bytes, such as log.Logger, json.Encoder or a command's output:
// each Write appends one record of this type, of now, with these bytes as its payload. Goroutines may share it. To
// close it, close the writer.
//
// Write returns the errors of [Writer.Append], and how many bytes were accepted: all, or none. All were accepted, too,
// when [Error.RecordID] says so, and when [WithFullDiskDrop] has dropped the record. A writer that buffers, such as
// bufio.Writer, ends records where its buffer is full.
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

// taken returns how many bytes a Write that ended with this error has accepted.
func taken(n int, err error) int {
	if failure, known := err.(*Error); err == nil || known && failure.RecordID != 0 {
		return n
	}
	return 0
}

// PayloadReader is an [io.Reader] of the payloads from where the cursor is to the current end of the log, one after the
// other and with nothing in between. It uses the cursor, which must not be used otherwise meanwhile. To close it, close
// the cursor.
//
// [io.EOF] is returned at the end; after more was appended, the same call continues. Other errors are those of
// [Cursor.Next], after everything before them; after a [*MissedError] the next call continues. It is an [io.WriterTo],
// too: [io.Copy] writes each payload at once, without a copy.
func (c *Cursor) PayloadReader() io.Reader { return &payloadReader{cursor: c} }

type payloadReader struct {
	cursor *Cursor
	// The unread part of the last record: a view.
	rest []byte
}

// more makes bytes available.
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
