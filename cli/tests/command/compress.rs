//! `binlog compress` and `binlog decompress`.

use std::fs;
use std::path::Path;

use crate::common::{binlog, binlog_with};
use tempfile::tempdir;

fn lines() -> String {
    (0..5000).map(|i| format!("line {i} of a log that repeats itself\n")).collect()
}

/// Several segments.
fn make(home: &Path) -> String {
    let lines = lines();
    binlog_with(home, &["append", "-q", "--records", "1000", "log"], lines.as_bytes()).ok();
    lines
}

fn files(home: &Path) -> Vec<String> {
    let names = fs::read_dir(home.join("log")).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.filter(|name| name.contains("binlog")).collect();
    names.sort();
    names
}

#[test]
fn a_failure_is_all_that_is_said_of_it_and_quiet_says_nothing_else() {
    let home = tempdir().unwrap();
    let home = home.path();
    make(home);
    for command in ["compress", "decompress"] {
        let ran = binlog(home, &[command, "nosuch"]).exits(1);
        assert!(ran.text().is_empty() && ran.err.contains("nosuch"), "{} {}", ran.text(), ran.err);
    }
    let ran = binlog(home, &["compress", "-q", "log"]).ok();
    assert!(ran.text().is_empty() && ran.err.is_empty(), "{} {}", ran.text(), ran.err);
    assert!(files(home).iter().any(|name| name.ends_with(".z.binlog")));
    assert!(binlog(home, &["decompress", "--quiet", "log"]).ok().text().is_empty());
    let ran = binlog(home, &["compress", "--whole", "gzip", "--level", "10", "log"]).exits(1);
    assert!(ran.err.contains("gzip has the levels 1 to 9"), "{}", ran.err);
}

#[test]
fn finished_segments_are_compressed_read_as_before_and_made_ordinary_again() {
    let home = tempdir().unwrap();
    let home = home.path();
    let lines = make(home);
    let before = files(home);
    assert!(before.len() > 3, "{before:?}");
    let ran = binlog(home, &["compress", "--dry-run", "log"]).ok();
    assert!(ran.text().contains("would be compressed"), "{}", ran.text());
    assert_eq!(files(home), before);
    let json = binlog(home, &["compress", "--json", "--threads", "2", "log"]).ok().json();
    let made = json["compressed"].as_array().unwrap();
    assert_eq!(made.len(), before.len() - 1);
    assert!(made.iter().all(|one| one["bytes_after"].as_u64() < one["bytes_before"].as_u64()));
    assert!(files(home)[..made.len()].iter().all(|name| name.ends_with(".z.binlog")));
    assert_eq!(binlog(home, &["cat", "log"]).ok().text(), lines);
    binlog(home, &["verify", "log"]).ok();
    binlog(home, &["info", "log"]).ok();
    assert!(binlog(home, &["compress", "log"]).ok().text().contains("nothing to be compressed"));
    assert!(binlog(home, &["decompress", "log"]).ok().text().contains("decompressed"));
    assert_eq!(files(home), before);
    assert_eq!(binlog(home, &["cat", "log"]).ok().text(), lines);
}

#[test]
fn whole_files_and_names_with_sums_are_read_too() {
    let home = tempdir().unwrap();
    let home = home.path();
    let lines = make(home);
    let before = files(home);
    binlog(home, &["compress", "--whole", "gzip", &format!("log/{}", before[0])]).ok();
    binlog(home, &["compress", "--sha256-name", "--codec", "lz4", &format!("log/{}", before[1])]).ok();
    binlog(home, &["compress", "--keep-source", "--level", "1", &format!("log/{}", before[2])]).ok();
    let now = files(home);
    assert!(now.contains(&format!("{}.gz", before[0])) && now.contains(&before[2]), "{now:?}");
    assert!(now.iter().any(|name| name.len() > 64 && name.contains(".z.")), "{now:?}");
    assert_eq!(binlog(home, &["cat", "log"]).ok().text(), lines);
    binlog(home, &["decompress", "log"]).ok();
    assert_eq!(files(home), before);
    assert_eq!(binlog(home, &["cat", "log"]).ok().text(), lines);
}

#[test]
fn the_newest_segment_by_name_and_wrong_options_are_refused() {
    let home = tempdir().unwrap();
    let home = home.path();
    make(home);
    let newest = files(home).pop().unwrap();
    let refused = binlog(home, &["compress", &format!("log/{newest}")]).exits(1);
    assert!(refused.err.contains("newest"), "{}", refused.err);
    binlog(home, &["compress", "--threads", "0", "log"]).exits(1);
    binlog(home, &["compress", "--codec", "none", "log"]).exits(2);
    binlog(home, &["compress", "nowhere"]).exits(1);
    binlog(home, &["compress", "--log", "other", "log"]).exits(1);
}

#[test]
fn a_segment_of_which_one_form_is_damaged_is_left_alone() {
    let home = tempdir().unwrap();
    let home = home.path();
    let lines = make(home);
    binlog(home, &["compress", "--keep-source", "log"]).ok();
    let pairs = files(home);
    for damaged in ["log/default.0000000002.z.binlog", "log/default.0000000002.binlog"] {
        let whole = fs::read(home.join(damaged)).unwrap();
        // At the beginning, so that nothing can be opened, and within the only block with records.
        for at in [20, whole.len() / 3] {
            let mut bytes = whole.clone();
            bytes[at] ^= 0xff;
            fs::write(home.join(damaged), &bytes).unwrap();
            let shown = |seen: &str| assert_eq!(binlog(home, &["cat", "--salvage", "log"]).text(), lines, "{seen}");
            shown("before");
            for form in ["gzip", "zstd"] {
                for name in ["default.0000000002.binlog", "default.0000000002.z.binlog"] {
                    let ran = binlog(home, &["compress", "--whole", form, &format!("log/{name}")]).exits(1);
                    assert!(ran.err.contains(damaged), "{damaged} at {at}: {}", ran.err);
                }
            }
            assert_eq!(files(home), pairs, "{damaged} at {at}");
            shown("behind");
        }
        fs::write(home.join(damaged), whole).unwrap();
    }
    binlog(home, &["compress", "--whole", "zstd", "log"]).ok();
    assert_eq!(binlog(home, &["cat", "log"]).ok().text(), lines);
}
