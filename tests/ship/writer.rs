//! A writer that ships its closed segments itself, to a directory.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::shipping::*;
use binlog::hooks::Hooks;
use binlog::rolling::RollOptions;
use binlog::shipping::{ShipOptions, ShipState, Shipper};
use binlog::{Kind, Reader, ReaderOptions, Writer, WriterOptions};
use parking_lot::Mutex;
use tempfile::tempdir;

/// Longer than anything takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

#[track_caller]
fn until(what: &str, mut done: impl FnMut() -> bool) {
    let began = Instant::now();
    while !done() {
        assert!(began.elapsed() < PATIENCE, "waited too long until {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn to(store: &Path) -> ShipOptions {
    ShipOptions { url: format!("file://{}", store.display()), close_wait: PATIENCE, ..options() }
}

fn shipping(store: &Path) -> WriterOptions {
    WriterOptions { ship: Some(to(store)), ..writer_options() }
}

fn names(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.retain(|name| name.ends_with(".binlog") && !name.starts_with('.'));
    names.sort();
    names
}

#[test]
fn a_roll_ships_the_closed_segment_and_closing_ships_the_rest() {
    let (log, store) = (tempdir().unwrap(), tempdir().unwrap());
    for background in [false, true] {
        let writer = Writer::open(log.path(), WriterOptions { background, ..shipping(store.path()) }).unwrap();
        let before = names(store.path()).len() as u64;
        writer.append(1, &payload(1)).unwrap();
        writer.roll().unwrap();
        until("the segment is shipped", || names(store.path()).len() as u64 > before);
        until("that is reported", || writer.ship_status().unwrap().unwrap().uploaded_segments > 0);
        assert!(writer.ship_metrics().unwrap().contains("binlog_ship_uploaded_segments_total{log=\"orders\""));
        writer.append(1, &payload(2)).unwrap();
        writer.close().unwrap();
        let (here, there) = (names(log.path()), names(store.path()));
        assert_eq!(here[..here.len() - 1], there, "all but the last one, which is empty");
        for name in there {
            assert_eq!(
                std::fs::read(log.path().join(&name)).unwrap(),
                std::fs::read(store.path().join(&name)).unwrap()
            );
        }
    }
    let reader = Reader::open(store.path(), ReaderOptions::default()).unwrap();
    let mut cursor = reader.cursor(&binlog::Filter::default()).unwrap();
    let mut records = 0;
    while cursor.next().unwrap().is_some() {
        records += 1;
    }
    assert_eq!(records, 4);
    // The log has no shipper any longer.
    drop(Shipper::open(log.path(), None, to(store.path())).unwrap());
}

#[test]
fn a_store_that_fails_is_reported_keeps_old_segments_here_and_gets_all_of_them_later() {
    let (log, store) = (tempdir().unwrap(), tempdir().unwrap());
    let place = store.path().join("archive");
    std::fs::create_dir(&place).unwrap();
    let failures = Arc::new(Mutex::new(vec![]));
    let heard = failures.clone();
    let hooks =
        Hooks { on_failure: Some(Arc::new(move |error| heard.lock().push(error.to_string()))), ..Hooks::default() };
    let options = WriterOptions { hooks, keep: keep(2), ..shipping(&place) };
    let writer = Writer::open(log.path(), options).unwrap();
    std::fs::remove_dir(&place).unwrap();
    for id in 1..=5 {
        writer.append(1, &payload(id)).unwrap();
        writer.roll().unwrap();
    }
    until("the failure is reported", || !failures.lock().is_empty());
    assert_eq!(names(log.path()).len(), 6, "nothing goes that is not in the store");
    let status = || writer.ship_status().unwrap().unwrap();
    until("the failure is counted", || status().failures > 0 && writer.failures() > 0);
    until("all five wait", || status().waiting_segments == 5);
    assert!(status().last_failure.is_some() && status().oldest_waiting.is_some());
    std::fs::create_dir(&place).unwrap();
    until("all are shipped", || names(&place).len() == 5);
    until("that is reported", || writer.ship_status().unwrap().unwrap().shipped_up_to == 5);
    // The next roll removes what is safe now.
    writer.append(1, &payload(6)).unwrap();
    writer.roll().unwrap();
    assert!(names(log.path()).len() < 6, "{:?}", names(log.path()));
    writer.close().unwrap();
}

#[test]
fn a_writer_opens_beside_another_shipper_and_takes_over_when_that_ends() {
    let (log, store) = (tempdir().unwrap(), tempdir().unwrap());
    Writer::open(log.path(), writer_options()).unwrap().close().unwrap();
    let other = Shipper::open(log.path(), None, to(store.path())).unwrap();
    let writer = Writer::open(log.path(), shipping(store.path())).unwrap();
    writer.append(1, b"x").unwrap();
    writer.roll().unwrap();
    until("it is reported", || {
        let status = writer.ship_status().unwrap().unwrap();
        status.last_failure.is_some_and(|(error, _)| error.kind() == Kind::Locked) && status.state == ShipState::Waiting
    });
    drop(other);
    until("the segment is shipped", || !names(store.path()).is_empty());
    writer.close().unwrap();
}

#[test]
fn closing_does_not_wait_for_a_store_that_does_not_answer() {
    let log = tempdir().unwrap();
    let archive = ShipOptions {
        url: "exec:sleep 600; test -n \"$BINLOG_PATH\"".to_owned(),
        close_wait: Duration::from_millis(50),
        ..options()
    };
    let writer = Writer::open(log.path(), WriterOptions { ship: Some(archive), ..writer_options() }).unwrap();
    writer.append(1, b"x").unwrap();
    writer.roll().unwrap();
    until("it is at work", || writer.ship_status().unwrap().unwrap().state == ShipState::Working);
    let began = Instant::now();
    writer.close().unwrap();
    assert!(began.elapsed() < PATIENCE);
    // The log can be opened again, and nothing is lost.
    let writer = Writer::open(log.path(), writer_options()).unwrap();
    assert_eq!(writer.append(1, b"y").unwrap(), 2);
}

#[test]
fn what_cannot_be_shipped_is_refused_before_anything_is_made() {
    let scratch = tempdir().unwrap();
    let archive =
        |url: &str| WriterOptions { ship: Some(ShipOptions { url: url.to_owned(), ..options() }), ..writer_options() };
    let log = scratch.path().join("log");
    for url in ["", "ftp://host/a", "file:relative", "s3://user:secret@bucket/a"] {
        let error = Writer::open(&log, archive(url)).err().unwrap();
        assert!(!error.to_string().contains("secret"), "{error}");
        assert!(!log.exists() || names(&log).is_empty(), "{url}");
    }
    let good = archive(&format!("file://{}", scratch.path().display()));
    assert_eq!(Writer::open_file(scratch.path().join("one"), good.clone()).err().unwrap().kind(), Kind::Unsupported);
    let unsafe_keep =
        ShipOptions { keep: binlog::rolling::Retention { unshipped: true, ..keep(1) }, ..good.ship.clone().unwrap() };
    let error = Writer::open(&log, WriterOptions { ship: Some(unsafe_keep), ..writer_options() }).err().unwrap();
    assert_eq!(error.kind(), Kind::Invalid);
}

#[test]
fn shipping_continues_while_a_log_rolls_all_the_time() {
    let (log, store) = (tempdir().unwrap(), tempdir().unwrap());
    let roll = RollOptions { records: Some(5), ..RollOptions::default() };
    let archive = ShipOptions { keep: keep(3), ..to(store.path()) };
    let options = WriterOptions { background: true, roll, ship: Some(archive), ..writer_options() };
    let writer = Writer::open(log.path(), options).unwrap();
    for id in 1..=300 {
        assert_eq!(writer.append(1, &payload(id)).unwrap(), id);
    }
    writer.close().unwrap();
    assert_eq!(names(log.path()).len(), 3);
    let there =
        names(store.path()).into_iter().map(|name| (name.clone(), std::fs::read(store.path().join(name)).unwrap()));
    let records = records(&there.collect());
    assert!((1..=300).all(|id| records[&id] == payload(id)) && records.len() == 300);
}

/// Before the first segment was shipped, nothing says that the log is shipped but the option.
#[test]
fn a_log_that_is_shipped_from_now_on_keeps_what_no_store_holds() {
    for (background, keep_in_ship) in [(false, false), (true, false), (false, true)] {
        let (log, store) = (tempdir().unwrap(), tempdir().unwrap());
        let writer = Writer::open(log.path(), writer_options()).unwrap();
        let mut next_id = 1;
        (0..10).for_each(|_| append_and_roll(&writer, &mut next_id, 3));
        writer.close().unwrap();
        let mut options = WriterOptions { background, keep: keep(3), ..shipping(store.path()) };
        if keep_in_ship {
            options.ship = options.ship.map(|ship| ShipOptions { keep: keep(3), ..ship });
        }
        let writer = Writer::open(log.path(), options).unwrap();
        (0..3).for_each(|_| append_and_roll(&writer, &mut next_id, 3));
        writer.close().unwrap();
        let there: Vec<String> = names(store.path());
        let everywhere: std::collections::BTreeSet<String> = names(log.path()).into_iter().chain(there).collect();
        for sequence in 1..=13 {
            assert!(everywhere.contains(&name(sequence)), "{sequence} is nowhere: {everywhere:?}");
        }
    }
}

/// As with an archive that is not mounted when the log is shipped for the first time.
#[test]
fn a_first_run_whose_store_cannot_be_opened_keeps_everything_here() {
    let (log, stores) = (tempdir().unwrap(), tempdir().unwrap());
    let writer = Writer::open(log.path(), writer_options()).unwrap();
    let mut next_id = 1;
    (0..6).for_each(|_| append_and_roll(&writer, &mut next_id, 1));
    writer.close().unwrap();
    let url = |text: String| ShipOptions { url: text, ..options() };
    let wrong = Shipper::open(log.path(), None, url("nothing://x".to_owned())).err().unwrap();
    assert_eq!(wrong.kind(), Kind::Invalid, "{wrong}");
    let missing = stores.path().join("not-mounted");
    let error = Shipper::open(log.path(), None, url(format!("file://{}", missing.display()))).err().unwrap();
    assert_eq!(error.kind(), Kind::NotFound, "{error}");
    assert_eq!(binlog::rolling::prune(log.path(), None, &keep(2), false).unwrap(), []);
    assert_eq!(names(log.path()).len(), 7);
    let anyway = binlog::rolling::Retention { unshipped: true, ..keep(2) };
    assert_eq!(binlog::rolling::prune(log.path(), None, &anyway, false).unwrap().len(), 5);
}
