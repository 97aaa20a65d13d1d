//! A shipper that dies at any moment, or whose disk, network or server fails there, and the next one that takes over: at every
//! moment each record is in at least one whole file, here or in the store; objects in the store are never overwritten,
//! and nothing foreign is touched; order is kept; and in the end all has arrived.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crate::shipping::*;
use binlog::compression::CompressOptions;
use binlog::io::{Directory, PowerDirectory, Survival};
use binlog::shipping::{ShipOptions, Shipper};
use binlog::store::{Again, Failure, MemoryStore, Request, StoreFault};
use binlog::{Codec, Error, Reader, ReaderOptions, Writer, WriterOptions};
use proptest::prelude::*;

const SURVIVALS: [Survival; 7] = [
    Survival::Nothing,
    Survival::Names,
    Survival::Lengths,
    Survival::AllButFirstPage,
    Survival::AllButLastPage,
    Survival::Everything,
    Survival::Any(7),
];
const FOREIGN: [&str; 2] = ["orders.txt", "orders.eu.0000000001.binlog"];

/// A letter, and the segment of another log whose name has the same beginning.
fn foreign() -> &'static BTreeMap<String, Vec<u8>> {
    static FOREIGN_FILES: OnceLock<BTreeMap<String, Vec<u8>>> = OnceLock::new();
    FOREIGN_FILES.get_or_init(|| {
        let (_, directory) = memory();
        let options = WriterOptions { name: "orders.eu".to_owned(), ..writer_options() };
        let writer = Writer::open(directory.clone(), options).unwrap();
        writer.append(1, b"another log's").unwrap();
        writer.close().unwrap();
        let segment = bytes_of(&directory, FOREIGN[1]).unwrap();
        BTreeMap::from([(FOREIGN[0].to_owned(), b"a letter".to_vec()), (FOREIGN[1].to_owned(), segment)])
    })
}

/// A machine, the store, and what is known of them.
struct World {
    directory: PowerDirectory,
    store: MemoryStore,
    next_id: u64,
    /// Each object that was ever seen.
    seen: BTreeMap<String, Vec<u8>>,
    /// Segments are compressed first.
    compress: bool,
}

impl World {
    fn new(compress: bool) -> Self {
        let (directory, store) = (PowerDirectory::new(), MemoryStore::new());
        for (name, bytes) in foreign() {
            let file = directory.create(name, 0o640).unwrap();
            file.write_at(&[std::io::IoSlice::new(bytes)], 0).unwrap();
            file.sync_data().unwrap();
            store.set_contents(name, bytes.clone());
        }
        directory.sync().unwrap();
        World { directory, store, next_id: 1, seen: BTreeMap::new(), compress }
    }

    fn arc(&self) -> Arc<dyn Directory> {
        Arc::new(self.directory.clone())
    }

    /// Segments of so many records each.
    fn write(&mut self, segments: &[u64], options: WriterOptions) {
        let writer = Writer::open(self.arc(), options).unwrap();
        segments.iter().for_each(|records| append_and_roll(&writer, &mut self.next_id, *records));
        writer.close().unwrap();
    }

    fn shipper(&self) -> binlog::Result<Shipper> {
        let codec = [Codec::Lz4, Codec::Zstd].into_iter().find(|codec| codec.is_available() && self.compress);
        let compress = codec.map(|codec| CompressOptions { codec, ..CompressOptions::default() });
        let options = ShipOptions { keep: keep(2), stale: Duration::ZERO, compress, ..options() };
        open_with(&self.arc(), &self.store, options)
    }

    /// One try of a process that may be dying, or failing.
    fn try_to_ship(&self) {
        if let Ok(shipper) = self.shipper() {
            let _ = shipper.run_once(&());
        }
    }

    /// The power fails now, and is restored.
    fn lose_power(&mut self, survival: Survival) {
        self.directory = self.directory.image(survival).directory;
    }

    /// What must hold at every moment.
    fn check(&mut self, when: &str) {
        let objects = objects(&self.store);
        for (name, bytes) in foreign() {
            assert_eq!(objects.get(name), Some(bytes), "{when}: {name} in the store");
            assert_eq!(self.directory.contents(name).as_ref(), Some(bytes), "{when}: {name}");
        }
        for (name, bytes) in &self.seen {
            assert_eq!(objects.get(name), Some(bytes), "{when}: {name} in the store has changed");
        }
        let shipped: BTreeMap<_, _> = objects.into_iter().filter(|(name, _)| !is_foreign(name)).collect();
        self.seen.clone_from(&shipped);
        let plain = shipped.keys().map(|name| name.replace(".z.", "."));
        assert!(plain.eq((1..=shipped.len() as u64).map(name)), "{when}: not in order: {:?}", shipped.keys());
        let directory = self.arc();
        let mut whole = records(&shipped);
        for file in here(&directory).into_iter().filter(|name| !is_foreign(name)) {
            let bytes = bytes_of(&directory, &file).unwrap();
            if let Some(shipped) = shipped.get(&file) {
                assert!(*shipped == bytes, "{when}: {file} is another one here");
            }
            whole.extend(records(&BTreeMap::from([(file, bytes)])));
        }
        for id in 1..self.next_id {
            assert!(whole.get(&id) == Some(&payload(id)), "{when}: the record {id} is lost");
        }
    }

