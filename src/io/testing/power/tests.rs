use super::*;
use crate::io::{read_full, write_full};

const EXTREMES: [Survival; 7] = [
    Survival::Nothing,
    Survival::Names,
    Survival::Lengths,
    Survival::AllButFirstPage,
    Survival::AllButMiddlePage,
    Survival::AllButLastPage,
    Survival::Everything,
];

fn put(directory: &PowerDirectory, name: &str, bytes: &[u8], offset: u64) -> Arc<dyn File> {
    let file = directory.open_or_create(name, 0o640).unwrap();
    write_full(&*file, &[bytes], offset).unwrap();
    file
}

fn left(directory: &PowerDirectory, survival: Survival, name: &str) -> Option<Vec<u8>> {
    directory.image(survival).directory.contents(name)
}

fn any(directory: &PowerDirectory, name: &str, wanted: impl Fn(Option<Vec<u8>>) -> bool) -> bool {
    (0..300).any(|seed| wanted(left(directory, Survival::Any(seed), name)))
}

#[test]
fn it_renames_and_links_as_a_directory_does() {
    crate::io::tests::rename_and_link(&PowerDirectory::new());
}

#[test]
fn what_was_synced_survives_every_cut() {
    let directory = PowerDirectory::new();
    put(&directory, "f", &[7; 10_000], 0).sync_data().unwrap();
    directory.sync().unwrap();
    let seeds = (0..50).flat_map(|seed| [Survival::Any(seed), Survival::Until(seed)]);
    for survival in EXTREMES.into_iter().chain(seeds) {
        let image = directory.image(survival);
        assert_eq!(image.directory.contents("f").as_deref(), Some(&[7; 10_000][..]), "{survival:?}");
        assert!(image.fates.iter().all(|fate| fate.lost_from.is_none() && fate.survived_to == 0));
    }
}

#[test]
fn a_synced_file_without_a_synced_name_may_be_gone_and_the_other_way_round_empty() {
    let directory = PowerDirectory::new();
    put(&directory, "contents", b"x", 0).sync_data().unwrap();
    assert_eq!(left(&directory, Survival::Nothing, "contents"), None);
    assert_eq!(left(&directory, Survival::Names, "contents").as_deref(), Some(&b"x"[..]));
    directory.sync().unwrap();
    put(&directory, "name", b"y", 0);
    directory.sync().unwrap();
    assert_eq!(left(&directory, Survival::Nothing, "name").as_deref(), Some(&b""[..]));
    assert_eq!(left(&directory, Survival::Lengths, "name").as_deref(), Some(&[0][..]));
}

#[test]
fn pages_survive_one_by_one() {
    let directory = PowerDirectory::new();
    put(&directory, "f", &[1; 3 * 4096], 0).sync_data().unwrap();
    directory.sync().unwrap();
    put(&directory, "f", &[2; 3 * 4096], 0);
    let pages =
        |survival| left(&directory, survival, "f").unwrap().chunks(4096).map(|page| page[0]).collect::<Vec<_>>();
    assert_eq!(pages(Survival::Nothing), [1, 1, 1]);
    assert_eq!(pages(Survival::AllButFirstPage), [1, 2, 2]);
    assert_eq!(pages(Survival::AllButMiddlePage), [2, 1, 2]);
    assert_eq!(pages(Survival::AllButLastPage), [2, 2, 1]);
    let fate = directory.image(Survival::AllButMiddlePage).fates.remove(0);
    assert_eq!((fate.lost_from, fate.survived_to, fate.has_hole()), (Some(4096), 3 * 4096, true));
    assert!(!directory.image(Survival::AllButLastPage).fates[0].has_hole());
    for wanted in 0..8 {
        let wanted: Vec<u8> = (0..3).map(|page| 1 + (wanted >> page & 1)).collect();
        assert!((0..300).any(|seed| pages(Survival::Any(seed)) == wanted), "{wanted:?}");
    }
    assert!(any(&directory, "f", |f| f.is_some_and(|f| f[..512] != f[3584..4096])), "a page torn at a sector");
}

#[test]
fn an_earlier_write_may_survive_without_the_later_one_to_the_same_page() {
    let directory = PowerDirectory::new();
    put(&directory, "f", b"first", 0);
    put(&directory, "f", b"second", 5);
    assert!(any(&directory, "f", |f| f.as_deref() == Some(&b"first"[..])));
    assert!(any(&directory, "f", |f| f.as_deref() == Some(&b"first\0\0\0\0\0\0"[..])));
    assert!(any(&directory, "f", |f| f.as_deref() == Some(&b"firs"[..])), "any length in between");
    assert!(any(&directory, "f", |f| f.is_none()));
}

#[test]
fn a_cut_off_end_may_be_back_or_zeros_where_the_file_grew_again() {
    let directory = PowerDirectory::new();
    put(&directory, "f", &[1; 9000], 0).sync_data().unwrap();
    directory.sync().unwrap();
    directory.open("f", Access::ReadWrite).unwrap().set_len(10).unwrap();
    assert_eq!(left(&directory, Survival::Nothing, "f").unwrap(), [1; 9000]);
    assert_eq!(left(&directory, Survival::Everything, "f").unwrap(), [1; 10]);
    let file = put(&directory, "f", b"z", 20);
    let mut now = vec![1; 10];
    now.extend_from_slice(&[0; 10]);
    now.push(b'z');
    assert_eq!(left(&directory, Survival::Everything, "f").unwrap(), now);
    assert!(any(&directory, "f", |f| f.is_some_and(|f| f.len() == 9000 && f[15] == 1)));
    file.sync_data().unwrap();
    assert!(!any(&directory, "f", |f| f.is_none_or(|f| f != now)));
}

