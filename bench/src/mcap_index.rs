//! MCAP with a channel for each type, read by its index of the messages in each chunk.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufWriter;
use std::os::unix::fs::FileExt;
use std::path::Path;

use mcap::records::{op, MessageHeader};
use mcap::sans_io::indexed_reader::{IndexedReadEvent, IndexedReader, IndexedReaderOptions, ReadOrder};
use mcap::sans_io::summary_reader::{SummaryReadEvent, SummaryReader};
use mcap::sans_io::{LinearReadEvent, LinearReader, LinearReaderOptions};
use mcap::{Summary, WriteOptions, Writer};

use crate::typed::{AppendTyped, Typed, COMMON, RARE};
use crate::Result;

const FILE: &str = "mcap";
/// Opcode and length in front of each record of the format.
const RECORD_HEADER: u64 = 9;

pub struct ChannelWriter {
    file: Writer<BufWriter<File>>,
    /// By the type.
    channels: BTreeMap<u32, u16>,
}

impl ChannelWriter {
    /// Chunks of 1 MiB with a checksum each, and an index.
    pub fn create(folder: &Path) -> Result<Self> {
        let file = BufWriter::with_capacity(64 << 10, File::create_new(folder.join(FILE))?);
        let mut file = WriteOptions::new().compression(None).calculate_data_section_crc(false).create(file)?;
        let mut channels = BTreeMap::new();
        for type_id in (1..=COMMON).chain([RARE]) {
            let channel = file.add_channel(0, &topic(type_id), "application/octet-stream", &BTreeMap::new())?;
            channels.insert(type_id, channel);
        }
        Ok(ChannelWriter { file, channels })
    }
}

fn topic(type_id: u32) -> String {
    format!("type {type_id}")
}

impl AppendTyped for ChannelWriter {
    fn append_typed(&mut self, record: &Typed) -> Result<()> {
        let channel_id = *self.channels.get(&record.type_id).ok_or("a type without a channel")?;
        let time = record.time as u64;
        let header = MessageHeader { channel_id, sequence: record.id as u32, log_time: time, publish_time: time };
        Ok(self.file.write_to_known_channel(&header, record.payload)?)
    }

    fn finish(mut self) -> Result<()> {
        self.file.finish()?;
        Ok(())
    }
}

/// The reader of the crate verifies no checksum here.
pub fn read_type(folder: &Path, type_id: u32, mut visit: impl FnMut(u64, &[u8])) -> Result<()> {
    let file = File::open(folder.join(FILE))?;
    let summary = summary(&file)?;
    let options = IndexedReaderOptions::new().with_order(ReadOrder::File).include_topics([topic(type_id)]);
    let mut reader = IndexedReader::new_with_options(&summary, options)?;
    let mut chunk = Vec::new();
    while let Some(event) = reader.next_event() {
        match event? {
            IndexedReadEvent::ReadChunkRequest { offset, length } => {
                chunk.resize(length, 0);
                file.read_exact_at(&mut chunk, offset)?;
                reader.insert_chunk_record_data(offset, &chunk)?;
            }
            IndexedReadEvent::Message { header, data } => visit(u64::from(header.sequence), data),
        }
    }
    Ok(())
}

fn summary(file: &File) -> Result<Summary> {
    let (len, mut at) = (file.metadata()?.len(), 0);
    let mut reader = SummaryReader::new();
    while let Some(event) = reader.next_event() {
        match event? {
            SummaryReadEvent::ReadRequest(need) => {
                let read = file.read_at(reader.insert(need), at)?;
                at += read as u64;
                reader.notify_read(read);
            }
            SummaryReadEvent::SeekRequest(to) => {
                at = match to {
                    std::io::SeekFrom::Start(offset) => offset,
                    std::io::SeekFrom::End(offset) => len.saturating_add_signed(offset),
                    std::io::SeekFrom::Current(offset) => at.saturating_add_signed(offset),
                };
                reader.notify_seeked(at);
            }
        }
    }
    reader.finish().ok_or_else(|| "the file has no summary".into())
}

/// The bytes of the indexes of messages and of chunks.
pub fn index_bytes(folder: &Path) -> Result<u64> {
    let file = File::open(folder.join(FILE))?;
    let (mut at, mut bytes) = (0, 0);
    let mut reader = LinearReader::new_with_options(LinearReaderOptions::default().with_emit_chunks(true));
    while let Some(event) = reader.next_event() {
        match event? {
            LinearReadEvent::ReadRequest(need) => {
                let read = file.read_at(reader.insert(need), at)?;
                at += read as u64;
                reader.notify_read(read);
            }
            LinearReadEvent::Record { opcode: op::MESSAGE_INDEX | op::CHUNK_INDEX, data } => {
                bytes += RECORD_HEADER + data.len() as u64;
            }
            LinearReadEvent::Record { .. } => {}
        }
    }
    Ok(bytes)
}
