//! `binlog ship --follow`: a thread for each log, and for each log that is added later.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use binlog::shipping::{ship_metrics, Shipper};
use binlog::Kind;

use super::watch::Watch;
use super::{logs, logs_of, open, roll, Ship};
use crate::human::{counted, plain};
use crate::output::{complain, Fail};
use crate::remote::is_url;
use crate::signals::{exit_code, Signals};
use crate::OK;

/// How often the metrics file is written.
const METRICS_EVERY: Duration = Duration::from_secs(5);
/// How often to look for new logs in the directory, and for logs that another process ships.
const LOGS_EVERY: Duration = Duration::from_secs(10);
/// The same while there is no log.
const FIRST_LOG_EVERY: Duration = Duration::from_secs(1);

type Shippers = BTreeMap<String, Arc<Shipper>>;

/// Opens shippers for the logs that have none yet; an item is an error if that failed. A log that another process
/// ships is awaited, with one message.
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
    // Logs that cannot be listed now, or do not exist yet, are found later.
    let new = logs(args).unwrap_or_default().into_iter().filter(|log| !shippers.contains_key(log));
    new.filter_map(&mut begin).collect()
}

pub fn run(args: &Ship, signals: &Signals) -> Result<u8, Fail> {
    if args.directory.exists() && !args.directory.is_dir() {
        // A directory may appear later, a file in its place is an error.
        logs_of(&args.directory)?;
    }
    let mut awaited = BTreeSet::new();
    let mut shippers = begin(args, &Shippers::new(), &mut awaited).into_iter().collect::<Result<Shippers, Fail>>()?;
    if shippers.is_empty() && awaited.is_empty() && !args.quiet {
        complain(&format!("{}: no log is here yet: waiting for one", args.directory.display()));
    }
    thread::scope(|scope| {
        let start = |shipper: Arc<Shipper>| {
            scope.spawn(move || shipper.run(&Watch::new(super::show(args), signals, None)));
        };
        shippers.values().cloned().for_each(start);
        let (mut written_at, mut looked) = (None::<Instant>, Instant::now());
        let mut complained = false;
        while signals.caught().is_none() {
            let is_due = written_at.is_none_or(|at| at.elapsed() >= METRICS_EVERY);
            if let Some(file) = args.metrics.as_ref().filter(|_| is_due) {
                let written = write_metrics(file, &metrics_of(&shippers));
                if let (Err(Fail::Message(message)), false) = (&written, complained) {
                    complain(message);
                }
                complained = written.is_err();
                written_at = Some(Instant::now());
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
    ship_metrics(&shippers.values().map(|shipper| shipper.status()).collect::<Vec<_>>())
}

/// Whether a file is empty, or contains metrics of this command or the beginning of them.
fn has_figures(path: &Path) -> bool {
    const BEGINNING: &[u8] = b"# HELP binlog_ship_";
    let mut bytes = [0; BEGINNING.len()];
    let read = fs::File::open(path).and_then(|mut file| file.read(&mut bytes));
    read.is_ok_and(|n| BEGINNING.starts_with(&bytes[..n]))
}

/// Replaces the file in one step: a program that reads it finds the old one or the new one, never a part.
pub fn write_metrics(file: &Path, text: &str) -> Result<(), Fail> {
    let refused = |why: &str| Err(Fail::Message(format!("{}: the figures are not written: {why}", file.display())));
    // Both are replaced: the file itself, and the file of the temporary name.
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
    // What an earlier run left is removed rather than written to: it may have become a link to anything.
    let _ = fs::remove_file(&part);
    let written = fs::File::create_new(&part).and_then(|mut part| part.write_all(text.as_bytes()));
    let written = written.and_then(|()| fs::rename(&part, file));
    written.map_err(|e| {
        let _ = fs::remove_file(&part);
        Fail::Message(format!("{}: the figures cannot be written: {e}", file.display()))
    })
}
