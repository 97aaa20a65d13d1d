//! The records of one block, counted.

use std::collections::HashMap;

use binlog::{event, Record};

/// Records of one block.
#[derive(Default)]
pub struct Batch {
    pub records: u64,
    pub bytes: u64,
    /// Ids of the first and the last of these records.
    pub ids: (u64, u64),
    /// Ids and times of the records with the smallest and the greatest time.
    pub times: Option<[(u64, i64); 2]>,
    pub types: HashMap<u32, u64>,
    /// A run of records of one type, as is common; not yet counted in `types`.
    run: (u32, u64),
    /// Id of the last record that the events report as lost.
    pub lost_to: Option<u64>,
}

impl Batch {
    #[inline]
    pub fn add(&mut self, record: &Record<'_>) {
        if record.is_event() {
            if record.type_id == event::RECOVERED {
                let lost_to = record.metadata.get("last_lost_id").and_then(|id| id.parse().ok());
                self.lost_to = self.lost_to.max(lost_to);
            }
            return;
        }
        self.ids = (if self.records == 0 { record.id } else { self.ids.0 }, record.id);
        self.records += 1;
        self.bytes += u64::from(record.payload_len);
        if record.type_id != self.run.0 {
            self.end_run();
            self.run.0 = record.type_id;
        }
        self.run.1 += 1;
        let here = (record.id, record.time);
        match &mut self.times {
            None => self.times = Some([here; 2]),
            Some([min, _]) if here.1 < min.1 => *min = here,
            Some([_, max]) if here.1 > max.1 => *max = here,
            Some(_) => (),
        }
    }

    /// Counts the last run.
    pub fn end_run(&mut self) {
        let (type_id, records) = std::mem::take(&mut self.run);
        if records > 0 {
            *self.types.entry(type_id).or_default() += records;
        }
    }
}