    /// Nothing fails any longer.
    fn converge(&mut self, when: &str) {
        self.store.set_fault(None);
        let shipper = self.shipper().unwrap_or_else(|e| panic!("{when}: {e}"));
        let shipped = shipper.run_once(&());
        // If a segment turned out to be missing in the store, the next run ships it.
        shipped.unwrap_or_else(|e| panic!("{when}: {e}"));
        assert_eq!(shipper.status().waiting_segments, 0, "{when}");
        let verified = shipper.verify(true, &()).unwrap();
        assert_eq!(verified.problems, [], "{when}");
        drop(shipper);
        self.check(when);
        let directory = self.arc();
        let mut left = here(&directory);
        left.retain(|name| !is_foreign(name));
        assert_eq!(left.len(), 2, "{when}: {left:?}");
        assert_eq!(self.store.unfinished(), 0, "{when}");
        let leftover = directory.list().unwrap().into_iter().find(|name| name.ends_with(".part"));
        assert_eq!(leftover, None, "{when}");
    }
}

fn is_foreign(name: &str) -> bool {
    FOREIGN.contains(&name)
}

/// Small segments and ones that are sent in parts; the first two were shipped before.
fn prepared(compress: bool) -> World {
    let mut world = World::new(compress);
    world.write(&[1, 7], writer_options());
    world.converge("at first");
    world.write(&[1, 6, 2], writer_options());
    world
}

fn a_failure() -> Error {
    Reader::open("/nowhere/at/all.binlog", ReaderOptions::default()).err().unwrap()
}

#[test]
fn a_kill_at_every_operation_is_repaired_by_the_next_process() {
    for compress in [false, true] {
        let world = prepared(compress);
        let start = world.directory.done().len();
        world.try_to_ship();
        let operations = world.directory.done().len() - start;
        assert!(operations > 40, "{operations}");
        for at in 0..operations {
            let mut world = prepared(compress);
            world.directory.cut_at(start + at);
            world.try_to_ship();
            world.directory = world.directory.after_kill();
            let when = format!("killed at operation {at}, compressing: {compress}");
            world.check(&when);
            world.converge(&when);
        }
    }
}

#[test]
fn a_power_cut_at_every_operation_is_repaired_by_the_next_process() {
    for (compress, survivals) in [(false, &SURVIVALS[..]), (true, &SURVIVALS[4..])] {
        let world = prepared(compress);
        let start = world.directory.done().len();
        world.try_to_ship();
        let operations = world.directory.done().len() - start;
        for at in 0..operations {
            for survival in survivals.iter().copied() {
                let mut world = prepared(compress);
                world.directory.cut_at(start + at);
                world.try_to_ship();
                world.lose_power(survival);
                let when = format!("power cut at operation {at}, {survival:?}, compressing: {compress}");
                world.check(&when);
                world.converge(&when);
            }
        }
    }
}

#[test]
fn a_failure_of_every_request_is_repaired_by_the_next_process() {
    for compress in [false, true] {
        let world = prepared(compress);
        world.store.set_fault(None);
        world.try_to_ship();
        let requests = world.store.requests();
        assert!(requests >= 15, "{requests}");
        for from in 0..requests {
            for times in [1, 2, usize::MAX] {
                for (done, again) in [
                    (false, Again::Later(None)),
                    (true, Again::Later(Some(Duration::from_millis(1)))),
                    (false, Again::WhenMended),
                    (true, Again::WhenMended),
                ] {
                    let mut world = prepared(compress);
                    let failure = Failure { error: a_failure(), again };
                    world.store.set_fault(Some(StoreFault { from, times, only: None, failure, done }));
                    world.try_to_ship();
                    let when =
                        format!("request {from} fails {times} times, {again:?}, done: {done}, compressing: {compress}");
                    world.store.set_fault(None);
                    world.check(&when);
                    world.converge(&when);
                }
            }
        }
    }
}

#[test]
fn a_process_that_continues_after_each_failure_arrives_too() {
    let world = prepared(false);
    world.store.set_fault(None);
    world.try_to_ship();
    let requests = world.store.requests();
    for from in 0..requests {
        for done in [false, true] {
            let mut world = prepared(false);
            let failure = Failure { error: a_failure(), again: Again::Later(None) };
            let options =
                ShipOptions { patience: Duration::from_secs(60), keep: keep(2), stale: Duration::ZERO, ..options() };
            let shipper = open_with(&world.arc(), &world.store, options).unwrap();
            world.store.set_fault(Some(StoreFault { from, times: 3, only: None, failure, done }));
            shipper.run_once(&()).unwrap();
            drop(shipper);
            let when = format!("request {from} fails, done: {done}");
            world.converge(&when);
        }
    }
}

