//! Finds the headers of blocks in a file of which nothing else is known.

use crate::format::block::HEADER;
use crate::io;
use crate::memory;

const WINDOW: usize = 1 << 20;
/// The first one: most files that this is asked of are short, or begin with a header.
const FIRST_WINDOW: usize = 16 << 10;

/// Passes the bytes that may be the header of a block to `each`, with their offset and marker, until it accepts one.
pub(super) fn each_header<T>(
    file: &dyn io::File,
    mut each: impl FnMut(u64, u64, &[u8]) -> std::io::Result<Option<T>>,
) -> std::io::Result<Option<T>> {
    let mut window = memory::zeros(FIRST_WINDOW)?;
    let mut at = 0;
    loop {
        let n = io::read_full(file, &mut window, at)?;
        for (i, bytes) in window[..n].windows(HEADER).enumerate() {
            // Kind, codec and flags of every block that this version writes: nearly all other bytes fail here.
            if matches!(bytes[12..16], [1..=3, 0..=2, 0..=3, 0]) {
                let mut marker = [0; 8];
                marker.copy_from_slice(&bytes[..8]);
                let marker = u64::from_le_bytes(marker);
                let found = if marker == 0 { None } else { each(at + i as u64, marker, bytes)? };
                if found.is_some() {
                    return Ok(found);
                }
            }
        }
        if n < window.len() {
            return Ok(None);
        }
        at += (n - (HEADER - 1)) as u64;
        memory::resize(&mut window, WINDOW)?;
    }
}
