//! Closed segments sent to an S3 server by `binlog ship`, and the same files by rclone: whole processes.
//!
//! `tests/archive/servers.py run --only s3 -- COMMAND` starts the server and passes its address in the environment;
//! without that, the contenders are left out.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::binlog_c::{BinlogWriter, Codec, Layout, Mode};
use crate::blocks;
use crate::contender::{write_all, Append, Contender, Sample};
use crate::folder::fresh;
use crate::payload::{Load, Payloads};
use crate::Result;

const URL: &str = "BINLOG_TEST_S3_URL";
const RCLONE: &str = "BINLOG_TEST_RCLONE";
/// The server's name in rclone's configuration.
const REMOTE: &str = "binlogs3";

/// Why there is no server to ship to, if there is none.
pub fn missing() -> Option<String> {
    let unset = [URL, RCLONE].into_iter().find(|&name| env::var_os(name).is_none())?;
    Some(format!("{unset} is not set: tests/archive/servers.py starts a server"))
}

/// The command that was built with the library.
pub fn command() -> Command {
    Command::new(env!("BENCH_BINLOG"))
}

pub fn rclone() -> Result<Command> {
    Ok(Command::new(env::var(RCLONE)?))
}

/// A prefix in the bucket that nothing else uses.
pub struct Prefix(String);

impl Prefix {
    pub fn new() -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        Prefix(format!("bench-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed)))
    }

    pub fn url(&self) -> Result<String> {
        let url = env::var(URL)?;
        let (bucket, options) = url.split_once("/?").ok_or("the URL of the bucket has no options")?;
        Ok(format!("{bucket}/{}?{options}", self.0))
    }

    pub fn remote(&self) -> Result<String> {
        let url = env::var(URL)?;
        let bucket = url.trim_start_matches("s3://").split(['/', '?']).next().unwrap_or_default();
        Ok(format!("{REMOTE}:{bucket}/{}", self.0))
    }

    /// The number of objects with the prefix.
    fn count(&self) -> Result<usize> {
        let output = rclone()?.arg("lsf").arg(self.remote()?).stderr(Stdio::null()).output()?;
        Ok(output.stdout.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()).count())
    }

    pub fn discard(&self) -> Result<()> {
        succeed(rclone()?.args(["purge", "--retries", "1"]).arg(self.remote()?))
    }
}

pub fn succeed(command: &mut Command) -> Result<()> {
    let output = command.stdin(Stdio::null()).output()?;
    match output.status.success() {
        true => Ok(()),
        false => {
            let complaint = String::from_utf8_lossy(&output.stderr);
            Err(format!("{:?}: {}: {}", command.get_program(), output.status, complaint.trim()).into())
        }
    }
}

#[derive(Clone, Copy)]
pub enum By {
    Binlog,
    /// With so many transfers at a time; rclone's default is four.
    Rclone {
        transfers: u32,
    },
}

/// One log, shipped to a new prefix each time.
pub struct Shipping {
    pub name: &'static str,
    pub by: By,
    pub load: Rc<Load>,
    pub segment_bytes: u64,
}

impl Shipping {
    fn log(place: &Path) -> PathBuf {
        place.join("shipped")
    }

    fn ship(&self, log: &Path) -> Result<(f64, Prefix)> {
        let prefix = Prefix::new();
        let mut shipping = match self.by {
            By::Binlog => {
                let mut binlog = command();
                binlog.args(["ship", "--quiet"]).arg(log).arg(prefix.url()?);
                binlog
            }
            By::Rclone { transfers } => {
                let mut rclone = rclone()?;
                rclone.args(["copy", "--include", "*.binlog", "--transfers", &transfers.to_string()]);
                rclone.arg(log).arg(prefix.remote()?);
                rclone
            }
        };
        let start = Instant::now();
        succeed(&mut shipping)?;
        let seconds = start.elapsed().as_secs_f64();
        // The ledger of this prefix does not matter for the next one.
        let _ = std::fs::remove_file(log.join("default.archive"));
        Ok((seconds, prefix))
    }
}

impl Contender for Shipping {
    fn name(&self) -> &str {
        self.name
    }

    fn left_out(&self, _place: &Path) -> Result<Option<String>> {
        Ok(missing())
    }

    /// rclone compares the objects in the store with the files.
    fn warm_up(&mut self, place: &Path) -> Result<()> {
        let log = Self::log(place);
        if !log.exists() {
            let layout = Layout { segment_bytes: self.segment_bytes, ..Layout::default() };
            write_all(BinlogWriter::open(fresh(&log)?, Mode::Background, Codec::None, layout)?, &self.load)?;
            // The last segment belongs to the writer, so it is an empty one.
            succeed(command().arg("roll").arg(&log))?;
        }
        let (_, prefix) = self.ship(&log)?;
        // Only rclone stores the empty segment.
        let newest = std::fs::read_dir(&log)?.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let newest = newest.filter(|name| name.ends_with(".binlog")).max().ok_or("there is no segment")?;
        let mut check = rclone()?;
        check.args(["check", "--one-way", "--download"]);
        check.args(["--filter", &format!("- {newest}"), "--filter", "+ *.binlog", "--filter", "- *"]);
        succeed(check.arg(&log).arg(prefix.remote()?))?;
        prefix.discard()
    }

