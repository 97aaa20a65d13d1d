package binlog

import (
	"bytes"
	"runtime"
	"sync"

	"binlog/internal/cbinlog"
)

// callers knows the goroutines that run functions of the user's for one writer. A function that closes the writer would wait
// for itself, and is refused instead.
type callers struct {
	mutex   sync.Mutex
	running map[string]int
}

// call runs a function of the user's.
func (c *callers) call(function func()) {
	me := goroutine()
	c.mutex.Lock()
	if c.running == nil {
		c.running = map[string]int{}
	}
	c.running[me]++
	c.mutex.Unlock()
	defer func() {
		c.mutex.Lock()
		defer c.mutex.Unlock()
		if c.running[me]--; c.running[me] == 0 {
			delete(c.running, me)
		}
	}()
	function()
}

// isWithin says whether this goroutine runs such a function.
func (c *callers) isWithin() bool {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return len(c.running) > 0 && c.running[goroutine()] > 0
}

// goroutine is the number of this goroutine, which only a stack trace tells: "goroutine 7 [running]: ...".
func goroutine() string {
	var trace [64]byte
	words := bytes.Fields(trace[:runtime.Stack(trace[:], false)])
	if len(words) < 2 {
		return ""
	}
	return string(words[1])
}

// around has the functions of a writer's options run within it.
func (c *callers) around(options *cbinlog.WriterOptions) {
	for _, hooks := range [][]cbinlog.Hook{options.OnOpen, options.OnClose} {
		for i := range hooks {
			if call := hooks[i].Call; call != nil {
				hooks[i].Call = func(segment cbinlog.SegmentFile) (movedTo string, err *cbinlog.Error) {
					c.call(func() { movedTo, err = call(segment) })
					return movedTo, err
				}
			}
		}
	}
	if tell := options.OnFailure; tell != nil {
		options.OnFailure = func(err *cbinlog.Error) { c.call(func() { tell(err) }) }
	}
	c.aroundCheck(options.Roll.Check)
}

func (c *callers) aroundCheck(check *cbinlog.Check) {
	if check == nil {
		return
	}
	ask, panicked := check.Ask, check.Panicked
	check.Ask = func(state cbinlog.SegmentState) (roll bool) {
		c.call(func() { roll = ask(state) })
		return roll
	}
	check.Panicked = func(state cbinlog.SegmentState, what *cbinlog.Panicked) { c.call(func() { panicked(state, what) }) }
}
