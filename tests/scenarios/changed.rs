//! Files with changed or moved bytes.

use super::*;

fn crc(seed: u32, bytes: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new_with_initial(seed);
    hasher.update(bytes);
    hasher.finalize()
}

/// Corrects the checksum of the header of the block at `at`.
fn mend(bytes: &mut [u8], at: usize) {
    let mut header = bytes[at..at + HEADER].to_vec();
    header[8..12].fill(0);
    bytes[at + 8..at + 12].copy_from_slice(&crc(at as u32, &header).to_le_bytes());
}

#[test]
fn a_length_that_is_wrong_ends_the_log_before_its_block() {
    let log = small_log();
    let last = log.blocks.len() - 1;
    for (block, field) in
        [(0, 20), (2, 20), (2, 24), (4, 24), (last, 16), (last, 20), (last, 24), (last, 28), (last, 76)]
    {
        let at = log.blocks[block].start;
        let right = u32::from_le_bytes(log.bytes[at + field..at + field + 4].try_into().unwrap());
        for wrong in [0, 1, right.wrapping_sub(1), right + 1, 4096, 1 << 20, i32::MAX as u32, u32::MAX] {
            for mended in [false, true] {
                let mut bytes = log.bytes.clone();
                bytes[at + field..at + field + 4].copy_from_slice(&wrong.to_le_bytes());
                // The number of records does not determine the length of a block.
                if wrong == right || (mended && field == 16) {
                    continue;
                }
                if mended {
                    mend(&mut bytes, at);
                }
                let what = format!("block {block}, bytes {field}: {wrong}, not {right}, mended {mended}");
                let end = if block == last { End::Torn } else { End::Hole(&log.rows[block + 1..]) };
                assert_ends(&bytes, &log.rows[..block], end, at, &what);
            }
        }
    }
}

/// Exactly these rows, and then a report of some kind.
fn assert_shows(bytes: &[u8], rows: &[Row], what: &str) {
    let seen = read(&open(&holding(bytes), ReaderMode::Prefix), &Filter::default(), Way::Next);
    assert_rows(&seen.rows, rows, what);
    let reported = seen.end.map_or_else(|e| e.kind() == Kind::Corrupt, |tail| tail.state == TailState::Torn);
    assert!(reported, "{what}: nothing was said");
}

#[test]
fn a_changed_byte_is_a_torn_tail_in_the_last_block_and_a_hole_before_it() {
    let log = small_log();
    for (i, block) in log.blocks.iter().enumerate() {
        for at in block.clone().step_by(if block.len() > 1000 { 61 } else { 1 }) {
            let mut bytes = log.bytes.clone();
            bytes[at] ^= 0x40;
            let end = if i + 1 == log.blocks.len() { End::Torn } else { End::Hole(&log.rows[i + 1..]) };
            assert_ends(&bytes, &log.rows[..i], end, block.start, &format!("byte {at} of block {i}"));
        }
    }
}

#[test]
fn a_changed_byte_of_what_was_durable_is_never_torn() {
    let directory = MemoryDirectory::new();
    let writer = open_writer(&directory).unwrap();
    put(&writer, b"first");
    let start = directory.contents(FILE).unwrap().len();
    put(&writer, b"second");
    writer.sync().unwrap();
    let end = directory.contents(FILE).unwrap().len();
    put(&writer, b"third");
    let mut bytes = directory.contents(FILE).unwrap();
    // The third block records that the second was durable. Its payload is cut, but its header is there.
    bytes.truncate(bytes.len() - 2);
    bytes[end - 1] ^= 1;
    let seen = read(&open(&holding(&bytes), ReaderMode::Prefix), &Filter::default(), Way::Next);
    assert_rows(&seen.rows, &[Row::new(1, 7, 1, *b"first")], "the good beginning");
    assert_eq!(seen.end.unwrap_err().offset(), Some(start as u64));
}

/// A log of blocks of the same length, so that any can take the place of any other.
fn equal_blocks(seed: u64) -> Log {
    let mut payloads = vec![b"first".to_vec()];
    payloads.extend((0..5).map(|i| noise(50, seed + i)));
    log_of(&payloads)
}

#[test]
fn a_block_in_the_place_of_another_is_not_taken_for_it() {
    let log = equal_blocks(1);
    let blocks = &log.blocks[1..];
    for (i, to) in blocks.iter().enumerate() {
        for (j, from) in blocks.iter().enumerate().filter(|(j, _)| *j != i) {
            let mut copied = log.bytes.clone();
            copied.copy_within(from.clone(), to.start);
            let last = i + 1 == blocks.len();
            // A block whose original place is behind its present one was moved there, and no crash does that.
            let end = match (last, j > i) {
                (true, _) => End::Torn,
                (false, true) => End::Corrupt,
                (false, false) => End::Hole(&log.rows[i + 2..]),
            };
            let what = format!("block {j} in the place of block {i}");
            assert_ends(&copied, &log.rows[..i + 1], end, to.start, &what);

            let mut swapped = copied.clone();
            swapped[from.clone()].copy_from_slice(&log.bytes[to.clone()]);
            let first = i.min(j);
            // The later one was moved to where the earlier one was.
            assert_ends(
                &swapped,
                &log.rows[..first + 1],
                End::Corrupt,
                blocks[first].start,
                &format!("{i} and {j} swapped"),
            );
        }
    }
}

