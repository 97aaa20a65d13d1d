use super::*;
use crate::io::{Fault, MemoryDirectory, Operation, RealDirectory};
use crate::{Writer, WriterOptions};
use std::sync::Arc;

const NOW: i64 = i64::MAX;

/// A log of `count` segments, each with 10 records; the last one is closed too.
fn write(directory: Arc<dyn Directory>, name: &str, count: u64) {
    let options = WriterOptions { name: name.to_owned(), ..WriterOptions::default() };
    let writer = Writer::open(directory, options).unwrap();
    for segment in 1..=count {
        for _ in 0..10 {
            writer.append(1, &[7; 100]).unwrap();
        }
        if segment < count {
            writer.roll().unwrap();
        }
    }
    writer.close().unwrap();
}

fn memory(count: u64) -> (MemoryDirectory, Ours) {
    let directory = MemoryDirectory::new();
    write(Arc::new(directory.clone()), "a", count);
    let ours = ours(&shared(&directory), "a");
    assert_eq!(ours.active_sequence, count);
    (directory, ours)
}

fn ours(directory: &Arc<dyn Directory>, name: &str) -> Ours {
    logs_of(&look_at_all(directory).unwrap(), Some(name)).remove(0)
}

fn created(directory: &dyn Directory, sequence: u64) -> i64 {
    look(directory, &names::segment("a", sequence)).unwrap().unwrap().1.created_ns
}

fn shared(directory: &MemoryDirectory) -> Arc<dyn Directory> {
    Arc::new(directory.clone())
}

fn planned(directory: &MemoryDirectory, ours: &Ours, keep: Retention, now_ns: i64) -> Vec<(u64, &'static str)> {
    let expired = plan(&shared(directory), ours, &keep, now_ns).unwrap().expired;
    expired.iter().map(|segment| (segment.sequence, segment.why)).collect()
}

fn segments(most: u64) -> Retention {
    Retention { segments: Some(most), ..Retention::default() }
}

fn bytes(most: u64) -> Retention {
    Retention { bytes: Some(most), ..Retention::default() }
}

fn age(ns: u64) -> Retention {
    Retention { age: Some(Duration::from_nanos(ns)), ..Retention::default() }
}

#[test]
fn without_a_rule_nothing_goes_and_nothing_is_read() {
    let (directory, ours) = memory(3);
    directory.set_fault(None);
    assert_eq!(planned(&directory, &ours, Retention::default(), NOW), []);
    assert_eq!(directory.operations(), 0);
}

#[test]
fn the_oldest_go_until_no_more_than_so_many_are_left_and_the_active_one_stays() {
    let (directory, ours) = memory(5);
    assert_eq!(planned(&directory, &ours, segments(5), NOW), []);
    assert_eq!(planned(&directory, &ours, segments(3), NOW), [(1, "segments"), (2, "segments")]);
    assert_eq!(planned(&directory, &ours, segments(1), NOW).len(), 4);
    let earlier = Ours { active_sequence: 3, ..ours };
    assert_eq!(planned(&directory, &earlier, segments(1), NOW).len(), 2, "what is behind the active one stays");
    let copy = directory.contents("a.0000000003.binlog").unwrap();
    directory.set_contents("a.copy-0000000003.binlog", copy);
    for keep in [segments(1), bytes(1), age(1)] {
        assert_eq!(planned(&directory, &earlier, keep, NOW).len(), 2, "a copy of the active one is none behind it");
    }
}

#[test]
fn the_oldest_go_until_they_take_no_more_than_so_many_bytes() {
    let (directory, ours) = memory(4);
    let len = |sequence| directory.contents(&names::segment("a", sequence)).unwrap().len() as u64;
    let all: u64 = (1..=4).map(len).sum();
    assert_eq!(planned(&directory, &ours, bytes(all), NOW), []);
    assert_eq!(planned(&directory, &ours, bytes(all - 1), NOW), [(1, "bytes")]);
    assert_eq!(planned(&directory, &ours, bytes(all - len(1) - 1), NOW), [(1, "bytes"), (2, "bytes")]);
    assert_eq!(planned(&directory, &ours, bytes(1), NOW).len(), 3);
}

#[test]
fn a_segment_goes_when_the_one_after_it_is_older_than_the_age() {
    let (directory, ours) = memory(4);
    let third = created(&directory, 3);
    assert_eq!(planned(&directory, &ours, age(1_000), third + 1_000).last(), Some(&(1, "age")));
    assert_eq!(planned(&directory, &ours, age(1_000), third + 1_001).last(), Some(&(2, "age")));
    assert_eq!(planned(&directory, &ours, age(1_000), NOW).len(), 3, "the active one stays");
    for set_back in [third - 10_000_000_000, 0, i64::MIN] {
        assert_eq!(planned(&directory, &ours, age(1_000), set_back), [], "a clock that was set back");
    }
}

