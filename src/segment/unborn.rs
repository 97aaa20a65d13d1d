//! Files that were going to be a segment, and of which nothing but the name was ever durable.

use super::read_start;
use super::rescue::first_block;
use crate::error::Kind;
use crate::format::declaration;
use crate::format::limits;
use crate::io::{self, Access, Directory, File};

/// Whether nothing of a file was ever durable but its name: it is empty, or holds zeros, or a part of a segment's
/// beginning with zeros where the rest should be, as the loss of power leaves it. It cannot hold a record then. Anything
/// else that is no segment is damage, and must not be passed over as if it had never held a record.
pub(crate) fn is_unborn(directory: &dyn Directory, name: &str) -> bool {
    let Ok(file) = directory.open(name, Access::Read) else { return false };
    // Most often the first bytes tell.
    let mut first = [0; declaration::PREFIX];
    match io::read_full(&*file, &mut first, 0) {
        Ok(0) => return true,
        Ok(n) if !is_ours(&first[..n]) => return false,
        Ok(_) => (),
        Err(_) => return false,
    }
    let is_broken = read_start(&*file).is_err_and(|error| error.kind() == Kind::Corrupt);
    is_broken
        && match end_of_bytes(&*file) {
            Some(0) => true,
            // Without the beginning nobody knows the marker, but a block's header carries its own checksum.
            Some(_) => first_block(&*file).is_ok_and(|block| block.is_none()),
            None => false,
        }
}

/// Whether a file that begins so can be a segment of which a part is missing.
fn is_ours(first: &[u8]) -> bool {
    let known = first.len().min(declaration::DECLARATION.len());
    let part = first[..known].iter().zip(declaration::DECLARATION).all(|(&byte, ours)| byte == ours || byte == 0);
    let missing_from = first[..known].iter().position(|&byte| byte == 0).unwrap_or(known);
    part && first[missing_from..known].iter().all(|&byte| byte == 0)
}

/// Offset behind the last byte that is not 0; `None` when that is too far from the beginning for one that was torn, or
/// the file cannot be read.
fn end_of_bytes(file: &dyn File) -> Option<u64> {
    const MOST: u64 = (declaration::PREFIX + limits::FILE_HEADER + 4096) as u64;
    let mut window = vec![0; 64 << 10];
    let (mut at, mut end) = (0, 0);
    loop {
        let n = io::read_full(file, &mut window, at).ok()?;
        if let Some(last) = window[..n].iter().rposition(|&byte| byte != 0) {
            end = at + last as u64 + 1;
        }
        if end > MOST {
            return None;
        }
        if n < window.len() {
            return Some(end);
        }
        at += n as u64;
    }
}
