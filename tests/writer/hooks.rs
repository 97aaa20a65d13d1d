//! Hooks at the beginning and end of segments, and what else happens beside the writing: `.active`, old segments.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use crate::common::time::*;
use crate::common::*;
use binlog::hooks::{Hook, Hooks, SegmentFile};
use binlog::io::{Directory, Fault, MemoryDirectory, Operation};
use binlog::rolling::SegmentState;
use binlog::rolling::{Period, Retention, RollCheck, RollOptions};
use binlog::{Kind, NewRecord, Reader, ReaderMode, ReaderOptions};
use binlog::{Writer, WriterOptions};

type Calls = Arc<Mutex<Vec<String>>>;

fn hook(calls: &Calls, name: &'static str, place: Option<&'static str>) -> Hook {
    let calls = calls.clone();
    Arc::new(move |file: &SegmentFile| {
        let SegmentFile { path, sequence, first_id, records, reason, .. } = file;
        let line = format!("{name} {} {sequence} {first_id}+{records} {reason}", path.display());
        calls.lock().unwrap().push(line);
        Ok(place.map(PathBuf::from))
    })
}

fn append_many(writer: &Writer, count: u64) {
    for _ in 0..count {
        writer.append(1, b"x").unwrap();
    }
}

/// An error of the library's own, for a hook to fail with.
fn an_error() -> binlog::Error {
    Reader::open("/nowhere at all", ReaderOptions::default()).err().unwrap()
}

fn reports(calls: &Calls) -> binlog::hooks::OnFailure {
    let calls = calls.clone();
    Arc::new(move |error| calls.lock().unwrap().push(format!("failure: {error}")))
}

#[test]
fn hooks_are_called_in_order_for_each_segment_the_last_among_them_and_get_the_place_that_the_one_before_returns() {
    for background in [false, true] {
        let calls = Calls::default();
        let hooks = Hooks {
            on_open: vec![hook(&calls, "open", None)],
            on_close: vec![
                hook(&calls, "first", Some("/moved")),
                hook(&calls, "second", None),
                hook(&calls, "third", None),
            ],
            on_failure: Some(reports(&calls)),
        };
        let directory = MemoryDirectory::new();
        let options = WriterOptions { hooks, background, ..WriterOptions::default() };
        let writer = Writer::open(Arc::new(directory), options).unwrap();
        writer.append(1, b"a").unwrap();
        writer.append(1, b"b").unwrap();
        writer.roll_because("shift").unwrap();
        writer.append(1, b"c").unwrap();
        writer.close().unwrap();
        let file = |n: u32| format!("memory:/default.000000000{n}.binlog");
        let (one, two) = (file(1), file(2));
        let expected = [
            format!("open {one} 1 1+0 "),
            format!("first {one} 1 1+2 shift"),
            "second /moved 1 1+2 shift".to_owned(),
            "third /moved 1 1+2 shift".to_owned(),
            format!("open {two} 2 3+0 "),
            format!("first {two} 2 3+1 close"),
            "second /moved 2 3+1 close".to_owned(),
            "third /moved 2 3+1 close".to_owned(),
        ];
        assert_eq!(*calls.lock().unwrap(), expected, "background: {background}");
    }
}

#[test]
fn hooks_are_called_in_the_order_of_segments_when_several_threads_roll() {
    for round in 0..8 {
        let calls: Arc<Mutex<Vec<(u64, &str)>>> = Arc::default();
        let note = |what: &'static str| -> Hook {
            let calls = calls.clone();
            Arc::new(move |file: &SegmentFile| {
                calls.lock().unwrap().push((file.sequence, what));
                Ok(None)
            })
        };
        let options = WriterOptions {
            roll: RollOptions { records: Some(1), ..RollOptions::default() },
            hooks: Hooks { on_open: vec![note("open")], on_close: vec![note("close")], on_failure: None },
            ..WriterOptions::default()
        };
        let writer = Writer::open(Arc::new(MemoryDirectory::new()), options).unwrap();
        std::thread::scope(|scope| {
            for thread in 0..6 {
                let writer = &writer;
                scope.spawn(move || {
                    for i in 0..60 {
                        writer.append(1, b"x").unwrap();
                        match (i + thread) % 3 {
                            0 => writer.flush().unwrap(),
                            1 => writer.roll().unwrap(),
                            _ => writer.tick().unwrap(),
                        }
                    }
                });
            }
        });
        writer.close().unwrap();
        let calls = calls.lock().unwrap();
        let last = calls.last().unwrap().0;
        assert!(last > 100);
        let expected: Vec<_> = (1..=last).flat_map(|sequence| [(sequence, "open"), (sequence, "close")]).collect();
        assert!(*calls == expected, "round {round}");
    }
}

