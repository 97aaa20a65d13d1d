//! The bytes of the index in a log of 1 GB of records of 100 B.

use std::path::Path;

use crate::binlog_c::{BinlogWriter, Codec, Mode};
use crate::blocks::{self, Kind};
use crate::folder::{discard, fresh};
use crate::mcap_index::{self, ChannelWriter};
use crate::report::Figure;
use crate::sqlite_index::{self, IndexedWriter};
use crate::typed::TypedLoad;
use crate::works::{Amount, SQLITE};
use crate::{targets, Result};

const SIZE: usize = 100;

pub fn measure(place: &Path, amount: Amount) -> Result<Vec<Figure>> {
    let load = TypedLoad::of_bytes(SIZE, amount.log_bytes);
    let folder = place.join("index");
    load.write(IndexedWriter::create(fresh(&folder)?)?)?;
    let sqlite = sqlite_index::type_index_bytes(&folder)?;
    load.write(ChannelWriter::create(fresh(&folder)?)?)?;
    let mcap = mcap_index::index_bytes(&folder)?;
    load.write(BinlogWriter::create(fresh(&folder)?, Mode::Caller, Codec::None)?)?;
    let binlog = binlog_bytes(&folder)?;
    discard(&folder)?;

    let figure = |contender: &str, bytes: u64, at_most| Figure {
        work: "index of 1 GB of records of 100 B".into(),
        contender: contender.into(),
        value: bytes as f64 / load.bytes() as f64 * 1e3,
        unit: "MB",
        at_most,
    };
    Ok(vec![
        figure("mcap, chunks", mcap, None),
        figure(&format!("{SQLITE}, on the type"), sqlite, None),
        figure("binlog", binlog, Some(targets::INDEX)),
    ])
}

fn binlog_bytes(folder: &Path) -> Result<u64> {
    let mut bytes = 0;
    for segment in blocks::segments(folder)? {
        let blocks = blocks::of(&segment)?;
        bytes +=
            blocks.iter().filter(|block| block.kind == Kind::Index).map(|index| index.end - index.offset).sum::<u64>();
    }
    Ok(bytes)
}
