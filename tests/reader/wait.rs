//! A cursor that waits is woken when there is something to show, and not before.

use std::os::fd::AsRawFd;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::common::interposed::Interposed;
use crate::common::*;
use binlog::io::MemoryDirectory;
use binlog::{event, Cursor, Filter, Kind, Lag, Reader, ReaderMode, ReaderOptions, TailState, Writer, WriterOptions};

const LONG: Duration = Duration::from_secs(20);
const SHORT: Duration = Duration::from_millis(30);

fn options() -> WriterOptions {
    WriterOptions { flush: Lag { records: Some(1), ..Lag::default() }, ..WriterOptions::default() }
}

fn cursor_at(path: impl Into<binlog::Location>) -> Cursor {
    Reader::open(path, ReaderOptions::default()).unwrap().cursor(&Filter::default()).unwrap()
}

/// How long the cursor waited for something to show, with the longest patience.
fn woken(cursor: &mut Cursor) -> Duration {
    let began = Instant::now();
    assert!(cursor.wait(LONG).unwrap(), "nothing came");
    began.elapsed()
}

fn nothing_comes(cursor: &mut Cursor) {
    let began = Instant::now();
    assert!(!cursor.wait(SHORT).unwrap());
    assert!(began.elapsed() >= SHORT);
    assert!(!cursor.wait(Duration::ZERO).unwrap());
}

fn ids(cursor: &mut Cursor) -> Vec<u64> {
    drain(cursor, Way::Batch(3)).whole().iter().map(|row| row.id).collect()
}

#[test]
fn waiting_ends_when_a_record_is_written_and_takes_none_away() {
    let scratch = tempfile::tempdir().unwrap();
    let single = scratch.path().join("one.binlog");
    let memory = MemoryDirectory::new();
    for case in ["directory", "file", "pattern", "memory"] {
        let path = scratch.path().join("log");
        let writer = match case {
            "file" => Writer::open_file(&single, options()).unwrap(),
            "memory" => Writer::open(Arc::new(memory.clone()), options()).unwrap(),
            _ => Writer::open(path.join(case), options()).unwrap(),
        };
        let mut cursor = match case {
            "file" => cursor_at(&single),
            "memory" => {
                let reader = Reader::open(Arc::new(memory.clone()), ReaderOptions::default()).unwrap();
                reader.cursor(&Filter::default()).unwrap()
            }
            "pattern" => cursor_at(path.join(case).join("*.binlog")),
            _ => cursor_at(path.join(case)),
        };
        nothing_comes(&mut cursor);
        std::thread::scope(|scope| {
            let written = scope.spawn(|| {
                std::thread::sleep(SHORT);
                writer.append(1, b"first").unwrap();
            });
            let took = woken(&mut cursor);
            written.join().unwrap();
            assert!(took < LONG / 4, "{case}: {took:?}");
        });
        assert!(cursor.wait(Duration::ZERO).unwrap() && cursor.wait(LONG).unwrap());
        assert_eq!(ids(&mut cursor), [1], "{case}");
        nothing_comes(&mut cursor);
        writer.append(1, b"second").unwrap();
        writer.append(1, b"third").unwrap();
        assert!(cursor.wait(Duration::ZERO).unwrap());
        assert_eq!(cursor.next().unwrap().unwrap().id, 2);
        assert!(cursor.wait(Duration::ZERO).unwrap());
        assert_eq!(ids(&mut cursor), [3]);
        writer.close().unwrap();
        nothing_comes(&mut cursor);
        assert_eq!(cursor.tail().state, TailState::Closed);
    }
}

#[test]
fn nothing_written_between_the_look_and_the_waiting_is_missed() {
    let scratch = tempfile::tempdir().unwrap();
    let writer = Writer::open(scratch.path(), options()).unwrap();
    let mut cursor = cursor_at(scratch.path());
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for id in 1..=2000u64 {
                writer.append(1, &id.to_le_bytes()).unwrap();
                if id % 100 == 0 {
                    writer.roll().unwrap();
                }
                if id % 7 == 0 {
                    std::thread::yield_now();
                }
            }
        });
        let (mut next, began) = (1, Instant::now());
        while next <= 2000 {
            woken(&mut cursor);
            while let Some(record) = cursor.next().unwrap() {
                assert_eq!(record.id, next);
                next += 1;
            }
        }
        // Were a wake-up missed, the cursor would sleep for a second.
        assert!(began.elapsed() < Duration::from_secs(15));
    });
}

