//! What programs in Java and Go append with instead of binlog. `languages/peers.sh` builds a program for each language, which
//! times itself and can read back what it has appended.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::contender::{Contender, Sample};
use crate::folder::discard;
use crate::languages::output_of;
use crate::Result;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    ChronicleQueue,
    Log4j,
    Zap,
    Zerolog,
}

pub const ALL: [Peer; 4] = [Peer::ChronicleQueue, Peer::Log4j, Peer::Zap, Peer::Zerolog];

/// Packages of the JDK that Chronicle Queue looks into, by its own documentation.
const OPENED: [&str; 9] = [
    "--add-exports=java.base/jdk.internal.ref=ALL-UNNAMED",
    "--add-exports=java.base/sun.nio.ch=ALL-UNNAMED",
    "--add-exports=jdk.unsupported/sun.misc=ALL-UNNAMED",
    "--add-exports=jdk.compiler/com.sun.tools.javac.file=ALL-UNNAMED",
    "--add-opens=jdk.compiler/com.sun.tools.javac=ALL-UNNAMED",
    "--add-opens=java.base/java.lang=ALL-UNNAMED",
    "--add-opens=java.base/java.lang.reflect=ALL-UNNAMED",
    "--add-opens=java.base/java.io=ALL-UNNAMED",
    "--add-opens=java.base/java.util=ALL-UNNAMED",
];

fn built(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/peers").join(name)
}

impl Peer {
    fn name(self) -> &'static str {
        match self {
            Peer::ChronicleQueue => "Java, Chronicle Queue",
            Peer::Log4j => "Java, Log4j 2 asynchronous",
            Peer::Zap => "Go, zap",
            Peer::Zerolog => "Go, zerolog",
        }
    }

    /// The name that the program knows.
    fn word(self) -> &'static str {
        match self {
            Peer::ChronicleQueue => "chronicle-queue",
            Peer::Log4j => "log4j",
            Peer::Zap => "zap",
            Peer::Zerolog => "zerolog",
        }
    }

    fn is_java(self) -> bool {
        matches!(self, Peer::ChronicleQueue | Peer::Log4j)
    }

    fn command(self) -> Command {
        if !self.is_java() {
            return Command::new(built("go"));
        }
        let mut java = Command::new("java");
        // Without this Chronicle Queue reports each start to a server.
        java.args(OPENED).arg("-Dchronicle.analytics.disable=true").arg("-cp");
        java.arg(format!("{}:{}", built("java/lib/*").display(), built("java/classes").display())).arg("peers.Peers");
        java
    }
}

/// One peer appends, a call each.
pub struct PeerProgram {
    pub peer: Peer,
    /// Bytes of a payload.
    pub size: u64,
    pub records: u64,
}

impl PeerProgram {
    fn append(&self, work: &str, place: &Path) -> Result<Sample> {
        let folder = place.join("peers");
        let mut command = self.peer.command();
        command.args([self.peer.word(), work, &self.size.to_string(), &self.records.to_string()]).arg(&folder);
        let printed = output_of(&mut command)?;
        discard(&folder)?;
        let nanos = printed.trim().parse::<u64>().ok().filter(|&nanos| nanos > 0);
        let nanos = nanos.ok_or_else(|| format!("{} printed {printed:?}", self.peer.name()))?;
        let bytes = self.records * self.size;
        Ok(Sample { seconds: nanos as f64 / 1e9, records: self.records, bytes, latency: None })
    }
}

impl Contender for PeerProgram {
    fn name(&self) -> &str {
        self.peer.name()
    }

    fn left_out(&self, _place: &Path) -> Result<Option<String>> {
        let program = if self.peer.is_java() { "java/built" } else { "go" };
        Ok((!built(program).exists()).then(|| "bench/languages/peers.sh has not built it".into()))
    }

    fn warm_up(&mut self, place: &Path) -> Result<()> {
        fs::create_dir_all(place)?;
        self.append("checked-append", place).map(|_| ())
    }

    fn run(&mut self, place: &Path) -> Result<Sample> {
        self.append("append", place)
    }
}