#[test]
fn a_hook_that_fails_or_panics_is_reported_and_the_others_still_run() {
    let calls = Calls::default();
    let on_close: Vec<Hook> = vec![
        Arc::new(|_: &SegmentFile| Err(an_error())),
        Arc::new(|_: &SegmentFile| panic!("a defect of the hook")),
        hook(&calls, "last", None),
    ];
    let hooks = Hooks { on_open: vec![], on_close, on_failure: Some(reports(&calls)) };
    let options = WriterOptions { hooks, ..WriterOptions::default() };
    let writer = Writer::open(Arc::new(MemoryDirectory::new()), options).unwrap();
    writer.append(1, b"a").unwrap();
    writer.roll().unwrap();
    assert_eq!(writer.failures(), 2);
    let calls = calls.lock().unwrap().clone();
    assert_eq!(calls.len(), 3, "{calls:?}");
    assert!(calls[0].starts_with("failure: ") && calls[0].contains("a hook failed"), "{calls:?}");
    assert!(calls[1].contains("panicked") && calls[1].contains("default.0000000001.binlog"), "{calls:?}");
    assert!(calls[2].starts_with("last "), "{calls:?}");
    writer.append(1, b"still works").unwrap();
    writer.close().unwrap();
}

/// The segment is on the disk when on_close is called: a loss of power at that moment leaves it whole.
#[test]
fn a_segment_is_durable_and_closed_when_its_hooks_are_called() {
    use binlog::io::{PowerDirectory, Survival};
    let power = PowerDirectory::new();
    let seen: Arc<Mutex<Vec<usize>>> = Arc::default();
    let (inside, counts) = (power.clone(), seen.clone());
    let check: Hook = Arc::new(move |file: &SegmentFile| {
        let image = inside.image(Survival::Nothing).directory;
        let reader =
            Reader::open(Arc::new(image), ReaderOptions { mode: ReaderMode::Salvage, ..ReaderOptions::default() });
        let rows = rows_of(&reader.unwrap());
        let last = file.first_id + file.records - 1;
        counts.lock().unwrap().push(rows.iter().filter(|row| row.id <= last).count());
        assert!(rows.len() as u64 >= last, "{} of {last} records survive", rows.len());
        Ok(None)
    });
    let hooks = Hooks { on_close: vec![check], ..Hooks::default() };
    let writer = Writer::open(Arc::new(power), WriterOptions { hooks, ..WriterOptions::default() }).unwrap();
    for i in 0..30u64 {
        writer.append(1, &i.to_le_bytes()).unwrap();
        if i % 10 == 9 {
            writer.roll().unwrap();
        }
    }
    assert_eq!(writer.failures(), 0);
    writer.close().unwrap();
    assert_eq!(seen.lock().unwrap()[..3], [10, 20, 30]);
}