#[test]
fn what_is_written_while_the_watch_is_being_armed_is_shown_without_waiting() {
    use binlog::io::{Directory, Watch, Woken};
    /// Nothing ever comes.
    struct Asleep(Arc<AtomicU64>);
    impl Watch for Asleep {
        fn wait(&mut self, _timeout: Duration) -> std::io::Result<Woken> {
            self.0.fetch_add(1, Ordering::Relaxed);
            Ok(Woken::TimedOut)
        }
    }
    let memory: Arc<dyn Directory> = Arc::new(MemoryDirectory::new());
    let writer = Writer::open(memory.clone(), options()).unwrap();
    let waits = Arc::new(AtomicU64::new(0));
    let counted = waits.clone();
    let on_watch = move || -> Box<dyn Watch> {
        writer.append(1, b"just now").unwrap();
        Box::new(Asleep(counted.clone()))
    };
    let directory = Interposed { on_watch: Some(Arc::new(on_watch)), ..Interposed::around(memory) };
    let reader = Reader::open(Arc::new(directory), ReaderOptions::default()).unwrap();
    let mut cursor = reader.cursor(&Filter::default()).unwrap();
    assert!(cursor.wait(LONG).unwrap());
    assert_eq!(cursor.next().unwrap().unwrap().id, 1);
    assert_eq!(waits.load(Ordering::Relaxed), 0);
}

#[test]
fn waiting_continues_over_a_roll_a_close_and_a_writer_that_begins_anew() {
    let scratch = tempfile::tempdir().unwrap();
    let mut writer = Writer::open(scratch.path(), options()).unwrap();
    let mut cursor = cursor_at(scratch.path());
    for id in 1..=8 {
        match id % 4 {
            0 => {
                writer.close().unwrap();
                nothing_comes(&mut cursor);
                writer = Writer::open(scratch.path(), options()).unwrap();
            }
            2 => writer.roll().unwrap(),
            _ => (),
        }
        nothing_comes(&mut cursor);
        let took = std::thread::scope(|scope| {
            let writer = &writer;
            scope.spawn(move || {
                std::thread::sleep(Duration::from_millis(5));
                writer.append(1, b"more").unwrap();
            });
            woken(&mut cursor)
        });
        assert!(took < LONG / 4, "{id}: {took:?}");
        assert_eq!(ids(&mut cursor), [id]);
    }
}

#[test]
fn a_filter_is_waited_for_and_events_when_they_are_asked_for() {
    let scratch = tempfile::tempdir().unwrap();
    let writer = Writer::open(scratch.path(), options()).unwrap();
    writer.append(1, b"one").unwrap();
    let reader = Reader::open(scratch.path(), ReaderOptions::default()).unwrap();
    let mut twos = reader.cursor(&Filter { types: vec![2], ..Filter::default() }).unwrap();
    let mut events = reader.cursor(&Filter { types: vec![event::TYPE], events: true, ..Filter::default() }).unwrap();
    nothing_comes(&mut twos);
    nothing_comes(&mut events);
    writer.type_id("job", "").unwrap();
    writer.append(1, b"one").unwrap();
    nothing_comes(&mut twos);
    assert!(woken(&mut events) < LONG / 4);
    writer.append(2, b"two").unwrap();
    assert!(woken(&mut twos) < LONG / 4);
    assert_eq!(ids(&mut twos), [3]);
    let newest = Filter { newest_first: true, ..Filter::default() };
    let mut backward = reader.cursor(&newest).unwrap();
    assert!(backward.wait(Duration::ZERO).unwrap());
    assert_eq!(ids(&mut backward), [3, 2, 1]);
    nothing_comes(&mut backward);
}

#[test]
fn a_salvaging_cursor_waits_and_damage_ends_the_waiting() {
    let directory = MemoryDirectory::new();
    let writer = Writer::open(Arc::new(directory.clone()), options()).unwrap();
    writer.append(1, b"one").unwrap();
    let open = |mode| {
        let options = ReaderOptions { mode, ..ReaderOptions::default() };
        Reader::open(Arc::new(directory.clone()), options).unwrap().cursor(&Filter::default()).unwrap()
    };
    let mut salvaging = open(ReaderMode::Salvage);
    assert_eq!(ids(&mut salvaging), [1]);
    nothing_comes(&mut salvaging);
    writer.append(1, b"two").unwrap();
    assert!(salvaging.wait(LONG).unwrap());
    assert_eq!(ids(&mut salvaging), [2]);
    writer.close().unwrap();
    let name = "default.0000000001.binlog";
    let mut bytes = directory.contents(name).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 16].fill(0xee);
    directory.set_contents(name, bytes);
    let mut cursor = open(ReaderMode::Prefix);
    let failed = loop {
        match cursor.wait(Duration::ZERO) {
            Ok(true) => drop(cursor.next().map(|_| ())),
            other => break other,
        }
    };
    assert_eq!(failed.unwrap_err().kind(), Kind::Corrupt);
}

