package binlog

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestAWriterShipsItsClosedSegmentsAndTheyAreReadFromTheStore(t *testing.T) {
	heldAsBefore(t)
	directory, store := newLog(t), newStore(t)
	w := open(t, directory, WithName("orders"), WithRoll(RollOptions{Records: 10}),
		WithOnFailure(func(err *Error) { t.Error(err) }),
		WithShipping(ShipOptions{URL: store, CloseWait: patience, Timeout: patience, Bandwidth: 1 << 40}))
	payment, err := w.Type("payment", "text/plain")
	must(t, err)
	_, err = w.Append(payment, []byte("a payment"))
	must(t, err)
	appendN(t, w, 20)
	until(t, "two segments are shipped", func() bool {
		status, err := w.ShipStatus()
		must(t, err)
		return status.UploadedSegments == 2
	})
	status, err := w.ShipStatus()
	must(t, err)
	if status.Log != "orders" || status.Store != store || status.UploadedBytes == 0 || status.SentBytes == 0 ||
		status.ShippedUpTo != 2 || status.Failures != 0 || status.LastFailure != nil || !status.LastFailureTime.IsZero() ||
		time.Since(status.LastUpload) > time.Hour {
		t.Errorf("%+v", status)
	}
	metrics, err := w.ShipMetrics()
	must(t, err)
	if line := fmt.Sprintf("binlog_ship_uploaded_segments_total{log=%q,store=%q} 2\n", "orders", store); !strings.Contains(metrics, line) {
		t.Errorf("%s lacks %s", metrics, line)
	}
	must(t, w.Close()) // rolls, and ships the rest

	all := texts(t, directory, Filter{})
	if len(all) != 21 {
		t.Error(all)
	}
	if names := segmentsIn(t, store); len(names) != 3 {
		t.Error(names)
	}
	if got := texts(t, store, Filter{}); !slices.Equal(got, all) {
		t.Error(got)
	}
	if got := texts(t, store+"/orders.0000000002.binlog", Filter{}); !slices.Equal(got, all[10:20]) {
		t.Error(got)
	}
	if got := texts(t, store+"/orders.*[12].binlog", Filter{}); !slices.Equal(got, all[:20]) {
		t.Error(got)
	}
	if got := texts(t, store, Filter{TypeNames: []string{"payment"}}); !slices.Equal(got, all[:1]) {
		t.Error(got)
	}
	if got := texts(t, store, Filter{FromID: 15, Last: 2}); !slices.Equal(got, all[19:]) {
		t.Error(got)
	}
}

func TestAWriterReportsThatItsStoreFailsAndShipsWhenItIsFixed(t *testing.T) {
	heldAsBefore(t)
	place := filepath.Join(t.TempDir(), "store")
	must(t, os.Mkdir(place, 0o700))
	var reported list[*Error]
	w := open(t, newLog(t), WithOnFailure(func(err *Error) { reported.add(err) }), WithShipping(ShipOptions{
		URL: "file://" + place, FirstDelay: time.Millisecond, LongestDelay: 10 * time.Millisecond, CloseWait: patience,
	}))
	must(t, os.Remove(place))
	appendN(t, w, 1)
	must(t, w.Roll())
	until(t, "a failure is reported", func() bool { return len(reported.get()) > 0 })
	if err := reported.get()[0]; !strings.Contains(err.Message, place) {
		t.Error(err)
	}
	var status ShipStatus
	until(t, "the status reports it", func() bool {
		var err error
		status, err = w.ShipStatus()
		must(t, err)
		return status.Failures > 0 && status.WaitingSegments == 1
	})
	if status.LastFailure == nil || !strings.Contains(status.LastFailure.Error(), place) ||
		time.Since(status.LastFailureTime) > time.Hour || status.OldestWaiting <= 0 || status.WaitingBytes == 0 {
		t.Errorf("%+v", status)
	}
	must(t, os.Mkdir(place, 0o700))
	until(t, "the segment is shipped", func() bool {
		status, err := w.ShipStatus()
		must(t, err)
		return status.ShippedUpTo == 1
	})
	must(t, w.Close())
}

