//! Help, completions and wrong usage.

use crate::common::{binlog, binlog_with};
use tempfile::tempdir;

#[test]
fn wrong_usage_exits_with_2_and_touches_nothing() {
    let home = tempdir().unwrap();
    let home = home.path();
    let wrong: [&[&str]; 34] = [
        &[],
        &["frobnicate"],
        &["append"],
        &["append", "log", "--type", "1073741824"],
        &["append", "log", "--type", "99999999999"],
        &["append", "log", "--type", ""],
        &["append", "log", "--meta", "novalue"],
        &["append", "log", "--codec", "gzip"],
        &["append", "log", "--codec", "zstd:99"],
        &["append", "log", "--segment-size", "lots"],
        &["append", "log", "--segment-size", "1G", "--single-file"],
        &["append", "log", "--flush-every", "0"],
        &["append", "log", "--framing", "u16"],
        &["cat"],
        &["cat", "log", "--id", "0"],
        &["cat", "log", "--id", "5..2"],
        &["cat", "log", "--from", "yesterday"],
        &["cat", "log", "--from", "2026-01-02", "--to", "2026-01-01"],
        &["cat", "log", "--format", "xml"],
        &["cat", "log", "--format", "raw", "--headers"],
        &["cat", "log", "other", "--follow"],
        &["cat", "log", "--limit", "-1"],
        &["cat", "log", "--last", "few"],
        &["cat", "log", "--where", "novalue"],
        &["cat", "log", "--follow", "--reverse"],
        &["cat", "log", "--salvage", "--reverse"],
        &["cat", "log", "--where"],
        &["verify"],
        &["recover", "log"],
        &["recover", "log", "saved", "--in-place"],
        &["recover", "log", "saved", "--dry-run", "--no-verify"],
        &["index"],
        &["completions", "klingon"],
        &["man"],
    ];
    for args in wrong {
        let ran = binlog(home, args).exits(2);
        assert!(ran.out.is_empty() && !ran.err.is_empty(), "{args:?}");
    }
    assert_eq!(std::fs::read_dir(home).unwrap().count(), 0);
}

#[test]
fn options_that_the_library_refuses_are_one_line() {
    let home = tempdir().unwrap();
    let home = home.path();
    for args in [
        ["append", "log", "--name", "a/b"],
        ["append", "log", "--segment-size", "1"],
        ["append", "log", "--record-max", "3G"],
    ] {
        let ran = binlog(home, &args).exits(2);
        assert!(ran.err.starts_with("error: ") && ran.err.lines().count() == 1, "{args:?}: {}", ran.err);
    }
}

#[test]
fn each_command_has_help_with_examples() {
    let home = tempdir().unwrap();
    let home = home.path();
    for command in
        [&[][..], &["append"], &["cat"], &["info"], &["verify"], &["recover"], &["index"], &["completions"], &["man"]]
    {
        let ran = binlog(home, &[command, &["--help"]].concat()).ok();
        assert!(ran.text().contains("Examples:\n  "), "{command:?}: {}", ran.text());
    }
    let version = format!("binlog {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(binlog(home, &["--version"]).ok().text(), version);
}

#[test]
fn completions_are_printed_for_each_shell() {
    let home = tempdir().unwrap();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ran = binlog(home.path(), &["completions", shell]).ok();
        assert!(ran.text().contains("segment-size") && ran.err.is_empty(), "{shell}");
    }
}

#[test]
fn each_command_has_a_manual_page_that_names_its_options() {
    let home = tempdir().unwrap();
    binlog(home.path(), &["man", "man/man1"]).ok();
    let page = |name: &str| std::fs::read_to_string(home.path().join("man/man1").join(name)).unwrap();
    let help = binlog(home.path(), &["--help"]).ok();
    let commands = help.text().lines().skip_while(|line| *line != "Commands:").skip(1);
    let mut names: Vec<&str> = commands.map_while(|line| line.split_whitespace().next()).collect();
    names.retain(|name| *name != "help");
    assert!(names.contains(&"append") && names.contains(&"man"), "{names:?}");
    for name in &names {
        let text = page(&format!("binlog-{name}.1"));
        assert!(text.contains(&format!("binlog\\-{name} \\- ")) && text.contains(".SH EXAMPLES\n"), "{name}: {text}");
        assert!(page("binlog.1").contains(&format!("binlog\\-{name}(1)")), "{name}");
    }
    assert!(page("binlog-append.1").contains("\\-\\-segment\\-size"));
    assert!(page("binlog.1").contains(".SH \"EXIT STATUS\"\n"));
    assert_eq!(std::fs::read_dir(home.path().join("man/man1")).unwrap().count(), names.len() + 1);
}

#[test]
fn a_rule_that_keeps_nothing_is_wrong_usage() {
    let home = tempdir().unwrap();
    for rule in [["--keep-bytes", "0"], ["--keep-bytes", "0GB"], ["--keep-segments", "0"], ["--keep", "0d"]] {
        let ran = binlog(home.path(), &["prune", rule[0], rule[1], "log"]).exits(2);
        assert!(ran.err.contains(rule[0]), "{}", ran.err);
    }
}

#[test]
fn a_directory_of_a_store_that_is_not_there_says_how_it_is_made() {
    let home = tempdir().unwrap();
    binlog_with(home.path(), &["append", "-q", "log"], b"one\n").ok();
    let url = format!("file://{}/nosuch", home.path().display());
    let ran = binlog(home.path(), &["ship", "log", &url]).exits(1);
    assert!(ran.err.contains("?create=true"), "{}", ran.err);
}
