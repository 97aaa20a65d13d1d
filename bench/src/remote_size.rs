//! The bytes that are fetched for the records of a rare type in a remote log, compared with the bytes of the blocks
//! that contain them.

use std::path::Path;

use crate::blocks::{self, Kind};
use crate::contender::Tally;
use crate::folder::discard;
use crate::relay::{relayed, Relay};
use crate::report::Figure;
use crate::typed::TypedLoad;
use crate::works::remote::{RemoteLog, BURST};
use crate::works::Amount;
use crate::{targets, Result};

const SIZE: usize = 600;

pub fn measure(place: &Path, amount: Amount) -> Result<Vec<Figure>> {
    let load = || TypedLoad::of_bytes(SIZE, amount.log_bytes);
    let mut figures = vec![];
    for (spread, load) in [("evenly", load()), ("in bursts of 1,000", load().in_bursts(BURST))] {
        let log = RemoteLog::new(load);
        let folder = log.make(place)?;
        let of_blocks = bytes_of_blocks(&blocks::only_segment(&folder)?, &log.load)?;
        let (url, relay) = relayed(&log.url()?, Relay::to)?;
        let mut found = Tally::default();
        RemoteLog::read_rare(&url, |_, payload| found.add_digest(payload))?;
        found.must_be(log.load.rare())?;
        let (bytes, connections) = relay.taken();
        discard(&folder)?;
        let figure = |contender: &str, value, unit, at_most| Figure {
            work: format!("fetched for 1 type in 1,000, {spread}"),
            contender: contender.into(),
            value,
            unit,
            at_most,
        };
        figures.extend([
            figure("the blocks that hold it", of_blocks as f64 / 1e6, "MB", None),
            figure("the records", found.bytes as f64 / 1e6, "MB", None),
            figure("binlog, with the heads of the answers", bytes as f64 / 1e6, "MB", None),
            figure("binlog", connections as f64, "connections", None),
            figure("binlog, of the blocks", bytes as f64 / of_blocks as f64, "×", Some(targets::FETCHED)),
        ]);
    }
    Ok(figures)
}

fn bytes_of_blocks(segment: &Path, load: &TypedLoad) -> Result<u64> {
    let blocks = blocks::of(segment)?;
    let holding = blocks.iter().filter(|block| {
        let mut ids = block.first_id..block.first_id + block.records;
        block.kind == Kind::Records && ids.any(|id| load.is_rare(id))
    });
    Ok(holding.map(|block| block.end - block.offset).sum())
}