#[test]
fn names_survive_one_by_one_and_a_rename_is_seen_as_old_or_new() {
    let directory = PowerDirectory::new();
    put(&directory, "old", b"x", 0).sync_data().unwrap();
    put(&directory, "removed", b"r", 0).sync_data().unwrap();
    directory.sync().unwrap();
    directory.rename("old", "new").unwrap();
    directory.remove("removed").unwrap();
    let mut seen = std::collections::BTreeSet::new();
    for seed in 0..300 {
        seen.insert(directory.image(Survival::Any(seed)).directory.list().unwrap().join(" "));
    }
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), ["new", "new removed", "old", "old removed"]);
}

#[test]
fn until_some_moment_everything_survives_in_order() {
    let directory = PowerDirectory::new();
    for i in 0..20u64 {
        let file = if i % 2 == 0 { "a" } else { "b" };
        put(&directory, file, &[1 + i as u8; 1000], i / 2 * 1000);
    }
    for seed in 0..100 {
        let image = directory.image(Survival::Until(seed));
        assert!(image.fates.iter().all(|fate| !fate.has_hole()), "{:?}", image.fates);
        let len = |name: &str| image.directory.contents(name).map_or(0, |bytes| bytes.len());
        let (a, b) = (len("a"), len("b"));
        assert!(a >= b && a <= b + 1000, "{a} and {b} bytes");
    }
}

#[test]
fn after_the_cut_nothing_works_and_after_a_kill_everything_is_there_but_not_durable() {
    let directory = PowerDirectory::new();
    let file = put(&directory, "f", b"one", 0);
    assert!(file.try_lock().unwrap());
    let done = directory.done().len();
    assert_eq!(directory.done(), [(Operation::Create, "f".to_owned()), (Operation::Write, "f".to_owned())]);
    directory.cut_at(done);
    assert_eq!(directory.list().unwrap(), ["f"], "the power goes with the next operation that counts");
    assert!(write_full(&*file, &[b"two"], 3).is_err());
    assert_eq!(directory.refused(), Some((Operation::Write, "f".to_owned())));
    assert!(directory.list().is_err() && file.len().is_err() && directory.open("f", Access::Read).is_err());
    let next = directory.after_kill();
    assert!(directory.list().is_err(), "the killed process stays dead");
    let again = next.open("f", Access::ReadWrite).unwrap();
    assert!(again.try_lock().unwrap());
    drop(file);
    assert!(next.open("f", Access::Read).unwrap().is_locked().unwrap());
    let mut bytes = [0; 8];
    assert_eq!(read_full(&*again, &mut bytes, 0).unwrap(), 3);
    assert_eq!(left(&next, Survival::Nothing, "f"), None);
}

#[test]
fn a_failed_sync_leaves_pages_that_are_shown_and_that_no_later_sync_writes() {
    let directory = PowerDirectory::new();
    let file = put(&directory, "f", &[1; 3 * 4096], 0);
    file.sync_data().unwrap();
    directory.sync().unwrap();
    let shown = || directory.contents("f").unwrap();
    put(&directory, "f", &[2; 3 * 4096], 4096);
    directory.fail_at(directory.done().len());
    assert_eq!(file.sync_data().unwrap_err().raw_os_error(), Some(libc::EIO));
    file.sync_data().unwrap();
    assert_eq!(shown()[4096..], [2; 3 * 4096], "the running system shows what it has lost");
    assert_eq!(left(&directory, Survival::Nothing, "f").unwrap(), [1; 3 * 4096], "and calls it durable");
    assert_eq!(left(&directory, Survival::Everything, "f").unwrap(), shown(), "some of it may have been written");
    // Another page, after them.
    put(&directory, "f", &[3; 4096], 4 * 4096);
    file.sync_data().unwrap();
    let pages =
        |survival| left(&directory, survival, "f").unwrap().chunks(4096).map(|page| page[0]).collect::<Vec<_>>();
    assert_eq!(pages(Survival::Nothing), [1, 1, 1, 0, 3]);
    // The same bytes at the same place.
    put(&directory, "f", &[2; 2 * 4096], 4096);
    file.sync_data().unwrap();
    assert_eq!(pages(Survival::Nothing), [1, 1, 1, 0, 3]);
    let mut there = [0; 5 * 4096];
    assert_eq!(file.read_disk(&mut there, 0).unwrap(), Some(5 * 4096), "a read past the cache shows it");
    assert_eq!([there[4096], there[3 * 4096], there[4 * 4096]], [1, 0, 3]);
    // Evicted before: whole pages, none of which waits to be written.
    put(&directory, "f", &[2; 1], 3 * 4096);
    file.forget(4095..4 * 4096);
    assert_eq!(shown()[4096..4 * 4096], [[1; 4096], [1; 4096], [2; 4096]].concat());
    put(&directory, "f", &[2; 2 * 4096], 4096);
    file.sync_data().unwrap();
    assert_eq!(pages(Survival::Nothing), [1, 2, 2, 0, 3]);
    file.forget(0..5 * 4096);
    put(&directory, "f", &[2; 4096], 3 * 4096);
    file.sync_data().unwrap();
    assert_eq!(left(&directory, Survival::Nothing, "f").unwrap(), shown());
}
