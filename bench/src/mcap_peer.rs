//! MCAP through its own Rust crate.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Read as _};
use std::path::Path;

use mcap::records::MessageHeader;
use mcap::sans_io::{LinearReadEvent, LinearReader, LinearReaderOptions};
use mcap::{Compression, WriteOptions, Writer};

use crate::contender::{Append, Read};
use crate::{clock, Result};

/// Bytes read from the file at a time; the crate itself would read a record at a time.
const READ_BYTES: usize = 256 << 10;

pub struct McapWriter {
    file: Writer<BufWriter<File>>,
    channel_id: u16,
    sequence: u32,
}

impl McapWriter {
    /// Records one after the other, under one checksum of the whole data section.
    pub fn create(folder: &Path) -> Result<Self> {
        Self::with_options(folder, WriteOptions::new().use_chunks(false).compression(None))
    }

    /// Chunks of 1 MiB with a checksum each and an index. The data section's checksum is left out: it would be a second
    /// one over the same bytes.
    pub fn create_chunked(folder: &Path, compression: Option<Compression>) -> Result<Self> {
        let options = WriteOptions::new().compression(compression).compression_level(1);
        Self::with_options(folder, options.calculate_data_section_crc(false))
    }

    /// Like [`Self::create_chunked`] with zstd, compressing in the caller's thread alone.
    pub fn create_zstd_alone(folder: &Path) -> Result<Self> {
        let options = WriteOptions::new().compression(Some(Compression::Zstd)).compression_level(1);
        Self::with_options(folder, options.compression_threads(0).calculate_data_section_crc(false))
    }

    fn with_options(folder: &Path, options: WriteOptions) -> Result<Self> {
        let file = BufWriter::with_capacity(64 << 10, File::create_new(folder.join("mcap"))?);
        let mut file = options.create(file)?;
        let channel_id = file.add_channel(0, "bench", "application/octet-stream", &BTreeMap::new())?;
        Ok(McapWriter { file, channel_id, sequence: 0 })
    }
}

impl Append for McapWriter {
    fn append(&mut self, payload: &[u8]) -> Result<()> {
        let time = clock::now() as u64;
        self.sequence = self.sequence.wrapping_add(1);
        let header =
            MessageHeader { channel_id: self.channel_id, sequence: self.sequence, log_time: time, publish_time: time };
        Ok(self.file.write_to_known_channel(&header, payload)?)
    }

    fn flush(&mut self) -> Result<()> {
        Ok(self.file.flush()?)
    }

    fn close(mut self) -> Result<()> {
        self.file.finish()?;
        Ok(())
    }
}

pub struct McapReader;

impl Read for McapReader {
    fn read(&self, folder: &Path, mut visit: impl FnMut(&[u8])) -> Result<()> {
        let mut file = File::open(folder.join("mcap"))?;
        // A file has one of the two checksums, see the writers.
        let options =
            LinearReaderOptions::default().with_prevalidate_chunk_crcs(true).with_validate_data_section_crc(true);
        let mut reader = LinearReader::new_with_options(options);
        while let Some(event) = reader.next_event() {
            match event? {
                LinearReadEvent::ReadRequest(need) => {
                    let len = file.read(reader.insert(need.max(READ_BYTES)))?;
                    reader.notify_read(len);
                }
                LinearReadEvent::Record { opcode: mcap::records::op::MESSAGE, data } => {
                    match mcap::parse_record(mcap::records::op::MESSAGE, data)? {
                        mcap::records::Record::Message { data, .. } => visit(&data),
                        other => return Err(format!("{other:?} is no message").into()),
                    }
                }
                LinearReadEvent::Record { .. } => {}
            }
        }
        Ok(())
    }
}