func TestAWriterThatShipsNothingSaysSo(t *testing.T) {
	w := open(t, newLog(t))
	_, err := w.ShipStatus()
	wantIs(t, err, ErrNotFound)
	_, err = w.ShipMetrics()
	wantIs(t, err, ErrNotFound)
	_, err = OpenWriterFile(filepath.Join(t.TempDir(), "one.binlog"), WithShipping(ShipOptions{URL: newStore(t)}))
	wantIs(t, err, ErrUnsupported)
}

func TestAWriterThatDoesNotRollAtItsEndKeepsTheNewestSegment(t *testing.T) {
	directory, store := writeLog(t, 25, 10), newStore(t)
	w := open(t, directory, WithShipping(ShipOptions{URL: store, NoRollAtClose: true, CloseWait: patience}))
	must(t, w.Close())
	if names := segmentsIn(t, store); len(names) != 2 {
		t.Error(names)
	}
}

func TestClosingAWriterGoesOnShippingForAsLongAsItMay(t *testing.T) {
	directory, done := newLog(t), filepath.Join(t.TempDir(), "done")
	w := open(t, directory, WithShipping(ShipOptions{
		URL: `exec:sleep 1; test -e "$BINLOG_PATH" && echo "$BINLOG_NAME" >> ` + done, CloseWait: patience,
	}))
	appendN(t, w, 1)
	must(t, w.Close())
	if names, err := os.ReadFile(done); string(names) != "default.0000000001.binlog\n" {
		t.Errorf("%q, %v", names, err)
	}
}

func TestAShipperShipsWhatIsClosedAndReportsIt(t *testing.T) {
	heldAsBefore(t)
	directory, store := writeLog(t, 35, 10), newStore(t)
	all := texts(t, directory, Filter{})

	dry := openShipper(t, directory, ShipOptions{URL: store, DryRun: true})
	report, err := dry.Run(context.Background(), nil)
	must(t, err)
	if report.UploadedSegments != 3 || len(segmentsIn(t, store)) != 0 {
		t.Errorf("%+v", report)
	}
	must(t, dry.Close())

	s := openShipper(t, directory, ShipOptions{
		URL: store, Compress: &CompressOptions{Level: 1}, Keep: Retention{Segments: 2}, FileMode: 0o600,
		PartBytes: 5 << 20, InFlight: 2, Threads: 2, Stale: time.Hour,
	})
	status, err := s.Status()
	must(t, err)
	if status.WaitingSegments != 3 || status.State != ShipIdle || !status.LastUpload.IsZero() {
		t.Errorf("%+v", status)
	}
	_, err = OpenShipper(directory, "", ShipOptions{URL: store})
	wantIs(t, err, ErrLocked)
	var events []ShipEvent
	var sent uint64
	report, err = s.Run(withPatience(t), func(e ShipEvent) bool {
		if e.Kind == ShipSent {
			sent += e.Bytes
		} else {
			events = append(events, e)
		}
		if status, err := s.Status(); err != nil || status.State != ShipWorking {
			t.Errorf("%+v, %v", status, err)
		}
		return true
	})
	must(t, err)
	if report.UploadedSegments != 3 || report.UploadedBytes != sent || report.FoundSegments != 0 ||
		report.PrunedSegments != 2 || report.PrunedBytes == 0 || report.Stopped {
		t.Errorf("%+v, %d bytes sent", report, sent)
	}
	var kinds []string
	for _, e := range events {
		kinds = append(kinds, fmt.Sprint(e.Kind, e.Sequence))
		if e.Path == "" || e.Bytes == 0 || e.Found || e.Err != nil {
			t.Errorf("%+v", e)
		}
	}
	slices.Sort(kinds)
	if fmt.Sprint(kinds) != "[begins 1 begins 2 begins 3 pruned 1 pruned 2 uploaded 1 uploaded 2 uploaded 3]" {
		t.Error(kinds)
	}
	metrics, err := s.Metrics()
	must(t, err)
	if !strings.Contains(metrics, "binlog_ship_waiting_segments{log=\"default\"") {
		t.Error(metrics)
	}
	if info, err := os.Stat(filepath.Join(directory, "default.archive")); err != nil || info.Mode().Perm() != 0o600 {
		t.Error(info, err)
	}
	for _, name := range segmentsIn(t, store) {
		if !strings.HasSuffix(name, ".z.binlog") {
			t.Error(name)
		}
	}
	if got := texts(t, store, Filter{}); !slices.Equal(got, all[:30]) {
		t.Error(got)
	}
	if report, err = s.Run(withPatience(t), nil); err != nil || report != (ShipReport{}) {
		t.Errorf("%+v, %v", report, err)
	}

	// Segments that no store holds are only removed with that option.
	appendMore(t, directory)
	if gone, err := Prune(directory, "", Retention{Segments: 1}); err != nil || len(gone) != 1 {
		t.Errorf("%+v, %v", gone, err)
	}
	if gone, err := Prune(directory, "", Retention{Segments: 1, Unshipped: true}); err != nil || len(gone) != 1 {
		t.Errorf("%+v, %v", gone, err)
	}
}