/// The segment is closed during an fdatasync that covers only what the segment held before.
#[test]
fn a_segment_that_was_closed_beside_a_sync_is_durable_when_its_hooks_are_called() {
    use crate::common::interposed::Interposed;
    use binlog::io::{PowerDirectory, Survival};
    use std::sync::mpsc::sync_channel;
    let (power, writer) = (PowerDirectory::new(), Arc::new(Mutex::new(None::<Arc<Writer>>)));
    let (opened, release) = (sync_channel::<()>(0), sync_channel::<()>(0));
    // The maintenance thread is busy with the beginning of the second segment until the sync is over.
    let (send_opened, wait_released) = (opened.0, Mutex::new(release.1));
    let on_open: Hook = Arc::new(move |file: &SegmentFile| {
        if file.sequence == 2 {
            send_opened.send(()).unwrap();
            wait_released.lock().unwrap().recv().unwrap();
        }
        Ok(None)
    });
    let (inside, survived) = (power.clone(), Arc::new(Mutex::new(vec![])));
    let noted = survived.clone();
    let on_close: Hook = Arc::new(move |file: &SegmentFile| {
        let image = Arc::new(inside.image(Survival::Nothing).directory);
        let salvage = ReaderOptions { mode: ReaderMode::Salvage, ..ReaderOptions::default() };
        let rows = rows_of(&Reader::open(image, salvage).unwrap());
        let ids = file.first_id..file.first_id + file.records;
        noted.lock().unwrap().push(rows.iter().filter(|row| ids.contains(&row.id)).count());
        Ok(None)
    });
    let inside = writer.clone();
    let on_sync = move |name: &str| {
        // Once: the appends below make the log roll, and that syncs, too.
        let writer = if name.contains("0002") { inside.lock().unwrap().take() } else { None };
        if let Some(writer) = writer {
            for _ in 0..4 {
                writer.append(1, b"behind the sync").unwrap();
            }
            writer.flush().unwrap();
        }
    };
    let directory = Interposed { on_sync: Some(Arc::new(on_sync)), ..Interposed::around(Arc::new(power)) };
    let options = WriterOptions {
        background: true,
        roll: RollOptions { records: Some(4), ..RollOptions::default() },
        hooks: Hooks { on_open: vec![on_open], on_close: vec![on_close], ..Hooks::default() },
        ..WriterOptions::default()
    };
    let writing = Arc::new(Writer::open(Arc::new(directory), options).unwrap());
    for _ in 0..5 {
        writing.append(1, b"before the sync").unwrap();
    }
    writing.flush().unwrap();
    opened.1.recv().unwrap();
    writing.append(1, b"before the sync").unwrap();
    *writer.lock().unwrap() = Some(writing.clone());
    writing.sync().unwrap();
    release.0.send(()).unwrap();
    Arc::into_inner(writing).expect("no other reference exists").close().unwrap();
    assert_eq!(*survived.lock().unwrap(), [4, 4, 2]);
}

/// When hooks have moved every segment away, including the last, the log still knows its position.
#[test]
fn ids_and_numbers_continue_when_hooks_have_moved_all_segments_away() {
    let directory = MemoryDirectory::new();
    let remove = |directory: &MemoryDirectory| -> Hook {
        let directory = directory.clone();
        Arc::new(move |file: &SegmentFile| {
            directory.remove(file.path.file_name().unwrap().to_str().unwrap()).unwrap();
            Ok(None)
        })
    };
    let mut expected = 1;
    for _ in 0..3 {
        let hooks = Hooks { on_close: vec![remove(&directory)], ..Hooks::default() };
        let options = WriterOptions { hooks, ..WriterOptions::default() };
        let writer = Writer::open(Arc::new(directory.clone()), options).unwrap();
        for _ in 0..2 {
            assert_eq!(writer.append(1, b"x").unwrap(), expected);
            writer.roll().unwrap();
            expected += 1;
        }
        assert_eq!(writer.append(1, b"x").unwrap(), expected);
        expected += 1;
        writer.close().unwrap();
        let left: Vec<String> = directory.list().unwrap();
        assert_eq!(left, ["default.lock"], "everything was moved away");
    }
    let writer = Writer::open(Arc::new(directory.clone()), WriterOptions::default()).unwrap();
    writer.append(1, b"kept").unwrap();
    writer.close().unwrap();
    let reader = Reader::open(Arc::new(directory), ReaderOptions::default()).unwrap();
    let rows = rows_of(&reader);
    assert_eq!((rows.len(), rows[0].id), (1, 10));
    assert_eq!(reader.segments()[0].sequence, 10);
}

