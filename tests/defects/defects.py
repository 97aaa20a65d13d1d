"""Defects that must not go unnoticed: what is changed, and the tests that notice it."""


def defect(title, file, old, new, *noticed_by):
    return {"title": title, "file": file, "old": old, "new": new, "noticed_by": [tuple(n.split("::", 1)) for n in noticed_by]}


POWER = "power_loss::what_was_acknowledged_durable_survives_a_power_cut_at_every_operation"
POWER_IN_RECOVERY = "power_loss::a_power_cut_during_recovery_loses_nothing_either_and_keeps_what_was_cut"
POWER_AFTER_KILL = "power_loss::what_the_next_writer_syncs_after_a_kill_survives_a_power_cut_with_all_that_came_before"
CLOSED_BESIDE_A_SYNC = "hooks::a_segment_that_was_closed_beside_a_sync_is_durable_when_its_hooks_are_called"
BY_TIME = "many_segments::a_time_is_found_among_segments_that_rolled_as_reading_everything_finds_it"

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
        "src/log/maker.rs",
        "    directory.sync().map_err(|e| {\n",
        "    Ok(()).map_err(|e: std::io::Error| {\n",
        POWER,
    ),
    defect(
        "segments that were rolled away from are not synced",
        "src/writer/output.rs",
        "            retired: self.retired.clone(),",
        "            retired: vec![],",
        POWER,
    ),
    defect(
        "durable is told before the fdatasync",
        "src/writer/sync.rs",
        "        for segment in point.retired.iter()",
        "        self.durable.fetch_max(point.id, Ordering::AcqRel);\n        for segment in point.retired.iter()",
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
        "src/log/lock.rs",
        "    if !is_ours {",
        "    if !is_ours && path.as_os_str().is_empty() {",
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
        "            counts: told.counts.iter().flatten().copied().collect(),",
        "            counts: told.counts.iter().flatten().map(|&(type_id, count)| (type_id, 2 * count)).collect(),",
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
    # Rolling.
    defect(
        "a segment that was closed beside a sync passes for synced",
        "src/writer/output.rs",
        "        self.retired.retain(|segment| !point.retired.iter().any(|synced| Arc::ptr_eq(synced, segment)));",
        "        self.retired.clear();",
        CLOSED_BESIDE_A_SYNC,
    ),
    defect(
        "a record is placed before its time is looked at",
        "src/writer/append.rs",
        "        if filling.stretch.is_over(now, filling.next_id, 1) {\n            self.turn_if_over(&mut filling, now, 1);\n        }\n"
        "        let piece = self.piece(&mut filling)?;\n        let id = piece.next_id;\n"
        "        piece.blocks.make_room(id, record.payload_len, now);\n"
        "        piece.blocks.push(&record.at(now), parts.iter().copied());\n",
        "        let piece = self.piece(&mut filling)?;\n        let id = piece.next_id;\n"
        "        piece.blocks.make_room(id, record.payload_len, now);\n"
        "        piece.blocks.push(&record.at(now), parts.iter().copied());\n"
        "        if filling.stretch.is_over(now, id + 1, 1) {\n            filling.next_id = id + 1;\n"
        "            self.turn_if_over(&mut filling, now, 1);\n        }\n",
        "rolling::a_record_never_stands_in_the_segment_of_a_period_that_is_over",
    ),
    defect(
        "a large record's time is not looked at again after it has waited",
        "src/writer/append.rs",
        "        if filling.stretch.is_over(now, filling.next_id, 1) {\n            self.turn_if_over(&mut filling, now, 1);\n        }\n"
        "        self.hand_over(&mut filling);\n",
        "        self.hand_over(&mut filling);\n",
        "rolling::no_record_however_large_is_later_than_the_end_of_its_segments_period",
    ),
    defect(
        "a clock that was set back leaves the segment's time as it was",
        "src/writer/roll.rs",
        "            _ => self.set_stretch(filling, now, count),",
        "            _ => (),",
        "rolling::a_clock_that_is_set_back_neither_rolls_at_once_nor_keeps_the_log_from_rolling",
    ),
    defect(
        "a segment gets one record too many",
        "src/writer/stretch.rs",
        "            end_id: first_id.saturating_add(most),",
        "            end_id: first_id.saturating_add(most).saturating_add(1),",
        "rolling::no_segment_holds_more_records_than_the_rule_says_a_larger_batch_excepted",
    ),
    defect(
        "an empty segment is rolled when its time is over",
        "src/writer/roll.rs",
        "|| id == filling.begun.1.max(self.mark.get().1) {",
        "{",
        "rolling::a_roll_happens_at_its_time_without_traffic_and_an_empty_segment_waits",
    ),
    defect(
        "a log goes on in the segment of a period that is over",
        "src/writer/rolling.rs",
        "    rules.why_over((header.created_ns, header.first_id), now, last.next_id(), 0)\n",
        "    rules.why_over((header.created_ns, header.first_id), now.min(header.created_ns), last.next_id(), 0)\n",
        "rolling::opening_rolls_when_the_period_has_passed_and_leaves_a_closed_segment_as_it_is",
    ),
    defect(
        "another file in the place of the active one passes for it",
        "src/writer/rolling.rs",
        "            Ok(facts) if facts.identity == Some(identity) => return None,",
        "            Ok(_) if identity != (0, 0) => return None,",
        "rolling::a_segment_whose_file_was_removed_or_replaced_is_reported_and_the_log_goes_on_in_a_new_one",
    ),
    defect(
        "the latest time is not carried on",
        "src/writer/rolling.rs",
        "            latest_ns: self.latest,",
        "            latest_ns: None,",
        BY_TIME,
    ),
    defect(
        "the first writer of a log tells no latest time",
        "src/log/target.rs",
        "latest: (first_id == 1).then_some(i64::MIN) })",
        "latest: (first_id == 0).then_some(i64::MIN) })",
        BY_TIME,
    ),
    defect(
        "the latest time is that of events alone",
        "src/writer/output.rs",
        "            self.latest = self.latest.map(|before| before.max(latest));",
        "            let _ = latest;",
        BY_TIME,
    ),
    defect(
        "the latest time is forgotten when a log is opened again",
        "src/segment/latest.rs",
        "    Some(before.max(found.indexing.latest()?))\n",
        "    Some(before.max(found.indexing.latest()?).min(0))\n",
        BY_TIME,
    ),
    # Names.
    defect(
        "a template lets a slash through",
        "src/log/template.rs",
        "        ' ' | '/' | ':' => '_',",
        "        ' ' | ':' => '_',",
        "lib::log::template::tests::conversions_give_what_strftime_gives_in_the_c_locale",
    ),
    defect(
        "a template lets ten digits stand before the number",
        "src/log/template.rs",
        "        if run >= SEQUENCE_DIGITS {",
        "        if run > SEQUENCE_DIGITS {",
        "rolling_names::a_template_that_would_not_be_a_file_name_is_an_error_when_the_log_is_opened",
    ),
    defect(
        "a file whose name is taken is overwritten",
        "src/io/real.rs",
        ".create_new(true).mode(mode).open(path)?;",
        ".create(true).mode(mode).open(path)?;",
        "rolling_names::a_name_that_is_taken_on_a_real_file_system_keeps_what_it_has",
    ),
    defect(
        "a file that was prepared for later is taken before",
        "src/writer/rolling.rs",
        "            if is_next && prepared.named_for.is_none_or(|time| time <= now) {",
        "            if is_next && prepared.named_for.is_none_or(|time| time <= now.max(time)) {",
        "rolling_names::a_name_tells_the_time_at_which_its_file_was_created_and_no_later_one",
    ),
    # Hooks, `.active`, old segments.
    defect(
        "hooks are called before the segment is durable",
        "src/writer/keeping.rs",
        "                if self.output.lock().has_retired() {",
        "                if self.output.lock().has_retired() && file.path.as_os_str().is_empty() {",
        CLOSED_BESIDE_A_SYNC,
    ),
    defect(
        "a hook that fails stops the others",
        "src/writer/keeping.rs",
        "                Ok(Err(error)) => self.report(",
        "                Ok(Err(error)) => return self.report(",
        "hooks::a_hook_that_fails_or_panics_is_reported_and_the_others_still_run",
    ),
    defect(
        "the place that a hook tells is not passed on",
        "src/writer/keeping.rs",
        "                Ok(Ok(Some(place))) => file.path = place,",
        "                Ok(Ok(Some(_))) => (),",
        "hooks::hooks_are_called_in_order_for_each_segment_the_last_among_them_and_get_the_place_that_the_one_before_tells",
    ),
    defect(
        "the file that tells the active segment stays behind",
        "src/writer/keeping.rs",
        "            if let Err(error) = log::active::remove(&*directory, &last.log) {",
        "            if let Err(error) = log::active::remove(&*directory, \"\") {",
        "hooks::the_active_file_tells_which_segment_is_written_and_goes_with_a_clean_close",
    ),
    defect(
        "ids begin again when hooks have moved all segments away",
        "src/writer/keeping.rs",
        "            false => output.target.leave(last.sequence, next_id),",
        "            false => output.target.leave(0, next_id.min(1)),",
        "hooks::ids_and_numbers_go_on_when_hooks_have_moved_all_segments_away",
    ),
    defect(
        "a segment that knows no predecessor is taken for one behind a gap",
        "src/reader/forward.rs",
        "        None if next.header.predecessor.is_none() && next.header.sequence == ended.sequence + 1 => None,\n",
        "",
        "hooks::segments_that_hooks_moved_away_over_several_openings_are_read_as_one_log",
    ),
    defect(
        "a symbolic link passes for the segment it leads to",
        "src/io/real.rs",
        "fs::symlink_metadata(",
        "fs::metadata(",
        "lib::log::retention::tests::a_symbolic_link_is_neither_followed_nor_removed",
    ),
    defect(
        "files of another log count as segments of this one",
        "src/log/retention.rs",
        "        if walk.excess(keep).is_some() {\n            walk.leave_out_others()?;",
        "        if walk.excess(keep).is_some_and(str::is_empty) {\n            walk.leave_out_others()?;",
        "lib::log::retention::tests::only_segments_of_the_log_go_and_others_count_for_nothing",
    ),
    defect(
        "the segment that is being written is removed",
        "src/log/retention.rs",
        "this.filter(|this: &Found| this.named < log.active_sequence) else { break };",
        "this.filter(|this: &Found| this.named <= log.active_sequence) else { break };",
        "lib::log::retention::tests::the_oldest_go_until_no_more_than_so_many_are_left_and_the_active_one_stays",
    ),
    # Reading what rolls, and what is removed.
    defect(
        "segments that were removed are told as damage",
        "src/reader/place.rs",
        "        if self.standing != Standing::Removed || self.salvage.is_some() {",
        "        if self.standing != Standing::Listed || self.salvage.is_some() {",
        "removal::a_cursor_whose_place_is_removed_reads_what_is_open_and_is_told_of_the_rest",
    ),
    defect(
        "segments missing in the middle are told as removed",
        "src/reader/place.rs",
        "if before.is_some() { Standing::Lost } else { Standing::Removed };",
        "before.map_or(Standing::Removed, |_| Standing::Removed);",
        "removal::a_segment_that_is_removed_under_a_cursor_with_those_behind_it_is_damage_while_earlier_ones_are_there",
    ),
    defect(
        "nobody is told of what a cursor missed",
        "src/reader/place.rs",
        "            Some(missed) => Err(missed),",
        "            Some(_) => Ok(Some(Moved::Again)),",
        "removal::a_cursor_whose_place_is_removed_reads_what_is_open_and_is_told_of_the_rest",
    ),
    defect(
        "nobody is told of what was missed before the first segment",
        "src/reader/cursor.rs",
        "filter.from_id.and_then(|id| cursor.missed_before(&segment, id));",
        "filter.from_id.and_then(|id| cursor.missed_before(&segment, id.max(segment.header.first_id)));",
        "removal::a_cursor_that_goes_on_from_an_id_is_told_once_what_the_log_no_longer_has",
    ),
    defect(
        "a name is believed against the header",
        "src/log/slot.rs",
        "        if header.sequence != self.sequence && !is_first {",
        "        if header.sequence != self.sequence && !is_first && !self.by_name {",
        "many_segments::a_name_that_contradicts_its_header_is_an_error_for_whoever_comes_there_and_never_another_order",
    ),
    defect(
        "who waits does not look again when the watch is armed",
        "src/reader/wait.rs",
        "        let shown = loop {\n            match self.can_show() {",
        "        let mut armed_now = true;\n        let shown = loop {\n"
        "            match if std::mem::take(&mut armed_now) { Ok(false) } else { self.can_show() } {",
        "wait::what_is_written_while_the_watch_is_being_armed_is_shown_without_waiting",
    ),
    defect(
        "an append does at once what a roll has left to do",
        "src/writer/keeping.rs",
        "house.ticked.is_none_or(is_long)",
        "house.ticked.is_none_or(|_| true)",
        "rolling::an_append_that_rolls_waits_for_no_disk_when_somebody_ticks",
    ),
    defect(
        "what a roll has left to do waits for whoever ticks, as long as it takes",
        "src/writer/keeping.rs",
        "house.steps.len() >= PATIENT_STEPS || is_long(house.since) || ",
        "",
        "rolling::what_a_roll_leaves_to_do_waits_for_a_call_that_waits_anyway_but_not_for_long",
    ),
    defect(
        "who ticks prepares the next file too late",
        "src/writer/rolling.rs",
        "left <= if seldom { self.segment_bytes / 2 }",
        "left <= if seldom { 0 }",
        "rolling::an_append_that_rolls_waits_for_no_disk_when_somebody_ticks",
    ),
    defect(
        "the letters of a class name are taken for bytes",
        "src/legacy/python.rs",
        "            0x80..0xe0 => 2,",
        "            0x80..0xe0 => 1,",
        "legacy::a_class_name_with_letters_of_several_bytes_is_read_as_it_was_meant",
    ),
    defect(
        "older files are read in the order of their names",
        "src/log/elders.rs",
        "(a.created_ns, &a.name).cmp(&(b.created_ns, &b.name))",
        "a.name.cmp(&b.name)",
        "legacy::files_of_the_java_binlog_come_in_the_order_of_writing_though_their_names_do_not",
    ),
    defect(
        "an older file that is torn ends the log",
        "src/log/elders.rs",
        "is_last: sequence == count",
        "is_last: count > 0",
        "legacy::a_torn_file_among_others_is_told_by_an_event_and_reading_goes_on",
    ),
    defect(
        "damage in an older file is told with the place that it would have in a segment",
        "src/segment/mod.rs",
        "translated.place_of(offset)",
        "offset + translated.place_of(0)",
        "legacy::torn_ends_are_told_with_file_offset_and_reason",
    ),
    defect(
        "the payload of an older file's record is taken from where a segment would have it",
        "src/legacy/file.rs",
        "*place = (*place - begins + piece)",
        "*place = (*place - begins + piece.min(begins))",
        "legacy::every_sample_holds_what_its_own_library_wrote",
    ),
    defect(
        "a first segment of which nothing has survived is passed over as if nobody had begun it",
        "src/log/finding.rs",
        "if known.predecessor != Some(sequence) {",
        "if known.predecessor != Some(sequence) || sequence > 0 {",
        "removal::a_first_segment_of_which_nothing_has_survived_is_told_and_one_that_was_removed_is_not",
    ),
]
