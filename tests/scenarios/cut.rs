//! Files that end too early, or in zeros.

use super::*;

#[test]
fn a_file_without_contents_holds_no_record_and_a_writer_begins_beside_it() {
    for len in [0, 1, 11, 500, 70_000] {
        let directory = holding(&vec![0; len]);
        assert_rows(&rows_of(&open(&directory, ReaderMode::Strict)), &[], "a log that was never begun");
        let writer = open_writer(&directory).unwrap();
        put(&writer, b"first");
        writer.close().unwrap();
        assert_rows(&rows_of(&open(&directory, ReaderMode::Strict)), &[Row::new(1, 7, 1, *b"first")], "zeros");
        assert_eq!(directory.contents(FILE).unwrap(), vec![0; len], "left as it was");
    }
}

#[test]
fn a_file_cut_at_any_byte_shows_the_whole_blocks_and_nothing_else() {
    let log = small_log();
    // Within the long block every seventh byte is enough.
    for len in (log.blocks[0].start..log.bytes.len()).filter(|&len| !log.blocks[4].contains(&len) || len % 7 == 0) {
        let whole = log.blocks.iter().filter(|block| block.end <= len).count();
        let at = whole.checked_sub(1).map_or(log.blocks[0].start, |last| log.blocks[last].end);
        let end = if at == len { End::Unclosed } else { End::Torn };
        assert_ends(&log.bytes[..len], &log.rows[..whole], end, at, &format!("cut to {len}"));
    }
}

/// A payload with which a block from `start` on ends at `end`, if there is one: its length is coded in it too.
fn payload_up_to(start: usize, end: usize) -> Option<Vec<u8>> {
    let varint = |value: usize| (1..).find(|bytes| value >> (7 * bytes) == 0).expect("few bytes");
    // Type and time take a byte each.
    let block = |len: usize| HEADER + 4 * len.div_ceil(PAGE) + varint(len) + 2 + len;
    (0..end - start)
        .rev()
        .find(|&len| block(len) <= end - start)
        .filter(|&len| block(len) == end - start)
        .map(|len| payload(len, len as u64))
}

#[test]
fn blocks_that_end_near_the_boundaries_of_pages_and_buffers_are_like_all_others() {
    let mut tried = 0;
    for boundary in [PAGE, 2 * PAGE, 3 * PAGE, 16 * PAGE, 32 * PAGE] {
        for apart in [-80, -79, -8, -7, -1, 0, 1, 7, 8, 80] {
            let directory = MemoryDirectory::new();
            let writer = open_writer(&directory).unwrap();
            put(&writer, b"first");
            let start = directory.contents(FILE).unwrap().len();
            let target = boundary.checked_add_signed(apart).unwrap();
            let Some(payload) = payload_up_to(start, target) else { continue };
            tried += 1;
            put(&writer, &payload);
            let middle = directory.contents(FILE).unwrap();
            assert_eq!(middle.len(), target, "as computed");
            put(&writer, b"last");
            let bytes = directory.contents(FILE).unwrap();
            let rows = [Row::new(1, 7, 1, *b"first"), Row::new(2, 7, 1, payload), Row::new(3, 7, 1, *b"last")];
            let what = format!("a block that ends at {target}");
            assert_ends(&bytes, &rows, End::Unclosed, bytes.len(), &what);
            assert_ends(&middle, &rows[..2], End::Unclosed, target, &what);
            assert_ends(&bytes[..target - 1], &rows[..1], End::Torn, start, &what);
            for behind in [1, 7, HEADER - 1, HEADER, HEADER + 1] {
                let what = format!("{what}, and {behind} bytes of the next");
                assert_ends(&bytes[..target + behind], &rows[..2], End::Torn, target, &what);
            }
        }
    }
    assert!(tried >= 40, "only {tried} of the lengths can be had");
}

#[test]
fn zeros_behind_the_last_block_are_a_torn_tail_of_any_length() {
    let log = small_log();
    let end = log.bytes.len();
    let to_the_page = PAGE - end % PAGE;
    let lens = (1..20).chain([79, 80, 81, 104, 4095, 4096, 4097, to_the_page, 65_536, 262_143, 262_144, 262_145]);
    for len in lens {
        let bytes = [&log.bytes[..], &vec![0; len]].concat();
        assert_ends(&bytes, &log.rows, End::Torn, end, &format!("{len} zeros behind"));
    }
}

#[test]
fn a_last_block_of_which_zeros_took_the_place_is_torn() {
    let log = small_log();
    for (from, what) in [(0, "all of it"), (1, "all but a byte"), (8, "all but the marker"), (HEADER, "the rest")] {
        for block in [4, 5] {
            let Range { start, end } = log.blocks[block].clone();
            let mut bytes = log.bytes[..end].to_vec();
            bytes[start + from..].fill(0);
            assert_ends(&bytes, &log.rows[..block], End::Torn, start, what);
        }
    }
}

#[test]
fn a_reader_that_begins_at_any_id_of_a_cut_file_shows_what_is_there_from_it_on() {
    let payloads: Vec<Vec<u8>> = (0..9).map(|i| payload(i * 5, i as u64)).collect();
    let log = log_of(&payloads);
    for len in (log.blocks[0].start..=log.bytes.len()).step_by(2) {
        let whole = log.blocks.iter().filter(|block| block.end <= len).count();
        let directory = holding(&log.bytes[..len]);
        let reader = open(&directory, ReaderMode::Prefix);
        for from in 1..=log.rows.len() as u64 + 2 {
            for headers_only in [false, true] {
                let filter = Filter { from_id: Some(from), headers_only, ..Filter::default() };
                let seen = read(&reader, &filter, Way::Batch(2)).whole();
                let expected = log.rows[..whole].iter().skip(from as usize - 1);
                let expected: Vec<Row> =
                    expected.map(|row| if headers_only { row.without_payload() } else { row.clone() }).collect();
                assert_rows(&seen, &expected, &format!("cut to {len}, from {from}, headers only {headers_only}"));
            }
        }
    }
}
