package binlog

import "encoding/binary"

// With the build tag binlog_poison, the bytes of a view are overwritten as soon as it is no longer valid: a program
// that keeps one without Clone notices it in each run. Without the tag, they are overwritten when the cursor's memory
// is reused.

const (
	poisonByte = 0xDB
	// The flags of a frame that was overwritten; no other frame has them.
	poisonFlags = 0xDBDBDBDB
)

// poison is the frames that a cursor has shown, and that will be overwritten.
type poison struct {
	// By Next or Get: until the next call.
	called []byte
	// By a loop: until its next turn.
	turn []byte
}

func overwrite(frame []byte) {
	for i := range frame {
		frame[i] = poisonByte
	}
}

// isCalled is called by each function that shows or moves. What a cursor had shown when it was closed stays.
func (c *Cursor) isCalled() {
	if poisons && !c.closed.Load() {
		overwrite(c.poison.called)
		c.poison.called = nil
	}
}

// hasShown records what such a function shows.
func (c *Cursor) hasShown(frame []byte) {
	if poisons {
		c.poison.called = frame
	}
}

// turns is called at each turn of a loop, with what it shows.
func (c *Cursor) turns(frame []byte) {
	if poisons && !c.closed.Load() {
		c.isCalled()
		overwrite(c.poison.turn)
		c.poison.turn = frame
	}
}

// check panics for a record that was overwritten.
func (r Record) check() {
	if poisons && len(r.frame) >= frameHeader && binary.LittleEndian.Uint32(r.frame[frameFlags:]) == poisonFlags {
		panic("binlog: a record is used after the cursor's next call, or the loop's next turn; Record.Clone keeps it")
	}
}