// appendMore rolls a log that is shipped beside its writer.
func appendMore(t *testing.T, directory string) {
	t.Helper()
	w := open(t, directory)
	must(t, w.Roll())
	appendN(t, w, 1)
	must(t, w.Close())
}

func TestVerifyingReportsWhatIsWrongWithTheStore(t *testing.T) {
	heldAsBefore(t)
	directory, store := writeLog(t, 45, 10), newStore(t)
	s := openShipper(t, directory, ShipOptions{URL: store})
	_, err := s.Run(withPatience(t), nil)
	must(t, err)
	compared := 0
	found, err := s.Verify(withPatience(t), true, func(e ShipEvent) bool { compared++; return true })
	must(t, err)
	if found.SoundSegments != 4 || found.SoundBytes == 0 || found.FirstSequence != 1 || found.LastSequence != 5 ||
		found.Problems != nil || found.Foreign != nil || found.Stopped || compared < 4 {
		t.Errorf("%+v, %d compared", found, compared)
	}

	place, names := strings.TrimPrefix(store, "file://"), segmentsIn(t, store)
	must(t, os.Remove(filepath.Join(place, names[0])))
	must(t, os.Chmod(filepath.Join(place, names[1]), 0o600))
	must(t, os.WriteFile(filepath.Join(place, names[1]), []byte("another"), 0o600))
	foreign := "default.0000000077.binlog"
	must(t, os.WriteFile(filepath.Join(place, foreign), []byte("of nobody"), 0o600))
	for _, readBack := range []bool{false, true} {
		found, err = s.Verify(withPatience(t), readBack, nil)
		must(t, err)
		if found.SoundSegments != 2 || len(found.Problems) != 2 || !slices.Equal(found.Foreign, []string{foreign}) {
			t.Fatalf("%+v", found)
		}
		for i, kind := range []ShipProblemKind{ShipMissing, ShipDifferent} {
			p := found.Problems[i]
			if p.Kind != kind || p.Sequence != uint64(i+1) || p.LastSequence != p.Sequence || p.Object != names[i] ||
				p.IsHere != (kind == ShipMissing) || !strings.Contains(p.String(), names[i]) {
				t.Errorf("%+v", p)
			}
		}
	}
}