    fn run(&mut self, place: &Path) -> Result<Sample> {
        let (seconds, prefix) = self.ship(&Self::log(place))?;
        prefix.discard()?;
        Ok(Sample { seconds, records: 1, bytes: self.load.bytes(), latency: None })
    }
}

/// How long a shipper may take to store half of a log.
const PATIENCE: Duration = Duration::from_secs(60);

/// A writer with `binlog ship --follow` beside it.
pub struct Shipped {
    writer: Option<BinlogWriter>,
    /// Starts the process when there is a segment: it refuses a folder without a log.
    starting: Option<JoinHandle<std::io::Result<Child>>>,
    stop: Arc<AtomicBool>,
    prefix: Prefix,
    folder: PathBuf,
}

impl Shipped {
    pub fn open(folder: &Path, layout: Layout) -> Result<Self> {
        let writer = Some(BinlogWriter::open(folder, Mode::Background, Codec::None, layout)?);
        let prefix = Prefix::new();
        let mut shipping = command();
        shipping.args(["ship", "--quiet", "--follow"]).arg(folder).arg(prefix.url()?);
        shipping.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let stop = Arc::new(AtomicBool::new(false));
        let (log, stopped) = (folder.to_owned(), stop.clone());
        let starting = thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) && blocks::segments(&log).is_ok_and(|segments| segments.is_empty()) {
                thread::sleep(Duration::from_millis(5));
            }
            shipping.spawn()
        });
        Ok(Shipped { writer, starting: Some(starting), stop, prefix, folder: folder.to_owned() })
    }

    fn writer(&mut self) -> Result<&mut BinlogWriter> {
        self.writer.as_mut().ok_or_else(|| "the writer is closed".into())
    }

    fn stop(&mut self) -> Result<()> {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(starting) = self.starting.take() {
            let mut shipper = starting.join().map_err(|_| "the thread that starts the shipper panicked")??;
            shipper.kill()?;
            shipper.wait()?;
        }
        Ok(())
    }
}

impl Drop for Shipped {
    fn drop(&mut self) {
        let _ = self.stop();
        let _ = self.prefix.discard();
    }
}

impl Append for Shipped {
    fn append(&mut self, payload: &[u8]) -> Result<()> {
        self.writer()?.append(payload)
    }

    /// Called after the last record whose time counts. Segments that are not shipped while the log is written are no
    /// failure, but the shipper may not have started on a short log: half of it must get there.
    fn flush(&mut self) -> Result<()> {
        self.writer()?.flush()?;
        let begin = Instant::now();
        loop {
            let (there, here) = (self.prefix.count()?, blocks::segments(&self.folder)?.len());
            if there * 2 >= here {
                return Ok(());
            }
            if begin.elapsed() > PATIENCE {
                return Err(format!("{there} segments were shipped of a log that has {here}").into());
            }
            thread::sleep(Duration::from_millis(100));
        }
    }

    fn close(mut self) -> Result<()> {
        self.stop()?;
        match self.writer.take() {
            Some(writer) => writer.close(),
            None => Ok(()),
        }
    }
}

/// A log that another thread writes and a process ships, while the calling thread only keeps time.
pub struct Beside {
    writing: Option<JoinHandle<Result<()>>>,
    stop: Arc<AtomicBool>,
}

/// Between two rounds of the thread's appends; it sleeps meanwhile, like a service that waits for requests.
const ROUND: Duration = Duration::from_millis(1);

impl Beside {
    /// Appends a payload each `pace`.
    pub fn start(folder: PathBuf, layout: Layout, payloads: Payloads, pace: Duration) -> Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let writing = thread::spawn(move || {
            let mut log = Shipped::open(&folder, layout)?;
            let start = Instant::now();
            let mut done = 0;
            while !stopped.load(Ordering::Relaxed) {
                let due = start.elapsed().div_duration_f64(pace) as u64;
                for index in done..due {
                    log.append(payloads.at(index))?;
                }
                done = due;
                thread::sleep(ROUND);
            }
            log.flush()?;
            log.close()
        });
        Ok(Beside { writing: Some(writing), stop })
    }

    fn end(&mut self) -> Result<()> {
        self.stop.store(true, Ordering::Relaxed);
        let Some(writing) = self.writing.take() else { return Ok(()) };
        writing.join().map_err(|_| "the thread that writes panicked")?
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        let _ = self.end();
    }
}

impl Append for Beside {
    fn append(&mut self, payload: &[u8]) -> Result<()> {
        std::hint::black_box(payload);
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        Ok(())
    }

    fn close(mut self) -> Result<()> {
        self.end()
    }
}
