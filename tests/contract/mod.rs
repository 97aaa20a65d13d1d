//! What every store of objects must do, whatever its kind.
// Each program uses some of it.
#![allow(dead_code)]
// A list of one range is meant, not the numbers of the range.
#![allow(clippy::single_range_in_vec_init)]

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use binlog::io::{Access, Directory as _, File, MemoryDirectory};
use binlog::store::{self, Again, Confirmed, Monitor, Store, Stored, Sums, Upload};
use binlog::Kind;

/// Length of a part of the servers: the smallest that S3 takes.
pub const SERVER_PART: u64 = 5 << 20;
/// Length of a part where there is no larger minimum.
pub const PART: u64 = 100_000;

/// Characters that have to be encoded differently in each place of a request.
const LARGE: &str = "c-large +%2F ü&=;#?.binlog";

fn bytes(seed: u64, len: usize) -> Vec<u8> {
    let mut x = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        x as u8
    };
    (0..len).map(|_| next()).collect()
}

/// A file of these contents, in parts of this length.
fn file_in(part: u64, bytes: &[u8]) -> (Arc<dyn File>, Sums) {
    let directory = MemoryDirectory::new();
    directory.set_contents("f", bytes.to_vec());
    let file = directory.open("f", Access::Read).unwrap();
    let sums = Sums::of(&file, part).unwrap();
    (file, sums)
}

/// A file in one part.
fn file(bytes: &[u8]) -> (Arc<dyn File>, Sums) {
    file_in(1 << 30, bytes)
}

/// Records its calls, and stops an upload once so many bytes were sent.
#[derive(Default)]
pub struct Watched {
    sent: AtomicU64,
    found: AtomicU64,
    stop_at: Option<u64>,
    token: Mutex<Option<String>>,
}

impl Monitor for Watched {
    fn sent(&self, bytes: u64) {
        self.sent.fetch_add(bytes, Ordering::Relaxed);
    }

    fn found(&self, bytes: u64) {
        self.found.fetch_add(bytes, Ordering::Relaxed);
    }

    fn note(&self, token: &str) -> binlog::Result<()> {
        *self.token.lock().unwrap() = Some(token.to_owned());
        Ok(())
    }

    fn stop(&self) -> bool {
        self.stop_at.is_some_and(|at| self.sent.load(Ordering::Relaxed) >= at)
    }
}

pub fn put(
    store: &dyn Store,
    name: &str,
    bytes: &[u8],
    resume: Option<&str>,
    watched: &Watched,
) -> store::Answer<Stored> {
    // The large files of this test have parts that are a fifth of their length or more.
    let part = if bytes.len() as u64 > SERVER_PART { SERVER_PART } else { PART };
    let (source, sums) = file_in(part, bytes);
    let path = Path::new("f");
    store.upload(&Upload { name, source: &*source, path, sums: &sums, resume, monitor: watched })
}

/// Begins an upload that is stopped once its first part is there; returns the token with which it can be continued.
fn stop_after_a_part(store: &dyn Store, name: &str, bytes: &[u8]) -> String {
    let stopped = Watched { stop_at: Some(1), ..Watched::default() };
    let failure = put(store, name, bytes, None, &stopped).unwrap_err();
    assert_eq!(failure.again, Again::Later(None), "{failure}");
    assert!(failure.to_string().contains("stopped"), "{failure}");
    let token = stopped.token.lock().unwrap().clone();
    token.expect("an upload in parts is noted")
}

pub fn contract(store: &dyn Store, part: u64) {
    // Left by an earlier run on the same server.
    for listed in store.list("c-").unwrap() {
        store.remove(&listed.name).unwrap();
    }
    store.abort_stale("c-", Duration::ZERO).unwrap();
    small_objects(store);
    parts(store, part);
    parts_ahead(store, part);
    uploads_that_are_given_up(store, part);
    names(store);
    assert_eq!(store.list("c-").unwrap(), []);
}

