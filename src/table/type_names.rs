//! The dictionary of a table's type names, which grows as names are met.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::batch::Bytes;
use crate::error::{Error, Kind, Result};
use crate::memory;
use crate::reader::Cursor;
use crate::record::Hit;

/// The place of a row's type without a name.
pub(super) const NAMELESS: i32 = -1;
/// Types that are remembered while rows of one block are looked at; a power of two.
const REMEMBERED: usize = 64;

/// The names met so far, and those of the rows that were read last.
#[derive(Default)]
pub(super) struct TypeNames {
    places: BTreeMap<String, i32>,
    /// The names in the order of their places, which batches share.
    names: Arc<Bytes>,
    of_rows: Vec<i32>,
}

impl TypeNames {
    /// The places of the names of the rows that were read last.
    pub fn of_rows(&self) -> &[i32] {
        &self.of_rows
    }

    /// The names by their places.
    pub fn names(&self) -> &Arc<Bytes> {
        &self.names
    }

    /// The name of a row with this place.
    #[inline]
    pub fn name(&self, place: i32) -> Option<&[u8]> {
        self.names.get(usize::try_from(place).ok()?)
    }

    /// Finds the names of these rows, which the cursor has just read.
    pub fn find(&mut self, rows: &[Hit], cursor: &Cursor) -> Result<()> {
        self.of_rows.clear();
        memory::reserve_exact(&mut self.of_rows, rows.len())?;
        // A number may have another name in another segment, so nothing is remembered longer.
        let mut remembered = [None; REMEMBERED];
        for row in rows {
            let slot = &mut remembered[row.type_id as usize % REMEMBERED];
            let place = match *slot {
                Some((type_id, place)) if type_id == row.type_id => place,
                _ => {
                    let place = cursor.type_name(row.type_id).map_or(Ok(NAMELESS), |name| self.place_of(name))?;
                    *slot = Some((row.type_id, place));
                    place
                }
            };
            self.of_rows.push(place);
        }
        Ok(())
    }

    #[cold]
    fn place_of(&mut self, name: &str) -> Result<i32> {
        if let Some(&place) = self.places.get(name) {
            return Ok(place);
        }
        let place = self.places.len();
        if self.names.bytes().len() + name.len() > i32::MAX as usize {
            return Err(Error::new(Kind::TooLarge, "the names of the log's types take more than 2 GiB"));
        }
        // Batches that were given out keep the names as they were.
        if Arc::get_mut(&mut self.names).is_none() {
            self.names = Arc::new(self.names.try_clone()?);
        }
        if let Some(names) = Arc::get_mut(&mut self.names) {
            names.push(Some(name.as_bytes()))?;
        }
        self.places.insert(memory::copied_text(name)?, place as i32);
        Ok(place as i32)
    }
}