#[test]
fn an_interrupt_ends_one_waiting_from_another_thread_or_before_it_begins() {
    let scratch = tempfile::tempdir().unwrap();
    let writer = Writer::open(scratch.path(), options()).unwrap();
    let pattern = scratch.path().join("*.binlog");
    for path in [scratch.path(), &pattern] {
        writer.append(1, b"there").unwrap();
        let mut cursor = cursor_at(path);
        while cursor.next().unwrap().is_some() {}
        let interrupter = cursor.interrupter();
        interrupter.interrupt();
        interrupter.interrupt();
        for timeout in [LONG, Duration::ZERO] {
            assert_eq!(cursor.wait(timeout).unwrap_err().kind(), Kind::Interrupted);
            nothing_comes(&mut cursor);
            interrupter.interrupt();
        }
        assert_eq!(cursor.wait(LONG).unwrap_err().kind(), Kind::Interrupted);
        let began = Instant::now();
        std::thread::scope(|scope| {
            let interrupter = interrupter.clone();
            scope.spawn(move || {
                std::thread::sleep(SHORT);
                interrupter.interrupt();
            });
            assert_eq!(cursor.wait(LONG).unwrap_err().kind(), Kind::Interrupted);
        });
        assert!(began.elapsed() < LONG / 4);
        interrupter.interrupt();
        assert!(cursor.next().unwrap().is_none(), "other calls are not concerned");
        assert_eq!(cursor.wait(LONG).unwrap_err().kind(), Kind::Interrupted);
        writer.append(1, b"more").unwrap();
        assert!(woken(&mut cursor) < LONG / 4, "nothing was lost by it");
        drop(cursor);
        interrupter.interrupt();
    }
}

#[test]
fn a_signal_ends_the_waiting() {
    extern "C" fn nothing(_: libc::c_int) {}
    // SAFETY: the handler does nothing; the struct is filled before it is used.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = nothing as *const () as usize;
        action.sa_flags = libc::SA_RESTART;
        assert_eq!(libc::sigaction(libc::SIGUSR1, &action, std::ptr::null_mut()), 0);
    }
    let scratch = tempfile::tempdir().unwrap();
    let _writer = Writer::open(scratch.path(), options()).unwrap();
    let mut cursor = cursor_at(scratch.path());
    // SAFETY: only returns the id of this thread.
    let thread = unsafe { libc::pthread_self() } as usize;
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                // SAFETY: the thread waits for this one to end, and so is there.
                unsafe { libc::pthread_kill(thread as libc::pthread_t, libc::SIGUSR1) };
                std::thread::sleep(SHORT);
            }
        });
        let began = Instant::now();
        let waited = cursor.wait(LONG);
        // In any case, the other thread ends.
        done.store(true, Ordering::Relaxed);
        let error = waited.unwrap_err();
        assert_eq!((error.kind(), error.reason()), (Kind::Interrupted, "a signal came while the cursor waited"));
        assert!(began.elapsed() < LONG / 4);
    });
    // A last one may come.
    std::thread::sleep(2 * SHORT);
    nothing_comes(&mut cursor);
}

/// Whether the descriptor becomes readable within this time.
fn is_readable(descriptor: i32, within: Duration) -> bool {
    let mut asked = libc::pollfd { fd: descriptor, events: libc::POLLIN, revents: 0 };
    // SAFETY: one pollfd, which outlives the call.
    unsafe { libc::poll(&mut asked, 1, within.as_millis() as i32) == 1 }
}

