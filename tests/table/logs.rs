//! Random logs and filters, and the rows of a table as a cursor would show them.

use binlog::columns::{Batch, Column, Columns, Table, TableOptions};
use binlog::rolling::RollOptions;
use binlog::{Codec, Filter, MetadataBuf, NewRecord, Reader, ReaderOptions, Writer, WriterOptions};
use tempfile::TempDir;

use crate::common::{pairs, CODECS};

/// Numbers that look random, from a seed.
pub struct Dice(pub u64);

impl Dice {
    pub fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % sides
    }
}

/// A row of all columns. `None` in `type_name`, `text` and `keys`: null.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    pub id: u64,
    pub time: i64,
    pub type_id: u32,
    pub type_name: Option<String>,
    pub metadata: Vec<(String, String)>,
    pub length: u64,
    pub payload: Vec<u8>,
    pub text: Option<String>,
    pub keys: Vec<Option<String>>,
}

pub const KEYS: [&str; 2] = ["host", ""];

/// What a cursor shows, and what follows from that.
pub fn expected(reader: &Reader, filter: &Filter) -> Vec<Row> {
    let mut cursor = reader.cursor(filter).unwrap();
    let mut rows = vec![];
    while let Some(record) = cursor.next().unwrap() {
        let metadata = pairs(record.metadata);
        let value = |key: &str| metadata.iter().find(|(k, _)| k == key).map(|(_, value)| value.clone());
        rows.push(Row {
            id: record.id,
            time: record.time,
            type_id: record.type_id,
            type_name: None,
            keys: KEYS.iter().map(|key| value(key)).collect(),
            length: u64::from(record.payload_len),
            payload: record.payload.to_vec(),
            text: String::from_utf8(record.payload.to_vec()).ok(),
            metadata,
        });
        let type_id = rows.last().unwrap().type_id;
        let name = cursor.type_name(type_id).map(str::to_owned);
        rows.last_mut().unwrap().type_name = name;
    }
    rows
}

pub fn all_columns() -> TableOptions {
    let metadata = KEYS.iter().map(|key| key.to_string()).collect();
    TableOptions { columns: Columns::ALL, metadata, ..TableOptions::default() }
}

/// The rows of a batch with all columns.
pub fn rows_of(batch: &Batch) -> Vec<Row> {
    let columns: Vec<&Column> = batch.columns().collect();
    let [id, time, type_id, name, metadata, length, payload, text, keys @ ..] = &columns[..] else { panic!() };
    let number = |column: &Column, row: usize| match column {
        Column::U64(values) => values[row] as i64,
        Column::I64(values) => values[row],
        Column::U32(values) => i64::from(values[row]),
        _ => panic!("no numbers"),
    };
    let string = |column: &Column, row: usize| match column {
        // Not `text`, for which bytes that are no text are null.
        Column::Bytes(texts) => texts.get(row).map(|text| String::from_utf8(text.to_vec()).expect("a text is UTF-8")),
        Column::Names(names) => names.get(row).map(str::to_owned),
        _ => panic!("no texts"),
    };
    let row = |at: usize| Row {
        id: number(id, at) as u64,
        time: number(time, at),
        type_id: number(type_id, at) as u32,
        type_name: string(name, at),
        metadata: match metadata {
            Column::Pairs(pairs) => pairs.get(at).map(|(k, v)| (k.to_owned(), v.to_owned())).collect(),
            _ => panic!("no pairs"),
        },
        length: number(length, at) as u64,
        payload: match payload {
            Column::Bytes(payloads) => payloads.get(at).expect("a payload is never null").to_vec(),
            _ => panic!("no payloads"),
        },
        text: string(text, at),
        keys: keys.iter().map(|key| string(key, at)).collect(),
    };
    (0..batch.rows()).map(row).collect()
}

/// The rows of the batches up to the end.
pub fn all_rows(table: &mut Table) -> Vec<Row> {
    let mut rows = vec![];
    while let Some(batch) = table.next_batch().unwrap() {
        rows.extend(rows_of(&batch));
    }
    rows
}

/// A log of so many records: rolled, in any codec, with named types and numbers, metadata and payloads of many kinds.
pub fn random_log(dice: &mut Dice, records: usize) -> (TempDir, Reader) {
    let home = tempfile::tempdir().unwrap();
    let codec = CODECS[dice.roll(3)];
    let options = WriterOptions {
        codec,
        block_bytes: 4096,
        segment_bytes: 40 << 10,
        roll: RollOptions::default(),
        ..WriterOptions::default()
    };
    let writer = Writer::open(home.path().join("log"), options).unwrap();
    let names = ["order", "note", "größe", "login"];
    for i in 0..records {
        let type_id = match dice.roll(3) {
            0 => dice.roll(20_000) as u32,
            _ => writer.type_id(names[dice.roll(1 + i * names.len() / records.max(1)).min(3)], "text/plain").unwrap(),
        };
        let mut metadata = MetadataBuf::new();
        for _ in 0..[0, 0, 0, 1, 2, 30][dice.roll(6)] {
            let long = "x".repeat(300);
            metadata.push(["host", "", "ü", "k"][dice.roll(4)], ["", "a", "wärt", &long][dice.roll(4)]);
        }
        let payload = match dice.roll(8) {
            0 => vec![],
            1 => vec![0xff, 0xfe],
            // Halves of one character.
            2 => vec![b'a', 0xc3],
            3 => vec![0xa4, b'a'],
            4 => "ä€🙂".repeat(dice.roll(20)).into_bytes(),
            5 => vec![b'x'; dice.roll(6000)],
            _ => format!("{{\"n\":{i}}}").into_bytes(),
        };
        let time = Some([0, -1, 1_700_000_000_000_000_000 + i as i64 * 20_000][dice.roll(3)]);
        let record = NewRecord { type_id, time, metadata: metadata.as_metadata(), payload: &payload };
        writer.append_record(&record).unwrap();
        if dice.roll(100) == 0 {
            writer.roll().unwrap();
        }
    }
    writer.close().unwrap();
    let reader = Reader::open(home.path().join("log"), ReaderOptions::default()).unwrap();
    (home, reader)
}

pub fn random_filter(dice: &mut Dice, records: usize) -> Filter {
    let one_in = |dice: &mut Dice, n| dice.roll(n) == 0;
    Filter {
        from_id: one_in(dice, 3).then(|| 1 + dice.roll(records) as u64),
        to_id: one_in(dice, 3).then_some(records as u64),
        from_time: one_in(dice, 4).then_some(0),
        types: if one_in(dice, 4) { (0..5000).collect() } else { vec![] },
        type_names: if one_in(dice, 3) { vec!["order".into(), "größe".into()] } else { vec![] },
        metadata: if one_in(dice, 5) { vec![("host".into(), "a".into())] } else { vec![] },
        last: one_in(dice, 5).then(|| 1 + dice.roll(50) as u64),
        newest_first: one_in(dice, 5),
        events: one_in(dice, 3),
        ..Filter::default()
    }
}

/// A log of these payloads in one block.
pub fn log_of(payloads: &[&[u8]], codec: Codec) -> (TempDir, Reader) {
    let home = tempfile::tempdir().unwrap();
    let options = WriterOptions { codec, ..WriterOptions::default() };
    let writer = Writer::open(home.path().join("log"), options).unwrap();
    payloads.iter().for_each(|payload| assert!(writer.append(7, payload).unwrap() > 0));
    writer.close().unwrap();
    let reader = Reader::open(home.path().join("log"), ReaderOptions::default()).unwrap();
    (home, reader)
}