/// One segment is not moved, because its target name is taken.
#[test]
fn ids_and_numbers_continue_when_one_hook_has_failed_and_the_segments_around_it_are_gone() {
    for (stays, template) in [(3, "{name}.{seq}"), (1, "{name}.{seq}"), (4, "{name}.{seq}"), (2, "{name}.%Y.{seq}")] {
        let scratch = tempfile::tempdir().unwrap();
        let (home, moved) = (scratch.path().join("log"), scratch.path().join("moved"));
        std::fs::create_dir(&moved).unwrap();
        let time = Time::at(TEN);
        let name = |sequence: u64| match template {
            "{name}.{seq}" => format!("default.{sequence:010}.binlog"),
            _ => format!("default.2026.{sequence:010}.binlog"),
        };
        std::fs::write(moved.join(name(stays)), "a foreign file").unwrap();
        let options = || WriterOptions {
            hooks: Hooks { on_close: vec![binlog::hooks::move_to(&moved)], ..Hooks::default() },
            roll: RollOptions { template: template.into(), ..RollOptions::default() },
            clock: time.clock(),
            ..WriterOptions::default()
        };
        let mut expected = 1;
        for session in 0..3 {
            let writer = Writer::open(&home, options()).unwrap();
            for segment in 0..4 {
                for _ in 0..7 {
                    assert_eq!(writer.append(1, b"x").unwrap(), expected, "session {session}, {stays} stays");
                    expected += 1;
                }
                if segment < 3 {
                    writer.roll().unwrap();
                }
            }
            writer.close().unwrap();
        }
        std::fs::remove_file(moved.join(name(stays))).unwrap();
        std::fs::rename(home.join(name(stays)), moved.join(name(stays))).unwrap();
        // The moved segments and this one are one log in the new place.
        let strict = ReaderOptions { mode: ReaderMode::Strict, ..ReaderOptions::default() };
        let reader = Reader::open(&moved, strict).unwrap();
        assert_eq!(rows_of(&reader).len(), 84);
        let numbers: Vec<u64> = reader.segments().iter().map(|segment| segment.sequence).collect();
        // The last segment of its session, if it is still there, was continued.
        assert_eq!(numbers, (1..=if stays == 4 { 11 } else { 12 }).collect::<Vec<_>>());
    }
}

/// A hook removes every segment for good, and then the power fails.
#[test]
fn what_a_log_has_given_is_on_the_disk_before_a_hook_may_take_a_segment_away() {
    use binlog::io::{PowerDirectory, Survival};
    let power = PowerDirectory::new();
    let (inside, checked) = (power.clone(), Arc::new(Mutex::new(0)));
    let counted = checked.clone();
    let take_away: Hook = Arc::new(move |file: &SegmentFile| {
        for name in inside.list().unwrap().iter().filter(|name| name.ends_with(".binlog")) {
            inside.remove(name).unwrap();
        }
        inside.sync().unwrap();
        let image = inside.image(Survival::Nothing).directory;
        let options = WriterOptions::default();
        let writer = Writer::open(Arc::new(image.clone()), options).unwrap();
        let id = writer.append(1, b"next").unwrap();
        assert_eq!(id, file.first_id + file.records);
        writer.close().unwrap();
        let reader = Reader::open(Arc::new(image), ReaderOptions::default()).unwrap();
        assert!(reader.segments()[0].sequence > file.sequence);
        *counted.lock().unwrap() += 1;
        Ok(None)
    });
    let hooks = Hooks { on_close: vec![take_away], ..Hooks::default() };
    let writer = Writer::open(Arc::new(power), WriterOptions { hooks, ..WriterOptions::default() }).unwrap();
    append_many(&writer, 10);
    writer.close().unwrap();
    assert_eq!(*checked.lock().unwrap(), 1);
}

