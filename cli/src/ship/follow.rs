//! `binlog ship --follow`: a thread for each log, also for those that are still to come.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use binlog::{archive_metrics, Kind, Shipper};

use super::watch::Watch;
use super::{logs, logs_of, open, roll, Ship};
use crate::human::{counted, plain};
use crate::output::{complain, Fail};
use crate::remote::is_url;
use crate::signals::{exit_code, Signals};
use crate::OK;

/// How often the file with the figures is written anew.
const METRICS_EVERY: Duration = Duration::from_secs(5);
/// How often it looks for logs that are new in the directory, and for those that somebody else ships.
const LOGS_EVERY: Duration = Duration::from_secs(10);
/// The same while there is none.
const FIRST_LOG_EVERY: Duration = Duration::from_secs(1);

type Shippers = BTreeMap<String, Arc<Shipper>>;

/// Shippers of the logs that are there and have none yet, or why one cannot be had. For a log that somebody else ships it waits,
/// and says so once.
fn begin(
    args: &Ship,
    shippers: &Shippers,
    awaited: &mut BTreeSet<String>,
) -> Vec<Result<(String, Arc<Shipper>), Fail>> {
    let mut begin = |log: String| match open(args, &log, false) {
        Ok(shipper) => {
            let rolled = if args.roll { roll(args, &log) } else { Ok(()) };
            Some(rolled.map(|()| (log, Arc::new(shipper))))
        }
        // The store's directory may be mounted later.
        Err(error) if error.kind() == Kind::NotFound && error.path().is_some_and(is_url) => {
            if awaited.insert(log) && !args.quiet {
                complain(&format!("{error}: waiting until it is there"));
            }
            None
        }
        Err(error) if error.kind() == Kind::NotFound => None,
        Err(error) if error.kind() == Kind::Locked => {
            if awaited.insert(log) && !args.quiet {
                complain(&format!("{error}: waiting until that ends"));
            }
            None
        }
        Err(error) => Some(Err(error.into())),
    };
    // What cannot be listed, or is not there, is found when it is.
    let new = logs(args).unwrap_or_default().into_iter().filter(|log| !shippers.contains_key(log));
    new.filter_map(&mut begin).collect()
}

pub fn run(args: &Ship, signals: &Signals) -> Result<u8, Fail> {
    if args.directory.exists() && !args.directory.is_dir() {
        // That is not waited for.
        logs_of(&args.directory)?;
    }
    let mut awaited = BTreeSet::new();
    let mut shippers = begin(args, &Shippers::new(), &mut awaited).into_iter().collect::<Result<Shippers, Fail>>()?;
    if shippers.is_empty() && awaited.is_empty() && !args.quiet {
        complain(&format!("{}: no log is here yet: waiting for one", args.directory.display()));
    }
    thread::scope(|scope| {
        let start = |shipper: Arc<Shipper>| {
            scope.spawn(move || shipper.run(&Watch::new(args, signals, None)));
        };
        shippers.values().cloned().for_each(start);
        let (mut told, mut looked) = (None::<Instant>, Instant::now());
        let mut complained = false;
        while signals.caught().is_none() {
            if let Some(file) = args.metrics.as_ref().filter(|_| told.is_none_or(|at| at.elapsed() >= METRICS_EVERY)) {
                let written = write_metrics(file, &metrics_of(&shippers));
                if let (Err(Fail::Told(message)), false) = (&written, complained) {
                    complain(message);
                }
                complained = written.is_err();
                told = Some(Instant::now());
            }
            let look_every = if shippers.is_empty() { FIRST_LOG_EVERY } else { LOGS_EVERY };
            if (args.log.is_none() || shippers.is_empty()) && looked.elapsed() >= look_every {
                looked = Instant::now();
                // What fails now is tried again the next time.
                for (log, shipper) in begin(args, &shippers, &mut awaited).into_iter().flatten() {
                    shippers.insert(log, shipper.clone());
                    start(shipper);
                }
            }
            thread::sleep(Duration::from_millis(50));
        }
    });
    if let Some(file) = &args.metrics {
        write_metrics(file, &metrics_of(&shippers))?;
    }
    for (log, shipper) in shippers.iter().filter(|_| !args.quiet) {
        let waiting = shipper.status().waiting_segments;
        if waiting > 0 {
            complain(&format!("{}: {} still to be shipped", plain(log), counted(waiting, "segment")));
        }
    }
    Ok(signals.caught().map_or(OK, exit_code))
}

fn metrics_of(shippers: &BTreeMap<String, Arc<Shipper>>) -> String {
    archive_metrics(&shippers.values().map(|shipper| shipper.status()).collect::<Vec<_>>())
}

/// Whether a file is empty, or has figures of this command, or a part of them.
fn has_figures(path: &Path) -> bool {
    const BEGINNING: &[u8] = b"# HELP binlog_archive_";
    let mut bytes = [0; BEGINNING.len()];
    let read = fs::File::open(path).and_then(|mut file| file.read(&mut bytes));
    read.is_ok_and(|n| BEGINNING.starts_with(&bytes[..n]))
}

/// Replaces the file in one step: who reads it finds the old one or the new one, never a part.
pub fn write_metrics(file: &Path, text: &str) -> Result<(), Fail> {
    let refused = |why: &str| Err(Fail::Told(format!("{}: the figures are not written: {why}", file.display())));
    // The file is put in the place of what has the name, and before that a part of it in the place of what is called so.
    let mut part = file.as_os_str().to_owned();
    part.push(".part");
    for path in [file, Path::new(&part)] {
        match fs::symlink_metadata(path) {
            Ok(there) if !there.is_file() => return refused(&format!("{} is no plain file", path.display())),
            Ok(_) if !has_figures(path) => {
                return refused(&format!("{} holds something else, and is left as it is", path.display()))
            }
            _ => (),
        }
    }
    if file.extension().is_some_and(|ending| ["binlog", "lock", "archive"].iter().any(|ours| ending == *ours)) {
        return refused("it is called as a file of a log is");
    }
    // What an earlier one left is removed rather than written to: it may be a link to anything by now.
    let _ = fs::remove_file(&part);
    let written = fs::File::create_new(&part).and_then(|mut part| part.write_all(text.as_bytes()));
    let written = written.and_then(|()| fs::rename(&part, file));
    written.map_err(|e| {
        let _ = fs::remove_file(&part);
        Fail::Told(format!("{}: the figures cannot be written: {e}", file.display()))
    })
}