func TestAnObjectOfAnotherKindIsAMismatchAndStays(t *testing.T) {
	directory, store := writeLog(t, 15, 10), newStore(t)
	object := filepath.Join(strings.TrimPrefix(store, "file://"), segmentsIn(t, directory)[0])
	must(t, os.WriteFile(object, []byte("of somebody else"), 0o600))
	s := openShipper(t, directory, ShipOptions{URL: store})
	var failed *Error
	_, err := s.Run(withPatience(t), func(e ShipEvent) bool {
		if e.Kind == ShipFailed {
			failed = e.Err
		}
		return true
	})
	wantIs(t, err, ErrMismatch)
	wantIs(t, failed, ErrMismatch)
	if status, err := s.Status(); err != nil || status.Failures != 1 || status.LastFailure.Status != ErrMismatch {
		t.Errorf("%+v, %v", status, err)
	}
	if bytes, err := os.ReadFile(object); string(bytes) != "of somebody else" {
		t.Error(err)
	}
}

// endless is a shipper that makes no progress: its command says "not now" each time.
func endless(t *testing.T, patience time.Duration) *Shipper {
	t.Helper()
	return openShipper(t, writeLog(t, 25, 10), ShipOptions{
		URL: `exec:test ! -e "$BINLOG_PATH" && echo "$BINLOG_NAME"`, FirstDelay: time.Millisecond, LongestDelay: time.Millisecond, Patience: patience,
	})
}

func TestClosingEndsAShipperThatIsAtWork(t *testing.T) {
	heldAsBefore(t)
	s := endless(t, 0)
	working := make(chan struct{})
	var first sync.Once
	var ended sync.WaitGroup
	ended.Add(2)
	go func() {
		defer ended.Done()
		if err := s.Follow(context.Background(), func(ShipEvent) bool {
			first.Do(func() { close(working) })
			return true
		}); err != nil {
			t.Error(err)
		}
	}()
	<-working
	go func() { // waits for its turn
		defer ended.Done()
		if report, err := s.Run(context.Background(), nil); err != ErrClosed && (err != nil || !report.Stopped) {
			t.Errorf("%+v, %v", report, err)
		}
	}()
	if status, err := s.Status(); err != nil || status.Log != "default" {
		t.Errorf("%+v, %v", status, err)
	}
	in(t, "closing", func() {
		var closers sync.WaitGroup
		for range 3 {
			closers.Add(1)
			go func() {
				defer closers.Done()
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			}()
		}
		closers.Wait()
		ended.Wait()
	})
	for name, call := range map[string]func() error{
		"run":     func() error { _, err := s.Run(context.Background(), nil); return err },
		"follow":  func() error { return s.Follow(context.Background(), nil) },
		"verify":  func() error { _, err := s.Verify(context.Background(), false, nil); return err },
		"status":  func() error { _, err := s.Status(); return err },
		"metrics": func() error { _, err := s.Metrics(); return err },
	} {
		if err := call(); err != ErrClosed {
			t.Errorf("%s: %v", name, err)
		}
	}
	s.Stop()
	must(t, s.Close())
}

func TestAShipperEndsWithItsContextOrWhenItIsStopped(t *testing.T) {
	heldAsBefore(t)
	in(t, "following", func() {
		s := endless(t, 0)
		done, cancel := context.WithCancel(context.Background())
		cancel()
		wantIs(t, s.Follow(done, func(ShipEvent) bool { t.Error("it was begun"); return true }), context.Canceled)

		// The function ends its own call alone.
		must(t, s.Follow(context.Background(), func(ShipEvent) bool { return false }))
		calls := 0
		ctx, cancel := context.WithCancel(context.Background())
		wantIs(t, s.Follow(ctx, func(ShipEvent) bool {
			if calls++; calls == 3 {
				cancel()
			}
			return true
		}), context.Canceled)
		if calls < 3 {
			t.Errorf("reported %d times", calls)
		}

		// A context ends the shipper, as stopping does, and later calls return its error.
		report, err := s.Run(context.Background(), nil)
		if err != context.Canceled || !report.Stopped {
			t.Errorf("%+v, %v", report, err)
		}
		wantIs(t, s.Follow(context.Background(), nil), context.Canceled)
		s = endless(t, 0)
		must(t, s.Follow(context.Background(), func(ShipEvent) bool { s.Stop(); return true }))
		report, err = s.Run(context.Background(), nil)
		if err != nil || !report.Stopped {
			t.Errorf("%+v, %v", report, err)
		}
	})
}