/// The remaining segment may be the only record of the ids that were given, and its beginning may not be durable yet.
#[test]
fn ids_continue_when_old_segments_were_removed_and_the_power_fails() {
    use binlog::io::{PowerDirectory, Survival};
    for by_writer in [false, true] {
        let power = PowerDirectory::new();
        let keep = Retention { segments: Some(1), ..Retention::default() };
        let options = |keep| WriterOptions { keep, ..WriterOptions::default() };
        let roll = RollOptions { records: Some(10), ..RollOptions::default() };
        let writer = Writer::open(Arc::new(power.clone()), WriterOptions { roll, ..options(Retention::default()) });
        let writer = writer.unwrap();
        append_many(&writer, 10);
        writer.sync().unwrap();
        // The caller ticks, so the work after a roll waits for the next tick; then the process is killed.
        writer.tick().unwrap();
        append_many(&writer, 1);
        writer.flush().unwrap();
        std::mem::forget(writer);
        let power = power.after_kill();
        match by_writer {
            true => std::mem::forget(Writer::open(Arc::new(power.clone()), options(keep)).unwrap()),
            false => drop(binlog::rolling::prune(Arc::new(power.clone()), None, &keep, false).unwrap()),
        }
        let image = power.image(Survival::Nothing).directory;
        let names = image.list().unwrap();
        assert!(!names.contains(&"default.0000000001.binlog".to_owned()), "{names:?}");
        let writer = Writer::open(Arc::new(image), WriterOptions::default()).unwrap();
        assert_eq!(writer.append(1, b"x").unwrap(), 12, "by the writer: {by_writer}");
    }
}

/// Segments that were moved away over several openings of the log form one log in their new place.
#[test]
fn segments_that_hooks_moved_away_over_several_openings_are_read_as_one_log() {
    let scratch = tempfile::tempdir().unwrap();
    let moved = scratch.path().join("moved");
    std::fs::create_dir(&moved).unwrap();
    for _ in 0..3 {
        let hooks = Hooks { on_close: vec![binlog::hooks::move_to(&moved)], ..Hooks::default() };
        let options = WriterOptions { hooks, ..WriterOptions::default() };
        let writer = Writer::open(scratch.path().join("log"), options).unwrap();
        writer.append(1, b"x").unwrap();
        writer.roll().unwrap();
        writer.append(1, b"x").unwrap();
        writer.close().unwrap();
    }
    let read = |mode, newest_first| -> binlog::Result<Vec<u64>> {
        let reader = Reader::open(&moved, ReaderOptions { mode, ..ReaderOptions::default() })?;
        let mut cursor = reader.cursor(&binlog::Filter { newest_first, ..binlog::Filter::default() })?;
        let mut ids = vec![];
        while let Some(record) = cursor.next()? {
            ids.push(record.id);
        }
        Ok(ids)
    };
    for mode in [ReaderMode::Prefix, ReaderMode::Strict] {
        assert_eq!(read(mode, false).unwrap(), [1, 2, 3, 4, 5, 6]);
        assert_eq!(read(mode, true).unwrap(), [6, 5, 4, 3, 2, 1]);
    }
    // A missing one among them is damage, whether or not the next one records its predecessor.
    for missing in [2, 3] {
        let file = moved.join(format!("default.000000000{missing}.binlog"));
        let aside = scratch.path().join("aside");
        std::fs::rename(&file, &aside).unwrap();
        assert_eq!(read(ReaderMode::Prefix, false).unwrap_err().kind(), Kind::Corrupt, "without segment {missing}");
        std::fs::rename(&aside, &file).unwrap();
    }
}

#[test]
fn the_active_file_names_the_segment_that_is_written_and_is_removed_by_a_clean_close() {
    let scratch = tempfile::tempdir().unwrap();
    let active = scratch.path().join("log.active");
    let line = |path: &Path| std::fs::read_to_string(path).unwrap().lines().next().unwrap().to_owned();
    let options = || WriterOptions { name: "log".into(), ..WriterOptions::default() };
    let writer = Writer::open(scratch.path(), options()).unwrap();
    assert_eq!(line(&active), "log.0000000001.binlog");
    writer.append(1, b"a").unwrap();
    writer.roll().unwrap();
    assert_eq!(line(&active), "log.0000000002.binlog");
    let text = std::fs::read_to_string(&active).unwrap();
    for fact in ["sequence 2", "first_id 2", &format!("pid {}", std::process::id())] {
        assert!(text.lines().any(|line| line == fact), "{fact}: {text}");
    }
    writer.close().unwrap();
    assert!(!active.exists());
    // Lost, stale or garbage: it is only a hint.
    for garbage in [&b""[..], b"log.0000000099.binlog\n", &[0xff; 5000]] {
        std::fs::write(&active, garbage).unwrap();
        let writer = Writer::open(scratch.path(), options()).unwrap();
        assert_eq!(line(&active), "log.0000000002.binlog");
        std::fs::remove_file(&active).unwrap();
        writer.append(1, b"b").unwrap();
        writer.close().unwrap();
    }
    assert_eq!(rows_at(scratch.path()).len(), 4);
}

