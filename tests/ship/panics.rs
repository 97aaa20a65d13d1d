//! A panic in the pipeline of a shipper: no call waits for ever, the panic is reported as a failure, and the next try
//! ships everything.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{mpsc, Arc, Mutex};
use std::time::Duration;

use crate::shipping::*;
use binlog::shipping::{ShipMonitor, ShipOptions, ShipState, Shipper};
use binlog::store::{Answer, Listed, MemoryStore, Stat, Store, Stored, Upload};
use binlog::{Error, Kind};

/// A call that hangs would take for ever.
const PATIENCE: Duration = Duration::from_secs(60);

/// A store that panics at the n-th of some calls.
#[derive(Clone, Debug)]
struct Panicking {
    store: MemoryStore,
    at: &'static str,
    left: Arc<AtomicUsize>,
}

impl Panicking {
    fn new(at: &'static str, n: usize) -> Self {
        Panicking { store: MemoryStore::new(), at, left: Arc::new(AtomicUsize::new(n)) }
    }

    fn pass(&self, call: &str) {
        if call == self.at
            && self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1)) == Ok(1)
        {
            panic!("a defect that the test has made in {call}");
        }
    }
}

impl Store for Panicking {
    fn url(&self) -> &str {
        self.store.url()
    }

    fn stat(&self, name: &str) -> Answer<Option<Stat>> {
        self.pass("stat");
        self.store.stat(name)
    }

    fn upload(&self, upload: &Upload<'_>) -> Answer<Stored> {
        self.pass("upload");
        self.store.upload(upload)
    }

    fn send_parts(&self, upload: &Upload<'_>) -> Answer<()> {
        self.pass("send_parts");
        self.store.send_parts(upload)
    }

    fn read(&self, name: &str, ranges: &[Range<u64>]) -> Answer<Vec<Vec<u8>>> {
        self.store.read(name, ranges)
    }

    fn read_end(&self, name: &str, bytes: u64) -> Answer<(Stat, Vec<u8>)> {
        self.store.read_end(name, bytes)
    }

    fn list(&self, prefix: &str) -> Answer<Vec<Listed>> {
        self.store.list(prefix)
    }

    fn remove(&self, name: &str) -> Answer<()> {
        self.store.remove(name)
    }

    fn abort(&self, name: &str, token: &str) -> Answer<()> {
        self.store.abort(name, token)
    }

    fn abort_stale(&self, prefix: &str, age: Duration) -> Answer<u64> {
        self.store.abort_stale(prefix, age)
    }
}

fn shipper(store: &Panicking, threads: u32) -> Shipper {
    let (_, directory) = memory();
    write(&directory, 6);
    let options = ShipOptions { threads, ..options() };
    Shipper::to_store(directory, Arc::new(store.clone()), Some(LOG), options).unwrap()
}

/// Runs something that would wait for ever if a flag were left set.
fn in_time<T: Send + 'static>(what: &str, run: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, wait) = mpsc::channel();
    std::thread::spawn(move || done.send(run()));
    wait.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("{what} hangs"))
}

/// How many segments a store holds.
fn segments(store: &MemoryStore) -> usize {
    Store::list(store, "").unwrap().iter().filter(|object| object.name.ends_with(".binlog")).count()
}

#[test]
fn a_panic_of_the_thread_that_ships_is_a_failure_and_the_next_run_ships_everything() {
    for (at, n) in [("stat", 1), ("stat", 3), ("upload", 1), ("upload", 4)] {
        let store = Panicking::new(at, n);
        let shipper = Arc::new(shipper(&store, 1));
        let first = shipper.clone();
        let error = in_time("a run", move || first.run_once(&())).unwrap_err();
        assert_eq!(error.kind(), Kind::Failed, "{at} {n}: {error}");
        assert!(error.to_string().contains("panic"), "{error}");
        let status = shipper.status();
        assert_eq!((status.state, status.failures), (ShipState::Waiting, 1), "{at} {n}");
        let second = shipper.clone();
        in_time("the next run", move || second.run_once(&())).unwrap();
        assert_eq!(segments(&store.store), 6, "{at} {n}");
        assert_eq!(shipper.status().state, ShipState::Idle);
    }
}

#[test]
fn a_panic_of_a_thread_that_sends_ahead_makes_no_call_wait() {
    for n in 1..4 {
        let store = Panicking::new("send_parts", n);
        let shipper = shipper(&store, 3);
        in_time("a run", move || shipper.run_once(&())).unwrap();
        assert_eq!(segments(&store.store), 6, "{n}");
        assert_eq!(store.left.load(Ordering::Relaxed), 0, "nothing has panicked");
    }
}

#[test]
fn following_continues_after_a_panic_and_reports_it() {
    /// Ends when all is shipped.
    #[derive(Default)]
    struct Failures(Mutex<Vec<String>>, AtomicUsize);

    impl ShipMonitor for Failures {
        fn failed(&self, error: &Error, wait: Option<Duration>) {
            self.0.lock().unwrap().push(format!("{error}, again: {}", wait.is_some()));
        }

        fn uploaded(&self, _segment: &binlog::shipping::Shipped) {
            self.1.fetch_add(1, Ordering::Relaxed);
        }

        fn stop(&self) -> bool {
            self.1.load(Ordering::Relaxed) == 6
        }
    }

    let store = Panicking::new("upload", 2);
    let shipper = shipper(&store, 1);
    let failures = in_time("following", move || {
        let monitor = Failures::default();
        shipper.run(&monitor);
        monitor.0.into_inner().unwrap()
    });
    assert!(
        failures.len() == 1 && failures[0].contains("panic") && failures[0].ends_with("again: true"),
        "{failures:?}"
    );
}
