//! The named types that a segment contains, for when the events that named them are damaged.

use std::sync::Arc;

use super::map::learn_names;
use super::moved::moved_trailer;
use super::recover::{load_index, unusable};
use super::tail::last_block;
use super::{Bad, Scanner, Segment};
use crate::error::{Error, Result};
use crate::format::block::BlockKind;
use crate::record::NamedType;

impl Segment {
    /// The named types in the last INDEX block that can be read.
    pub fn names_by_index(self: &Arc<Self>) -> Result<Arc<Vec<NamedType>>> {
        let len = self.file.len().map_err(|e| Error::io(&e, "stat").at(&self.path))?;
        if self.translated.is_some() || len == u64::MAX {
            return Ok(Arc::default());
        }
        // For a closed and unchanged segment: the map that all other lookups use.
        let map = self.indexed()?;
        if map.trailer.is_some() && !map.parts.is_empty() {
            return Ok(map.names.clone());
        }
        let (mut at, shift) = match moved_trailer(self, len)? {
            Some(moved) => (moved.header.last_index, moved.shift),
            None => match last_block(self)? {
                Some((offset, last)) if last.kind == BlockKind::Index => (offset, 0),
                Some((_, last)) => (last.last_index, 0),
                None => (0, 0),
            },
        };
        let mut scanner = Scanner::new(self.clone(), at);
        while at != 0 {
            scanner.jump_by(at.saturating_add_signed(shift), shift);
            match load_index(&mut scanner) {
                Ok((_, _, totals)) => return Ok(Arc::new(totals.names)),
                Err(Bad::Io(error)) => return Err(error),
                Err(_) => match scanner.header() {
                    // Each is nearer to the beginning, so this ends.
                    Ok(header) if header.kind == BlockKind::Index => at = header.last_index,
                    Err(Bad::Io(error)) => return Err(error),
                    _ => break,
                },
            }
        }
        Ok(Arc::default())
    }

    /// The named types in the events before the segment's first record: all that were named before the segment began.
    pub fn names_at_head(self: &Arc<Self>) -> Result<Vec<NamedType>> {
        let mut names = vec![];
        let mut scanner = Scanner::new(self.clone(), self.start);
        while self.translated.is_none() {
            let header = match scanner.header() {
                Ok(header) if header.kind == BlockKind::Records && header.has_events() => header,
                Err(Bad::Io(error)) => return Err(error),
                _ => break,
            };
            match learn_names(&mut scanner, &header, &mut names).map_err(unusable) {
                Ok(()) if header.count == 0 => scanner.skip(&header),
                Err(Bad::Io(error)) => return Err(error),
                _ => break,
            }
        }
        Ok(names)
    }
}
