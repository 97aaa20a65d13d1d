package binlog

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"
)

// threads returns the number of threads of this process.
func threads(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Skip(err)
	}
	return len(entries)
}

// processorTime returns the processor time of this process.
func processorTime(t *testing.T) time.Duration {
	t.Helper()
	var usage syscall.Rusage
	must(t, syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func TestFollowersThatWaitTakeNoThreadAndNoTime(t *testing.T) {
	const followers = 1000
	var limit syscall.Rlimit
	must(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit))
	if limit.Cur < 5*followers {
		t.Skipf("%d file descriptors are not enough", limit.Cur)
	}
	directory := newLog(t)
	w := open(t, directory, WithFlush(Lag{Records: 1}))
	reader := openReader(t, directory)
	before := threads(t)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	seen, ended := make(chan uint64, followers), make(chan error, followers)
	var cursors [followers]*Cursor
	for i := range cursors {
		cursors[i] = openCursor(t, reader, Filter{})
		go func() {
			for r, err := range cursors[i].Follow(ctx) {
				if err != nil {
					ended <- err
					return
				}
				seen <- r.ID()
			}
			ended <- nil
		}()
	}
	for id := range uint64(3) {
		// All of them wait, most of the time.
		time.Sleep(300 * time.Millisecond)
		appendN(t, w, 1)
		in(t, "what each follower sees", func() {
			for range followers {
				if got := <-seen; got != id+1 {
					t.Errorf("%d, not %d", got, id+1)
				}
			}
		})
	}
	time.Sleep(300 * time.Millisecond)
	// The threads that all of them needed at once, when they were woken; the runtime keeps
	// them.
	if more := threads(t) - before; more > followers/2 {
		t.Errorf("%d more threads for %d followers", more, followers)
	}
	// On a file system that does not report every change, each one checks once a second.
	const period = 2 * time.Second
	used := processorTime(t)
	time.Sleep(period)
	used = processorTime(t) - used
	t.Logf("%d more threads; %v of a processor in %v", threads(t)-before, used, period)
	if used > period/10 {
		t.Errorf("%d followers that wait use %v in %v", followers, used, period)
	}
	cancel()
	in(t, "the followers", func() {
		for range followers {
			if err := <-ended; err != context.Canceled {
				t.Error(err)
			}
		}
	})
}

// The shortest of some tries: other processes may use the machine.
func shortest(t *testing.T, what string, within time.Duration, try func() time.Duration) {
	t.Helper()
	least := time.Hour
	for range 10 {
		if least = min(least, try()); least <= within {
			return
		}
	}
	t.Errorf("%s takes %v", what, least)
}

func TestAWaitEndsAtOnce(t *testing.T) {
	directory := newLog(t)
	w := open(t, directory, WithFlush(Lag{Records: 1}))
	reader := openReader(t, directory)
	for name, path := range map[string]string{"directory": directory, "pattern": filepath.Join(directory, "*.binlog")} {
		if name == "pattern" {
			appendN(t, w, 1)
			reader = openReader(t, path)
		}
		for what, end := range map[string]func(c *Cursor, cancel func()) error{
			"cancelling": func(_ *Cursor, cancel func()) error { cancel(); return context.Canceled },
			"closing":    func(c *Cursor, _ func()) error { c.Close(); return ErrClosed },
		} {
			shortest(t, what+", "+name, 20*time.Millisecond, func() time.Duration {
				c := openCursor(t, reader, Filter{})
				for _, err := range c.All() {
					must(t, err)
				}
				ctx, cancel := context.WithCancel(context.Background())
				defer cancel()
				waited := make(chan error, 1)
				go func() { waited <- c.Wait(ctx) }()
				time.Sleep(30 * time.Millisecond)
				began := time.Now()
				want := end(c, cancel)
				in(t, what, func() { wantIs(t, <-waited, want) })
				return time.Since(began)
			})
		}
	}
}

func TestADeadlineEndsAWaitAndTheNextOneGoesOn(t *testing.T) {
	directory := newLog(t)
	w := open(t, directory, WithFlush(Lag{Records: 1}))
	c := openCursor(t, openReader(t, directory), Filter{})
	for id := range uint64(20) {
		short, cancel := context.WithTimeout(context.Background(), 2*time.Millisecond)
		wantIs(t, c.Wait(short), context.DeadlineExceeded)
		cancel()
		waited := make(chan error, 1)
		go func() { waited <- c.Wait(context.Background()) }()
		appendN(t, w, 1)
		in(t, "the wait", func() { must(t, <-waited) })
		r, err := c.Next()
		must(t, err)
		if r.ID() != id+1 {
			t.Fatal(r)
		}
	}
}

func TestAWaitWithoutADescriptorLooksNowAndThen(t *testing.T) {
	directory := newLog(t)
	w := open(t, directory, WithFlush(Lag{Records: 1}))
	appendN(t, w, 1)
	c := openCursor(t, openReader(t, directory), Filter{})
	_, err := c.Next()
	must(t, err)
	if _, err := c.Next(); err != io.EOF {
		t.Fatal(err)
	}
	// No descriptor is free: the writer's file stays, and nothing can be polled.
	var limit syscall.Rlimit
	must(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit))
	none := limit
	none.Cur = 0
	must(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &none))
	defer syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit)
	ctx, cancel := context.WithTimeout(context.Background(), 80*time.Millisecond)
	defer cancel()
	wantIs(t, c.Wait(ctx), context.DeadlineExceeded)
	waited := make(chan error, 1)
	go func() { waited <- c.Wait(context.Background()) }()
	time.Sleep(10 * time.Millisecond)
	appendN(t, w, 1)
	in(t, "the wait", func() { must(t, <-waited) })
	if c.polled != nil {
		t.Error("it polls, although there is no descriptor")
	}
}

func TestClosingRacesWithWaiting(t *testing.T) {
	directory := newLog(t)
	open(t, directory)
	reader := openReader(t, directory)
	for i := range 100 {
		c := openCursor(t, reader, Filter{})
		ctx, cancel := context.WithCancel(context.Background())
		var wg sync.WaitGroup
		for _, f := range []func(){
			func() {
				if err := c.Wait(ctx); err != ErrClosed && err != context.Canceled {
					t.Error(err)
				}
			},
			func() { time.Sleep(time.Duration(i) * time.Microsecond); c.Close() },
			func() { time.Sleep(time.Duration(i) * time.Microsecond); c.Close() },
			func() { time.Sleep(time.Duration(i%7) * 40 * time.Microsecond); cancel() },
		} {
			wg.Add(1)
			go func() { defer wg.Done(); f() }()
		}
		in(t, "closing", wg.Wait)
	}
}

func TestAFollowerThatIsFarBehindEndsWithItsContext(t *testing.T) {
	const n = 20_000
	directory := writeLog(t, n, 0)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	seen := 0
	var last error
	for _, err := range openReader(t, directory).Follow(ctx, Filter{}) {
		if last = err; err == nil {
			seen++
			cancel()
		}
	}
	wantIs(t, last, context.Canceled)
	if seen == 0 || seen > n/2 {
		t.Errorf("%d of %d records were shown", seen, n)
	}
}
