//! Logs whose writer was killed: a separate process writes until it gets SIGKILL.

use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Write as _};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::base::BaseWriter;
use crate::binlog_c::{BinlogWriter, Codec, Layout, Mode};
use crate::contender::{Append, SharedAppend};
use crate::payload::Payloads;
use crate::raft_engine_peer::RaftEngineWriter;
use crate::works::BASE;
use crate::Result;

/// Argument with which the benchmark's own binary becomes a writer that is killed.
pub const COMMAND: &str = "write-until-killed";

pub const SIZE: usize = 600;
/// Payload bytes between two syncs.
const SYNC: u64 = 16 << 20;
/// The child exits if it was not killed after so many more bytes.
const AT_MOST: u64 = 1 << 30;
/// An opening changes at most so many bytes at a file's end.
const TAIL: u64 = 4 << 20;

/// A binlog in a single segment.
pub const ONE_SEGMENT: Layout =
    Layout { segment_bytes: u64::MAX, index_bytes: 0, fill_ahead_bytes: 0, sync_records: 0 };

/// Fills a folder with a log of `bytes` of payload or somewhat more, whose writer was killed while it wrote.
pub fn kill_writer(contender: &str, folder: &Path, bytes: u64) -> Result<()> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args([COMMAND, contender]).arg(folder).arg(bytes.to_string());
    let mut child = command.stdout(Stdio::piped()).spawn()?;
    let mut said = String::new();
    BufReader::new(child.stdout.take().ok_or("the child has no output")?).read_line(&mut said)?;
    child.kill()?;
    let status = child.wait()?;
    match said.is_empty() || status.code().is_some() {
        false => Ok(()),
        true => Err(format!("the writer of {contender} ended before it was killed: {status}").into()),
    }
}

/// The child's main function.
pub fn child(arguments: &[String]) -> Result<()> {
    let [contender, folder, bytes] = arguments else {
        return Err(format!("{COMMAND} takes a contender, a folder and a number of bytes").into());
    };
    let (folder, bytes) = (Path::new(folder), bytes.parse()?);
    match contender.as_str() {
        "binlog" => {
            let mut writer = BinlogWriter::open(folder, Mode::Caller, Codec::None, ONE_SEGMENT)?;
            write(bytes, &mut writer, Append::append, |writer| writer.sync())
        }
        BASE => {
            let mut writer = BaseWriter::create(folder)?;
            write(bytes, &mut writer, |writer, payload| writer.append(payload), BaseWriter::sync)
        }
        "raft-engine" => {
            let mut writer = RaftEngineWriter::create(folder, false)?;
            write(bytes, &mut writer, |writer, payload| writer.append(payload), |writer| writer.sync())
        }
        unknown => Err(format!("there is no contender {unknown:?}").into()),
    }
}

fn write<W>(
    bytes: u64,
    writer: &mut W,
    append: impl Fn(&mut W, &[u8]) -> Result<()>,
    sync: impl Fn(&mut W) -> Result<()>,
) -> Result<()> {
    let payloads = Payloads::fixed(SIZE);
    let (mut written, mut synced, mut has_reported) = (0, 0, false);
    for payload in payloads.iter(u64::MAX >> 1) {
        append(writer, payload)?;
        written += payload.len() as u64;
        if written >= synced + SYNC {
            sync(writer)?;
            synced = written;
        }
        if written >= bytes && !has_reported {
            println!("there");
            std::io::stdout().flush()?;
            has_reported = true;
        }
        if written >= bytes + AT_MOST {
            break;
        }
    }
    Err("nobody killed the writer".into())
}

/// The end of a file, to be restored after it was changed.
pub struct Kept {
    path: PathBuf,
    others: Vec<PathBuf>,
    from: u64,
    tail: Vec<u8>,
}

impl Kept {
    pub fn of(path: &Path) -> Result<Self> {
        let file = File::open(path)?;
        let len = file.metadata()?.len();
        let from = len.saturating_sub(TAIL);
        let mut tail = vec![0; (len - from) as usize];
        file.read_exact_at(&mut tail, from)?;
        Ok(Kept { path: path.to_owned(), others: beside(path)?, from, tail })
    }

    /// Restores the end, removes the files that were created beside this one, and syncs.
    pub fn restore(&self) -> Result<()> {
        let file = OpenOptions::new().write(true).open(&self.path)?;
        file.set_len(self.from)?;
        file.write_all_at(&self.tail, self.from)?;
        file.sync_all()?;
        for other in beside(&self.path)?.into_iter().filter(|path| !self.others.contains(path)) {
            fs::remove_file(other)?;
        }
        Ok(())
    }
}

fn beside(path: &Path) -> Result<Vec<PathBuf>> {
    let folder = path.parent().ok_or("a file without a folder")?;
    fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_file_is_put_back() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("log");
        fs::write(&path, vec![7; TAIL as usize + 100])?;
        let kept = Kept::of(&path)?;
        OpenOptions::new().append(true).open(&path)?.write_all(b"more")?;
        OpenOptions::new().write(true).open(&path)?.write_all_at(b"other", TAIL)?;
        fs::write(folder.path().join("log.torn-1"), b"torn")?;
        kept.restore()?;
        assert!(fs::read(&path)? == vec![7; TAIL as usize + 100]);
        assert_eq!(fs::read_dir(folder.path())?.count(), 1);
        Ok(())
    }
}