#[test]
fn hints_and_removals_that_fail_are_reported_and_stop_no_append() {
    let directory = MemoryDirectory::new();
    let calls = Calls::default();
    let hooks = Hooks { on_failure: Some(reports(&calls)), ..Hooks::default() };
    let keep = Retention { segments: Some(1), ..Retention::default() };
    let options = WriterOptions { hooks, keep, ..WriterOptions::default() };
    let writer = Writer::open(Arc::new(directory.clone()), options).unwrap();
    for only in [Operation::Rename, Operation::Remove] {
        writer.append(1, b"a").unwrap();
        directory.set_fault(Some(Fault { from: 0, times: usize::MAX, errno: libc::EACCES, only: Some(only) }));
        writer.roll().unwrap();
        directory.set_fault(None);
    }
    assert!(writer.failures() >= 2, "{:?}", calls.lock().unwrap());
    assert_eq!(calls.lock().unwrap().len() as u64, writer.failures());
    writer.append(1, b"b").unwrap();
    writer.roll().unwrap();
    writer.close().unwrap();
    let reader = Reader::open(Arc::new(directory), ReaderOptions::default()).unwrap();
    assert_eq!(reader.segments().len(), 1, "what could not be removed before goes the next time");
}

/// HOUR, a size and 30 files through a whole day: at any moment at most 30 files, no record of an hour in another hour's
/// segment, and what is left is the newest.
#[test]
fn a_day_of_hours_sizes_and_thirty_files() {
    let (directory, time) = (MemoryDirectory::new(), Time::at(TEN));
    let roll = RollOptions {
        period: Some(Period::HOUR),
        template: "{name}.{seq}.%Y-%m-%dT%H".into(),
        ..RollOptions::default()
    };
    let options = WriterOptions {
        roll,
        clock: time.clock(),
        segment_bytes: 100_000,
        block_bytes: 4096,
        keep: Retention { segments: Some(30), ..Retention::default() },
        ..WriterOptions::default()
    };
    let count = || {
        let names = directory.list().unwrap();
        let len = |name: &String| directory.contents(name).map_or(0, |bytes| bytes.len());
        names.iter().filter(|name| name.ends_with(".binlog") && len(name) > 0).count()
    };
    let writer = Writer::open(Arc::new(directory.clone()), options).unwrap();
    let mut appended = 0u64;
    // More traffic by day than by night.
    for minute in 0..24 * 60u64 {
        let records = if minute % 720 < 360 { 8 } else { 1 };
        for _ in 0..records {
            writer.append(1, &[minute as u8; 500]).unwrap();
            appended += 1;
        }
        time.pass(MINUTE);
        writer.tick().unwrap();
        assert!(count() <= 30, "{} files at minute {minute}", count());
    }
    writer.close().unwrap();
    assert_eq!(count(), 30);
    let reader = Reader::open(Arc::new(directory), ReaderOptions::default()).unwrap();
    let rows = rows_of(&reader);
    assert_eq!(rows.last().unwrap().id, appended);
    assert!(rows.windows(2).all(|pair| pair[0].id + 1 == pair[1].id), "the newest, without a hole");
    for segment in reader.segments() {
        let name = segment.path.file_name().unwrap().to_str().unwrap().to_owned();
        let own = |row: &&Row| row.id >= segment.first_id;
        let next = reader.segments().iter().map(|s| s.first_id).filter(|&id| id > segment.first_id).min();
        let hours: std::collections::BTreeSet<i64> = rows
            .iter()
            .filter(own)
            .filter(|row| next.is_none_or(|next| row.id < next))
            .map(|row| (row.time / HOUR) % 24)
            .collect();
        assert!(hours.len() <= 1, "{name}: {hours:?}");
        if let Some(hour) = hours.first() {
            assert!(name.ends_with(&format!("T{hour:02}.binlog")), "{name}: {hour}");
        }
    }
}

