package binlog

import (
	"sync"
	"sync/atomic"
)

// gate separates closing from using: calls enter and leave; shutting refuses later calls and waits for those inside.
// With an RWMutex, a call during a slow close would wait, too, and a callback that uses the object would deadlock.
type gate struct {
	// Calls inside; gateShut is subtracted when it is shut.
	inside atomic.Int64
	// The last call that leaves a shut gate sends on this channel.
	empty atomic.Pointer[chan struct{}]
	once  sync.Once
}

const gateShut = 1 << 62

// enter returns false when the gate is shut. Otherwise the call must leave.
func (g *gate) enter() bool {
	if g.inside.Add(1) > 0 {
		return true
	}
	g.leave()
	return false
}

func (g *gate) leave() {
	if g.inside.Add(-1) == -gateShut {
		g.signalEmpty()
	}
}

func (g *gate) signalEmpty() {
	if empty := g.empty.Load(); empty != nil {
		select {
		case *empty <- struct{}{}:
		default:
		}
	}
}

// isShut reports whether shutting has begun.
func (g *gate) isShut() bool { return g.inside.Load() < 0 }

// shut refuses calls, waits for those inside, and runs `then`: once, however often it is called. It returns when that
// is done.
func (g *gate) shut(then func()) {
	g.once.Do(func() {
		empty := make(chan struct{}, 1)
		g.empty.Store(&empty)
		if g.inside.Add(-gateShut) != -gateShut {
			for g.inside.Load() != -gateShut {
				<-empty
			}
		}
		then()
	})
}