fn small_objects(store: &dyn Store) {
    let one = bytes(1, 100_000);
    assert_eq!(store.stat("c-one").unwrap(), None);
    assert_eq!(store::confirm(store, "c-one", &file(&one).1).unwrap(), Confirmed::Absent);
    let watched = Watched::default();
    assert_eq!(put(store, "c-one", &one, None, &watched).unwrap(), Stored::New);
    assert_eq!(watched.sent.load(Ordering::Relaxed), one.len() as u64);
    let stat = store.stat("c-one").unwrap().unwrap();
    assert_eq!(stat.bytes, one.len() as u64);
    assert!(stat.modified_ns > 1_700_000_000 * 1_000_000_000, "{stat:?}");
    if let Some(sha256) = stat.sha256 {
        assert_eq!(sha256, file(&one).1.sha256);
    }
    // An existing object stays.
    let mut other = one.clone();
    other[50_000] ^= 1;
    assert_eq!(put(store, "c-one", &other, None, &Watched::default()).unwrap(), Stored::Exists);
    assert_eq!(put(store, "c-one", b"short", None, &Watched::default()).unwrap(), Stored::Exists);
    assert_eq!(store::confirm(store, "c-one", &file(&one).1).unwrap(), Confirmed::Same);
    assert_eq!(store::confirm(store, "c-one", &file(&other).1).unwrap(), Confirmed::Different);
    assert_eq!(store::confirm(store, "c-one", &file(b"short").1).unwrap(), Confirmed::Different);

    let ranges = [0..10, 99_990..100_000, 5..5, 7..50_000, 0..100_000, 3..4];
    let read = store.read("c-one", &ranges).unwrap();
    for (range, read) in ranges.iter().zip(read) {
        assert_eq!(read, one[range.start as usize..range.end as usize], "{range:?}");
    }
    assert_eq!(store.read("c-one", &[]).unwrap(), Vec::<Vec<u8>>::new());
    assert!(store.read("c-one", &[99_999..100_001]).is_err(), "a range beyond the object");
    for n in [0, 1, 100, 100_000, 200_000] {
        let (facts, end) = store.read_end("c-one", n).unwrap();
        assert_eq!(facts, stat, "{n}");
        assert_eq!(end, one[100_000 - n.min(100_000) as usize..], "{n}");
    }
    for missing in [store.read("c-none", &[0..1]).unwrap_err(), store.read_end("c-none", 8).unwrap_err()] {
        assert_eq!((missing.error.kind(), missing.again), (Kind::NotFound, Again::WhenMended), "{missing}");
        assert!(missing.to_string().contains("c-none"), "{missing}");
    }

    assert_eq!(put(store, "c-empty", b"", None, &Watched::default()).unwrap(), Stored::New);
    assert_eq!(store.read_end("c-empty", 10).unwrap().1, b"");
    assert_eq!(store::confirm(store, "c-empty", &file(b"").1).unwrap(), Confirmed::Same);
    let odd = "c-two +%2F ü&=;#?.binlog";
    assert_eq!(put(store, odd, b"two", None, &Watched::default()).unwrap(), Stored::New);
    assert_eq!(store.read(odd, &[0..3]).unwrap(), [b"two"]);
    assert!(store.stat(odd).unwrap().is_some());
    let names = |prefix| store.list(prefix).unwrap().into_iter().map(|o| (o.name, o.bytes)).collect::<Vec<_>>();
    let expected = [("c-empty".to_owned(), 0), ("c-one".to_owned(), 100_000), (odd.to_owned(), 3)];
    assert_eq!(names("c-"), expected);
    assert_eq!(names("c-o"), expected[1..2]);
    assert_eq!(names("c-x"), []);
    for name in ["c-empty", "c-one", odd] {
        store.remove(name).unwrap();
        assert_eq!(store.stat(name).unwrap(), None, "{name}");
        store.remove(name).unwrap();
    }
}

fn parts(store: &dyn Store, part: u64) {
    let large = bytes(2, part as usize * 3 + 1234);
    let (_, sums) = file_in(part, &large);
    // Stopped after the first part, and continued: the parts that are there are not sent again.
    let token = stop_after_a_part(store, LARGE, &large);
    assert_eq!(store.stat(LARGE).unwrap(), None, "an unfinished upload is no object");
    assert_eq!(store.list("c-").unwrap(), []);
    let resumed = Watched::default();
    assert_eq!(put(store, LARGE, &large, Some(&token), &resumed).unwrap(), Stored::New);
    let (sent, found) = (resumed.sent.load(Ordering::Relaxed), resumed.found.load(Ordering::Relaxed));
    // A directory has no parts: a file is copied once more.
    let has_parts = !store.url().starts_with("file:");
    assert!(found > 0 || !has_parts, "{sent} were sent, {found} were there already");
    assert_eq!(sent + found, large.len() as u64);
    assert_eq!(store::confirm(store, LARGE, &sums).unwrap(), Confirmed::Same);
    let mut other = large.clone();
    other[part as usize + 5] ^= 0x80;
    assert_eq!(store::confirm(store, LARGE, &file_in(part, &other).1).unwrap(), Confirmed::Different);
    // The same upload again, as after an answer that was lost: the object is there.
    assert_eq!(put(store, LARGE, &large, Some(&token), &Watched::default()).unwrap(), Stored::Exists);
    assert_eq!(put(store, LARGE, &other, None, &Watched::default()).unwrap(), Stored::Exists);
    assert_eq!(store::confirm(store, LARGE, &sums).unwrap(), Confirmed::Same);
    let border = part - 3..part + 3;
    let read = store.read(LARGE, &[border.clone(), 0..large.len() as u64]).unwrap();
    assert_eq!(read[0], large[border.start as usize..border.end as usize]);
    assert!(read[1] == large);
    let (stat, end) = store.read_end(LARGE, 2000).unwrap();
    assert_eq!((stat.bytes, &end[..]), (large.len() as u64, &large[large.len() - 2000..]));
    let listed = store.list(LARGE).unwrap();
    assert_eq!((listed.len(), listed[0].bytes), (1, large.len() as u64));
    store.remove(LARGE).unwrap();
    assert_eq!(store.stat(LARGE).unwrap(), None);
    assert_eq!(put(store, LARGE, &other, None, &Watched::default()).unwrap(), Stored::New, "the name is free again");
    assert_eq!(store::confirm(store, LARGE, &file_in(part, &other).1).unwrap(), Confirmed::Same);
    store.remove(LARGE).unwrap();
}

