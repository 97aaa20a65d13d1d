//! Batches of a table as ArrowArrays. Each array owns its buffers, so a caller may keep one column and release the rest.

use std::any::Any;
use std::ffi::c_void;
use std::ptr::{null, null_mut};
use std::sync::Arc;

use super::ArrowArray;
use crate::table::{Batch, Bytes, Column, Nulls, Owned};

/// Buffers without contents are somewhere, too.
static NOTHING: [u64; 8] = [0; 8];

/// What an ArrowArray owns.
struct Parts {
    buffers: Vec<*const c_void>,
    children: Vec<*mut ArrowArray>,
    dictionary: *mut ArrowArray,
    /// What the buffers are in.
    _owner: Box<dyn Any + Send>,
}

/// A batch: a struct of its columns.
pub(super) fn array_of(batch: Batch) -> ArrowArray {
    let rows = batch.rows();
    let columns = batch.into_columns().into_iter().map(of_column).collect();
    made(rows, 0, vec![null()], columns, None, Box::new(()))
}

/// The end of a stream.
pub(super) fn end() -> ArrowArray {
    ArrowArray {
        length: 0,
        null_count: 0,
        offset: 0,
        n_buffers: 0,
        n_children: 0,
        buffers: null_mut(),
        children: null_mut(),
        dictionary: null_mut(),
        release: None,
        private_data: null_mut(),
    }
}

fn of_column(column: Owned) -> ArrowArray {
    let column = Arc::new(column);
    let owner = || -> Box<dyn Any + Send> { Box::new(column.clone()) };
    match &**column {
        Column::U64(values) => of_numbers(values, owner()),
        Column::I64(values) => of_numbers(values, owner()),
        Column::U32(values) => of_numbers(values, owner()),
        Column::Bytes(bytes) => of_bytes(bytes, owner()),
        Column::Names(names) => {
            let buffers = vec![bits_of(names.nulls()), buffer(names.places())];
            let (rows, missing) = (names.places().len(), names.nulls().count());
            let dictionary = of_bytes(names.names(), Box::new(names.names().clone()));
            made(rows, missing, buffers, vec![], Some(dictionary), owner())
        }
        Column::Pairs(pairs) => {
            let pair = vec![of_bytes(pairs.keys(), owner()), of_bytes(pairs.values(), owner())];
            let entries = made(pairs.keys().len(), 0, vec![null()], pair, None, Box::new(()));
            let buffers = vec![null(), buffer(pairs.offsets())];
            made(pairs.offsets().len() - 1, 0, buffers, vec![entries], None, owner())
        }
    }
}

fn of_numbers<T>(values: &[T], owner: Box<dyn Any + Send>) -> ArrowArray {
    made(values.len(), 0, vec![null(), buffer(values)], vec![], None, owner)
}

fn of_bytes(bytes: &Bytes, owner: Box<dyn Any + Send>) -> ArrowArray {
    let buffers = vec![bits_of(bytes.nulls()), buffer(bytes.offsets()), buffer(bytes.bytes())];
    made(bytes.len(), bytes.nulls().count(), buffers, vec![], None, owner)
}

fn buffer<T>(values: &[T]) -> *const c_void {
    match values {
        [] => NOTHING.as_ptr().cast(),
        values => values.as_ptr().cast(),
    }
}

fn bits_of(nulls: &Nulls) -> *const c_void {
    nulls.bits().map_or(null(), buffer)
}

fn made(
    length: usize,
    null_count: usize,
    buffers: Vec<*const c_void>,
    children: Vec<ArrowArray>,
    dictionary: Option<ArrowArray>,
    owner: Box<dyn Any + Send>,
) -> ArrowArray {
    let boxed = |array| Box::into_raw(Box::new(array));
    let children: Vec<_> = children.into_iter().map(boxed).collect();
    let dictionary = dictionary.map_or(null_mut(), boxed);
    let mut parts = Box::new(Parts { buffers, children, dictionary, _owner: owner });
    ArrowArray {
        length: length as i64,
        null_count: null_count as i64,
        offset: 0,
        n_buffers: parts.buffers.len() as i64,
        n_children: parts.children.len() as i64,
        buffers: parts.buffers.as_mut_ptr(),
        children: parts.children.as_mut_ptr(),
        dictionary: parts.dictionary,
        release: Some(release),
        private_data: Box::into_raw(parts).cast(),
    }
}

/// SAFETY: `array` is one of [`made`] that was not released, at any place, in any thread.
unsafe extern "C" fn release(array: *mut ArrowArray) {
    // SAFETY: the caller's promise.
    let Some(array) = (unsafe { array.as_mut() }) else { return };
    array.release = None;
    let parts = std::mem::replace(&mut array.private_data, null_mut()).cast::<Parts>();
    if parts.is_null() {
        return;
    }
    // SAFETY: made by Box::into_raw, and taken from the array once.
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