#[test]
fn old_segments_go_by_age_and_the_one_being_written_stays_whatever_the_rules_say() {
    let (directory, time) = (MemoryDirectory::new(), Time::at(TEN));
    let options = WriterOptions {
        roll: RollOptions { period: Some(Period::HOUR), ..RollOptions::default() },
        clock: time.clock(),
        keep: Retention {
            age: Some(Duration::from_secs(3 * 3600)),
            bytes: Some(1),
            segments: Some(1),
            unshipped: false,
        },
        ..WriterOptions::default()
    };
    let writer = Writer::open(Arc::new(directory.clone()), options).unwrap();
    for _ in 0..5 {
        writer.append(1, b"x").unwrap();
        time.pass(HOUR);
        writer.tick().unwrap();
    }
    writer.append(1, b"newest").unwrap();
    writer.close().unwrap();
    let rows = rows_of(&Reader::open(Arc::new(directory), ReaderOptions::default()).unwrap());
    assert_eq!(rows.len(), 1);
    assert_eq!((rows[0].id, &rows[0].payload[..]), (6, &b"newest"[..]));
}

#[test]
fn a_second_writer_learns_the_holder_of_the_lock_and_files_are_of_the_mode_and_closed_on_exec() {
    use std::os::unix::fs::PermissionsExt;
    let scratch = tempfile::tempdir().unwrap();
    let options = || WriterOptions { file_mode: 0o664, ..WriterOptions::default() };
    let writer = Writer::open(scratch.path(), options()).unwrap();
    let error = Writer::open(scratch.path(), options()).err().unwrap();
    assert_eq!(error.kind(), Kind::Locked);
    assert!(error.to_string().contains(&std::process::id().to_string()), "{error}");
    writer.append(1, b"a").unwrap();
    writer.roll().unwrap();
    for entry in std::fs::read_dir(scratch.path()).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o664, "{:?}", entry.path());
    }
    let mut open = 0;
    for entry in std::fs::read_dir("/proc/self/fd").unwrap() {
        let fd: i32 = entry.unwrap().file_name().to_str().unwrap().parse().unwrap();
        let target = std::fs::read_link(format!("/proc/self/fd/{fd}")).unwrap_or_default();
        if target.starts_with(scratch.path()) {
            open += 1;
            // SAFETY: only reads the flags of a descriptor number, which may be any number.
            let flags = unsafe { libc::fcntl(fd, libc::F_GETFD) };
            assert!(flags >= 0 && flags & libc::FD_CLOEXEC != 0, "{target:?}");
        }
    }
    assert!(open >= 2, "the lock and the segment");
    writer.close().unwrap();
}

#[test]
fn a_log_that_is_not_the_required_one_is_not_appended_to() {
    use binlog::Required;
    let directory = MemoryDirectory::new();
    let open = |require: Required| {
        let parameters = [("unit".to_owned(), "mm".to_owned())].into();
        let options =
            WriterOptions { require, parameters, content_type: "text/plain".into(), ..WriterOptions::default() };
        Writer::open(Arc::new(directory.clone()), options)
    };
    let required = |content_type: &str, unit: &str| Required {
        name: Some("default".into()),
        content_type: Some(content_type.into()),
        parameters: [("unit".to_owned(), unit.to_owned())].into(),
    };
    // A new log gets what its options state.
    open(required("text/plain", "mm")).unwrap().close().unwrap();
    let before = directory.contents("default.0000000001.binlog").unwrap();
    for (content_type, unit) in [("text/html", "mm"), ("text/plain", "inch")] {
        let error = open(required(content_type, unit)).err().unwrap();
        assert_eq!(error.kind(), Kind::Mismatch, "{error}");
        assert!(error.to_string().contains("default.0000000001.binlog"), "{error}");
    }
    assert_eq!(directory.contents("default.0000000001.binlog").unwrap(), before);
    open(required("text/plain", "mm")).unwrap().close().unwrap();
}

