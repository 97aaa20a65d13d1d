//! A copy of a record. While a record borrows its cursor, the cursor cannot be asked for the name of the record's
//! type.

use binlog::{Metadata, Record};

#[derive(Default)]
pub struct Held {
    id: u64,
    time: i64,
    pub type_id: u32,
    payload_len: u32,
    metadata: Vec<u8>,
    payload: Vec<u8>,
}

impl Held {
    pub fn copy(&mut self, record: &Record<'_>) {
        (self.id, self.time, self.type_id) = (record.id, record.time, record.type_id);
        self.payload_len = record.payload_len;
        self.metadata.clear();
        self.metadata.extend_from_slice(record.metadata.as_bytes());
        self.payload.clear();
        self.payload.extend_from_slice(record.payload);
    }

    pub fn record(&self) -> Record<'_> {
        Record {
            id: self.id,
            time: self.time,
            type_id: self.type_id,
            metadata: Metadata::from_bytes(&self.metadata),
            payload: &self.payload,
            payload_len: self.payload_len,
        }
    }
}