#[test]
fn rules_combine_and_the_ids_that_go_are_reported() {
    let (directory, ours) = memory(5);
    let keep = Retention { segments: Some(2), ..age(1_000) };
    let expired = plan(&shared(&directory), &ours, &keep, created(&directory, 2) + 1_001).unwrap().expired;
    let reported: Vec<_> = expired.iter().map(|it| (it.sequence, it.why, it.first_id, it.last_id)).collect();
    assert_eq!(reported, [(1, "age", 1, 10), (2, "segments", 11, 20), (3, "segments", 21, 30)]);
    let len = directory.contents("a.0000000001.binlog").unwrap().len() as u64;
    assert_eq!((expired[0].name.as_str(), expired[0].bytes), ("a.0000000001.binlog", len));
}

#[test]
fn only_segments_of_the_log_go_and_others_count_for_nothing() {
    let (directory, ours) = memory(4);
    write(Arc::new(directory.clone()), "a.b", 9);
    let other = MemoryDirectory::new();
    write(Arc::new(other.clone()), "a", 3);
    let copy = |from: &MemoryDirectory, name: &str, to: &str| {
        directory.set_contents(to, from.contents(name).unwrap());
    };
    copy(&other, "a.0000000002.binlog", "a.restored.0000000002.binlog");
    copy(&directory, "a.0000000004.binlog", "a.0000000004-copy.binlog");
    directory.set_contents("a.0000000000.binlog", vec![]);
    directory.set_contents("a.x-0000000001.binlog", b"BINLOG is not all that it takes".to_vec());
    let before = directory.list().unwrap();
    for keep in [segments(2), Retention { segments: Some(2), ..bytes(u64::MAX) }] {
        assert_eq!(planned(&directory, &ours, keep, NOW), [(1, "segments"), (2, "segments")]);
    }
    let of_ours = (1..=4).map(|n| directory.contents(&names::segment("a", n)).unwrap().len() as u64).sum::<u64>();
    assert_eq!(planned(&directory, &ours, bytes(of_ours), NOW), []);
    let expired = plan(&shared(&directory), &ours, &segments(1), NOW).unwrap().expired;
    assert!(remove(&directory, &expired).is_empty());
    let gone: Vec<_> = before.iter().filter(|name| directory.contents(name).is_none()).collect();
    assert_eq!(gone, ["a.0000000001.binlog", "a.0000000002.binlog", "a.0000000003.binlog"]);
}

#[test]
fn a_file_that_was_never_begun_makes_no_segment_go() {
    for left in [vec![], vec![0; 300], b"BINLOG".to_vec()] {
        let (directory, mut ours) = memory(3);
        for (from, to) in [(3, 6), (2, 4)] {
            directory.set_contents(&names::segment("a", to), directory.contents(&names::segment("a", from)).unwrap());
            let mut bytes = directory.contents(&names::segment("a", to)).unwrap();
            let (mut header, start) = FileHeader::decode_segment_start(&bytes).unwrap();
            header.sequence = to;
            bytes.splice(..start, header.encode_segment_start().unwrap());
            directory.set_contents(&names::segment("a", to), bytes);
            directory.remove(&names::segment("a", from)).unwrap();
        }
        for n in [2, 3, 5] {
            directory.set_contents(&names::segment("a", n), left.clone());
        }
        ours.active_sequence = 6;
        assert_eq!(planned(&directory, &ours, segments(3), NOW), [], "there are three");
        assert_eq!(planned(&directory, &ours, segments(2), NOW), [(1, "segments")]);
        assert_eq!(planned(&directory, &ours, segments(1), NOW).len(), 2);
    }
}

/// Removing what is newer than a file that stays would leave a hole between the remaining records.
#[test]
fn nothing_goes_that_is_behind_a_segment_which_somebody_has_copied_or_renamed() {
    for (renamed, gone) in [(1, vec![]), (2, vec![(1, "segments")])] {
        for name in ["a.first.binlog", "saved.binlog", "a.0000000002-old.binlog", "a.00000000002.binlog"] {
            let (directory, ours) = memory(4);
            let bytes = directory.contents(&names::segment("a", renamed)).unwrap();
            directory.set_contents(name, bytes);
            for what in ["copied", "renamed"] {
                let plan = plan(&shared(&directory), &ours, &segments(1), NOW).unwrap();
                let planned: Vec<_> = plan.expired.iter().map(|segment| (segment.sequence, segment.why)).collect();
                assert_eq!(planned, gone, "{what} {renamed} {name}");
                let obstacle = plan.obstacle.unwrap();
                assert_eq!(obstacle.path().unwrap(), directory.path_of(name), "{what} {renamed} {name}: {obstacle}");
                let _ = directory.remove(&names::segment("a", renamed));
            }
        }
    }
}