func TestAShipperThatItsContextHasStoppedSaysSoAlsoWhenNothingWaits(t *testing.T) {
	s := openShipper(t, writeLog(t, 30, 10), ShipOptions{URL: newStore(t)})
	ctx, cancel := context.WithCancel(context.Background())
	// All is shipped before it is stopped.
	in(t, "following", func() {
		wantIs(t, s.Follow(ctx, func(event ShipEvent) bool {
			if event.Kind == ShipUploaded && event.Sequence == 2 {
				go func() {
					until(t, "all is shipped", func() bool {
						status, err := s.Status()
						return err == nil && status.WaitingSegments == 0 && status.State == ShipIdle
					})
					cancel()
				}()
			}
			return true
		}), context.Canceled)
	})
	_, err := s.Run(context.Background(), nil)
	wantIs(t, err, context.Canceled)
	_, err = s.Verify(context.Background(), false, nil)
	wantIs(t, err, context.Canceled)
	wantIs(t, s.Follow(context.Background(), nil), context.Canceled)
}

func TestAFunctionOfEventsCannotUseItsShipperOrCloseIt(t *testing.T) {
	heldAsBefore(t)
	ctx := context.Background()
	s := openShipper(t, writeLog(t, 30, 10), ShipOptions{URL: newStore(t)})
	asked := 0
	uses := func(ShipEvent) bool {
		asked++
		_, run := s.Run(ctx, nil)
		_, verify := s.Verify(ctx, false, nil)
		for name, err := range map[string]error{
			"Run": run, "Verify": verify, "Follow": s.Follow(ctx, nil), "Accept": s.Accept("1"),
			"Replace": s.Replace("1"), "Forget": s.Forget(), "Close": s.Close(),
		} {
			wantWithin(t, name, err)
		}
		if _, err := s.Status(); err != nil {
			t.Error(err)
		}
		if _, err := s.Metrics(); err != nil {
			t.Error(err)
		}
		return true
	}
	in(t, "shipping", func() {
		report, err := s.Run(ctx, uses)
		if err != nil || report.UploadedSegments != 2 || asked == 0 {
			t.Errorf("%+v, %v, asked %d times", report, err, asked)
		}
		_, err = s.Verify(ctx, true, uses)
		must(t, err)
		must(t, s.Close())
	})
}

func TestAShipperThatGetsNoFurtherFailsWhenItsPatienceEnds(t *testing.T) {
	s := endless(t, 10*time.Millisecond)
	failures := 0
	_, err := s.Run(withPatience(t), func(e ShipEvent) bool {
		if e.Kind == ShipFailed {
			failures++
		}
		return true
	})
	if failure, _ := err.(*Error); failure == nil || !strings.Contains(failure.Message, "the command ended") || failures == 0 {
		t.Errorf("%v, after %d failures", err, failures)
	}
}

func TestAPanicOfAShippersCallbackContinuesInTheCaller(t *testing.T) {
	heldAsBefore(t)
	s := openShipper(t, writeLog(t, 25, 10), ShipOptions{URL: newStore(t)})
	panics := func(ShipEvent) bool { panic("not so") }
	for name, call := range map[string]func(){
		"run":    func() { _, _ = s.Run(withPatience(t), panics) },
		"follow": func() { _ = s.Follow(withPatience(t), panics) },
	} {
		func() {
			defer func() {
				if value := recover(); value != "not so" {
					t.Errorf("%s: %v came out", name, value)
				}
			}()
			call()
			t.Errorf("%s: no panic came out", name)
		}()
	}
	// The shipper still works.
	_, err := s.Run(withPatience(t), nil)
	must(t, err)
}

