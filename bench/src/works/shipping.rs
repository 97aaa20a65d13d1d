//! Closed segments shipped to an S3 server.

use std::rc::Rc;

use super::{boxed, Amount, Contenders, RCLONE};
use crate::payload::{Load, Payloads};
use crate::shipping::{By, Shipping};
use crate::Result;

const SIZE: usize = 600;
/// Sixteen files make 1 GB: a size common in archives, which neither contender sends in parts by default.
const SEGMENT: u64 = 64_000_000;
/// A file that both send in parts.
const LARGE: u64 = 1 << 40;

pub fn segments(amount: Amount) -> Result<Contenders> {
    ship(amount, SEGMENT)
}

pub fn one_segment(amount: Amount) -> Result<Contenders> {
    ship(amount, LARGE)
}

fn ship(amount: Amount, segment_bytes: u64) -> Result<Contenders> {
    let load = Rc::new(Load::of_bytes(Payloads::fixed(SIZE), amount.log_bytes));
    let contenders = [
        (RCLONE, By::Rclone { transfers: 4 }),
        ("rclone, one file at a time", By::Rclone { transfers: 1 }),
        ("binlog ship", By::Binlog),
    ];
    Ok(contenders.map(|(name, by)| boxed(Shipping { name, by, load: load.clone(), segment_bytes })).into())
}