#[test]
fn nothing_goes_that_is_behind_a_damaged_file_of_the_log() {
    let garbage = || vec![b'x'; 5000];
    for (name, gone) in [("a.0000000002.binlog", 1), ("a.0000000002.z.binlog", 1), ("a.b-0000000002.binlog", 3)] {
        let (directory, ours) = memory(4);
        directory.set_contents(name, garbage());
        let plan = plan(&shared(&directory), &ours, &segments(1), NOW).unwrap();
        assert_eq!(plan.expired.len(), gone, "{name}");
        let obstacle = plan.obstacle.map(|error| error.to_string());
        assert_eq!(obstacle.is_some(), gone < 3, "{name}: {obstacle:?}");
        assert!(obstacle.is_none_or(|text| text.contains("binlog recover --in-place ")), "{name}");
    }
}

#[test]
fn nothing_goes_that_is_behind_a_segment_whose_beginning_is_lost_wherever_its_file_is() {
    let numbered = |number| (names::segment("a", number), vec![1]);
    // The names prove nothing: the header of the next segment shows whose blocks these are.
    let copy = ("a.0000000002-copy.binlog".to_owned(), vec![1]);
    for (to, gone) in [numbered(2), numbered(4), numbered(9), copy, ("saved.binlog".to_owned(), vec![1])] {
        let (directory, ours) = memory(6);
        let mut bytes = directory.contents("a.0000000002.binlog").unwrap();
        bytes[..100].fill(0);
        directory.remove("a.0000000002.binlog").unwrap();
        directory.set_contents(&to, bytes);
        let plan = plan(&shared(&directory), &ours, &segments(1), NOW).unwrap();
        assert_eq!(plan.expired.iter().map(|it| it.sequence).collect::<Vec<_>>(), gone, "{to}");
        assert_eq!(plan.obstacle.unwrap().path().unwrap(), directory.path_of(&to));
    }
}

/// Without the header that would show whose blocks these are, their ids do.
#[test]
fn nothing_goes_that_is_behind_the_ids_of_blocks_without_a_header() {
    let (directory, ours) = memory(6);
    let mut bytes = directory.contents("a.0000000002.binlog").unwrap();
    bytes[..100].fill(0);
    for number in [2, 3] {
        directory.remove(&names::segment("a", number)).unwrap();
    }
    directory.set_contents(&names::segment("a", 9), bytes);
    let plan = plan(&shared(&directory), &ours, &segments(1), NOW).unwrap();
    assert_eq!(plan.expired.iter().map(|it| it.sequence).collect::<Vec<_>>(), [1]);
    assert_eq!(plan.obstacle.unwrap().path().unwrap(), directory.path_of("a.0000000009.binlog"));
}