#[test]
fn a_descriptor_is_readable_while_there_is_something_to_look_for() {
    let scratch = tempfile::tempdir().unwrap();
    let mut writer = Writer::open(scratch.path(), options()).unwrap();
    let mut cursors: Vec<_> = (0..3).map(|_| cursor_at(scratch.path())).collect();
    let descriptors: Vec<i32> = cursors
        .iter_mut()
        .map(|cursor| {
            let (descriptor, look_after) = cursor.descriptor().unwrap();
            let descriptor = descriptor.as_raw_fd();
            assert!(look_after >= Duration::from_secs(1));
            assert_eq!(cursor.descriptor().unwrap().0.as_raw_fd(), descriptor, "the same one each time");
            descriptor
        })
        .collect();
    // At first, a descriptor is readable, so that the cursor looks for older records.
    for (cursor, &descriptor) in cursors.iter_mut().zip(&descriptors) {
        assert!(is_readable(descriptor, Duration::ZERO));
        assert!(!cursor.wait(Duration::ZERO).unwrap());
        assert!(!is_readable(descriptor, SHORT));
    }
    for id in 1..=30 {
        match id % 10 {
            0 => writer.roll().unwrap(),
            5 => {
                writer.close().unwrap();
                writer = Writer::open(scratch.path(), options()).unwrap();
            }
            _ => (),
        }
        writer.append(1, b"more").unwrap();
        for (cursor, &descriptor) in cursors.iter_mut().zip(&descriptors) {
            assert!(is_readable(descriptor, LONG), "{id}");
            assert!(cursor.wait(Duration::ZERO).unwrap(), "{id}");
            assert_eq!(ids(cursor), [id]);
        }
        // Wake-ups for anything else.
        for (cursor, &descriptor) in cursors.iter_mut().zip(&descriptors) {
            assert!(!cursor.wait(Duration::ZERO).unwrap());
            assert!(!is_readable(descriptor, Duration::ZERO), "{id}");
        }
    }
    cursors[1].interrupter().interrupt();
    assert!(is_readable(descriptors[1], Duration::ZERO) && !is_readable(descriptors[0], Duration::ZERO));
    assert_eq!(cursors[1].wait(Duration::ZERO).unwrap_err().kind(), Kind::Interrupted);
    assert!(!is_readable(descriptors[1], Duration::ZERO));
    // It waits as before, too.
    nothing_comes(&mut cursors[0]);
}

/// How many descriptors of this process are of this kind.
fn descriptors_of(what: &str) -> usize {
    let links = std::fs::read_dir("/proc/self/fd").unwrap().flatten();
    links
        .filter(|link| std::fs::read_link(link.path()).is_ok_and(|target| target.to_string_lossy().ends_with(what)))
        .count()
}

/// Time on processors that this process has taken.
fn processor_time() -> Duration {
    // SAFETY: the struct is filled by the call.
    let used = unsafe {
        let mut used: libc::rusage = std::mem::zeroed();
        assert_eq!(libc::getrusage(libc::RUSAGE_SELF, &mut used), 0);
        used
    };
    let of = |time: libc::timeval| Duration::new(time.tv_sec as u64, time.tv_usec as u32 * 1000);
    of(used.ru_utime) + of(used.ru_stime)
}

/// Alone in its process: other tests would count.
#[test]
#[ignore = "is started by the test of idle cursors"]
fn wait_with_a_thousand_cursors() {
    const CURSORS: usize = 1000;
    let scratch = tempfile::tempdir().unwrap();
    let writer = Writer::open(scratch.path(), WriterOptions { background: false, ..options() }).unwrap();
    // SAFETY: two plain calls, and a struct that outlives them.
    unsafe {
        let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit);
        limit.rlim_cur = limit.rlim_max;
        libc::setrlimit(libc::RLIMIT_NOFILE, &limit);
    }
    let reader = Reader::open(scratch.path(), ReaderOptions::default()).unwrap();
    let mut cursors: Vec<_> = (0..CURSORS).map(|_| reader.cursor(&Filter::default()).unwrap()).collect();
    let mut asked: Vec<_> = cursors
        .iter_mut()
        .map(|cursor| libc::pollfd { fd: cursor.descriptor().unwrap().0.as_raw_fd(), events: libc::POLLIN, revents: 0 })
        .collect();
    let mut wait = |cursors: &mut Vec<Cursor>, timeout: Duration| {
        // SAFETY: so many pollfds, which outlive the call.
        unsafe { libc::poll(asked.as_mut_ptr(), asked.len() as libc::nfds_t, timeout.as_millis() as i32) };
        let ready = asked.iter().zip(cursors).filter(|(asked, _)| asked.revents != 0);
        ready.map(|(_, cursor)| usize::from(cursor.wait(Duration::ZERO).unwrap())).sum::<usize>()
    };
    assert_eq!(wait(&mut cursors, Duration::ZERO), 0);
    assert_eq!(descriptors_of("inotify"), 3, "one for 400 of them");
    assert_eq!(std::fs::read_dir("/proc/self/task").unwrap().count(), 2, "the test's two threads, and no other");
    let (began, used) = (Instant::now(), processor_time());
    while began.elapsed() < Duration::from_secs(5) {
        assert_eq!(wait(&mut cursors, Duration::from_secs(5).saturating_sub(began.elapsed())), 0);
    }
    let (used, took) = (processor_time() - used, began.elapsed());
    assert!(used < took / 100, "{used:?} of {took:?}");
    writer.append(1, b"for all of them").unwrap();
    let (mut woken, began) = (0, Instant::now());
    while woken < CURSORS && began.elapsed() < LONG {
        woken += wait(&mut cursors, LONG);
        for cursor in &mut cursors {
            while cursor.next().unwrap().is_some() {}
        }
    }
    assert_eq!(woken, CURSORS);
}

