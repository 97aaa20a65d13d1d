//! The values of payloads, for `cat --decode`.

use std::collections::{HashMap, HashSet};
use std::panic;
use std::sync::Once;

use binlog::{Cursor, TypeInfo};
use binlog_decode::Decoder;

/// Bytes of the different schemas whose decoders are kept. What is parsed of them takes some 100 times as much.
const SCHEMAS: usize = 4 << 20;
/// Types whose decoders are kept.
const TYPES: usize = 1 << 16;

/// The decoders of the types that were met.
#[derive(Default)]
pub struct Decoders {
    by_type: HashMap<u32, (TypeInfo, Result<Decoder, String>)>,
    /// The hashes of their schemas.
    schemas: HashSet<[u8; 32]>,
    schema_bytes: usize,
}

impl Decoders {
    pub fn new() -> Self {
        hide_panics();
        Decoders::default()
    }

    /// The value, as JSON, of a payload of the type with this number in the segment that the cursor reads, or why there
    /// is none; `None` for a type without a name, of which nothing is known.
    pub fn value(
        &mut self,
        cursor: &mut Cursor,
        type_id: u32,
        payload: &[u8],
    ) -> binlog::Result<Option<Result<String, String>>> {
        let Some(info) = cursor.type_info(type_id)? else { return Ok(None) };
        // Another log, or a segment in which the number is bound again, may mean another type by it.
        if self.by_type.get(&type_id).is_none_or(|(known, _)| *known != info) {
            self.make_room(&info);
            let decoder = Decoder::new(&info);
            self.by_type.insert(type_id, (info, decoder));
        }
        let decoded = self.by_type.get(&type_id).map(|(_, decoder)| match decoder {
            Ok(decoder) => decoder.decode(payload),
            Err(why) => Err(why.clone()),
        });
        Ok(decoded)
    }

    /// Forgets all decoders when there would be too many with this type.
    fn make_room(&mut self, of: &TypeInfo) {
        let schema = of.schema_sha256.zip(of.schema.as_ref());
        let new = schema.filter(|(sha256, _)| !self.schemas.contains(sha256));
        let bytes = new.map_or(0, |(_, schema)| schema.len());
        if self.schema_bytes + bytes > SCHEMAS || self.by_type.len() >= TYPES {
            *self = Decoders::default();
        }
        if let Some((sha256, schema)) = schema {
            if self.schemas.insert(sha256) {
                self.schema_bytes += schema.len();
            }
        }
    }
}

/// A panic of a decoder is the reason why a payload has no value, and nothing is printed of it.
fn hide_panics() {
    static HIDDEN: Once = Once::new();
    HIDDEN.call_once(|| {
        let other = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            if !binlog_decode::is_decoding() {
                other(panic);
            }
        }));
    });
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn the_schemas_that_are_kept_have_a_bound_and_one_schema_counts_once() {
        let mut decoders = Decoders::default();
        let mut info = TypeInfo::default();
        info.schema = Some(Arc::new(vec![0; 1 << 20]));
        info.schema_sha256 = Some([0; 32]);
        for number in 0..100 {
            decoders.make_room(&info);
            decoders.by_type.insert(number, (info.clone(), Err(String::new())));
        }
        assert_eq!((decoders.by_type.len(), decoders.schema_bytes), (100, 1 << 20));
        for hash in 1..=20 {
            info.schema_sha256 = Some([hash; 32]);
            decoders.make_room(&info);
            decoders.by_type.insert(100 + u32::from(hash), (info.clone(), Err(String::new())));
            assert!(decoders.schema_bytes <= SCHEMAS);
        }
        assert!(decoders.by_type.len() <= SCHEMAS >> 20, "{}", decoders.by_type.len());
    }
}
