//! Allocations whose size a file, a caller or another machine determines: if the system refuses one, that is an error,
//! and never ends the process. Small allocations of a fixed size are made as usual in Rust, and end it.
//!
//! A list asks for its room before it grows, and is sorted by an unstable sort, which needs no memory. A map or a set of
//! what there may be any number of, such as named types, is a B-tree: it grows by small nodes, and so is never refused.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::error::{Error, Kind};

/// The system has no memory for this many bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NoMemory {
    pub bytes: u64,
}

impl fmt::Display for NoMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the system has no memory for {} bytes", self.bytes)
    }
}

impl From<NoMemory> for Error {
    #[cold]
    fn from(refused: NoMemory) -> Self {
        Error::new(Kind::NoMemory, refused.to_string())
    }
}

impl From<NoMemory> for std::io::Error {
    #[cold]
    fn from(refused: NoMemory) -> Self {
        std::io::Error::other(Error::from(refused))
    }
}

#[cold]
fn refused<T>(len: usize, more: usize) -> NoMemory {
    let bytes = len.saturating_add(more).saturating_mul(size_of::<T>());
    NoMemory { bytes: bytes as u64 }
}

/// Reserves room for `more` items, and for some after them when memory has to be moved.
#[inline]
pub(crate) fn reserve<T>(vec: &mut Vec<T>, more: usize) -> Result<(), NoMemory> {
    vec.try_reserve(more).map_err(|_| refused::<T>(vec.len(), more))
}

/// Reserves room for `more` items exactly.
pub(crate) fn reserve_exact<T>(vec: &mut Vec<T>, more: usize) -> Result<(), NoMemory> {
    vec.try_reserve_exact(more).map_err(|_| refused::<T>(vec.len(), more))
}

/// A vector with room for `len` items.
pub(crate) fn with_room<T>(len: usize) -> Result<Vec<T>, NoMemory> {
    let mut made = vec![];
    reserve_exact(&mut made, len)?;
    Ok(made)
}

/// A vector of `len` zeros.
pub(crate) fn zeros(len: usize) -> Result<Vec<u8>, NoMemory> {
    let mut made = with_room(len)?;
    made.resize(len, 0);
    Ok(made)
}

/// Changes the length of `vec`, and fills it with zeros.
pub(crate) fn resize(vec: &mut Vec<u8>, len: usize) -> Result<(), NoMemory> {
    reserve_exact(vec, len.saturating_sub(vec.len()))?;
    vec.resize(len, 0);
    Ok(())
}

/// Adds one item.
#[inline]
pub(crate) fn push<T>(vec: &mut Vec<T>, value: T) -> Result<(), NoMemory> {
    if vec.len() == vec.capacity() {
        reserve(vec, 1)?;
    }
    vec.push(value);
    Ok(())
}

/// Adds the items of an iterator, up to the first for which there is no memory.
pub(crate) fn append<T>(vec: &mut Vec<T>, items: impl IntoIterator<Item = T>) -> Result<(), NoMemory> {
    items.into_iter().try_for_each(|item| push(vec, item))
}

/// A list of the items of an iterator.
pub(crate) fn list<T>(items: impl IntoIterator<Item = T>) -> Result<Vec<T>, NoMemory> {
    let mut all = vec![];
    append(&mut all, items)?;
    Ok(all)
}

/// A copy of the items.
pub(crate) fn copied<T: Clone>(items: &[T]) -> Result<Vec<T>, NoMemory> {
    let mut made = with_room(items.len())?;
    made.extend_from_slice(items);
    Ok(made)
}

/// A set of the items of an iterator. [`Iterator::collect`] would first make a list of them.
pub(crate) fn set<T: Ord>(items: impl IntoIterator<Item = T>) -> BTreeSet<T> {
    let mut all = BTreeSet::new();
    all.extend(items);
    all
}

/// A map of the items of an iterator, as [`set`]. Of those with the same key the last one counts.
pub(crate) fn map<K: Ord, V>(items: impl IntoIterator<Item = (K, V)>) -> BTreeMap<K, V> {
    let mut all = BTreeMap::new();
    all.extend(items);
    all
}

/// Adds bytes.
#[inline]
pub(crate) fn extend(vec: &mut Vec<u8>, bytes: &[u8]) -> Result<(), NoMemory> {
    reserve(vec, bytes.len())?;
    vec.extend_from_slice(bytes);
    Ok(())
}

/// A copy of the text.
pub(crate) fn copied_text(text: &str) -> Result<String, NoMemory> {
    let mut made = String::new();
    made.try_reserve_exact(text.len()).map_err(|_| refused::<u8>(0, text.len()))?;
    made.push_str(text);
    Ok(made)
}

/// Collects the items of an iterator, or returns the first error.
pub(crate) fn collect<T, E: From<NoMemory>>(items: impl Iterator<Item = Result<T, E>>) -> Result<Vec<T>, E> {
    // An iterator's size is only a hint, and may be any number.
    let mut all = with_room(items.size_hint().0.min(1 << 10))?;
    for item in items {
        push(&mut all, item?)?;
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_system_has_is_an_error_that_says_how_much_was_asked_for() {
        const ALL: usize = isize::MAX as usize;
        assert_eq!(zeros(ALL), Err(NoMemory { bytes: ALL as u64 }));
        let mut some = vec![1u64, 2];
        assert!(reserve(&mut some, ALL).is_err() && reserve_exact(&mut some, ALL).is_err());
        assert_eq!(some, [1, 2]);
        let error = Error::io(&NoMemory { bytes: 7 }.into(), "read");
        assert_eq!((error.kind(), error.reason()), (Kind::NoMemory, "the system has no memory for 7 bytes"));
    }
}
