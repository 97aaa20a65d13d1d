//! The contents of columns.

use binlog::columns::{Column, ColumnType, Columns, TableOptions};
use binlog::{Codec, Filter, Kind, MetadataBuf, NewRecord, Reader, ReaderOptions, Writer, WriterOptions};

use crate::logs::*;

#[test]
fn a_table_has_the_rows_of_a_cursor_in_random_logs_and_filters() {
    for seed in 1..=25u64 {
        let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let records = 20 + dice.roll(600);
        let (_home, reader) = random_log(&mut dice, records);
        for _ in 0..8 {
            let filter = random_filter(&mut dice, records);
            let options = TableOptions {
                batch_rows: [1, 7, 100, 65_536][dice.roll(4)],
                batch_bytes: [1, 3000, 16 << 20][dice.roll(3)],
                ..all_columns()
            };
            let mut table = reader.table(&filter, &options).unwrap();
            let rows = all_rows(&mut table);
            let expected = expected(&reader, &filter);
            assert_eq!(rows.len(), expected.len(), "seed {seed}, {filter:?}");
            rows.iter().zip(&expected).for_each(|(row, expected)| assert_eq!(row, expected, "seed {seed}, {filter:?}"));
            // The end stays the end.
            assert!(table.next_batch().unwrap().is_none());

            let headers = Filter { headers_only: true, ..filter };
            let columns = Columns::ID | Columns::LENGTH | Columns::METADATA;
            let mut table = reader.table(&headers, &TableOptions { columns, ..TableOptions::default() }).unwrap();
            let mut lengths = vec![];
            while let Some(batch) = table.next_batch().unwrap() {
                let Some(Column::U64(of_batch)) = batch.column(2) else { panic!() };
                lengths.extend_from_slice(of_batch);
            }
            assert_eq!(lengths, expected.iter().map(|row| row.length).collect::<Vec<_>>());
        }
    }
}

#[test]
fn a_plain_table_has_signed_numbers_microseconds_texts_and_each_key_once() {
    for seed in 1..=8u64 {
        let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let (_home, reader) = random_log(&mut dice, 200);
        let options = TableOptions { plain: true, batch_rows: 33, ..all_columns() };
        let mut table = reader.table(&Filter::default(), &options).unwrap();
        let types: Vec<_> = table.schema().iter().map(|field| field.column_type).collect();
        use ColumnType::{Binary, Microseconds, Pairs, Text, I64};
        assert_eq!(types, [I64, Microseconds, I64, Text, Pairs, I64, Binary, Text, Text, Text]);
        let mut expected = expected(&reader, &Filter::default());
        for row in &mut expected {
            row.time = row.time.div_euclid(1000);
            let mut seen = std::collections::HashSet::new();
            row.metadata.retain(|(key, _)| seen.insert(key.clone()));
        }
        assert_eq!(all_rows(&mut table), expected, "seed {seed}");
    }
}

#[test]
fn payloads_that_are_text_only_together_are_no_texts() {
    for codec in [Codec::None, Codec::Lz4] {
        let (_home, reader) = log_of(&[b"a\xc3", b"\xa4b", "ä".as_bytes(), b"", b"\xff", b"ok"], codec);
        let texts: Vec<_> = all_rows(&mut reader.table(&Filter::default(), &all_columns()).unwrap())
            .into_iter()
            .map(|row| row.text)
            .collect();
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(texts, [None, None, text("ä"), text(""), None, text("ok")]);
        let (_home, reader) = log_of(&[b"a\xc3", b"\xa4b"], codec);
        let rows = all_rows(&mut reader.table(&Filter::default(), &all_columns()).unwrap());
        assert!(rows.iter().all(|row| row.text.is_none()), "the two are one text");
    }
}

#[test]
fn more_than_a_few_keys_of_one_record_are_each_once_in_a_plain_table() {
    let home = tempfile::tempdir().unwrap();
    let writer = Writer::open(home.path().join("log"), WriterOptions::default()).unwrap();
    let mut metadata = MetadataBuf::new();
    for i in 0..1000 {
        metadata.push(&format!("k{}", i % 40), &i.to_string());
    }
    writer.append_record(&NewRecord { metadata: metadata.as_metadata(), ..NewRecord::default() }).unwrap();
    writer.close().unwrap();
    let reader = Reader::open(home.path().join("log"), ReaderOptions::default()).unwrap();
    let options = TableOptions { plain: true, ..all_columns() };
    let rows = all_rows(&mut reader.table(&Filter::default(), &options).unwrap());
    let expected: Vec<_> = (0..40).map(|i| (format!("k{i}"), i.to_string())).collect();
    assert_eq!(rows[0].metadata, expected);
}

#[test]
fn the_names_of_a_batch_keep_their_places_in_later_ones() {
    let mut dice = Dice(5);
    let (_home, reader) = random_log(&mut dice, 500);
    let options = TableOptions { columns: Columns::TYPE_NAME, batch_rows: 50, ..TableOptions::default() };
    let mut table = reader.table(&Filter::default(), &options).unwrap();
    let mut dictionaries = vec![];
    while let Some(batch) = table.next_batch().unwrap() {
        let Some(Column::Names(names)) = batch.column(0) else { panic!() };
        dictionaries.push(names.names().clone());
    }
    let last = dictionaries.last().unwrap();
    assert!(last.len() == 4 && dictionaries[0].len() < 4, "it grows");
    for dictionary in &dictionaries {
        (0..dictionary.len()).for_each(|at| assert_eq!(dictionary.get(at), last.get(at)));
    }
}

#[test]
fn options_that_contradict_each_other_or_the_filter_are_refused() {
    let (_home, reader) = log_of(&[b"a"], Codec::None);
    let headers = Filter { headers_only: true, ..Filter::default() };
    let wrong = [
        TableOptions { batch_rows: 0, ..TableOptions::default() },
        TableOptions { batch_bytes: 0, ..TableOptions::default() },
        TableOptions { metadata: vec!["a".into(), "b".into(), "a".into()], ..TableOptions::default() },
    ];
    for options in &wrong {
        assert_eq!(reader.table(&Filter::default(), options).err().unwrap().kind(), Kind::Invalid);
    }
    let texts = TableOptions { columns: Columns::ID | Columns::TEXT, ..TableOptions::default() };
    assert_eq!(reader.table(&headers, &texts).err().unwrap().kind(), Kind::Invalid);
    let table = reader.table(&headers, &TableOptions::default()).unwrap();
    assert_eq!(table.schema().last().unwrap().name, "length", "all that the filter reads");
    assert_eq!(Columns::from_bits(256), None);
}
