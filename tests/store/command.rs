//! A command as a store, whose exit status has the meaning of PostgreSQL's archive_command.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use binlog::io::{Access, Directory as _, MemoryDirectory};
use binlog::shipping::{ShipOptions, Shipper};
use binlog::store::{self, Again, Answer, Monitor, StoreOptions, Stored, Sums, Upload};
use binlog::{Kind, Writer, WriterOptions};

fn run_with(command: &str, path: &Path, monitor: &dyn Monitor) -> Answer<Stored> {
    run_named(command, "log.binlog", path, monitor)
}

fn run_named(command: &str, name: &str, path: &Path, monitor: &dyn Monitor) -> Answer<Stored> {
    let directory = MemoryDirectory::new();
    directory.set_contents("f", b"contents".to_vec());
    let source = directory.open("f", Access::Read).unwrap();
    let sums = Sums::of(&source, 100).unwrap();
    let store = store::open(&format!("exec:{command}"), &StoreOptions::default()).unwrap();
    store.upload(&Upload { name, source: &*source, path, sums: &sums, resume: None, monitor })
}

fn run(command: &str) -> Answer<Stored> {
    run_with(command, Path::new("/the/path"), &())
}

#[test]
fn a_command_gets_path_and_name_and_says_by_its_status_what_became_of_the_file() {
    let scratch = tempfile::tempdir().unwrap();
    let (from, to) = (scratch.path().join("a b.binlog"), scratch.path().join("to"));
    std::fs::write(&from, "contents").unwrap();
    std::fs::create_dir(&to).unwrap();
    let target = format!("{}/$BINLOG_NAME", to.display());
    let copy = format!(r#"test ! -f "{target}" && cp "$BINLOG_PATH" "{target}" && test "${{BINLOG_NAME%%.*}}" = log"#);
    assert_eq!(run_with(&copy, &from, &()).unwrap(), Stored::New);
    assert_eq!(std::fs::read_to_string(to.join("log.binlog")).unwrap(), "contents");
    let again = run_with(&copy, &from, &()).unwrap_err();
    assert_eq!(again.again, Again::Later(None), "{again}");
}

/// Names of logs, directories and files that a shell would run, take for options, expand or split.
const HOSTILE: [&str; 12] = [
    "a;touch X;b",
    "a';touch X;'b",
    "a\";touch X;\"b",
    "$(touch X)",
    "`touch X`",
    "${IFS}touch${IFS}X",
    "-rf",
    "--help",
    "a b\tc",
    "*",
    "a\\",
    "& touch X &",
];

#[test]
fn no_name_of_a_log_is_ever_run() {
    let scratch = tempfile::tempdir().unwrap();
    // A real shell is the judge: any command that it ran would make this file, in its working directory.
    let made = scratch.path().join("X");
    let seen = scratch.path().join("seen");
    let see = format!(
        "cd '{0}'; printf '%s|%s' \"$BINLOG_NAME\" \"$BINLOG_PATH\" > seen; test -f \"$BINLOG_PATH\"; exit $?",
        scratch.path().display()
    );
    for name in HOSTILE.iter().filter(|name| !name.contains(['\t', '\\'])) {
        let file = format!("{name}.0000000001.binlog");
        let directory = scratch.path().join(format!("{name} of\n'logs'"));
        std::fs::create_dir(&directory).unwrap();
        let path = directory.join(&file);
        std::fs::write(&path, "contents").unwrap();
        assert_eq!(run_named(&see, &file, &path, &()).unwrap(), Stored::New, "{name:?}");
        assert_eq!(std::fs::read_to_string(&seen).unwrap(), format!("{file}|{}", path.display()));
        assert!(!made.exists(), "{name:?} was run");
    }
    // A string that cannot be the name of an object is refused before anything runs.
    std::fs::remove_file(&seen).unwrap();
    for name in ["a\ntouch X\n", "a\0b", "a\\b", "../a", "a/b", ""] {
        let failure = run_named(&see, name, Path::new("p"), &()).unwrap_err();
        assert_eq!((failure.error.kind(), failure.again), (Kind::Invalid, Again::WhenMended), "{name:?}");
    }
    assert!(!made.exists() && !seen.exists());
}

#[test]
fn a_log_that_is_called_like_a_command_is_shipped_by_one() {
    let scratch = tempfile::tempdir().unwrap();
    let (store, made) = (scratch.path().join("store"), scratch.path().join("X"));
    std::fs::create_dir(&store).unwrap();
    let url = format!("exec:cd '{}'; cp \"$BINLOG_PATH\" \"store/$BINLOG_NAME\"", scratch.path().display());
    for name in HOSTILE.iter().filter(|name| !name.contains(['\t', '\\', '/'])) {
        let log = tempfile::tempdir().unwrap();
        let options = WriterOptions { name: (*name).to_owned(), ..WriterOptions::default() };
        let writer = Writer::open(log.path(), options).unwrap();
        writer.append(1, b"x").unwrap();
        writer.roll().unwrap();
        writer.close().unwrap();
        let ship = ShipOptions { url: url.clone(), patience: std::time::Duration::ZERO, ..ShipOptions::default() };
        let shipped = Shipper::open(log.path(), Some(name), ship).unwrap().run_once(&()).unwrap();
        assert_eq!(shipped.uploaded.len(), 1, "{name:?}");
        assert!(store.join(format!("{name}.0000000001.binlog")).exists(), "{name:?}");
        assert!(!made.exists() && !store.join("X").exists(), "{name:?} was run");
    }
}

#[test]
fn a_command_knows_length_and_checksum_and_a_path_from_anywhere_and_of_any_bytes() {
    use std::os::unix::ffi::OsStrExt as _;
    let sum = "d1b2a59fbea7e20077af9f91b27e95e865061b270be03ff539ab3b73587882e8";
    assert_eq!(run(&format!("test \"$BINLOG_BYTES $BINLOG_SHA256\" = '8 {sum}'")).unwrap(), Stored::New);
    let here = std::env::current_dir().unwrap();
    let whole = format!("test \"$BINLOG_PATH\" = '{}/-x/y'", here.display());
    assert_eq!(run_with(&whole, Path::new("-x/y"), &()).unwrap(), Stored::New);
    let odd = Path::new(std::ffi::OsStr::from_bytes(b"/a\xff/b"));
    let octal = "test \"$(printf %s \"$BINLOG_PATH\" | od -An -to1 | tr -d ' \\n')\" = 057141377057142";
    assert_eq!(run_with(octal, odd, &()).unwrap(), Stored::New);
}

#[test]
fn statuses_up_to_125_are_tried_again_and_others_and_signals_are_not() {
    let outcome = |command: &str| run(command).map_err(|failure| (failure.again, failure.to_string()));
    assert_eq!(outcome("true"), Ok(Stored::New));
    for (command, again, expected) in [
        ("exit 1", Again::Later(None), "status 1"),
        ("exit 125", Again::Later(None), "status 125"),
        ("exit 126", Again::WhenMended, "cannot be executed"),
        ("/no/such/program", Again::WhenMended, "was not found"),
        ("exit 255", Again::WhenMended, "status 255"),
        ("kill -9 $$", Again::WhenMended, "signal 9"),
        ("kill -TERM $$", Again::WhenMended, "signal 15"),
    ] {
        let (seen, message) = outcome(command).unwrap_err();
        assert_eq!(seen, again, "{command}: {message}");
        assert!(message.contains(expected), "{command}: {message}");
    }
}

#[test]
fn the_last_line_of_its_errors_is_reported_and_nothing_else_of_its_output() {
    let failure = run("echo out; echo 0; seq 1 20000 >&2; printf 'no \\033[1mspace\\n\\n' >&2; exit 3").unwrap_err();
    let message = failure.to_string();
    assert!(message.starts_with("exec:echo#"), "{message}");
    assert!(message.ends_with("/log.binlog: the command ended with status 3: no [1mspace"), "{message}");
    let long = run("head -c 100000 /dev/zero | tr '\\0' x >&2; exit 1").unwrap_err();
    assert!(long.to_string().len() < 500, "{long}");
    // Its standard output is not taken for its status.
    assert_eq!(run("echo 7; true").unwrap(), Stored::New);
}

#[test]
fn what_a_command_leaves_running_is_not_waited_for() {
    let start = std::time::Instant::now();
    assert_eq!(run("sleep 300 & exit 0").unwrap(), Stored::New);
    assert!(start.elapsed().as_secs() < 200);
}

#[test]
fn a_command_is_ended_when_the_upload_is_to_stop() {
    struct Stops(AtomicUsize);
    impl Monitor for Stops {
        fn sent(&self, _bytes: u64) {}
        fn note(&self, _token: &str) -> binlog::Result<()> {
            Ok(())
        }
        fn stop(&self) -> bool {
            self.0.fetch_add(1, Ordering::Relaxed) > 1
        }
    }
    let scratch = tempfile::tempdir().unwrap();
    let pid_file = scratch.path().join("pid");
    let command = format!("echo $$ > '{}'; exec sleep 300", pid_file.display());
    let failure = run_with(&command, Path::new("p"), &Stops(AtomicUsize::new(0))).unwrap_err();
    assert_eq!(failure.again, Again::Later(None), "{failure}");
    if let Ok(pid) = std::fs::read_to_string(&pid_file) {
        let pid: i32 = pid.trim().parse().unwrap();
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
        // SAFETY: only checks whether there is such a process.
        while unsafe { libc::kill(pid, 0) } == 0 {
            assert!(std::time::Instant::now() < deadline, "the command continues");
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }
}

#[test]
fn a_command_cannot_be_asked_and_a_wrong_one_is_refused_at_once() {
    let store = store::open("exec:scp --secret=sesame \"$BINLOG_PATH\" host:", &StoreOptions::default()).unwrap();
    assert!(!store.can_read());
    assert!(store.url().starts_with("exec:scp#") && store.url().len() == 17, "{}", store.url());
    let other = store::open("exec:scp --secret=sesame \"$BINLOG_PATH\" elsewhere:", &StoreOptions::default()).unwrap();
    assert_ne!(other.url(), store.url(), "two commands are two stores");
    let failure = store.stat("x").unwrap_err();
    assert_eq!((failure.error.kind(), failure.again), (Kind::Unsupported, Again::WhenMended));
    assert!(!format!("{failure} {failure:?} {store:?}").contains("sesame"));
    let opened = |url: &str| store::open(url, &StoreOptions::default());
    for bad in ["exec:", "exec:  ", "exec:a\0b"] {
        assert_eq!(opened(bad).unwrap_err().kind(), Kind::Invalid, "{bad}");
    }
    // A placeholder that is no longer one: the error names what to write instead, whatever quotes are around it.
    for (bad, instead) in [
        ("exec:cp %p /to", "\"$BINLOG_PATH\""),
        ("exec:cp '%p' '/to/%f'", "\"$BINLOG_PATH\""),
        ("exec:store %f", "\"$BINLOG_NAME\""),
        ("exec:date +%%%p", "\"$BINLOG_PATH\""),
    ] {
        let error = opened(bad).unwrap_err();
        assert_eq!(error.kind(), Kind::Invalid, "{bad}");
        assert!(error.to_string().contains(instead), "{bad}: {error}");
    }
    for good in
        ["exec:date +%F%%", "exec:echo ${BINLOG_NAME%%foo*} ${BINLOG_NAME%.*}", "exec:date +%\\p", "exec:echo %"]
    {
        assert!(opened(good).is_ok(), "{good}");
    }
}

#[test]
fn the_status_is_seen_even_where_the_host_ignores_sigchld() {
    // The handler belongs to the whole process: this test has one of its own.
    if std::env::var_os("BINLOG_TEST_IGNORES_SIGCHLD").is_none() {
        let name = crate::common::full_name(module_path!(), "the_status_is_seen_even_where_the_host_ignores_sigchld");
        let mut alone = std::process::Command::new(std::env::current_exe().unwrap());
        alone.args([&name, "--exact", "--test-threads=1"]).env("BINLOG_TEST_IGNORES_SIGCHLD", "1");
        let done = alone.output().unwrap();
        let output = String::from_utf8_lossy(&done.stdout);
        assert!(done.status.success() && output.contains("1 passed"), "{output}");
        return;
    }
    // SAFETY: no other code of this process waits for children.
    unsafe { libc::signal(libc::SIGCHLD, libc::SIG_IGN) };
    assert_eq!(run("true").unwrap(), Stored::New);
    assert!(run("exit 4").unwrap_err().to_string().contains("status 4"));
}
