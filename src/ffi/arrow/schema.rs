//! The columns of a table as an ArrowSchema.

use std::ffi::{CStr, CString};
use std::ptr::{null, null_mut};

use super::ArrowSchema;
use crate::ffi::error::c_string;
use crate::table::{ColumnType, Field};

/// ARROW_FLAG_NULLABLE.
const NULLABLE: i64 = 2;

/// What an ArrowSchema owns.
struct Parts {
    name: CString,
    children: Vec<*mut ArrowSchema>,
    dictionary: *mut ArrowSchema,
}

/// The schema of a table: a struct of its columns.
pub(super) fn schema_of(fields: &[Field]) -> ArrowSchema {
    nested(c"+s", "", 0, fields.iter().map(of_field).collect())
}

fn of_field(field: &Field) -> ArrowSchema {
    let flags = if field.nullable { NULLABLE } else { 0 };
    let leaf = |format| nested(format, &field.name, flags, vec![]);
    match field.column_type {
        ColumnType::U64 => leaf(c"L"),
        ColumnType::U32 => leaf(c"I"),
        ColumnType::I64 => leaf(c"l"),
        ColumnType::Nanoseconds => leaf(c"tsn:UTC"),
        ColumnType::Microseconds => leaf(c"tsu:UTC"),
        ColumnType::Binary => leaf(c"z"),
        ColumnType::Text => leaf(c"u"),
        ColumnType::Names => made(c"i", &field.name, flags, vec![], Some(nested(c"u", "", NULLABLE, vec![]))),
        ColumnType::Pairs => {
            // A value is never missing, but map(utf8, utf8) is the type of maps whose values may be.
            let pair = vec![nested(c"u", "key", 0, vec![]), nested(c"u", "value", NULLABLE, vec![])];
            nested(c"+m", &field.name, flags, vec![nested(c"+s", "entries", 0, pair)])
        }
    }
}

fn nested(format: &'static CStr, name: &str, flags: i64, children: Vec<ArrowSchema>) -> ArrowSchema {
    made(format, name, flags, children, None)
}

fn made(
    format: &'static CStr,
    name: &str,
    flags: i64,
    children: Vec<ArrowSchema>,
    dictionary: Option<ArrowSchema>,
) -> ArrowSchema {
    let boxed = |schema| Box::into_raw(Box::new(schema));
    let children: Vec<_> = children.into_iter().map(boxed).collect();
    let dictionary = dictionary.map_or(null_mut(), boxed);
    let mut parts = Box::new(Parts { name: c_string(name.as_bytes()), children, dictionary });
    ArrowSchema {
        format: format.as_ptr(),
        name: parts.name.as_ptr(),
        metadata: null(),
        flags,
        n_children: parts.children.len() as i64,
        children: parts.children.as_mut_ptr(),
        dictionary: parts.dictionary,
        release: Some(release),
        private_data: Box::into_raw(parts).cast(),
    }
}

/// SAFETY: `schema` is one of [`made`] that was not released, at any place.
unsafe extern "C" fn release(schema: *mut ArrowSchema) {
    // SAFETY: the caller's promise.
    let Some(schema) = (unsafe { schema.as_mut() }) else { return };
    schema.release = None;
    let parts = std::mem::replace(&mut schema.private_data, null_mut()).cast::<Parts>();
    if parts.is_null() {
        return;
    }
    // SAFETY: made by Box::into_raw, and taken from the schema once.
    let parts = unsafe { Box::from_raw(parts) };
    for &child in parts.children.iter().chain([&parts.dictionary]).filter(|child| !child.is_null()) {
        // SAFETY: made by Box::into_raw. What a caller moved elsewhere has no release here.
        unsafe {
            if let Some(release) = (*child).release {
                release(child);
            }
            drop(Box::from_raw(child));
        }
    }
}