#[test]
fn a_thousand_idle_cursors_take_no_thread_few_inotify_instances_and_next_to_no_time() {
    let ran = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            &full_name(module_path!(), "wait_with_a_thousand_cursors"),
            "--ignored",
            "--test-threads",
            "1",
        ])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success() && text.contains("1 passed"), "{text}");
}

/// Not a test: the writer that another test kills.
#[test]
#[ignore = "is started by the test of a killed writer"]
fn write_until_killed() {
    let Ok(path) = std::env::var("BINLOG_WAIT_PATH") else { return };
    let writer = Writer::open(path, options()).unwrap();
    loop {
        let id = writer.append(1, b"from a child").unwrap();
        if id.is_multiple_of(50) {
            writer.roll().unwrap();
        }
        std::thread::sleep(Duration::from_micros(200));
    }
}

#[test]
fn a_writer_that_is_killed_and_started_again_in_another_process_is_followed() {
    let scratch = tempfile::tempdir().unwrap();
    Writer::open(scratch.path(), options()).unwrap().close().unwrap();
    let mut cursor = cursor_at(scratch.path());
    let mut next = 1;
    for round in 1..=4 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", &full_name(module_path!(), "write_until_killed"), "--ignored"])
            .env("BINLOG_WAIT_PATH", scratch.path())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let target = round * 120;
        while next < target {
            assert!(woken(&mut cursor) < LONG / 2);
            while let Some(record) = cursor.next().unwrap() {
                assert_eq!(record.id, next);
                next += 1;
            }
        }
        child.kill().unwrap();
        child.wait().unwrap();
        while cursor.wait(SHORT).unwrap() {
            let record = cursor.next().unwrap().unwrap();
            assert_eq!(record.id, next);
            next += 1;
        }
    }
}