/// What may happen to a log.
#[derive(Clone, Debug)]
enum Step {
    Write(Vec<u64>),
    /// A writer that removes old segments itself.
    WriteAndKeep(u64),
    Ship,
    /// The server fails some requests.
    Fail {
        from: usize,
        times: usize,
        done: bool,
        mended: bool,
        only: Option<Request>,
    },
    /// The process is killed, or the power fails, at some operation.
    Kill(usize),
    Cut(usize, Survival),
    /// The ledger is lost, or cut short.
    Forget(Option<usize>),
}

fn step() -> impl Strategy<Value = Step> {
    let request = prop_oneof![
        3 => Just(None),
        1 => Just(Some(Request::Put)),
        1 => Just(Some(Request::Part)),
        1 => Just(Some(Request::Complete)),
        1 => Just(Some(Request::Stat)),
    ];
    let survival = prop_oneof![
        Just(Survival::Nothing),
        Just(Survival::Everything),
        any::<u64>().prop_map(Survival::Until),
        any::<u64>().prop_map(Survival::Any)
    ];
    prop_oneof![
        4 => proptest::collection::vec(1u64..8, 1..4).prop_map(Step::Write),
        1 => (1u64..4).prop_map(Step::WriteAndKeep),
        3 => Just(Step::Ship),
        3 => (0usize..12, 1usize..5, any::<bool>(), any::<bool>(), request)
            .prop_map(|(from, times, done, mended, only)| Step::Fail { from, times, done, mended, only }),
        2 => (0usize..120).prop_map(Step::Kill),
        2 => (0usize..120, survival).prop_map(|(at, survival)| Step::Cut(at, survival)),
        1 => proptest::option::of(0usize..4000).prop_map(Step::Forget),
    ]
}

fn perform(world: &mut World, step: &Step) {
    match step {
        Step::Write(segments) => world.write(segments, writer_options()),
        Step::WriteAndKeep(segments) => {
            world.write(&[1], WriterOptions { keep: keep(*segments), ..writer_options() });
        }
        Step::Ship => world.try_to_ship(),
        Step::Fail { from, times, done, mended, only } => {
            let again = if *mended { Again::WhenMended } else { Again::Later(None) };
            let failure = Failure { error: a_failure(), again };
            world.store.set_fault(Some(StoreFault { from: *from, times: *times, only: *only, failure, done: *done }));
            world.try_to_ship();
            world.store.set_fault(None);
        }
        Step::Kill(at) => {
            world.directory.cut_at(world.directory.done().len() + at);
            world.try_to_ship();
            world.directory = world.directory.after_kill();
        }
        Step::Cut(at, survival) => {
            world.directory.cut_at(world.directory.done().len() + at);
            world.try_to_ship();
            world.lose_power(*survival);
        }
        Step::Forget(left) => {
            let name = format!("{LOG}.archive");
            let Some(bytes) = world.directory.contents(&name) else { return };
            world.directory.remove(&name).unwrap();
            if let Some(left) = left {
                let file = world.directory.create(&name, 0o640).unwrap();
                file.write_at(&[std::io::IoSlice::new(&bytes[..bytes.len().min(*left)])], 0).unwrap();
                file.sync_data().unwrap();
            }
            world.directory.sync().unwrap();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_no_record_is_lost_and_all_arrive(compress in any::<bool>(), steps in proptest::collection::vec(step(), 1..14)) {
        let mut world = World::new(compress);
        // From here on the log is shipped, which the removal of old segments takes into account.
        world.write(&[1], writer_options());
        world.try_to_ship();
        for (i, step) in steps.iter().enumerate() {
            perform(&mut world, step);
            world.check(&format!("after step {i} of {steps:?}"));
        }
        world.write(&[2], writer_options());
        world.converge(&format!("after {steps:?}"));
    }
}

/// As where a store does not show at once what it holds: this failure reports that the object does not exist.
#[test]
fn what_a_store_has_not_shown_once_is_asked_for_again() {
    let mut world = World::new(false);
    world.write(&[1], writer_options());
    world.try_to_ship();
    world.write(&[1, 1], writer_options());
    // The ledger's entry for the second one is lost, and its file here is removed.
    let ledger = world.directory.contents(&format!("{LOG}.archive")).unwrap();
    world.try_to_ship();
    let file = format!("{LOG}.archive");
    world.directory.remove(&file).unwrap();
    world.directory.create(&file, 0o640).unwrap().write_at(&[std::io::IoSlice::new(&ledger)], 0).unwrap();
    assert!(!here(&world.arc()).contains(&name(2)), "{:?}", here(&world.arc()));
    for from in 0..6 {
        perform(&mut world, &Step::Fail { from, times: 1, done: false, mended: false, only: Some(Request::Read) });
        world.check(&format!("request {from} fails"));
    }
    world.write(&[2], writer_options());
    world.converge("at the end");
}
