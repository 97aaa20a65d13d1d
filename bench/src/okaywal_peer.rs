//! okaywal: each record is one entry of one chunk. Every commit syncs, so it takes part in the durable work only.

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};

use okaywal::{Configuration, Entry, EntryId, LogManager, SegmentReader, WriteAheadLog};

use crate::contender::{Read, SharedAppend};
use crate::{clock, Result};

/// The id is the entry's; time i64, type u32 and reserved u32 precede the payload.
const HEADER: usize = 16;

/// Filled with zeros at opening, before the clock starts: large enough for a run.
const SEGMENT: u32 = 64 << 20;

pub struct OkaywalWriter(WriteAheadLog);

impl OkaywalWriter {
    pub fn create(folder: &Path) -> Result<Self> {
        Ok(OkaywalWriter(open(folder, Keep::default())?))
    }
}

/// It is a write-ahead log, which overwrites what was checkpointed. Without checkpoints it is a log.
fn open(folder: &Path, manager: Keep) -> Result<WriteAheadLog> {
    let config = Configuration::default_for(folder).preallocate_bytes(SEGMENT).checkpoint_after_bytes(u64::MAX);
    Ok(config.open(manager)?)
}

impl SharedAppend for OkaywalWriter {
    fn append(&self, payload: &[u8]) -> Result<()> {
        let mut header = [0; HEADER];
        header[0..8].copy_from_slice(&clock::now().to_le_bytes());
        header[8..12].copy_from_slice(&1_u32.to_le_bytes());
        let mut entry = self.0.begin_entry()?;
        let mut chunk = entry.begin_chunk((HEADER + payload.len()) as u32)?;
        io::Write::write_all(&mut chunk, &header)?;
        io::Write::write_all(&mut chunk, payload)?;
        chunk.finish()?;
        entry.commit()?;
        Ok(())
    }

    fn flush(&self) -> Result<()> {
        Ok(())
    }

    fn close(self) -> Result<()> {
        Ok(self.0.shutdown()?)
    }
}

/// Collects the payloads that recovery returns.
#[derive(Clone, Debug, Default)]
struct Keep(Arc<Mutex<Vec<Vec<u8>>>>);

impl LogManager for Keep {
    fn recover(&mut self, entry: &mut Entry<'_>) -> io::Result<()> {
        let mut kept = self.0.lock().expect("recovery does not panic");
        kept.extend(entry.read_all_chunks()?.into_iter().flatten());
        Ok(())
    }

    fn checkpoint_to(&mut self, _: EntryId, _: &mut SegmentReader, _: &WriteAheadLog) -> io::Result<()> {
        Ok(())
    }
}

pub struct OkaywalReader;

impl Read for OkaywalReader {
    fn read(&self, folder: &Path, mut visit: impl FnMut(&[u8])) -> Result<()> {
        let keep = Keep::default();
        open(folder, keep.clone())?.shutdown()?;
        let kept = keep.0.lock().expect("recovery does not panic");
        kept.iter().for_each(|chunk| visit(&chunk[HEADER..]));
        Ok(())
    }
}
