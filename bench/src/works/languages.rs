//! The bindings beside the C interface: each language's program does the same.

use super::{boxed, Amount, Contenders, C};
use crate::contender::Contender;
use crate::language_peers::{self, Peer, PeerProgram};
use crate::languages::{Language, Program, Work};
use crate::Result;

pub const C_APPENDER: &str = "C, appender";
pub const JAVA_APPENDER: &str = "Java, appender";
pub const GO_APPENDER: &str = "Go, appender";
pub const PLAIN_C: &str = "C, stdio and CRC-32C";
pub const PLAIN_JAVA: &str = "Java, FileChannel and CRC-32C";
pub const PLAIN_GO: &str = "Go, bufio and CRC-32C";

/// Fewer records would take too little time to measure.
const LEAST: u64 = 1_000;

pub fn append(size: u64, amount: Amount) -> Result<Contenders> {
    let plain = [(PLAIN_C, Language::C), (PLAIN_JAVA, Language::Java), (PLAIN_GO, Language::Go)];
    let staged = [(C_APPENDER, Language::C), (JAVA_APPENDER, Language::Java), (GO_APPENDER, Language::Go)];
    let mut contenders = all(Work::Append, size, amount.append_bytes);
    contenders
        .extend(staged.map(|(name, language)| program(name, language, Work::AppendStaged, size, amount.append_bytes)));
    contenders
        .extend(plain.map(|(name, language)| program(name, language, Work::PlainAppend, size, amount.append_bytes)));
    contenders.extend(language_peers::ALL.map(|peer| peer_program(peer, size, amount.append_bytes)));
    Ok(contenders)
}

pub fn append_batch(size: u64, amount: Amount) -> Result<Contenders> {
    Ok(all(Work::AppendBatch, size, amount.append_bytes))
}

pub fn read(size: u64, amount: Amount) -> Result<Contenders> {
    Ok(all(Work::Read, size, amount.read_bytes))
}

fn all(work: Work, size: u64, bytes: u64) -> Contenders {
    let languages = [(C, Language::C), ("Java", Language::Java), ("Go", Language::Go)];
    languages.map(|(name, language)| program(name, language, work, size, bytes)).into()
}

fn program(name: &'static str, language: Language, work: Work, size: u64, bytes: u64) -> Box<dyn Contender> {
    boxed(Program { name, language, work, size, records: (bytes / size).max(LEAST) })
}

fn peer_program(peer: Peer, size: u64, bytes: u64) -> Box<dyn Contender> {
    boxed(PeerProgram { peer, size, records: (bytes / size).max(LEAST) })
}
