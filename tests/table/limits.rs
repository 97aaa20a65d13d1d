//! How large batches become, and who owns them.

use binlog::columns::{Columns, Table, TableOptions};
use binlog::{Codec, Filter};

use crate::logs::*;

#[test]
fn a_batch_ends_before_it_has_more_rows_or_bytes_and_has_one_row_at_least() {
    let payloads: Vec<Vec<u8>> = (0..300).map(|i| vec![b'x'; if i % 50 == 0 { 5000 } else { 100 }]).collect();
    let payloads: Vec<&[u8]> = payloads.iter().map(Vec::as_slice).collect();
    let (_home, reader) = log_of(&payloads, Codec::None);
    let options = TableOptions { columns: Columns::PAYLOAD, batch_bytes: 1040, ..TableOptions::default() };
    let mut table = reader.table(&Filter::default(), &options).unwrap();
    let mut batches = vec![];
    while let Some(batch) = table.next_batch().unwrap() {
        batches.push(batch.rows());
    }
    // 100 bytes and an offset of four.
    assert_eq!(batches.iter().sum::<usize>(), 300);
    assert_eq!(batches[..6], [1, 10, 10, 10, 10, 9]);
    let options = TableOptions { batch_rows: 128, ..all_columns() };
    let mut table = reader.table(&Filter::default(), &options).unwrap();
    let rows: Vec<_> = std::iter::from_fn(|| table.next_batch().unwrap()).map(|batch| batch.rows()).collect();
    assert_eq!(rows, [128, 128, 44]);
}

#[test]
fn a_batch_is_not_changed_by_later_ones_and_outlives_the_table_in_any_thread() {
    let mut dice = Dice(3);
    let (home, reader) = random_log(&mut dice, 400);
    let expected = expected(&reader, &Filter::default());
    let mut table = reader.table(&Filter::default(), &TableOptions { batch_rows: 30, ..all_columns() }).unwrap();
    let mut kept = vec![];
    let mut n = 0;
    while let Some(batch) = table.next_batch().unwrap() {
        n += 1;
        // Every other one is released, and its memory used again.
        if n % 2 == 0 {
            kept.push(batch);
        }
    }
    drop((table, reader, home));
    let rows = std::thread::spawn(move || kept.iter().flat_map(rows_of).collect::<Vec<_>>()).join().unwrap();
    assert!(!rows.is_empty());
    rows.iter().for_each(|row| assert!(expected.contains(row)));
}

#[test]
fn tables_of_one_reader_are_read_in_several_threads() {
    let mut dice = Dice(4);
    let (_home, reader) = random_log(&mut dice, 400);
    let expected = expected(&reader, &Filter::default());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut table = reader.table(&Filter::default(), &all_columns()).unwrap();
                assert_eq!(all_rows(&mut table), expected);
            });
        }
    });
    fn may_be_sent<T: Send>() {}
    may_be_sent::<Table>();
}
