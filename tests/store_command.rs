//! A command as a store, with PostgreSQL's archive_command meaning of its exit status.
#![cfg(feature = "upload")]

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use binlog::io::{Access, Directory as _, MemoryDirectory};
use binlog::store::{self, Again, Answer, Monitor, StoreOptions, Stored, Sums, Upload};
use binlog::Kind;

fn run_with(command: &str, path: &Path, monitor: &dyn Monitor) -> Answer<Stored> {
    let directory = MemoryDirectory::new();
    directory.set_contents("f", b"contents".to_vec());
    let source = directory.open("f", Access::Read).unwrap();
    let sums = Sums::of(&source, 100).unwrap();
    let store = store::open(&format!("exec:{command}"), &StoreOptions::default()).unwrap();
    store.upload(&Upload { name: "log.binlog", source: &*source, path, sums: &sums, resume: None, monitor })
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
    let copy = format!("test ! -f '{0}/%f' && cp '%p' '{0}/%f' && echo 100%% > /dev/null", to.display());
    assert_eq!(run_with(&copy, &from, &()).unwrap(), Stored::New);
    assert_eq!(std::fs::read_to_string(to.join("log.binlog")).unwrap(), "contents");
    let again = run_with(&copy, &from, &()).unwrap_err();
    assert_eq!(again.again, Again::Later(None), "{again}");
}

#[test]
fn statuses_up_to_125_are_tried_again_and_others_and_signals_are_not() {
    let outcome = |command: &str| run(command).map_err(|failure| (failure.again, failure.to_string()));
    assert_eq!(outcome("true"), Ok(Stored::New));
    for (command, again, told) in [
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
        assert!(message.contains(told), "{command}: {message}");
    }
}

#[test]
fn the_last_line_of_its_errors_is_told_and_nothing_else_of_what_it_says() {
    let failure = run("echo out; echo 0; seq 1 20000 >&2; printf 'no \\033[1mspace\\n\\n' >&2; exit 3").unwrap_err();
    assert_eq!(failure.to_string(), "exec:echo/log.binlog: the command ended with status 3: no [1mspace");
    let long = run("head -c 100000 /dev/zero | tr '\\0' x >&2; exit 1").unwrap_err();
    assert!(long.to_string().len() < 500, "{long}");
    // What it says on its standard output is not taken for its status.
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
        // SAFETY: asks only whether there is such a process.
        while unsafe { libc::kill(pid, 0) } == 0 {
            assert!(std::time::Instant::now() < deadline, "the command goes on");
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }
}

#[test]
fn a_command_cannot_be_asked_and_a_wrong_one_is_refused_at_once() {
    let store = store::open("exec:scp --secret=sesame %p host:", &StoreOptions::default()).unwrap();
    assert!(!store.can_read());
    assert_eq!(store.url(), "exec:scp");
    let failure = store.stat("x").unwrap_err();
    assert_eq!((failure.error.kind(), failure.again), (Kind::Unsupported, Again::WhenMended));
    assert!(!format!("{failure} {failure:?} {store:?}").contains("sesame"));
    for bad in ["exec:", "exec:  ", "exec:cp %x", "exec:cp %"] {
        assert_eq!(store::open(bad, &StoreOptions::default()).unwrap_err().kind(), Kind::Invalid, "{bad}");
    }
}

#[test]
fn the_status_is_seen_even_where_the_host_ignores_sigchld() {
    // The handler belongs to the whole process: this test has one of its own.
    if std::env::var_os("BINLOG_TEST_IGNORES_SIGCHLD").is_none() {
        let name = "the_status_is_seen_even_where_the_host_ignores_sigchld";
        let mut alone = std::process::Command::new(std::env::current_exe().unwrap());
        alone.args([name, "--exact", "--test-threads=1"]).env("BINLOG_TEST_IGNORES_SIGCHLD", "1");
        let done = alone.output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stdout));
        return;
    }
    // SAFETY: nothing else runs in this process that waits for children.
    unsafe { libc::signal(libc::SIGCHLD, libc::SIG_IGN) };
    assert_eq!(run("true").unwrap(), Stored::New);
    assert!(run("exit 4").unwrap_err().to_string().contains("status 4"));
}
