package binlog

import "encoding/binary"

// With the build tag binlog_poison, the bytes of a view are overwritten when its time is over, so that who keeps one without
// Clone notices it in each run. Without it, they are overwritten when the cursor's memory is used again.

const (
	poisonByte = 0xDB
	// The flags of a frame that was overwritten; no other frame has them.
	poisonFlags = 0xDBDBDBDB
)

// poison is what a cursor has shown: frames that are to be overwritten.
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

// isCalled is told of each call that shows or moves. What a cursor had shown when it was closed stays.
func (c *Cursor) isCalled() {
	if poisons && !c.closed.Load() {
		overwrite(c.poison.called)
		c.poison.called = nil
	}
}

// hasShown is told what such a call shows.
func (c *Cursor) hasShown(frame []byte) {
	if poisons {
		c.poison.called = frame
	}
}

// turns is told of each turn of a loop, and of what it shows.
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