#[test]
fn nothing_goes_that_is_behind_blocks_with_the_header_of_another_log() {
    let (directory, ours) = memory(6);
    let mut bytes = directory.contents("a.0000000003.binlog").unwrap();
    let (header, start) = FileHeader::decode_segment_start(&bytes).unwrap();
    let other = FileHeader { log_id: vec![7; 16], marker: header.marker ^ 1, ..header };
    let encoded = other.encode_segment_start().unwrap();
    assert_eq!(encoded.len(), start);
    bytes.splice(..start, encoded);
    directory.set_contents("a.0000000003.binlog", bytes);
    let plan = plan(&shared(&directory), &ours, &segments(1), NOW).unwrap();
    assert_eq!(plan.expired.iter().map(|it| it.sequence).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(plan.obstacle.unwrap().path().unwrap(), directory.path_of("a.0000000003.binlog"));
}

#[test]
fn among_many_segments_one_that_was_never_begun_makes_none_go() {
    let (directory, ours) = many(100);
    directory.set_contents(&names::segment("a", 50), vec![]);
    assert_eq!(planned(&directory, &ours, segments(99), NOW), [], "there are 99");
    assert_eq!(planned(&directory, &ours, segments(98), NOW), [(1, "segments")]);
}

#[test]
fn among_many_segments_a_name_that_lies_is_found_before_anything_goes() {
    for (this, that, is_swapped) in
        [(1, 101, false), (2, 101, false), (2, 200, false), (2, 50, false), (1, 2, true), (1, 3, true)]
    {
        let (directory, ours) = many(100);
        let file = |number| names::segment("a", number);
        let (of_this, of_that) = (directory.contents(&file(this)).unwrap(), directory.contents(&file(that)));
        let of_that = of_that.filter(|_| is_swapped);
        directory.set_contents(&file(that), of_this);
        match of_that {
            Some(bytes) => directory.set_contents(&file(this), bytes),
            None => directory.remove(&file(this)).unwrap(),
        }
        // Like one that a writer has created ahead.
        directory.set_contents(&file(that.max(100) + 1), vec![]);
        let plan = plan(&shared(&directory), &ours, &segments(90), NOW).unwrap();
        assert_eq!(plan.expired.len() as u64, this - 1, "{this} {that}");
        assert!(plan.obstacle.is_some(), "{this} {that}");
    }
}

#[test]
fn a_template_may_end_as_the_names_of_compressed_segments_do() {
    let directory = MemoryDirectory::new();
    let options = WriterOptions {
        name: "a".into(),
        roll: crate::rolling::RollOptions { template: "{name}.{seq}.z".into(), ..Default::default() },
        ..WriterOptions::default()
    };
    let writer = Writer::open(Arc::new(directory.clone()), options).unwrap();
    for _ in 0..3 {
        writer.append(1, b"x").unwrap();
        writer.roll().unwrap();
    }
    writer.close().unwrap();
    let ours = ours(&shared(&directory), "a");
    assert_eq!(planned(&directory, &ours, segments(1), NOW).len(), 3, "{:?}", directory.list());
}

#[test]
fn what_is_no_segment_in_any_of_its_forms_counts_once() {
    let (directory, ours) = memory(3);
    // Two files of one name as an ordinary segment, neither of which is one: counted as one, and left out twice.
    for name in ["a.0000000000.binlog", "a.0000000000.z.binlog", "a.0000000000.binlog.gz"] {
        directory.set_contents(name, vec![b'x'; 5000]);
    }
    assert_eq!(planned(&directory, &ours, segments(1), NOW), [(1, "segments"), (2, "segments")]);
    assert_eq!(planned(&directory, &ours, Retention { segments: Some(3), ..age(1) }, NOW).len(), 2);
}

#[test]
fn a_segment_stays_as_long_as_none_behind_it_is_there() {
    let (directory, ours) = memory(3);
    directory.remove("a.0000000003.binlog").unwrap();
    assert_eq!(planned(&directory, &ours, segments(1), NOW), [(1, "segments")]);
}

/// A log of so many segments, of which only the headers exist.
fn many(count: u64) -> (MemoryDirectory, Ours) {
    let (directory, mut ours) = memory(3);
    let bytes = directory.contents(&names::segment("a", 3)).unwrap();
    let (header, start) = FileHeader::decode_segment_start(&bytes).unwrap();
    for sequence in 3..=count {
        let mut header = FileHeader { sequence, marker: header.marker + sequence, ..header.clone() };
        header.first_id = 10 * sequence - 9;
        header.predecessor.as_mut().unwrap().sequence = sequence - 1;
        let mut bytes = header.encode_segment_start().unwrap();
        bytes.resize(start.max(4096), 0);
        directory.set_contents(&names::segment("a", sequence), bytes);
    }
    ours.active_sequence = count;
    (directory, ours)
}

#[test]
fn ten_thousand_segments_cost_a_listing_and_the_headers_of_what_goes() {
    let (directory, ours) = many(10_000);
    let cost = |keep: Retention, now_ns| {
        directory.set_fault(None);
        let planned = planned(&directory, &ours, keep, now_ns);
        (planned.len(), directory.operations())
    };
    assert_eq!(cost(segments(10_000), NOW), (0, 1));
    let (gone, operations) = cost(segments(9_999), NOW);
    assert!(gone == 1 && operations < 10_100, "{gone} {operations}");
    let (gone, operations) = cost(age(1_000), 0);
    assert!(gone == 0 && operations < 20, "{gone} {operations}");
    assert_eq!(cost(bytes(1 << 40), NOW), (0, 10_001));
}

#[test]
fn a_failing_system_is_no_reason_to_pass_over_a_segment() {
    let (directory, ours) = memory(4);
    for (operation, from) in [(Operation::List, 0), (Operation::Stat, 1), (Operation::Open, 1), (Operation::Read, 1)] {
        directory.set_fault(Some(Fault { from, times: 99, errno: libc::EIO, only: Some(operation) }));
        assert_eq!(plan(&shared(&directory), &ours, &segments(1), NOW).unwrap_err().os_code(), Some(libc::EIO));
    }
}

#[test]
fn behind_a_segment_that_cannot_be_removed_nothing_is() {
    let (directory, ours) = memory(5);
    let expired = plan(&shared(&directory), &ours, &segments(1), NOW).unwrap().expired;
    directory.remove("a.0000000001.binlog").unwrap();
    directory.set_fault(Some(Fault { from: 1, times: 1, errno: libc::EPERM, only: Some(Operation::Remove) }));
    let failed = remove(&directory, &expired);
    assert_eq!(failed.len(), 1);
    assert_eq!(failed[0].path().unwrap(), directory.path_of("a.0000000003.binlog"), "one that is gone is no error");
    let left = directory.list().unwrap().into_iter().filter(|name| name.ends_with(".binlog")).collect::<Vec<_>>();
    assert_eq!(left, [3, 4, 5].map(|sequence| names::segment("a", sequence)));
}

#[test]
fn removals_are_made_durable_once() {
    let (directory, ours) = memory(5);
    let expired = plan(&shared(&directory), &ours, &segments(1), NOW).unwrap().expired;
    directory.set_fault(Some(Fault { from: 1, times: 9, errno: libc::EIO, only: Some(Operation::SyncDirectory) }));
    assert!(remove(&directory, &expired).is_empty());
    assert_eq!(directory.operations(), 1);
    assert_eq!(remove(&directory, &expired)[0].os_code(), Some(libc::EIO));
    assert!(remove(&directory, &[]).is_empty());
}

#[test]
fn a_file_that_took_the_place_of_a_segment_stays() {
    let (directory, ours) = memory(3);
    let expired = plan(&shared(&directory), &ours, &segments(1), NOW).unwrap().expired;
    directory.set_contents("a.0000000001.binlog", b"another".to_vec());
    assert_eq!(remove(&directory, &expired).len(), 1);
    assert!(directory.contents("a.0000000001.binlog").is_some());
}

#[test]
fn a_symbolic_link_is_not_removed_and_nothing_behind_it_is() {
    let (scratch, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let directory: Arc<dyn Directory> = Arc::new(RealDirectory::open(scratch.path()).unwrap());
    write(directory.clone(), "a", 4);
    let path = |name: &str| scratch.path().join(name);
    let moved = elsewhere.path().join("moved");
    std::fs::rename(path("a.0000000001.binlog"), &moved).unwrap();
    std::os::unix::fs::symlink(&moved, path("a.0000000001.binlog")).unwrap();
    std::fs::create_dir(path("a.0000000000.binlog")).unwrap();
    let ours = ours(&directory, "a");
    let planned = || plan(&directory, &ours, &Retention { segments: Some(2), ..age(1) }, NOW).unwrap();
    let plan = planned();
    assert!(plan.expired.is_empty());
    assert_eq!(plan.obstacle.unwrap().path().unwrap(), path("a.0000000001.binlog"));
    std::fs::remove_file(path("a.0000000001.binlog")).unwrap();
    let expired = planned().expired;
    assert_eq!(expired.iter().map(|it| it.sequence).collect::<Vec<_>>(), [2, 3]);
    // Between the plan and its execution.
    std::fs::rename(path("a.0000000002.binlog"), elsewhere.path().join("second")).unwrap();
    std::os::unix::fs::symlink(elsewhere.path().join("second"), path("a.0000000002.binlog")).unwrap();
    assert_eq!(remove(&*directory, &expired).len(), 1);
    assert!(moved.exists() && elsewhere.path().join("second").exists());
    assert!(std::fs::symlink_metadata(path("a.0000000002.binlog")).unwrap().is_symlink());
    assert!(path("a.0000000003.binlog").exists());
}

#[test]
fn what_this_user_may_not_read_stays_and_keeps_only_its_own_log() {
    let scratch = tempfile::tempdir().unwrap();
    let directory: Arc<dyn Directory> = Arc::new(RealDirectory::open(scratch.path()).unwrap());
    write(directory.clone(), "a", 4);
    write(directory.clone(), "a.b", 2);
    let close = |name: &str| {
        let path = scratch.path().join(name);
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o0)).unwrap();
        std::fs::File::open(path).is_err()
    };
    let ours = ours(&directory, "a");
    if close("a.b.0000000001.binlog") && close("a.b.0000000002.binlog") {
        assert_eq!(plan(&directory, &ours, &segments(1), NOW).unwrap().expired.len(), 3);
        close("a.0000000002.binlog");
        let plan = plan(&directory, &ours, &segments(1), NOW).unwrap();
        assert_eq!((plan.expired.len(), plan.obstacle.unwrap().os_code()), (1, Some(libc::EACCES)));
    }
}