/// Parts of two objects are sent at the same time, and neither object is visible before it is finished.
fn parts_ahead(store: &dyn Store, part: u64) {
    let names = ["c-ahead-1", "c-ahead-2"];
    let large = [5, 6].map(|seed| bytes(seed, part as usize * 3 + 99));
    let sent = thread::scope(|scope| {
        let send = |i: usize| {
            let (source, sums) = file_in(part, &large[i]);
            let watched = Watched::default();
            let path = Path::new("f");
            let upload =
                Upload { name: names[i], source: &*source, path, sums: &sums, resume: None, monitor: &watched };
            store.send_parts(&upload).unwrap();
            watched
        };
        let other = scope.spawn(move || send(1));
        [send(0), other.join().unwrap()]
    });
    assert_eq!(store.list("c-ahead").unwrap(), []);
    for (i, sent) in sent.into_iter().enumerate() {
        let token = sent.token.into_inner().unwrap();
        let all = large[i].len() as u64;
        assert_eq!(sent.sent.into_inner(), if token.is_some() { all } else { 0 });
        let finishing = Watched::default();
        assert_eq!(put(store, names[i], &large[i], token.as_deref(), &finishing).unwrap(), Stored::New);
        assert_eq!(finishing.sent.into_inner() + finishing.found.into_inner(), all);
        assert_eq!(store::confirm(store, names[i], &file_in(part, &large[i]).1).unwrap(), Confirmed::Same);
        store.remove(names[i]).unwrap();
    }
    // An object of one part is not sent ahead.
    let (source, sums) = file_in(part, b"small");
    let path = Path::new("f");
    let watched = Watched::default();
    let small = Upload { name: "c-small", source: &*source, path, sums: &sums, resume: None, monitor: &watched };
    store.send_parts(&small).unwrap();
    assert_eq!((store.stat("c-small").unwrap(), watched.token.into_inner().unwrap()), (None, None));
}

fn uploads_that_are_given_up(store: &dyn Store, part: u64) {
    let large = bytes(3, part as usize * 2 + 1);
    let token = stop_after_a_part(store, "c-given-up", &large);
    store.abort("c-given-up", &token).unwrap();
    store.abort("c-given-up", &token).unwrap();
    for nonsense in ["", "x", "s3 1 2 3", "../../etc/passwd", "\u{0}"] {
        store.abort("c-given-up", nonsense).unwrap();
    }
    // An upload that the server no longer knows is begun anew.
    for resume in [&*token, "nonsense"] {
        let again = Watched::default();
        assert_eq!(put(store, "c-given-up", &large, Some(resume), &again).unwrap(), Stored::New, "{resume:?}");
        assert_eq!(store::confirm(store, "c-given-up", &file_in(part, &large).1).unwrap(), Confirmed::Same);
        store.remove("c-given-up").unwrap();
    }
    // The token of another file is not used to continue.
    let token = stop_after_a_part(store, "c-given-up", &large);
    let other = bytes(4, part as usize * 2 + 1);
    assert_eq!(put(store, "c-given-up", &other, Some(&token), &Watched::default()).unwrap(), Stored::New);
    assert_eq!(store::confirm(store, "c-given-up", &file_in(part, &other).1).unwrap(), Confirmed::Same);
    store.remove("c-given-up").unwrap();

    stop_after_a_part(store, "c-stale", &large);
    assert_eq!(store.abort_stale("c-", Duration::from_secs(3600)).unwrap(), 0, "it is not old");
    assert_eq!(store.abort_stale("c-other", Duration::ZERO).unwrap(), 0, "it is another's");
    store.abort_stale("c-", Duration::ZERO).unwrap();
    assert_eq!(store.abort_stale("c-", Duration::ZERO).unwrap(), 0, "nothing is left");
    assert_eq!(store.list("").unwrap().iter().filter(|o| o.name.contains("stale")).count(), 0);
}

fn names(store: &dyn Store) {
    for name in ["", "a/b", "..", ".", ".hidden", "a\nb", "../x", "a\\b", &"x".repeat(256)] {
        let failures = [
            store.stat(name).err(),
            store.read(name, &[0..1]).err(),
            store.read_end(name, 1).err(),
            store.remove(name).err(),
            put(store, name, b"x", None, &Watched::default()).err(),
        ];
        for failure in failures {
            let failure = failure.expect("a name that must be refused");
            assert_eq!((failure.error.kind(), failure.again), (Kind::Invalid, Again::WhenMended), "{name:?}");
        }
    }
}
