//! Going to an id or a time, from wherever the cursor is.

mod common;

use binlog::{Codec, Filter};
use common::history::*;
use common::*;

/// Thirty small records of one block, and more blocks behind.
fn a_log() -> Log {
    let mut log = Log::new(small_blocks(Codec::None));
    for i in 0..90 {
        log.put_plain(i % 3, i64::from(i), 100);
        if i % 30 == 29 {
            log.writer().flush().unwrap();
        }
    }
    log
}

#[test]
fn a_seek_in_the_middle_of_a_block_shows_nothing_more_of_it() {
    let mut log = a_log();
    log.close();
    for types in [vec![], vec![1]] {
        for headers_only in [false, true] {
            let filter = Filter { types: types.clone(), headers_only, ..Filter::default() };
            let shown = shown_of(&log.rows, &filter);
            let mut cursor = open(&log.directory).cursor(&filter).unwrap();
            for id in [70, 3, 35, 4, 89, 1] {
                cursor.seek(id).unwrap();
                let expected = shown.iter().find(|row| row.id >= id);
                let seen = cursor.next().unwrap().map(|record| Row::from(&record));
                assert_eq!(seen.as_ref(), expected, "seek {id} {filter:?}");
                cursor.next_batch(1, |_| ()).unwrap();
            }
        }
    }
}
