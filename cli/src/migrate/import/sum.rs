//! A checksum over the records of a log or of other files: equal where the records are, however they are stored.

use binlog::Record;
use crc32fast::Hasher;

/// A checksum over records.
#[derive(Default)]
pub struct Sum(Hasher);

impl Sum {
    /// Adds a record, whose type has this name.
    pub fn add(&mut self, record: &Record<'_>, type_name: Option<&str>) {
        let mut head = [0; 24];
        head[..8].copy_from_slice(&record.time.to_le_bytes());
        head[8..12].copy_from_slice(&record.payload_len.to_le_bytes());
        // The number of a named type differs between files.
        let type_id = if type_name.is_some() { 0 } else { record.type_id };
        head[12..16].copy_from_slice(&type_id.to_le_bytes());
        head[16..20].copy_from_slice(&(type_name.map_or(0, str::len) as u32).to_le_bytes());
        head[20..24].copy_from_slice(&(record.metadata.as_bytes().len() as u32).to_le_bytes());
        self.0.update(&head);
        self.0.update(type_name.unwrap_or("").as_bytes());
        self.0.update(record.metadata.as_bytes());
        self.0.update(record.payload);
    }

    pub fn checksum(&self) -> u32 {
        self.0.clone().finalize()
    }
}
