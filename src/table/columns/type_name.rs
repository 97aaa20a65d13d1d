//! The column of type names, as a dictionary or as texts.

use super::Rows;
use crate::memory::{self, NoMemory};
use crate::table::batch::{Bytes, Names};
use crate::table::type_names::{TypeNames, NAMELESS};

/// Adds the place of each row's type name in the dictionary.
pub(super) fn add_places(column: &mut Names, rows: Rows<'_>) -> Result<(), NoMemory> {
    memory::reserve(&mut column.places, rows.len())?;
    column.places.extend(rows.names.iter().map(|&place| place.max(0)));
    match rows.names.contains(&NAMELESS) {
        true => rows.names.iter().try_for_each(|&place| column.nulls.push(place != NAMELESS)),
        false => column.nulls.push_present(rows.len()),
    }
}

/// Adds the name of each row's type.
pub(super) fn add_texts(column: &mut Bytes, rows: Rows<'_>, names: Option<&TypeNames>) -> Result<(), NoMemory> {
    let name = |&place: &i32| names.and_then(|names| names.name(place));
    rows.names.iter().map(name).try_for_each(|name| column.push(name))
}
