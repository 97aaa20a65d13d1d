package binlog

import (
	"context"
	"errors"
	"os"
	"syscall"
	"time"

	"binlog/internal/cbinlog"
)

// polled is the descriptor of a cursor in the poller of Go's runtime. It is a duplicate: the cursor closes its own.
type polled struct {
	file *os.File
	conn syscall.RawConn
}

// poll adds the descriptor of a cursor to the poller; nil where that is not possible.
func poll(descriptor int) *polled {
	if descriptor < 0 {
		return nil
	}
	own := cbinlog.OwnDescriptor(descriptor)
	if own < 0 {
		return nil
	}
	file := os.NewFile(uintptr(own), "the descriptor of a cursor")
	conn, err := file.SyscallConn()
	if err == nil {
		// Only files in the poller have deadlines.
		err = file.SetReadDeadline(time.Time{})
	}
	if err != nil {
		file.Close()
		return nil
	}
	return &polled{file, conn}
}

// How often a cursor is checked that cannot be polled.
const unpolled = 50 * time.Millisecond

// look checks whether there is a record or an error for the next call.
func (c *Cursor) look() (look cbinlog.Look, p *polled, err error) {
	err = c.use(func() (failure *cbinlog.Error) {
		look, failure = c.c.Look()
		if failure == nil && !look.Found && c.polled == nil {
			c.polled = poll(look.Descriptor)
		}
		p = c.polled
		return failure
	})
	return look, p, err
}

// endWait ends the wait of a cursor that is marked as closed.
func (c *Cursor) endWait() {
	c.mu.Lock()
	p := c.polled
	c.polled = nil
	c.mu.Unlock()
	if p != nil {
		// Returns when no call waits for it or uses it any more.
		p.file.Close()
	}
}

// Wait waits until the next call has a record to show, or an error to return, such as a [*MissedError]. It continues
// over rolls, and from one writer to the next. It returns the context's error when that is done, and [ErrClosed] when
// the cursor was closed meanwhile; both end the wait at once. Other errors are those of [Cursor.Next]. A cursor with
// [Filter.NewestFirst] sees nothing new.
//
// On Linux a goroutine that waits is parked in the poller of Go's runtime, and takes no thread. A cursor that has
// waited takes three file descriptors until it is closed. On other systems, when there are no more descriptors, and for
// each cursor beyond some 3,000 that wait in one process, Wait checks 20 times a second.
func (c *Cursor) Wait(ctx context.Context) error {
	c.isCalled()
	if c.at < len(c.frames) && !c.closed.Load() {
		return nil
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if c.isCalling() {
		return within("a cursor")
	}
	var look cbinlog.Look
	c.mu.Lock()
	p := c.polled
	c.mu.Unlock()
	var err error
	if p == nil {
		look, p, err = c.look()
	}
	if p != nil && !look.Found && err == nil {
		return c.waitPolled(ctx, p)
	}
	for !look.Found && err == nil {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(min(unpolled, time.Duration(look.LookAfterNS))):
		}
		look, _, err = c.look()
	}
	return err
}

// waitPolled waits for the descriptor to be readable.
func (c *Cursor) waitPolled(ctx context.Context, p *polled) (err error) {
	var look cbinlog.Look
	defer context.AfterFunc(ctx, func() { p.file.SetReadDeadline(time.Unix(1, 0)) })()
	for {
		// A deadline that has passed would prevent the first look. The context is checked after each setting: if it is done
		// later, its deadline replaces this one.
		p.file.SetReadDeadline(time.Time{})
		if err := ctx.Err(); err != nil {
			return err
		}
		// Checks once at first, and again whenever the descriptor becomes readable.
		ended := p.conn.Read(func(uintptr) bool {
			look, _, err = c.look()
			if look.Found || err != nil {
				return true
			}
			p.file.SetReadDeadline(time.Now().Add(time.Duration(look.LookAfterNS)))
			// If the context is done by now, it may have set its deadline before.
			return ctx.Err() != nil
		})
		switch {
		case look.Found || err != nil:
			return err
		case c.closed.Load():
			return ErrClosed
		case ended != nil && !errors.Is(ended, os.ErrDeadlineExceeded):
			return &Error{Status: ErrIO, Message: "cannot wait for a log: " + ended.Error(), Offset: -1}
		}
	}
}
