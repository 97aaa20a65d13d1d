//! Loggers of text: fast_log and inqjet. A process can set up each of them once: every run is a process of its own, which
//! times itself.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, BufWriter, Read as _};
use std::path::Path;
use std::process::Command;
use std::rc::Rc;
use std::time::Instant;

use crate::base::BUFFER;
use crate::contender::{verify, Contender, Read, Sample};
use crate::folder::{discard, fresh};
use crate::payload::{Load, Payloads};
use crate::Result;

/// Argument with which the benchmark's own binary becomes such a process.
pub const COMMAND: &str = "log-lines";

const FILE: &str = "lines";

/// Records that may wait for fast_log's thread, as in its own examples. By default any number may.
const WAITING: usize = 100_000;

/// Bytes that may wait for inqjet's thread: the most that it recommends for one that logs in bursts.
const RING: usize = 1 << 20;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Logger {
    FastLog,
    Inqjet,
}

impl Logger {
    pub fn name(self) -> &'static str {
        match self {
            Logger::FastLog => "fast_log",
            Logger::Inqjet => "inqjet",
        }
    }

    /// Appends a load as lines and returns how long that took, until the lines were passed to the system.
    fn log(self, file: &Path, load: &Load) -> Result<f64> {
        let lines = load.payloads.iter(load.payloads.cycle());
        let lines = lines.map(std::str::from_utf8).collect::<std::result::Result<Vec<&str>, _>>()?;
        let lines = lines.iter().cycle().take(load.records as usize);
        match self {
            Logger::FastLog => {
                let name = file.to_str().ok_or("a name in UTF-8")?;
                fast_log::init(fast_log::Config::new().file(name).chan_len(Some(WAITING)))?;
                let start = Instant::now();
                lines.for_each(|line| log::info!("{line}"));
                fast_log::flush()?.wait();
                Ok(start.elapsed().as_secs_f64())
            }
            Logger::Inqjet => {
                let writer = BufWriter::with_capacity(BUFFER, File::create_new(file)?);
                let setup = inqjet::InqJetBuilder::default().with_writer(writer).with_buffer_size(RING);
                let guard = setup
                    .with_log_level(inqjet::LevelFilter::Info)
                    .with_color_mode(inqjet::ColorMode::Never)
                    .build()?;
                let start = Instant::now();
                lines.for_each(|line| inqjet::info!("{}", *line));
                // There is no call that flushes.
                drop(guard);
                Ok(start.elapsed().as_secs_f64())
            }
        }
    }
}

/// The child's main function: prints the seconds.
pub fn child(arguments: &[String]) -> Result<()> {
    let [logger, size, records, folder] = arguments else {
        return Err(format!("{COMMAND} takes a logger, a size, a number of records and a folder").into());
    };
    let loggers = [Logger::FastLog, Logger::Inqjet];
    let logger = loggers.into_iter().find(|known| known.name() == logger).ok_or("an unknown logger")?;
    let load = Load { payloads: Payloads::text(size.parse()?), records: records.parse()? };
    println!("{}", logger.log(&Path::new(folder).join(FILE), &load)?);
    Ok(())
}

/// One thread logs payloads of text, a call each.
pub struct Logging {
    pub logger: Logger,
    pub size: usize,
    /// Of [`Payloads::text`].
    pub load: Rc<Load>,
}

impl Logging {
    fn log_all(&self, folder: &Path) -> Result<Sample> {
        let mut child = Command::new(std::env::current_exe()?);
        child.args([COMMAND, self.logger.name(), &self.size.to_string(), &self.load.records.to_string()]);
        let output = child.arg(fresh(folder)?).output()?;
        let seconds = String::from_utf8_lossy(&output.stdout).trim().parse::<f64>();
        let seconds = seconds.map_err(|_| {
            let complaint = String::from_utf8_lossy(&output.stderr);
            format!("{} has not measured: {}: {}", self.logger.name(), output.status, complaint.trim())
        })?;
        Ok(Sample { seconds, records: self.load.records, bytes: self.load.bytes(), latency: None })
    }
}

impl Contender for Logging {
    fn name(&self) -> &str {
        self.logger.name()
    }

    fn warm_up(&mut self, place: &Path) -> Result<()> {
        let folder = place.join("loggers");
        self.log_all(&folder)?;
        verify(&LineReader, &folder, self.load.expected())?;
        discard(&folder)
    }

    fn run(&mut self, place: &Path) -> Result<Sample> {
        let folder = place.join("loggers");
        let sample = self.log_all(&folder)?;
        // Neither of them reports what it dropped or could not write.
        let lines = count_lines(&folder)?;
        discard(&folder)?;
        match lines == sample.records {
            true => Ok(sample),
            false => Err(format!("{lines} lines, but {} records", sample.records).into()),
        }
    }
}

fn count_lines(folder: &Path) -> io::Result<u64> {
    let mut file = File::open(folder.join(FILE))?;
    let (mut lines, mut piece) = (0, vec![0; 1 << 20]);
    loop {
        let len = file.read(&mut piece)?;
        if len == 0 {
            return Ok(lines);
        }
        lines += piece[..len].iter().filter(|&&byte| byte == b'\n').count() as u64;
    }
}

/// The last word of each line: time, level and, by inqjet, the place in the source come before it.
pub struct LineReader;

impl Read for LineReader {
    fn read(&self, folder: &Path, mut visit: impl FnMut(&[u8])) -> Result<()> {
        let mut file = BufReader::with_capacity(1 << 20, File::open(folder.join(FILE))?);
        let mut line = Vec::new();
        while file.read_until(b'\n', &mut line)? > 0 {
            let payload = line.strip_suffix(b"\n").and_then(|line| line.rsplit(|&byte| byte == b' ').next());
            visit(payload.ok_or_else(|| format!("no record: {:?}", String::from_utf8_lossy(&line)))?);
            line.clear();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Once for each logger: a process can set it up once.
    #[test]
    fn every_line_is_there_and_a_changed_one_is_noticed() -> Result<()> {
        let load = Load { payloads: Payloads::text(600), records: 5_000 };
        for logger in [Logger::FastLog, Logger::Inqjet] {
            let folder = tempfile::tempdir()?;
            let file = folder.path().join(FILE);
            logger.log(&file, &load)?;
            verify(&LineReader, folder.path(), load.expected())?;
            assert_eq!(count_lines(folder.path())?, 5_000);

            let mut bytes = std::fs::read(&file)?;
            let end = bytes.len() - 2;
            bytes[end] ^= 1;
            std::fs::write(&file, bytes)?;
            assert!(verify(&LineReader, folder.path(), load.expected()).is_err(), "{}", logger.name());
        }
        Ok(())
    }
}