func TestWrongOptionsOfShippingAreRefusedAndShowNoSecret(t *testing.T) {
	directory, store := writeLog(t, 25, 10), newStore(t)
	open := filepath.Join(t.TempDir(), "credentials")
	must(t, os.WriteFile(open, []byte("AWS_SECRET_ACCESS_KEY=hunter2\n"), 0o600))
	must(t, os.Chmod(open, 0o644))
	for name, archive := range map[string]ShipOptions{
		"no URL":                  {},
		"an unknown scheme":       {URL: "ftp://place"},
		"an unknown option":       {URL: store + "?colour=red"},
		"a password":              {URL: "s3://user:hunter2@bucket/logs"},
		"a secret option":         {URL: "s3://bucket/logs?secret_key=hunter2"},
		"a NUL":                   {URL: store + "\x00"},
		"readable credentials":    {URL: "s3://bucket/logs?region=x", Credentials: open},
		"credentials with a NUL":  {URL: "s3://bucket/logs?region=x", Credentials: open + "\x00"},
		"no credentials":          {URL: "s3://bucket/logs?region=x", Credentials: open + ".not"},
		"too many requests":       {URL: store, InFlight: 1000},
		"too many threads":        {URL: store, Threads: 65},
		"parts beyond all":        {URL: store, PartBytes: 1 << 60},
		"a negative timeout":      {URL: store, Timeout: -1},
		"a negative delay":        {URL: store, FirstDelay: -1},
		"a negative longest":      {URL: store, LongestDelay: -1},
		"delays that shrink":      {URL: store, FirstDelay: time.Hour, LongestDelay: time.Second},
		"negative patience":       {URL: store, Patience: -1},
		"a negative age":          {URL: store, Stale: -1},
		"a negative wait":         {URL: store, CloseWait: -1},
		"a negative age to keep":  {URL: store, Keep: Retention{Age: -1}},
		"keeping what is nowhere": {URL: store, Keep: Retention{Segments: 1, Unshipped: true}},
		"no file's mode":          {URL: store, FileMode: os.ModeDir | 0o700},
		"a source that stays":     {URL: store, Compress: &CompressOptions{KeepSource: true}},
		"a whole file":            {URL: store, Compress: &CompressOptions{Whole: WholeZstd}},
		"progress":                {URL: store, Compress: &CompressOptions{Progress: func(Progress) bool { return true }}},
		"a level beyond all":      {URL: store, Compress: &CompressOptions{Level: 1 << 40}},
	} {
		refused := func(err error) {
			failure, _ := err.(*Error)
			if failure == nil || (failure.Status != ErrInvalid && name != "no credentials") {
				t.Errorf("%s: %v", name, err)
			} else if strings.Contains(fmt.Sprintf("%v %+v", err, failure), "hunter2") {
				t.Errorf("%s: the secret is shown", name)
			}
		}
		s, err := OpenShipper(directory, "", archive)
		if s != nil {
			s.Close()
		}
		refused(err)
		w, err := OpenWriter(directory, WithShipping(archive))
		if w != nil {
			w.Close()
		}
		refused(err)
	}
	w, err := OpenWriter(directory, WithShipping(ShipOptions{URL: store, DryRun: true}))
	if w != nil {
		w.Close()
	}
	wantIs(t, err, ErrInvalid)

	for _, log := range []string{"another", "a\x00b"} {
		if _, err := OpenShipper(directory, log, ShipOptions{URL: store}); err == nil {
			t.Errorf("there is a log %q", log)
		}
	}
	_, err = OpenShipper(newLog(t), "", ShipOptions{URL: store})
	wantIs(t, err, ErrNotFound)
	missing := filepath.Join(t.TempDir(), "missing")
	_, err = OpenShipper(directory, "", ShipOptions{URL: "file://" + missing})
	wantIs(t, err, ErrNotFound)
	if !strings.Contains(err.Error(), missing) {
		t.Error(err)
	}

	_, err = OpenReader("s3://user:hunter2@bucket/logs")
	wantIs(t, err, ErrInvalid)
	if strings.Contains(err.Error(), "hunter2") {
		t.Error("the secret is shown")
	}
	_, err = OpenReader("s3://bucket/logs?region=x", WithCredentials(open))
	wantIs(t, err, ErrInvalid)
	if !strings.Contains(err.Error(), open) || strings.Contains(err.Error(), "hunter2") {
		t.Error(err)
	}
}

