//! Runs every file of a corpus through its target, in a separate process for each target: even an abort then names the
//! file that caused it.
//!
//!     replay                    everything under corpus/
//!     replay TARGET [PATH…]     one target: its corpus, or these files and directories

use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use binlog_fuzz::{Target, TARGETS};

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    match arguments.next() {
        None => replay_all(),
        Some(name) => replay(&name.to_string_lossy(), &arguments.collect::<Vec<_>>()),
    }
}

fn corpus(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name)
}

fn replay_all() -> ExitCode {
    let program = std::env::current_exe().expect("this program has a path");
    let mut failed = 0;
    for (name, _) in TARGETS {
        let output = Command::new(&program).arg(name).stderr(Stdio::inherit()).output().expect("a process is started");
        let shown = String::from_utf8_lossy(&output.stdout);
        let last = shown.lines().last().unwrap_or("nothing was run");
        match output.status.success() {
            true => println!("{last}"),
            false => {
                failed += 1;
                println!("FAIL {last}: {}", output.status);
            }
        }
    }
    if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn replay(name: &str, paths: &[OsString]) -> ExitCode {
    let Some((_, target)) = TARGETS.into_iter().find(|(known, _)| *known == name) else {
        eprintln!("there is no target {name}; there are {:?}", TARGETS.map(|(name, _)| name));
        return ExitCode::FAILURE;
    };
    let paths = if paths.is_empty() { vec![corpus(name)] } else { paths.iter().map(PathBuf::from).collect() };
    let mut files = vec![];
    paths.iter().for_each(|path| add_files(path, &mut files));
    files.sort();
    if files.is_empty() {
        println!("{name}: no files in {paths:?}");
        return ExitCode::FAILURE;
    }
    let failed = files.iter().filter(|file| !passes(target, name, file)).count();
    println!("{name}: {} files, {failed} failed", files.len());
    if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn add_files(path: &Path, files: &mut Vec<PathBuf>) {
    match std::fs::read_dir(path) {
        Ok(entries) => entries.for_each(|entry| add_files(&entry.expect("a directory entry").path(), files)),
        Err(_) if path.is_file() => files.push(path.to_owned()),
        Err(_) => (),
    }
}

fn passes(target: Target, name: &str, file: &Path) -> bool {
    // Printed before the call: a process that is killed prints nothing any more.
    println!("{name}: {}", file.display());
    let _ = std::io::stdout().flush();
    let bytes = std::fs::read(file).expect("the file can be read");
    let panicked = std::panic::catch_unwind(|| target(&bytes)).is_err();
    if panicked {
        eprintln!("FAIL {name}: {}", file.display());
    }
    !panicked
}
