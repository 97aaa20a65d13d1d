//! Real records: notifications as JSON, compressed with lz4 and with zstd at level 1.

use std::path::Path;
use std::rc::Rc;

use mcap::Compression;

use super::append::appending;
use super::read::{raw_read, reading};
use super::{boxed, Amount, Contenders, BASE, RAW};
use crate::base::{BaseReader, BaseWriter};
use crate::binlog_c::{BatchReader, BinlogWriter, Codec, Mode};
use crate::mcap_peer::{McapReader, McapWriter};
use crate::payload::{Load, Payloads};
use crate::raw::RawWrite;
use crate::timed::How;
use crate::Result;

/// Compressing takes several times as long as copying.
const LESS: u64 = 2;

pub fn write(amount: Amount) -> Result<Contenders> {
    let load = Rc::new(Load::of_bytes(Payloads::notifications().0, amount.append_bytes / LESS));
    let mut contenders: Contenders = vec![
        boxed(RawWrite { name: RAW.into(), load: load.clone(), preallocate: false }),
        appending(BASE, &load, How::OneByOne, BaseWriter::create, BaseReader),
        appending("mcap, lz4", &load, How::OneByOne, mcap_lz4, McapReader),
        appending("mcap, zstd", &load, How::OneByOne, McapWriter::create_zstd_alone, McapReader),
        appending("mcap, zstd, its threads", &load, How::OneByOne, mcap_zstd, McapReader),
    ];
    for (name, codec) in CODECS {
        for (suffix, mode) in [("", Mode::Caller), (", background", Mode::Background)] {
            let create = move |folder: &Path| BinlogWriter::create(folder, mode, codec);
            contenders.push(appending(&format!("{name}{suffix}"), &load, How::OneByOne, create, BatchReader));
        }
    }
    Ok(contenders)
}

pub fn read(amount: Amount) -> Result<Contenders> {
    let load = Rc::new(Load::of_bytes(Payloads::notifications().0, amount.read_bytes / LESS));
    let mut contenders = vec![
        raw_read(&load),
        reading(BASE, "base", &load, BaseWriter::create, BaseReader),
        reading("mcap, lz4", "mcap-lz4", &load, mcap_lz4, McapReader),
        reading("mcap, zstd", "mcap-zstd", &load, mcap_zstd, McapReader),
    ];
    for (name, codec) in CODECS {
        let create = move |folder: &Path| BinlogWriter::create(folder, Mode::Background, codec);
        contenders.push(reading(name, name, &load, create, BatchReader));
    }
    Ok(contenders)
}

const CODECS: [(&str, Codec); 2] = [("binlog, lz4", Codec::Lz4), ("binlog, zstd", Codec::Zstd1)];

fn mcap_lz4(folder: &Path) -> Result<McapWriter> {
    McapWriter::create_chunked(folder, Some(Compression::Lz4))
}

fn mcap_zstd(folder: &Path) -> Result<McapWriter> {
    McapWriter::create_chunked(folder, Some(Compression::Zstd))
}
