//! Types with encodings and schemas: what a writer was told of them, every reader is told, whatever became of the log.

#[path = "../common/mod.rs"]
mod common;

mod hostile;
mod kept;
mod writing;

use std::collections::BTreeMap;
use std::sync::Arc;

use binlog::io::{Directory, MemoryDirectory};
use binlog::{Filter, Reader, ReaderMode, ReaderOptions, TypeInfo, TypeOptions, Writer, WriterOptions};

use common::noise;

/// What tells a type from others.
type Told = (String, String, String, String, Vec<u8>);

pub fn told(of: &TypeOptions<'_>) -> Told {
    let text = str::to_owned;
    (text(of.name), text(of.content_type), text(of.encoding), text(of.message), of.schema.to_vec())
}

fn told_by(info: &TypeInfo) -> Told {
    let schema = info.schema.as_ref().map_or(vec![], |schema| schema.to_vec());
    assert_eq!(info.schema_sha256.is_some(), !schema.is_empty(), "{info:?}");
    let text = |text: &String| text.clone();
    (text(&info.name), text(&info.content_type), text(&info.encoding), text(&info.message), schema)
}

/// A log in memory, and what its types are by their numbers.
pub struct Log {
    pub directory: MemoryDirectory,
    pub types: BTreeMap<u32, Told>,
}

impl Log {
    pub fn empty() -> Self {
        Log { directory: MemoryDirectory::new(), types: BTreeMap::new() }
    }

    pub fn open(&self, options: WriterOptions) -> Writer {
        Writer::open(Arc::new(self.directory.clone()), options).unwrap()
    }

    pub fn reader(&self, mode: ReaderMode) -> Reader {
        let options = ReaderOptions { mode, ..ReaderOptions::default() };
        Reader::open(Arc::new(self.directory.clone()), options).unwrap()
    }

    pub fn segments(&self) -> Vec<String> {
        let mut names = self.directory.list().unwrap();
        names.retain(|name| name.ends_with(".binlog") || name.ends_with(".binlog.z"));
        names.sort();
        names
    }

    /// Names a type, and appends a record of it.
    pub fn define(&mut self, writer: &Writer, options: &TypeOptions<'_>) -> u32 {
        let number = writer.type_of(options).unwrap();
        assert_eq!(writer.type_of(options).unwrap(), number);
        self.types.insert(number, told(options));
        writer.append(number, options.name.as_bytes()).unwrap();
        number
    }

    /// Three types of two names, with two schemas.
    pub fn define_three(&mut self, writer: &Writer) -> [u32; 3] {
        let (orders, users) = (noise(9000, 1), noise(300, 2));
        let order = TypeOptions {
            name: "order",
            content_type: "application/x-protobuf",
            encoding: "protobuf",
            message: "shop.Order",
            schema: &orders,
        };
        let user = TypeOptions { name: "user", encoding: "avro", schema: &users, ..TypeOptions::default() };
        let newer = TypeOptions { schema: &users, encoding: "avro", ..order };
        [self.define(writer, &order), self.define(writer, &user), self.define(writer, &newer)]
    }

    /// Reads the log in every way, and compares what readers are told of the types with what the writer was told.
    pub fn check(&self) {
        let all: BTreeMap<_, _> =
            self.reader(ReaderMode::Prefix).types().unwrap().iter().map(|it| (it.number, told_by(it))).collect();
        assert_eq!(all, self.types, "all types");
        let newest_first = Filter { newest_first: true, ..Filter::default() };
        let last = Filter { last: Some(1), ..Filter::default() };
        let headers = Filter { headers_only: true, ..Filter::default() };
        for filter in [Filter::default(), newest_first, last, headers] {
            self.check_cursor(ReaderMode::Prefix, &filter);
        }
        self.check_cursor(ReaderMode::Strict, &Filter::default());
        self.check_cursor(ReaderMode::Salvage, &Filter::default());
        for (number, (name, ..)) in &self.types {
            let by_name = Filter { type_names: vec![name.clone()], ..Filter::default() };
            let seen = self.check_cursor(ReaderMode::Prefix, &by_name);
            assert!(seen.contains_key(number), "{number} by its name {name}");
            let many: u64 = seen.values().sum();
            let counted = self.reader(ReaderMode::Prefix).counts().unwrap();
            let counted: Vec<_> = counted.iter().filter(|it| it.name.as_ref() == Some(name)).collect();
            let [counted] = &counted[..] else { panic!("counts of {name}: {counted:?}") };
            assert_eq!((counted.records, counted.has_several_numbers), (many, seen.len() > 1), "counts of {name}");
            let by_number = Filter { types: vec![*number], ..Filter::default() };
            assert!(self.check_cursor(ReaderMode::Prefix, &by_number).keys().eq([number]));
        }
    }

    /// How many records of each named type there are.
    fn check_cursor(&self, mode: ReaderMode, filter: &Filter) -> BTreeMap<u32, u64> {
        let mut cursor = self.reader(mode).cursor(filter).unwrap();
        let mut seen = BTreeMap::new();
        while let Some(number) = cursor.next().unwrap().map(|record| record.type_id) {
            let Some(info) = cursor.type_info(number).unwrap() else { continue };
            assert_eq!((info.number, told_by(&info)), (number, self.types[&number].clone()), "{mode:?} {filter:?}");
            *seen.entry(number).or_insert(0) += 1;
        }
        assert!(filter.last.is_some() || !seen.is_empty());
        seen
    }
}
