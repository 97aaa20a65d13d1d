//! Files of legacy libraries: read as they are, and imported.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::rc::Rc;
use std::time::Instant;

use super::read::{raw_read, reading};
use super::{boxed, Amount, Contenders, APPENDED};
use crate::binlog_c::{BatchReader, BinlogWriter, Codec, Mode};
use crate::contender::{verify, write_all, Contender, Sample};
use crate::folder::{discard, fresh};
use crate::legacy::{Legacy, LegacyWriter};
use crate::payload::{Load, Payloads};
use crate::Result;

const SIZE: usize = 600;

const LEGACY: [(&str, Legacy); 3] = [
    ("the Java binlog's file", Legacy::Java),
    ("the Python logger's file", Legacy::Python),
    ("shoebox's archive", Legacy::Shoebox),
];

pub fn read(amount: Amount) -> Result<Contenders> {
    let load = Rc::new(Load::of_bytes(Payloads::fixed(SIZE), amount.read_bytes));
    let binlog = |folder: &Path| BinlogWriter::create(folder, Mode::Caller, Codec::None);
    let mut contenders = vec![raw_read(&load), reading("binlog", "binlog", &load, binlog, BatchReader)];
    for (name, legacy) in LEGACY {
        let create = move |folder: &Path| LegacyWriter::create(folder, legacy);
        contenders.push(reading(name, legacy.file(), &load, create, BatchReader));
    }
    Ok(contenders)
}

pub fn import(amount: Amount) -> Result<Contenders> {
    let load = Rc::new(Load::of_bytes(Payloads::fixed(SIZE), amount.log_bytes));
    let mut contenders = vec![boxed(Appended { load: load.clone() })];
    contenders.extend(LEGACY.map(|(name, legacy)| boxed(Import { name, legacy, load: load.clone() })));
    Ok(contenders)
}

/// Writing a new log of the same size, from opening to closing.
struct Appended {
    load: Rc<Load>,
}

impl Appended {
    fn write(&self, folder: &Path) -> Result<f64> {
        let start = Instant::now();
        write_all(BinlogWriter::create(fresh(folder)?, Mode::Background, Codec::None)?, &self.load)?;
        Ok(start.elapsed().as_secs_f64())
    }
}

impl Contender for Appended {
    fn name(&self) -> &str {
        APPENDED
    }

    fn warm_up(&mut self, place: &Path) -> Result<()> {
        let folder = place.join("import");
        self.write(&folder)?;
        verify(&BatchReader, &folder, self.load.expected())?;
        discard(&folder)
    }

    fn run(&mut self, place: &Path) -> Result<Sample> {
        let folder = place.join("import");
        let seconds = self.write(&folder)?;
        discard(&folder)?;
        Ok(Sample { seconds, records: self.load.records, bytes: self.load.bytes(), latency: None })
    }
}

/// `binlog import` as a whole: the process, making the log durable, and reading it back.
struct Import {
    name: &'static str,
    legacy: Legacy,
    load: Rc<Load>,
}

impl Import {
    fn import(&self, place: &Path, target: &Path) -> Result<f64> {
        let source = self.source(place).join(self.legacy.file());
        let start = Instant::now();
        let output = Command::new(command()).arg("import").arg(source).arg(target).output()?;
        let seconds = start.elapsed().as_secs_f64();
        match output.status.success() {
            true => Ok(seconds),
            false => Err(String::from_utf8_lossy(&output.stderr).into_owned().into()),
        }
    }

    fn source(&self, place: &Path) -> PathBuf {
        place.join(format!("legacy-{:?}", self.legacy))
    }
}

/// The command that was built with the library.
fn command() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/release/binlog")
}

impl Contender for Import {
    fn name(&self) -> &str {
        self.name
    }

    fn warm_up(&mut self, place: &Path) -> Result<()> {
        let source = self.source(place);
        write_all(LegacyWriter::create(fresh(&source)?, self.legacy)?, &self.load)?;
        let target = place.join("import");
        discard(&target)?;
        self.import(place, &target)?;
        verify(&BatchReader, &target, self.load.expected())?;
        discard(&target)
    }

    fn run(&mut self, place: &Path) -> Result<Sample> {
        let target = place.join("import");
        let seconds = self.import(place, &target)?;
        discard(&target)?;
        Ok(Sample { seconds, records: self.load.records, bytes: self.load.bytes(), latency: None })
    }
}