fn copy_of(from: &Path, to: &Path) {
    std::fs::create_dir(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

/// A log that ends with one record, and a cursor after it.
fn followed(path: &Path) -> Cursor {
    let writer = Writer::open(path, options()).unwrap();
    writer.append(1, b"first").unwrap();
    writer.close().unwrap();
    let mut cursor = cursor_at(path);
    assert_eq!(ids(&mut cursor), [1]);
    nothing_comes(&mut cursor);
    cursor
}

/// Polls the descriptor of the cursor until the cursor reports records or an error.
fn poll_until_reported(cursor: &mut Cursor) -> Result<bool, Kind> {
    let (descriptor, began) = (cursor.descriptor().unwrap().0.as_raw_fd(), Instant::now());
    while began.elapsed() < LONG {
        let mut asked = libc::pollfd { fd: descriptor, events: libc::POLLIN, revents: 0 };
        // SAFETY: one pollfd, which outlives the call.
        unsafe { libc::poll(&mut asked, 1, LONG.as_millis() as i32) };
        match cursor.wait(Duration::ZERO) {
            Ok(false) => (),
            Ok(true) => return Ok(true),
            Err(error) => return Err(error.kind()),
        }
    }
    Ok(false)
}

#[test]
fn a_log_whose_files_are_replaced_is_reported_to_a_cursor_that_waits() {
    for way in ["a copy", "a new log", "a new log, further on"] {
        for polled in [false, true] {
            let scratch = tempfile::tempdir().unwrap();
            let (path, kept) = (scratch.path().join("log"), scratch.path().join("kept"));
            let mut cursor = followed(&path);
            copy_of(&path, &kept);
            let replacing = std::thread::spawn({
                let path = path.clone();
                move || {
                    std::thread::sleep(SHORT);
                    std::fs::remove_dir_all(&path).unwrap();
                    std::thread::sleep(SHORT);
                    if way == "a copy" {
                        copy_of(&kept, &path);
                    }
                    let writer = Writer::open(&path, options()).unwrap();
                    writer.append(1, b"another").unwrap();
                    if way == "a new log, further on" {
                        writer.roll().unwrap();
                        writer.append(1, b"and more").unwrap();
                        std::fs::remove_file(path.join("default.0000000001.binlog")).unwrap();
                    }
                    writer
                }
            });
            let began = Instant::now();
            // While the directory is missing, that is reported.
            let outcome = loop {
                let outcome = match polled {
                    true => poll_until_reported(&mut cursor),
                    false => cursor.wait(LONG).map_err(|error| error.kind()),
                };
                match outcome {
                    Err(Kind::NotFound) if began.elapsed() < LONG => std::thread::sleep(SHORT),
                    outcome => break outcome,
                }
            };
            assert_eq!(outcome, Err(Kind::Mismatch), "{way}, {polled}");
            assert!(began.elapsed() < LONG / 2, "{way}, {polled}: {:?}", began.elapsed());
            assert_eq!(cursor.next().unwrap_err().kind(), Kind::Mismatch);
            replacing.join().unwrap().close().unwrap();
            assert!(!ids(&mut cursor_at(&path)).is_empty());
        }
    }
}

/// As when the cursor does not get to look before all of it has happened.
#[test]
fn a_new_log_whose_first_segment_is_gone_before_it_is_seen_is_not_shown_as_the_rest_of_the_old_one() {
    for waits in [false, true] {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("log");
        let mut cursor = followed(&path);
        std::fs::remove_dir_all(&path).unwrap();
        let writer = Writer::open(&path, options()).unwrap();
        writer.append(1, b"another").unwrap();
        writer.roll().unwrap();
        writer.append(1, b"and more").unwrap();
        std::fs::remove_file(path.join("default.0000000001.binlog")).unwrap();
        if waits {
            assert_eq!(cursor.wait(LONG).unwrap_err().kind(), Kind::Mismatch);
        }
        let next = cursor.next().map(|record| record.map(|record| record.id)).map_err(|error| error.kind());
        assert_eq!(next, Err(Kind::Mismatch));
        writer.close().unwrap();
    }
}

#[test]
fn a_directory_that_was_away_is_followed_again_when_it_is_back() {
    let scratch = tempfile::tempdir().unwrap();
    let (path, away) = (scratch.path().join("log"), scratch.path().join("away"));
    let mut cursor = followed(&path);
    let moving = std::thread::spawn({
        let path = path.clone();
        move || {
            std::thread::sleep(SHORT);
            std::fs::rename(&path, &away).unwrap();
            std::thread::sleep(10 * SHORT);
            let writer = Writer::open(&away, options()).unwrap();
            std::fs::rename(&away, &path).unwrap();
            writer.append(1, b"second").unwrap();
            writer
        }
    });
    let began = Instant::now();
    loop {
        match poll_until_reported(&mut cursor) {
            Err(Kind::NotFound) if began.elapsed() < LONG => (),
            outcome => break assert_eq!(outcome, Ok(true)),
        }
    }
    assert!(began.elapsed() < LONG / 4, "{:?}", began.elapsed());
    assert_eq!(ids(&mut cursor), [2]);
    drop(moving.join().unwrap());
}

/// While a removed file of it is open, the system does not report that a directory was removed.
#[test]
fn a_directory_that_is_removed_is_reported_to_a_caller_that_polls() {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("log");
    let mut cursor = followed(&path);
    let removing = std::thread::spawn({
        let path = path.clone();
        move || {
            std::thread::sleep(SHORT);
            std::fs::read_dir(&path).unwrap().for_each(|entry| std::fs::remove_file(entry.unwrap().path()).unwrap());
            std::thread::sleep(10 * SHORT);
            std::fs::remove_dir(&path).unwrap();
        }
    });
    let began = Instant::now();
    assert_eq!(poll_until_reported(&mut cursor), Err(Kind::NotFound));
    assert!(began.elapsed() < LONG / 4, "{:?}", began.elapsed());
    removing.join().unwrap();
}
