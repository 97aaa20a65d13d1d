//! Parsed schemas, shared by all decoders of the process that have the same: a parsed schema takes many times the memory
//! of its bytes, and a log may have any number of types of one schema.

use std::collections::hash_map::{HashMap, RandomState};
use std::hash::BuildHasher;
use std::sync::{Arc, LazyLock, Mutex, PoisonError, Weak};

use prost_reflect::DescriptorPool;

use crate::avro::Avro;
use crate::protobuf;

pub fn pool(schema: &Arc<Vec<u8>>) -> Result<Arc<DescriptorPool>, String> {
    static SHARED: LazyLock<Shared<DescriptorPool>> = LazyLock::new(Shared::default);
    SHARED.get(schema, protobuf::pool)
}

pub fn avro(schema: &Arc<Vec<u8>>) -> Result<Arc<Avro>, String> {
    static SHARED: LazyLock<Shared<Avro>> = LazyLock::new(Shared::default);
    SHARED.get(schema, Avro::new)
}

/// Those of one encoding that some decoder holds.
struct Shared<T> {
    hasher: RandomState,
    held: Mutex<Held<T>>,
}

struct Held<T> {
    by_hash: HashMap<u64, (Arc<Vec<u8>>, Weak<T>)>,
    /// How many there may be before those that nobody holds are removed.
    sweep_at: usize,
}

impl<T> Default for Shared<T> {
    fn default() -> Self {
        Shared { hasher: RandomState::new(), held: Mutex::new(Held { by_hash: HashMap::new(), sweep_at: 16 }) }
    }
}

impl<T> Shared<T> {
    /// The parsed schema. It lives as long as a decoder has it.
    fn get(&self, schema: &Arc<Vec<u8>>, parse: fn(&[u8]) -> Result<T, String>) -> Result<Arc<T>, String> {
        let hash = self.hasher.hash_one(schema);
        let held = || self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let known = held().by_hash.get(&hash).filter(|(bytes, _)| bytes == schema).and_then(|(_, it)| it.upgrade());
        if let Some(known) = known {
            return Ok(known);
        }
        let parsed = Arc::new(parse(schema)?);
        let mut held = held();
        if held.by_hash.len() >= held.sweep_at {
            held.by_hash.retain(|_, (_, it)| it.strong_count() > 0);
            held.sweep_at = held.by_hash.len().saturating_mul(2).max(16);
        }
        held.by_hash.insert(hash, (schema.clone(), Arc::downgrade(&parsed)));
        Ok(parsed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_is_parsed_once_for_all_decoders_and_freed_with_the_last() {
        let bytes = || Arc::new(br#"{"type": "array", "items": "int"}"#.to_vec());
        let first = avro(&bytes()).unwrap();
        let second = avro(&bytes()).unwrap();
        assert!(Arc::ptr_eq(&first, &second));
        assert!(pool(&bytes()).is_err(), "of another encoding");
        assert!(!Arc::ptr_eq(&first, &avro(&Arc::new(br#""int""#.to_vec())).unwrap()));
        let held = Arc::downgrade(&first);
        drop((first, second));
        assert!(held.upgrade().is_none());
    }
}
