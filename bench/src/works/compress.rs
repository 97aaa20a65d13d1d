//! A finished segment of JSON is compressed, by `binlog compress` and by the `zstd` command, both with zstd at level 3.
//!
//! Each is a process that reads the segment's file and writes another. `binlog compress` also makes that durable, reads
//! it back and compares each record with the source, which zstd does not; it has no option to leave that out. The row
//! of zstd with a following `-t` reads back what it wrote, without comparing it.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::rc::Rc;
use std::time::Instant;

use super::{boxed, Amount, Contenders};
use crate::binlog_c::{BinlogWriter, Codec, Mode};
use crate::contender::{Append, Contender, Needing, Sample};
use crate::payload::{Load, Payloads};
use crate::shipping::{command, succeed};
use crate::task::{Make, Task};
use crate::Result;

/// On one thread, which also reads and writes.
pub const ZSTD: &str = "zstd -3, one thread";
/// On one thread, with others that read and write meanwhile.
pub const ZSTD_1: &str = "zstd -3 -T1";
pub const ZSTD_TESTED: &str = "zstd -3 -T1, then zstd -t";
/// What a second thread gains with zstd itself.
pub const ZSTD_2: &str = "zstd -3 -T2";
pub const COMPRESS: &str = "binlog compress";
pub const COMPRESS_2: &str = "binlog compress, 2 threads";

pub fn segment(amount: Amount) -> Result<Contenders> {
    let load = Rc::new(Load::of_bytes(Payloads::notifications().0, amount.append_bytes));
    let ours = |threads: &'static str| {
        move |source: &Path, _: &Path| {
            let arguments = ["compress", "--json", "--keep-source", "--level", "3", "--threads", threads];
            succeed(command().args(arguments).arg(source))
        }
    };
    let zstd_by = |threads: &'static [&'static str]| {
        move |source: &Path, made: &Path| {
            let mut zstd = Command::new("zstd");
            succeed(zstd.args(["-q", "-f", "-3"]).args(threads).arg(source).arg("-o").arg(made))
        }
    };
    let (alone, zstd, zstd_2) = (zstd_by(&["--single-thread", "--no-asyncio"]), zstd_by(&["-T1"]), zstd_by(&["-T2"]));
    let tested = move |source: &Path, made: &Path| {
        zstd(source, made)?;
        succeed(Command::new("zstd").args(["-q", "-t"]).arg(made))
    };
    let needing = |contender, missing: fn() -> Option<String>| boxed(Needing { contender, missing });
    Ok(vec![
        needing(task(ZSTD, "default.0000000001.binlog.zst.tmp", &load, alone), no_zstd),
        needing(task(ZSTD_1, "default.0000000001.binlog.zst.tmp", &load, zstd), no_zstd),
        needing(task(ZSTD_2, "default.0000000001.binlog.zst.tmp", &load, zstd_2), no_zstd),
        needing(task(ZSTD_TESTED, "default.0000000001.binlog.zst.tmp", &load, tested), no_zstd),
        needing(task(COMPRESS, "default.0000000001.z.binlog", &load, ours("1")), no_command),
        needing(task(COMPRESS_2, "default.0000000001.z.binlog", &load, ours("2")), no_command),
    ])
}

fn no_command() -> Option<String> {
    lacking(&mut command())
}

fn no_zstd() -> Option<String> {
    lacking(&mut Command::new("zstd"))
}

fn lacking(command: &mut Command) -> Option<String> {
    succeed(command.arg("--version")).err().map(|error| error.to_string())
}

/// Makes `made` from the log's first segment, and removes it again outside of the time that counts.
fn task(
    name: &str,
    made: &'static str,
    load: &Rc<Load>,
    mut make: impl FnMut(&Path, &Path) -> Result<()> + 'static,
) -> Box<dyn Contender> {
    let (records, bytes) = (load.records, load.bytes());
    let work = move |folder: &Path, _: bool| {
        let (source, made) = (folder.join("default.0000000001.binlog"), folder.join(made));
        let start = Instant::now();
        make(&source, &made)?;
        let seconds = start.elapsed().as_secs_f64();
        fs::remove_file(made)?;
        Ok(Sample { seconds, records, bytes, latency: None })
    };
    let load = load.clone();
    let fill: Make = Box::new(move |folder| {
        let mut writer = BinlogWriter::create(folder, Mode::Caller, Codec::None)?;
        load.iter().try_for_each(|payload| writer.append(payload))?;
        writer.roll()?;
        writer.append(b"the next segment")?;
        writer.close()
    });
    boxed(Task { name: name.into(), log: "finished", make: fill, run: Box::new(work) })
}