#[test]
fn a_block_twice_is_shown_once() {
    let log = equal_blocks(1);
    for (i, block) in log.blocks.iter().enumerate() {
        let behind = [&log.bytes[..], &log.bytes[block.clone()]].concat();
        assert_ends(&behind, &log.rows, End::Torn, log.bytes.len(), &format!("block {i} behind the log"));
        let (before, after) = log.bytes.split_at(block.end);
        let twice = [before, &log.bytes[block.clone()], after].concat();
        // The block after the second one is not where it was written.
        let end = if i + 1 == log.blocks.len() { End::Torn } else { End::Corrupt };
        assert_ends(&twice, &log.rows[..i + 1], end, block.end, &format!("block {i} twice"))
    }
}

#[test]
fn a_block_of_another_segment_is_not_taken_for_one_of_this() {
    let (log, other) = (equal_blocks(1), equal_blocks(100));
    // As the lengths of their beginnings agree, each block is at the offset of its double in the other log.
    assert_eq!(log.blocks, other.blocks);
    for (i, block) in log.blocks.iter().enumerate() {
        let mut bytes = log.bytes.clone();
        bytes[block.clone()].copy_from_slice(&other.bytes[block.clone()]);
        let end = if i + 1 == log.blocks.len() { End::Torn } else { End::Hole(&log.rows[i + 1..]) };
        assert_ends(&bytes, &log.rows[..i], end, block.start, &format!("block {i} of another log"));
        // Not even when none of it is requested, and only its header is read.
        let behind = Filter { from_id: Some(i as u64 + 2), ..Filter::default() };
        let seen = read(&open(&holding(&bytes), ReaderMode::Strict), &behind, Way::Next);
        assert!(seen.rows.is_empty(), "what follows block {i}");
        assert_eq!(seen.end.unwrap_err().offset(), Some(block.start as u64), "block {i} of another log passed over");
    }
    // All that follows the end of a log that was cut.
    let cut = log.blocks[2].end;
    let bytes = [&log.bytes[..cut], &other.bytes[cut..]].concat();
    assert_ends(&bytes, &log.rows[..3], End::Torn, cut, "the rest of another log");
}

#[test]
fn a_log_in_a_payload_is_never_shown_as_records_of_the_log_around_it() {
    let inner = small_log();
    // The log of another segment; then the bytes of this one, up to here, as a payload of its own.
    let directory = MemoryDirectory::new();
    let writer = open_writer(&directory).unwrap();
    put(&writer, b"first");
    put(&writer, &inner.bytes);
    let own = directory.contents(FILE).unwrap();
    put(&writer, &own);
    let bytes = directory.contents(FILE).unwrap();
    let rows = [b"first".to_vec(), inner.bytes.clone(), own.clone()];
    let rows: Vec<Row> = (1..).zip(rows).map(|(id, payload)| Row::new(id, 7, 1, payload)).collect();
    assert_ends(&bytes, &rows, End::Unclosed, bytes.len(), "whole");
    for len in (own.len() + 1..bytes.len()).step_by(997) {
        assert_ends(&bytes[..len], &rows[..2], End::Torn, own.len(), &format!("cut to {len}"));
    }
    // A changed byte before a log that looks like the rest of this one.
    let mut damaged = bytes.clone();
    damaged[own.len() + 20] ^= 1;
    assert_ends(&damaged, &rows[..2], End::Torn, own.len(), "the header of the block around it");
}

#[test]
fn a_payload_that_is_a_valid_block_at_its_very_offset_is_still_a_payload() {
    let directory = MemoryDirectory::new();
    let writer = open_writer(&directory).unwrap();
    put(&writer, b"first");
    let before = directory.contents(FILE).unwrap();
    put(&writer, b"a block to copy");
    // Two header's lengths into the payload there will be a block with the right marker and the right checksums.
    let copied = directory.contents(FILE).unwrap()[before.len()..].to_vec();
    let start = before.len() + copied.len();
    let mut payload = vec![0; 2 * HEADER];
    payload.extend(&copied);
    // Header, one page checksum, and an entry of four bytes.
    let at = start + HEADER + 4 + 4 + 2 * HEADER;
    let mut block = vec![0; at];
    block.extend(&copied);
    mend(&mut block, at);
    payload[2 * HEADER..].copy_from_slice(&block[at..]);
    put(&writer, &payload);
    let bytes = directory.contents(FILE).unwrap();
    assert_eq!(bytes[at..at + copied.len()], block[at..], "it is where it was made for");
    let rows = [&b"first"[..], b"a block to copy", &payload];
    let rows: Vec<Row> = (1..).zip(rows).map(|(id, payload)| Row::new(id, 7, 1, payload)).collect();
    assert_ends(&bytes, &rows, End::Unclosed, bytes.len(), "whole");
    // Where the outer block is torn, the copy passes for a block that follows: then nothing may be cut, as it might be
    // good.
    for len in [at + copied.len(), bytes.len() - 1] {
        assert_shows(&bytes[..len.min(bytes.len() - 1)], &rows[..2], "torn around the block");
    }
    let mut damaged = bytes.clone();
    damaged[start + 30] ^= 1;
    assert_ends(&damaged, &rows[..2], End::Corrupt, start, "damaged before the block");
}