/// Only the superuser may give files to any group; any other user can at least give them to its own group.
#[test]
fn each_file_of_a_log_belongs_to_the_group_that_was_asked_for_after_each_roll_too() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    // SAFETY: both calls only return ids of this process.
    let (user, own) = unsafe { (libc::geteuid(), libc::getegid()) };
    let group = if user == 0 { 4711 } else { own };
    let scratch = tempfile::tempdir().unwrap();
    let options = WriterOptions { file_group: Some(group), file_mode: 0o660, ..WriterOptions::default() };
    let writer = Writer::open(scratch.path(), options).unwrap();
    writer.append(1, b"a").unwrap();
    writer.roll().unwrap();
    let mut files = 0;
    for entry in std::fs::read_dir(scratch.path()).unwrap() {
        let entry = entry.unwrap();
        let facts = entry.metadata().unwrap();
        assert_eq!((facts.gid(), facts.permissions().mode() & 0o777), (group, 0o660), "{:?}", entry.path());
        files += 1;
    }
    assert_eq!(files, 4, "two segments, the lock and the hint");
    writer.close().unwrap();
}

#[test]
fn what_the_writer_calls_cannot_write_to_it_and_can_to_another() {
    type Refused = Mutex<Vec<(&'static str, Kind)>>;
    /// Calls every function that writes, from a function that the writer has called.
    fn use_it(who: &'static str, writer: &OnceLock<Writer>, other: &Writer, refused: &Refused) {
        // None yet while the writer is being opened.
        let Some(writer) = writer.get() else { return };
        let record = NewRecord { payload: b"of a batch", ..NewRecord::default() };
        let calls = [
            writer.append(1, b"x").map(drop),
            writer.append(1, &[0; 1 << 20]).map(drop),
            writer.gather(1, &[b"x", b"y"]).map(drop),
            writer.append_batch([record; 3]).map(drop),
            writer.type_id(who, "").map(drop),
            writer.flush(),
            writer.sync(),
            writer.roll(),
            writer.set_roll(RollOptions::default()),
            writer.heartbeat(),
            writer.tick(),
        ];
        let kinds = calls.into_iter().map(|call| (who, call.unwrap_err().kind()));
        refused.lock().unwrap().extend(kinds);
        writer.position().unwrap();
        other.append(2, who.as_bytes()).unwrap();
    }
    for background in [false, true] {
        let other = Arc::new(Writer::open(Arc::new(MemoryDirectory::new()), WriterOptions::default()).unwrap());
        let cell: Arc<OnceLock<Writer>> = Arc::default();
        let refused: Arc<Refused> = Arc::default();
        let using = |who: &'static str| {
            let (cell, other, refused) = (cell.clone(), other.clone(), refused.clone());
            move || use_it(who, &cell, &other, &refused)
        };
        let (open, close, fail, check) = (using("on_open"), using("on_close"), using("on_failure"), using("check"));
        let hooks = Hooks {
            on_open: vec![Arc::new(move |_| {
                open();
                Ok(None)
            })],
            on_close: vec![Arc::new(move |_| {
                close();
                Err(an_error())
            })],
            on_failure: Some(Arc::new(move |_| fail())),
        };
        let check: RollCheck = Arc::new(move |_: &SegmentState| {
            check();
            false
        });
        let roll = RollOptions { check: Some(check), ..RollOptions::default() };
        let options = WriterOptions { hooks, roll, background, ..WriterOptions::default() };
        let directory = MemoryDirectory::new();
        let writer = Writer::open(Arc::new(directory.clone()), options).unwrap();
        assert!(cell.set(writer).is_ok());
        let writer = cell.get().unwrap();
        for _ in 0..3 {
            writer.append(1, b"its own").unwrap();
            writer.flush().unwrap();
            writer.tick().unwrap();
            writer.roll().unwrap();
        }
        // A thread of the library calls them soon.
        let all = ["on_open", "on_close", "on_failure", "check"];
        let are_called = || all.iter().all(|who| refused.lock().unwrap().iter().any(|(by, _)| by == who));
        let until = Instant::now() + Duration::from_secs(30);
        while !are_called() {
            assert!(Instant::now() < until, "not all four were called");
            std::thread::sleep(Duration::from_millis(1));
        }
        let refused = refused.lock().unwrap();
        assert!(refused.iter().all(|(_, kind)| *kind == Kind::Invalid), "{refused:?}");
        drop(refused);
        assert_eq!(writer.append(1, b"goes on").unwrap(), 4);
    }
}
