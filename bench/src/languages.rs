//! The benchmark programs of the bindings, and the program in C that they are compared with: separate processes, which
//! time themselves and print the nanoseconds.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::binlog_c::BatchReader;
use crate::contender::{Contender, Read, Sample, Tally};
use crate::folder::discard;
use crate::Result;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    C,
    Java,
    Go,
}

/// The work, by the name that the programs know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    Append,
    /// Through an appender.
    AppendStaged,
    AppendBatch,
    Read,
    /// Without binlog, as a reference: a file of the language's own, a length and a CRC-32C for each record.
    PlainAppend,
}

impl Work {
    fn word(self) -> &'static str {
        match self {
            Work::Append => "append",
            Work::AppendStaged => "append-staged",
            Work::AppendBatch => "append-batch",
            Work::Read => "read",
            Work::PlainAppend => "plain-append",
        }
    }
}

/// A file of the project.
fn at(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

impl Language {
    /// Why there is no program, if there is none.
    fn missing(self) -> Option<String> {
        let missing = |path: &str, how: &str| (!at(path).exists()).then(|| format!("{path} is missing{how}"));
        match self {
            Language::C => None,
            Language::Java => missing("bindings/java", "")
                .or_else(|| missing("bindings/java/target/binlog.jar", ": `make java` builds it"))
                .or_else(|| java_classes().is_none().then(|| "io.binlog.bench.Bench is not built".into())),
            Language::Go => missing("bindings/go", "")
                .or_else(|| missing("target/prefix/lib/pkgconfig/binlog.pc", ": `make prefix` installs it")),
        }
    }

    /// Prepares what the program needs, in the folder of a run.
    fn build(self, place: &Path) -> Result<()> {
        if self != Language::Go || go_program(place).exists() {
            return Ok(());
        }
        let mut build = Command::new("go");
        build.args(["build", "-o"]).arg(go_program(place)).arg("./internal/bench").current_dir(at("bindings/go"));
        output_of(build.env("PKG_CONFIG_PATH", at("target/prefix/lib/pkgconfig"))).map(|_| ())
    }

    fn command(self, work: Work, place: &Path) -> Command {
        match self {
            Language::C => Command::new(env!("BENCH_C")),
            Language::Java => {
                let mut java = Command::new("java");
                let classes = java_classes().unwrap_or_default();
                let jar = at("bindings/java/target/binlog.jar");
                if work == Work::Read {
                    // A heap like that of a service that has run for a while: on a virtual machine, the first access to
                    // the pages of a growing heap takes longer than the reading.
                    java.args(["-Xms512m", "-Xmx512m", "-XX:+AlwaysPreTouch"]);
                }
                java.arg("-cp").arg(format!("{}:{}", jar.display(), classes.display())).arg("io.binlog.bench.Bench");
                java
            }
            Language::Go => {
                let mut go = Command::new(go_program(place));
                go.env("LD_LIBRARY_PATH", at("target/prefix/lib"));
                go
            }
        }
    }
}

fn java_classes() -> Option<PathBuf> {
    let folders = ["bench-classes", "test-classes"].map(|name| at("bindings/java/target").join(name));
    folders.into_iter().find(|folder| folder.join("io/binlog/bench/Bench.class").exists())
}

fn go_program(place: &Path) -> PathBuf {
    // Beside the logs, and removed with them.
    place.join("programs").join("bench-go")
}

pub fn output_of(command: &mut Command) -> Result<String> {
    let output = command.output().map_err(|error| format!("{:?}: {error}", command.get_program()))?;
    if !output.status.success() {
        let complaint = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{:?}: {}: {}", command.get_program(), output.status, complaint.trim()).into());
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// One language's program at one work.
pub struct Program {
    pub name: &'static str,
    pub language: Language,
    pub work: Work,
    /// Bytes of a payload.
    pub size: u64,
    pub records: u64,
}

impl Program {
    /// Readers share one log, so that they read the same bytes.
    fn folder(&self, place: &Path) -> PathBuf {
        place.join(if self.work == Work::Read { "languages-read" } else { "languages" })
    }

    fn call(&self, language: Language, work: Work, place: &Path) -> Result<Sample> {
        let mut command = language.command(work, place);
        command.args([work.word(), &self.size.to_string(), &self.records.to_string()]).arg(self.folder(place));
        let printed = output_of(&mut command)?;
        let nanos = printed.trim().parse::<u64>().ok().filter(|&nanos| nanos > 0);
        let nanos = nanos.ok_or_else(|| format!("{:?} printed {printed:?}", command.get_program()))?;
        let bytes = self.records * self.size;
        Ok(Sample { seconds: nanos as f64 / 1e9, records: self.records, bytes, latency: None })
    }

    /// What a program has appended must be in the log, in number and length.
    fn verify(&self, folder: &Path) -> Result<()> {
        let (mut found, size) = (Tally::default(), self.size);
        let mut first = None;
        let mut same = true;
        BatchReader.read(folder, |payload| {
            found.add(payload);
            same &= payload.len() as u64 == size && payload == first.get_or_insert_with(|| payload.to_vec());
        })?;
        found.must_be(Tally { records: self.records, bytes: self.records * size, digest: 0 })?;
        match same {
            true => Ok(()),
            false => Err(format!("{} has appended payloads of several kinds", self.name).into()),
        }
    }
}

impl Contender for Program {
    fn name(&self) -> &str {
        self.name
    }

    fn left_out(&self, _place: &Path) -> Result<Option<String>> {
        Ok(self.language.missing())
    }

    fn warm_up(&mut self, place: &Path) -> Result<()> {
        fs::create_dir_all(place.join("programs"))?;
        self.language.build(place)?;
        let folder = self.folder(place);
        if self.work != Work::Read {
            discard(&folder)?;
            self.call(self.language, self.work, place)?;
            if self.work != Work::PlainAppend {
                self.verify(&folder)?;
            }
            return discard(&folder);
        }
        if !folder.exists() {
            self.call(Language::C, Work::Append, place)?;
        }
        self.run(place).map(|_| ())
    }

    fn run(&mut self, place: &Path) -> Result<Sample> {
        let sample = self.call(self.language, self.work, place)?;
        if self.work != Work::Read {
            discard(&self.folder(place))?;
        }
        Ok(sample)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program(work: Work) -> Program {
        Program { name: "C", language: Language::C, work, size: 100, records: 250 }
    }

    #[test]
    fn a_program_times_itself_and_leaves_nothing() -> Result<()> {
        let place = tempfile::tempdir()?;
        for work in [Work::Append, Work::AppendBatch, Work::PlainAppend] {
            program(work).warm_up(place.path())?;
            let sample = program(work).run(place.path())?;
            assert!(sample.seconds > 0.0 && sample.seconds < 60.0, "{sample:?}");
            assert_eq!((sample.records, sample.bytes), (250, 25_000));
            assert_eq!(fs::read_dir(place.path())?.count(), 1, "the programs alone are there");
        }
        Ok(())
    }

    #[test]
    fn what_a_program_says_is_not_taken_on_trust() -> Result<()> {
        let place = tempfile::tempdir()?;
        program(Work::Read).warm_up(place.path())?;
        let log = program(Work::Read).folder(place.path());
        assert!(Program { records: 251, ..program(Work::Append) }.verify(&log).is_err(), "a record is missing");
        assert!(Program { size: 101, ..program(Work::Append) }.verify(&log).is_err(), "a byte is missing");
        let another = Program { records: 249, ..program(Work::Read) };
        assert!(another.call(Language::C, Work::Read, place.path()).is_err(), "there are more than that");
        Ok(())
    }
}
