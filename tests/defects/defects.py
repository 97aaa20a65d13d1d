"""Defects that must not go unnoticed: what is changed, and the tests that notice it."""


def defect(title, file, old, new, *noticed_by):
    return {"title": title, "file": file, "old": old, "new": new, "noticed_by": [tuple(n.split("::")) for n in noticed_by]}


POWER = "power_loss::what_was_acknowledged_durable_survives_a_power_cut_at_every_operation"
POWER_IN_RECOVERY = "power_loss::a_power_cut_during_recovery_loses_nothing_either_and_keeps_what_was_cut"
POWER_AFTER_KILL = "power_loss::what_the_next_writer_syncs_after_a_kill_survives_a_power_cut_with_all_that_came_before"

DEFECTS = [
    # Durability.
    defect(
        "sync without fdatasync",
        "src/writer/sync.rs",
        "if let Err(e) = segment.file.sync_data() {",
        "if let Err(e) = Ok::<(), std::io::Error>(()) {",
        POWER,
    ),
    defect(
        "a new file whose name is not made durable",
        "src/log/target.rs",
        "        self.directory.sync().map_err(|e| {\n",
        "        Ok(()).map_err(|e: std::io::Error| {\n",
        POWER,
    ),
    defect(
        "segments that were rolled away from are not synced",
        "src/writer/output.rs",
        "let mut segments = self.retired.clone();",
        "let mut segments = Vec::with_capacity(self.retired.len() + 1);",
        POWER,
    ),
    defect(
        "durable is told before the fdatasync",
        "src/writer/sync.rs",
        "        for segment in &point.segments {\n",
        "        self.durable.fetch_max(point.id, Ordering::AcqRel);\n        for segment in &point.segments {\n",
        "power_loss::a_sync_beside_appends_acknowledges_only_what_it_has_written",
    ),
    defect(
        "a failed fsync is tried again",
        "src/writer/sync.rs",
        "        self.has_failed.store(true, Ordering::Release);\n",
        "",
        "faults::a_failed_fsync_is_remembered_and_never_tried_again",
    ),
    defect(
        "blocks tell that more is durable than is",
        "src/segment/appender.rs",
        "            durable_end: self.durable_end.load(Ordering::Acquire),",
        "            durable_end: self.durable_end.load(Ordering::Acquire).max(self.end),",
        POWER,
    ),
    # Writing.
    defect(
        "half a block stays behind a failed write",
        "src/segment/appender.rs",
        "        if self.untidy {\n            self.cut()?;",
        "        if self.untidy {",
        "faults::a_write_that_fails_half_way_leaves_a_whole_block_behind",
    ),
    defect(
        "the policy by records is forgotten",
        "src/writer/policy.rs",
        "lag.records.is_some_and(|most| id -",
        "lag.records.is_some_and(|most| most > 1 << 40 && id -",
        "writer::a_policy_by_records_flushes_or_syncs_before_the_append_returns",
    ),
    defect(
        "two writers at once",
        "src/log/target.rs",
        "    if !lock.try_lock().map_err(|e| failed(&e, \"lock\"))? {",
        "    if !lock.try_lock().map_err(|e| failed(&e, \"lock\"))? && path.as_os_str().is_empty() {",
        "writer::a_second_writer_is_told_who_has_the_log",
    ),
    # Recovery.
    defect(
        "torn bytes are cut without being kept",
        "src/log/torn.rs",
        "io::write_full(&*kept, &[piece], done)",
        "io::write_full(&*kept, &[&piece[..0]], done)",
        "reopen::a_torn_tail_is_kept_beside_the_segment_cut_and_told_as_an_event",
    ),
    defect(
        "kept bytes are not durable before they are cut",
        "src/log/torn.rs",
        "    kept.sync_data().map_err(|e| failed(&e, \"sync\"))?;\n    directory.rename",
        "    directory.rename",
        POWER_IN_RECOVERY,
    ),
    defect(
        "appending goes on behind the torn tail",
        "src/segment/appender.rs",
        "            end: found.end,\n            untidy",
        "            end: found.end + found.torn_bytes,\n            untidy",
        "reopen::a_torn_tail_is_kept_beside_the_segment_cut_and_told_as_an_event",
    ),
    defect(
        "damage with good blocks behind it is cut as a torn tail",
        "src/segment/tail.rs",
        "Ok(offset >= durable_end && next_block(segment, offset + 1)?.is_none())",
        "Ok(offset >= durable_end)",
        "reopen::corruption_is_refused_with_its_place_and_nothing_is_changed",
    ),
    defect(
        "recovery believes blocks that were never durable without reading them",
        "src/segment/recover.rs",
        "            match scanner.offset() >= found.durable_end {\n                true => scanner.load(&header)?,",
        "            match scanner.offset() >= found.durable_end {\n                true => scanner.load_entries(&header)?,",
        POWER,
    ),
    defect(
        "an id is given again after a crash",
        "src/segment/recover.rs",
        "        found.next_id = header.next_id();\n    }\n    found.closed",
        "        found.next_id = header.next_id().max(2) - 1;\n    }\n    found.closed",
        "reopen::a_torn_tail_is_kept_beside_the_segment_cut_and_told_as_an_event",
    ),
    defect(
        "segments before the last are not made durable when a log is opened again",
        "src/log/target.rs",
        "        if found.durable_end == 0 {\n            make_earlier",
        "        if found.durable_end == u64::MAX {\n            make_earlier",
        POWER_AFTER_KILL,
    ),
    defect(
        "opening reads the whole segment",
        "src/segment/recover.rs",
        "    if let Some((near, is_verified)) = last_sound_index(segment)? {",
        "    if let Some((near, is_verified)) = last_sound_index(segment)?.filter(|_| segment.start == 0) {",
        "reopen_index::opening_after_a_crash_costs_the_tail_and_not_the_file",
    ),
    # Reading.
    defect(
        "checksums of pages are ignored",
        "src/format/checksum.rs",
        "        if crc(page_seed(marker, page), bytes).to_le_bytes() != sum {",
        "        if crc(page_seed(marker, page), bytes).to_le_bytes() != sum && page > 1 << 30 {",
        "damage::every_flipped_bit_is_noticed",
    ),
    defect(
        "the checksum of entries is ignored",
        "src/format/block.rs",
        "    if checksum::crc(marker as u32, meta) != header.meta_crc {",
        "    if checksum::crc(marker as u32, meta) != header.meta_crc && meta.len() > 1 << 30 {",
        "damage::every_flipped_bit_is_noticed",
    ),
    defect(
        "the checksum of block headers is ignored",
        "src/format/block.rs",
        "        if checksum::crc(offset as u32, &copy) != LE::read_u32(&bytes[8..]) {",
        "        if checksum::crc(offset as u32, &copy) != LE::read_u32(&bytes[8..]) && offset > 1 << 60 {",
        "damage::every_flipped_bit_is_noticed",
    ),
    defect(
        "missing segments are passed over in silence",
        "src/reader/forward.rs",
        "            if let Some(reason) = chain_break(&ended, self.scanner.offset(), expected, &next) {",
        "            if let Some(reason) = chain_break(&ended, u64::MAX, expected, &next).filter(|_| false) {",
        "damage::a_missing_or_shortened_segment_is_an_error_behind_an_exact_beginning",
    ),
    defect(
        "memory for whatever length a header claims",
        "src/segment/scanner.rs",
        "let room = (len + extra).min(self.have + STEP.max(self.have));",
        "let room = len + extra;",
        "bounds::a_length_that_lies_costs_no_memory",
    ),
    # The index.
    defect(
        "records that the index locates are shown unchecked",
        "src/segment/scanner.rs",
        "                if !checksum::is_page_good(self.segment.header.marker, page, bytes, sum) {\n"
        "                    return Err(Bad::Malformed(Malformed::Page { page }));\n                }\n            }\n            let from =",
        "                let _ = (page, bytes, sum);\n            }\n            let from =",
        "index_hint::a_damaged_page_of_a_record_that_is_read_alone_is_told_and_never_shown",
    ),
    defect(
        "the index is trusted blindly",
        "src/reader/route.rs",
        "        let Some((offset, expected)) = route.origin else {",
        "        let Some((offset, expected)) = route.origin.filter(|_| false) else {",
        "index_hint::an_index_block_that_lies_with_right_checksums_changes_no_answer",
    ),
    defect(
        "totals are counted twice after reopening",
        "src/segment/indexing.rs",
        "            counts: counts.unwrap_or_default().iter().copied().collect(),",
        "            counts: counts.unwrap_or_default().iter().map(|&(type_id, count)| (type_id, 2 * count)).collect(),",
        "reopen_index::a_log_that_is_opened_fifty_times_is_indexed_as_if_it_had_been_once",
    ),
    defect(
        "a filter of pairs forgets some",
        "src/segment/indexing.rs",
        "        if pairs != before {",
        "        if pairs != before && hashes.len() < 3 {",
        "index::the_index_finds_what_reading_everything_finds",
    ),
    # Salvage and recovery of damaged logs.
    defect(
        "salvage tells of one run of lost records where there are two",
        "src/reader/salvage.rs",
        "match runs.last_mut().filter(|run| run.ids.1 + 1 == id) {",
        "match runs.last_mut() {",
        "salvage::records_between_two_damaged_pages_are_saved_and_each_loss_is_told_apart",
    ),
    defect(
        "a recovered log says nothing of what it lost",
        "src/repair/copy.rs",
        "        if next_id <= expected {\n            return Ok(());",
        "        if next_id <= expected || expected > 0 {\n            return Ok(());",
        "recover::damaged_bytes_anywhere_cost_what_they_touch_and_nothing_else",
    ),
    defect(
        "the damaged file is not kept",
        "src/repair/mod.rs",
        "    match directory.link(segment, &kept) {",
        "    match directory.link(segment, &kept).and_then(|()| directory.remove(&kept)) {",
        "recover::damaged_bytes_anywhere_cost_what_they_touch_and_nothing_else",
    ),
]