// flip changes a bit in the middle of a file.
func flip(t testing.TB, file string) {
	t.Helper()
	bytes, err := os.ReadFile(file)
	must(t, err)
	bytes[len(bytes)/2] ^= 4
	must(t, os.WriteFile(file, bytes, 0o600))
}

func TestADamagedSegmentIsSentOnPurposeAloneAndReplacedWhenItIsMended(t *testing.T) {
	directory, store := writeLog(t, 45, 10), newStore(t)
	files := segmentsIn(t, directory)
	second := filepath.Join(directory, files[1])
	sound, err := os.ReadFile(second)
	must(t, err)
	flip(t, second)
	must(t, os.Remove(filepath.Join(directory, files[2])))
	s := openShipper(t, directory, ShipOptions{URL: store, Keep: Retention{Segments: 1}})
	var reported []*Error
	_, err = s.Run(context.Background(), func(event ShipEvent) bool {
		if event.Err != nil {
			reported = append(reported, event.Err)
		}
		return true
	})
	wantIs(t, err, ErrCorrupt)
	status, err := s.Status()
	must(t, err)
	if len(reported) != 2 || status.DamagedSegments != 1 || status.MissingSegments != 1 {
		t.Errorf("%v %+v", reported, status)
	}
	found, err := s.Verify(context.Background(), false, nil)
	must(t, err)
	if len(found.Problems) != 2 || found.Problems[0].Kind != ShipChanged || found.Problems[1].Kind != ShipGap ||
		found.Problems[0].Kind.String() != "changed" {
		t.Errorf("%+v", found)
	}
	wantIs(t, s.Accept("1"), ErrInvalid)
	wantIs(t, s.Accept("2\x00"), ErrInvalid)
	must(t, s.Accept("2"))
	must(t, s.Accept("3"))
	// Fixed after it was sent, it stays here until it replaces what was sent.
	must(t, s.Close())
	s = openShipper(t, directory, ShipOptions{URL: store})
	_, err = s.Run(context.Background(), nil)
	must(t, err)
	must(t, s.Close())
	must(t, os.WriteFile(second, sound, 0o600))
	s = openShipper(t, directory, ShipOptions{URL: store, Keep: Retention{Segments: 1}})
	_, err = s.Run(context.Background(), nil)
	wantIs(t, err, ErrMismatch)
	must(t, s.Replace(files[1]))
	// Called twice, as after a kill, it continues with what is done already.
	must(t, s.Replace(files[1]))
	_, err = s.Run(context.Background(), nil)
	must(t, err)
	found, err = s.Verify(context.Background(), true, nil)
	must(t, err)
	if len(found.Problems) != 0 || found.AcceptedSegments != 1 {
		t.Errorf("%+v", found)
	}
	if names := segmentsIn(t, directory); len(names) != 1 {
		t.Error(names)
	}
	must(t, s.Forget())
	must(t, s.Close())
	wantIs(t, s.Forget(), ErrClosed)
}

func TestWhatNeedNotStayInTheStoreIsRemovedThere(t *testing.T) {
	directory, store := writeLog(t, 45, 10), newStore(t)
	s := openShipper(t, directory, ShipOptions{URL: store, KeepRemote: Retention{Segments: 2}})
	_, err := s.Run(context.Background(), nil)
	must(t, err)
	if names := segmentsIn(t, store); len(names) != 2 {
		t.Error(names)
	}
	_, err = OpenShipper(directory, "", ShipOptions{URL: store, KeepRemote: Retention{Unshipped: true, Segments: 1}})
	wantIs(t, err, ErrInvalid)
}
