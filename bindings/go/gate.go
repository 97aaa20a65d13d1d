package binlog

import (
	"sync"
	"sync/atomic"
)

// gate keeps closing apart from using: calls enter and leave, and shutting waits for those that are in and turns away
// those that come. An RWMutex would make a call that comes during a slow close wait, too, and would hang a callback that
// tries to use what is being closed.
type gate struct {
	// Calls that are in; gateShut is taken off when it is shut.
	inside atomic.Int64
	// A call that is the last to leave a shut gate says so here.
	empty atomic.Pointer[chan struct{}]
	once  sync.Once
}

const gateShut = 1 << 62

// enter is false when the gate is shut. Otherwise the call must leave.
func (g *gate) enter() bool {
	if g.inside.Add(1) > 0 {
		return true
	}
	g.leave()
	return false
}

func (g *gate) leave() {
	if g.inside.Add(-1) == -gateShut {
		g.tellEmpty()
	}
}

func (g *gate) tellEmpty() {
	if empty := g.empty.Load(); empty != nil {
		select {
		case *empty <- struct{}{}:
		default:
		}
	}
}

// isShut says whether shutting has begun.
func (g *gate) isShut() bool { return g.inside.Load() < 0 }

// shut turns calls away, waits for those that are in, and runs `then`: once, whoever comes how often. It returns when
// that is done.
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
