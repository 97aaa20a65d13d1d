"""Defects of the room writer, and the tests that notice them."""

from defect import POWER, CLOSED_BESIDE_A_SYNC, IN_MODEL, OUT_OF_MEMORY, MANY_TYPES, BY_TIME, defect

# The two functions of the append stage around a wait for a buffer, and what is between them.
AROUND_A_WAIT = """\
        self.pace.is_unhurried()
    }

    /// Takes over the records of a buffer that an appender has filled: they get their ids, behind those that were
    /// appended before.
    pub fn take_over(&mut self, mut buffer: Buffer, stage: &Stage) {
        self.hand_over_own(stage);
        let (records, payload) = buffer.number_from(self.next_id);
        self.next_id += records;
        self.bytes += payload;
        buffer.set_bytes_end(self.bytes);
        stage.give(Work::Write(buffer));
    }

    /// Continues in an empty buffer.
    pub fn begin_buffer(&mut self, mut buffer: Buffer) {
"""
# A value that is kept over the wait: the model runs all threads of a schedule in one.
BEFORE = """\
}

thread_local!(static BEFORE: std::cell::Cell<u64> = const { std::cell::Cell::new(0) });

impl Filling {
"""

DEFECTS = [
    defect(
        "sync without fdatasync",
        "src/writer/sync.rs",
        "        segment.file.sync_data().map_err(|e| self.health.fail",
        "        Ok(()).map_err(|e: std::io::Error| self.health.fail",
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
        "a position is reported durable before the fdatasync",
        "src/writer/sync.rs",
        "        for segment in files.filter(",
        "        self.positions.durable_to(point.id, bytes);\n        for segment in files.filter(",
        "writer::failed_sync::so_it_is_when_the_power_goes_at_any_operation_of_the_next_writer_or_it_is_killed_there",
    ),
    defect(
        "a failed fsync is tried again",
        "src/writer/health.rs",
        "        self.has_failed.store(true, Ordering::Release);\n",
        "",
        "writer::faults::a_failed_fsync_is_remembered_and_never_tried_again",
    ),
    defect(
        "what an earlier writer left is synced as the page cache shows it",
        "src/writer/sync.rs",
        "            from_before.prove(|| self.output.lock()).map_err(|error| self.health.fail(error))?;",
        "",
        "writer::failed_sync::what_a_reopened_log_calls_durable_is_on_the_disk_although_an_fsync_of_it_has_failed",
        "writer::failed_sync::so_it_is_in_a_log_that_is_one_file",
    ),
    defect(
        "the tail that an earlier writer left is not written anew",
        "src/writer/sync.rs",
        "            from_before.renew().map_err(",
        "            Ok::<(), Error>(()).map_err(",
        "writer::failed_sync::the_first_sync_writes_the_tail_of_an_earlier_writer_anew_and_the_next_one_does_not",
    ),
    defect(
        "a sync does not look whether the file is still in its place",
        "src/writer/sync.rs",
        "        match of(&point.current, point.id) {",
        "        match of(&point.current, point.id).filter(|_| point.id == 0) {",
        "log::lost_segment::a_sync_says_which_records_went_with_the_file_and_later_ones_are_in_a_new_segment",
    ),
    defect(
        "another file in the place of the active one passes for it",
        "src/writer/lost.rs",
        "        Ok(Some(there)) if there != ours =>",
        "        Ok(Some(there)) if there == (0, 0) && ours != there =>",
        "writer::rolling::a_segment_whose_file_was_removed_or_replaced_is_reported_and_the_log_continues_in_a_new_one",
        "log::lost_segment::a_sync_says_which_records_went_with_the_file_and_later_ones_are_in_a_new_segment",
    ),
    defect(
        "a segment that was closed is not looked for when it is synced",
        "src/writer/sync.rs",
        "        let mut lost: Vec<Lost> = point.retired.iter()",
        "        let mut lost: Vec<Lost> = point.retired.iter().skip(64)",
        "log::lost_segment::a_segment_that_was_rolled_away_from_and_removed_before_its_sync_is_reported_too",
    ),
    defect(
        "only one of those who wait for a sync gets the error of lost records",
        "src/writer/lost.rs",
        "known.ids.contains(&id) || known.number > reported_then",
        "known.number > self.reported.max(reported_then)",
        "log::lost_segment::each_thread_that_waited_for_the_sync_gets_the_error",
    ),
    defect(
        "a close says that all is well although the file is gone",
        "src/writer/close.rs",
        "        self.losses.with(reported_then, self.positions.appended(), closed)",
        "        let _ = reported_then;\n        closed",
        "log::lost_segment::a_close_says_which_records_went_with_the_file_and_no_id_is_given_twice",
    ),
    defect(
        "a call that fails as the directory is gone does not say what is lost",
        "src/writer/lost.rs",
        "            (Err(error), Err(lost)) => Err(lost.because(&error.to_string())),",
        "            (Err(error), Err(_)) => Err(error),",
        "log::lost_segment::a_call_that_waits_for_records_in_a_directory_that_was_moved_reports_which_are_lost",
    ),
    defect(
        "a batch is appended without having memory for it first",
        "src/writer/buffer.rs",
        "            self.grow(payload)?;\n",
        "",
        OUT_OF_MEMORY,
    ),
    defect(
        "a type is written without room to note it",
        "src/writer/types.rs",
        "        memory::reserve(&mut known.named, 1)?;\n",
        "",
        MANY_TYPES,
    ),
    defect(
        "the events that describe the types are pushed without room for them",
        "src/writer/output.rs",
        "        buffers.reserve(Need::of(events.len() + others.len(), metadata))?;\n",
        "        let _ = Need::of(events.len() + others.len(), metadata);\n",
        MANY_TYPES,
    ),
    defect(
        "appends wait for a write that hangs",
        "src/writer/stage.rs",
        "if !self.hangs || (self.added + 1)",
        "if self.added == 0 || (self.added + 1)",
        "writer::appends::appends_continue_while_a_write_hangs_until_they_fill_so_much_memory",
    ),
    defect(
        "a write that hangs costs any amount of memory",
        "src/writer/stage.rs",
        "* Buffer::most(self.block_bytes) > ADDED_BYTES",
        "* Buffer::most(self.block_bytes) > usize::MAX / 2",
        "writer::appends::appends_continue_while_a_write_hangs_until_they_fill_so_much_memory",
    ),
    defect(
        "the policy by records is forgotten",
        "src/writer/positions.rs",
        "most.records.is_some_and(|most| id -",
        "most.records.is_some_and(|most| most > 1 << 40 && id -",
        "writer::appends::a_policy_by_records_flushes_or_syncs_before_the_append_returns",
    ),
    defect(
        "the next id is read before the wait for room",
        "src/writer/filling.rs",
        AROUND_A_WAIT,
        AROUND_A_WAIT.replace(
            "        self.pace.is_unhurried()\n", "        BEFORE.set(self.next_id);\n        self.pace.is_unhurried()\n"
        ).replace("    /// Takes over the records", BEFORE + "    /// Takes over the records")
        + "        self.next_id = BEFORE.get();\n",
        IN_MODEL,
    ),
    defect(
        "two types get the same number",
        "src/writer/types.rs",
        "        self.end = number + 1;",
        "        self.end = number;",
        "schemas::writing::a_type_is_what_all_of_it_says_and_a_name_may_have_several",
    ),
    defect(
        "a name that another thread has given meanwhile gets a second number",
        "src/writer/types.rs",
        "        match known(room.names()) {",
        "        match None {",
        "model::a_name_that_threads_wait_to_give_gets_one_number",
    ),
    defect(
        "the end of the segment is not looked at again after the wait for room",
        "src/writer/append.rs",
        "            if !room.is_over(count) {\n                return Ok(room);\n            }\n",
        "            if count > 0 {\n                return Ok(room);\n            }\n",
        IN_MODEL,
    ),
    defect(
        "nobody who waits for a piece learns that it has to write by itself",
        "src/writer/stage.rs",
        "            if queue.is_left() && !self.background {\n                return Ok(None);\n            }\n",
        "",
        "model::no_call_waits_for_memory_for_ever_whatever_fails",
    ),
    defect(
        "a call goes on for as long as others hand over",
        "src/writer/stage.rs",
        "        let work = if queue.done < last { queue.full.pop_front() } else { None };",
        "        let work = if last < u64::MAX { queue.full.pop_front() } else { None };",
        "writer::maintenance::no_call_is_held_up_by_what_others_hand_over",
    ),
    defect(
        "who rolls faster than hooks come back leaves ever more to the others",
        "src/writer/maintenance.rs",
        "                if last.saturating_sub(queue.taken) <= STEPS_BEFORE ||",
        "                if last > 0 ||",
        "writer::maintenance::no_call_is_held_up_by_the_hooks_of_what_others_roll",
    ),
    defect(
        "what others left is nobody's",
        "src/writer/write.rs",
        "            self.filling.lock().owes_stage = true;\n",
        "",
        "writer::maintenance::what_others_left_is_done_by_the_next_append",
    ),
    defect(
        "a large record that gets no shorter is compressed again under the lock",
        "src/writer/large.rs",
        "compressed: Some(&compressed)",
        "compressed: Some(&compressed[..]).filter(|shorter| !shorter.is_empty())",
        "writer::maintenance::a_large_record_that_does_not_compress_makes_no_call_wait_for_the_compressor",
    ),
    defect(
        "each new name looks at all others",
        "src/writer/types.rs",
        "NamedType { number: self.end, ..wanted.clone() };",
        "NamedType { number: self.numbers.values().map(|n| n + 1).max().unwrap_or(self.end), ..wanted.clone() };",
        "writer::maintenance::naming_a_type_takes_no_longer_when_there_are_many",
    ),
    defect(
        "a full disk is not tried again for a while, however quickly it answers",
        "src/writer/full_disk.rs",
        "AGAIN.min(self.lasted * TIMES_AS_LONG)",
        "AGAIN.max(self.lasted * TIMES_AS_LONG)",
        "writer::full_disk::the_first_record_for_which_there_is_space_is_taken_when_the_disk_says_quickly_that_it_is_full",
    ),
    defect(
        "a panic of the write stage leaves the others waiting",
        "src/writer/write.rs",
        "        if std::thread::panicking() {\n            self.0.fail_by_panic();\n",
        "        if false {\n            self.0.fail_by_panic();\n",
        "writer::panics::after_a_panic_of_the_write_stage_every_call_fails_and_none_waits",
    ),
    defect(
        "a panic of the thread that syncs for all leaves the others waiting",
        "src/writer/syncing.rs",
        "        self.syncing.end_round(self.positions, self.begun.elapsed(), self.came);\n",
        "        if !std::thread::panicking() {\n            self.syncing.end_round(self.positions, self.begun.elapsed(), self.came);\n        }\n",
        "writer::panics::after_a_panic_of_the_thread_that_syncs_for_all_another_one_syncs",
    ),
    defect(
        "a round of syncs ends while its number stays, so a thread that is about to sleep is not woken",
        "src/writer/syncing.rs",
        "        self.rounds.next();\n        drop(group);\n",
        "        drop(group);\n",
        IN_MODEL,
    ),
    defect(
        "a thread that has led a round of syncs is not expected in the next one, so two threads take turns",
        "src/writer/syncing.rs",
        "saturating_sub(appended.saturating_sub(durable)) + 1;",
        "saturating_sub(appended.saturating_sub(durable));",
        "writer::appends::two_threads_that_sync_each_record_share_their_fdatasyncs",
    ),
    defect(
        "an open that fails keeps its thread and the lock",
        "src/writer/mod.rs",
        "                writer.give_up();\n",
        "                std::mem::forget(writer);\n",
        "writer::failed_open::an_open_that_gets_no_thread_leaves_no_thread_and_no_lock_behind",
    ),
    defect(
        "a segment that a failed open has closed is never shown to its hooks",
        "src/writer/close.rs",
        "        parts.maintenance.post(&mut parts.output.lock().steps);\n",
        "        parts.output.lock().steps.clear();\n",
        "writer::failed_open::a_segment_that_a_failed_open_closed_is_seen_by_its_hooks",
    ),
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
        "            true => self.room_in_next_segment(room, count),",
        "            true => Ok(room),",
        "writer::rolling::a_record_is_never_in_the_segment_of_a_period_that_is_over",
    ),
    defect(
        "a large record's time is not looked at again after it has waited",
        "src/writer/large.rs",
        "        let handed_over = self.hand_over(&mut filling);\n"
        "        if filling.span.is_over(now, filling.next_id(), 1) {\n"
        "            self.rolling.turn_if_over(&mut filling, &self.stage, now, 1, handed_over);\n"
        "        }\n"
        "        let mut output",
        "        self.hand_over(&mut filling);\n"
        "        let mut output",
        "writer::rolling::no_record_however_large_is_later_than_the_end_of_its_segments_period",
    ),
    defect(
        "a clock that was set back leaves the segment's time as it was",
        "src/writer/rolling.rs",
        "            _ => self.set_span(filling, now, count),",
        "            _ => (),",
        "writer::rolling::a_clock_that_is_set_back_neither_rolls_at_once_nor_keeps_the_log_from_rolling",
    ),
    defect(
        "a segment gets one record too many",
        "src/writer/span.rs",
        "            end_id: first_id.saturating_add(most),",
        "            end_id: first_id.saturating_add(most).saturating_add(1),",
        "writer::rolling::no_segment_holds_more_records_than_the_rule_says_a_larger_batch_excepted",
    ),
    defect(
        "an empty segment is rolled when its time is over",
        "src/writer/rolling.rs",
        "if !self.has_records(filling) || !self.is_time(filling) {",
        "if !self.is_time(filling) {",
        "writer::rolling::a_roll_happens_at_its_time_without_traffic_and_an_empty_segment_waits",
    ),
    defect(
        "a log goes on in the segment of a period that is over",
        "src/writer/succession.rs",
        "    rules.why_over((begun, last.first_id()), now, last.next_id(), 0)\n",
        "    rules.why_over((begun, last.first_id()), now.min(begun), last.next_id(), 0)\n",
        "writer::rolling::opening_rolls_when_the_period_has_passed_and_leaves_a_closed_segment_as_it_is",
    ),
    defect(
        "the latest time is not carried on",
        "src/writer/succession.rs",
        "            latest_ns: self.latest,",
        "            latest_ns: None,",
        BY_TIME,
    ),
    defect(
        "the latest time is that of events alone",
        "src/writer/output.rs",
        "        self.latest = self.latest.map(|before| before.max(draft.latest()));",
        "        let _ = draft.latest();",
        BY_TIME,
    ),
    defect(
        "a segment that is made late is named for the time of its making",
        "src/writer/output.rs",
        "            self.roll(\"bytes\", false, at)?;",
        "            self.roll(\"bytes\", false, at.max(self.clock.now_ns()))?;",
        "writer::rolling_names::a_segment_that_is_made_late_is_named_for_the_time_of_its_records",
    ),
    defect(
        "a log that is opened after the clock was set back goes by the time before",
        "src/writer/filling.rs",
        "        let begun = (rules.begun(begun.0, now), begun.1);",
        "        let begun = (begun.0, begun.1);",
        "writer::rolling::a_log_that_is_opened_after_the_clock_was_set_back_rolls_at_the_next_boundary_of_the_right_time",
    ),
    defect(
        "opening goes by when the segment was begun alone",
        "src/writer/succession.rs",
        "written.clock.unwrap_or(i64::MAX)",
        "written.clock.map_or(i64::MAX, |_| i64::MAX)",
        "writer::rolling::opening_goes_by_when_the_log_was_written_last_also_after_a_clock_that_was_two_years_ahead",
    ),
    defect(
        "opening does not ask the last records when nothing else states the time",
        "src/writer/succession.rs",
        "has_been_set_back && time <= now",
        "has_been_set_back && time < i64::MIN",
        "writer::rolling::opening_uses_the_last_records_where_nothing_else_records_when_the_log_was_written",
    ),
    defect(
        "what threads that roll leave to do gets out of order",
        "src/writer/steps.rs",
        "        if posts {\n            self.maintenance.post(&mut output.steps);\n        }\n",
        "        let taken = std::mem::take(&mut output.steps);\n        drop(output);\n        let mut output = self.output.lock();\n"
        "        let later = std::mem::replace(&mut output.steps, taken);\n        if posts {\n            self.maintenance.post(&mut output.steps);\n        }\n"
        "        output.steps = later;\n",
        "writer::hooks::hooks_are_called_in_the_order_of_segments_when_several_threads_roll",
    ),
    defect(
        "a clock that jitters is followed",
        "src/writer/span.rs",
        "/ 4).min(JITTER)",
        "/ 4).min(JITTER - JITTER)",
        "writer::rolling::a_clock_that_jitters_around_a_boundary_rolls_once",
    ),
    defect(
        "a segment that was removed is closed by a rule as if it were there",
        "src/writer/succession.rs",
        "        let lost = self.lost();",
        "        let lost = self.lost().filter(|_| reason == \"deleted\");",
        "writer::rolling::a_removed_segment_is_reported_also_when_a_rule_rolls_first_and_readers_continue_behind_the_gap",
    ),
    defect(
        "appends go by the time of the segment before a roll by hand",
        "src/writer/roll.rs",
        "        let handed_over = self.hand_over(filling);\n"
        "        self.rolling.turn(filling, &self.stage, turn, 0, handed_over);",
        "        self.hand_over(filling);\n"
        "        self.stage.give(super::stage::Work::Roll(turn));",
        "writer::rolling::a_clock_that_is_set_back_behind_a_roll_by_hand_rolls_at_the_next_boundary_of_the_right_time",
    ),
    defect(
        "hooks are called before the segment is durable",
        "src/writer/steps.rs",
        "            Step::Closed(segment, left) => match self.sync_closed() {",
        "            Step::Closed(segment, left) => match Ok::<(), Error>(()) {",
        CLOSED_BESIDE_A_SYNC,
    ),
    defect(
        "a hook that fails stops the others",
        "src/writer/companions.rs",
        "                    Err(error) => writer.report(",
        "                    Err(error) => return writer.report(",
        "writer::hooks::a_hook_that_fails_or_panics_is_reported_and_the_others_still_run",
    ),
    defect(
        "the place that a hook reports is not passed on",
        "src/writer/companions.rs",
        "                    Ok(Some(path)) => segment.path = path,",
        "                    Ok(Some(_)) => (),",
        "writer::hooks::hooks_are_called_in_order_for_each_segment_the_last_among_them_and_get_the_place_that_the_one_before_returns",
    ),
    defect(
        "the file that names the active segment stays behind",
        "src/writer/steps.rs",
        "            if let Err(error) = log::active::remove(&*directory, &last.log) {",
        "            if let Err(error) = log::active::remove(&*directory, \"\") {",
        "writer::hooks::the_active_file_names_the_segment_that_is_written_and_is_removed_by_a_clean_close",
    ),
    defect(
        "ids begin again when hooks have moved all segments away",
        "src/writer/companions.rs",
        "        if let Err(error) = writer.note(left) {",
        "        if let Err(error) = Ok::<(), Error>(()) {",
        "writer::hooks::what_a_log_has_given_is_on_the_disk_before_a_hook_may_take_a_segment_away",
    ),
    defect(
        "a close does not note how the log ends",
        "src/writer/steps.rs",
        "            if let Err(error) = self.note_left(&left) {",
        "            if let Err(error) = Ok::<(), Error>(()) {",
        "log::closed_end::the_end_cut_off_a_closed_log_is_damage_wherever_it_is_cut_and_its_ids_are_not_given_again",
    ),
    defect(
        "an append does at once what a roll has left to do",
        "src/writer/maintenance.rs",
        "queue.ticked.is_none_or(is_long)",
        "queue.ticked.is_none_or(|_| true)",
        "writer::rolling::an_append_that_rolls_waits_for_no_disk_when_the_caller_ticks",
    ),
    defect(
        "what a roll has left to do waits for a tick, however long that takes",
        "src/writer/maintenance.rs",
        "queue.steps.len() >= PATIENT_STEPS || is_long(queue.since) || ",
        "",
        "writer::rolling::what_a_roll_leaves_to_do_waits_for_a_call_that_waits_anyway_but_not_for_long",
    ),
    defect(
        "who ticks prepares the next file too late",
        "src/writer/succession.rs",
        "left <= if seldom { self.segment_bytes / 2 }",
        "left <= if seldom { 0 }",
        "writer::rolling::an_append_that_rolls_waits_for_no_disk_when_the_caller_ticks",
    ),
    defect(
        "a hook closes the writer that waits for it",
        "src/writer/health.rs",
        "        calling::calling(self.caller(), function)",
        "        function()",
        "closing_in_hooks::a_function_that_the_writer_has_called_cannot_close_it",
    ),
    defect(
        "a thread of the library waits for itself",
        "src/writer/close.rs",
        "    if thread.thread().id() != current().id() {",
        "    if true {",
        "closing_in_hooks::a_hook_that_drops_the_last_handle_of_its_writer_does_not_wait",
    ),
    defect(
        "it is not noted that a segment holds something",
        "src/writer/sync.rs",
        "            None => self.note_synced(&point.current.header),",
        "            None => (),",
        "log::survey::a_last_segment_whose_beginning_is_lost_and_that_held_records_is_never_taken_for_one_that_was_not_begun",
    ),
    defect(
        "a function that the writer has called may write to it",
        "src/writer/health.rs",
        "        if is_any_calling() {\n            self.check_caller()?;\n        }\n",
        "        let _ = is_any_calling();\n        let _ = Self::check_caller;\n",
        "writer::hooks::what_the_writer_calls_cannot_write_to_it_and_can_to_another",
    ),
    defect(
        "a writer keeps the space that it lacks",
        "src/writer/output.rs",
        "Err(error) if error.kind() == Kind::NoSpace && self.release_space() => write(self),",
        "Err(error) if error.kind() == Kind::NoSpace && false => write(self),",
        "writer::full_disk::a_full_disk_is_full_of_records_and_not_of_space_set_aside_after_closed_segments",
    ),
    defect(
        "an appender adds to a buffer after its writer has looked at it",
        "src/writer/staging.rs",
        "        self.ready = false;\n        self.take_area();",
        "        self.take_area();",
        "writer::appenders::closing_the_writer_collects_and_later_appends_fail",
    ),
    defect(
        "a flush takes nothing from appenders",
        "src/writer/write.rs",
        "        self.collect(filling);\n        filling.hand_over_own",
        "        filling.hand_over_own",
        "writer::appenders::each_call_of_the_writer_collects_what_was_appended_before",
    ),
    defect(
        "a sync goes by the ids before it takes from appenders",
        "src/writer/sync.rs",
        "        parts.collect(&mut filling);\n        let id",
        "        let id",
        "writer::appenders::each_call_of_the_writer_collects_what_was_appended_before",
    ),
    defect(
        "a program may go on staging while the writer collects",
        "src/writer/area.rs",
        "        self.head().limit.store(0, Ordering::SeqCst);\n        fence",
        "        fence",
        "writer::area::a_frame_that_is_completed_while_the_writer_collects_is_taken_once",
    ),
    defect(
        "a flush does not take what a program has staged by itself",
        "src/writer/staging.rs",
        "        self.take_area();\n        self.records = 0;",
        "        self.records = 0;",
        "writer::area::what_is_staged_keeps_its_order_with_what_is_appended_by_calls",
    ),
    defect(
        "a call of an appender comes before what its program has staged",
        "src/writer/appender.rs",
        "        self.settle()?;\n        if self.staging",
        "        if false && self.staging",
        "writer::area::what_is_staged_keeps_its_order_with_what_is_appended_by_calls",
    ),
    defect(
        "a frame that the closed writer has missed passes for one that it has taken",
        "src/writer/appender.rs",
        "                return Err(closed);",
        "                drop(closed);",
        "writer::area::a_frame_that_is_completed_after_the_writer_has_closed_is_reported_and_not_there",
    ),
    defect(
        "a frame that was taken is taken again",
        "src/writer/area.rs",
        "        Ok(&frames[self.taken..])",
        "        Ok(&frames[..])",
        "writer::area::a_frame_that_is_completed_while_the_writer_collects_is_taken_once",
    ),
    defect(
        "a program stages more than the policy lets wait",
        "src/writer/staging.rs",
        "            bytes: bytes.min(many.saturating_mul(HEADER)),",
        "            bytes,",
        "writer::area::the_area_shows_the_rules_of_the_log",
    ),
    defect(
        "a program stages longer than the interval lets it",
        "src/writer/staging.rs",
        ".unwrap_or(i64::MAX).min(schedule.overdue_at(since)),",
        ".unwrap_or(i64::MAX),",
        "writer::area::the_area_shows_the_rules_of_the_log",
    ),
    defect(
        "a frame of a type that the log does not have is appended",
        "src/writer/area.rs",
        "        if type_id >= FIRST_NAMED_TYPE && type_id >= types_end {",
        "        if type_id >= FIRST_NAMED_TYPE && type_id >= types_end && false {",
        "writer::area::frames_of_unknown_types_and_too_long_ones_are_refused_by_the_next_call_with_what_follows",
    ),
    defect(
        "an appender's blocks begin with the id of the first for all",
        "src/writer/buffer.rs",
        "|block| block.first_id += first_id);",
        "|block| block.first_id = first_id);",
        "writer::appenders::the_records_of_an_appender_keep_their_order_among_those_of_others",
    ),
    defect(
        "the writer's own records come after those of an appender that was handed over later",
        "src/writer/filling.rs",
        "        self.hand_over_own(stage);\n        let (records",
        "        let (records",
        "writer::appenders::each_call_of_the_writer_collects_what_was_appended_before",
        "writer::appenders::a_named_type_is_in_the_log_before_its_records",
    ),
    defect(
        "an appender stages although segments roll by records",
        "src/writer/span.rs",
        "        self.records.is_some()",
        "        false",
        "writer::appenders::segments_that_roll_by_records_get_no_more_of_them",
    ),
    defect(
        "a bound in records does not bound what is staged",
        "src/writer/staging.rs",
        "buffer.is_full_at(limits.bytes) || self.records >= limits.records;",
        "buffer.is_full_at(limits.bytes);",
        "writer::appenders::bounds_in_records_and_bytes_hold_for_what_is_staged",
    ),
    defect(
        "a quiet appender's records wait for its next append",
        "src/writer/staging.rs",
        "        self.0.iter().map(|slot| slot.since()).filter(|since| *since != 0).min().unwrap_or(0)",
        "        0",
        "writer::appenders::an_interval_flushes_what_is_staged_in_a_quiet_appender",
    ),
    defect(
        "an appender's append does not keep the interval",
        "src/writer/staging.rs",
        "match is_full || schedule.is_overdue(buffer.since(), now) {",
        "match is_full {",
        "writer::appenders::an_interval_is_kept_in_the_next_append_without_any_other_thread",
    ),
    defect(
        "closing the writer does not keep appenders out",
        "src/writer/gate.rs",
        "        state.closed = true;\n",
        "",
        "writer::appenders::closing_the_writer_collects_and_later_appends_fail",
    ),
    defect(
        "another thread enters while the owner is inside",
        "src/io/biased.rs",
        "        while self.lock.inside.load(Ordering::Acquire) {",
        "        while false {",
        "lib::io::biased::tests::another_thread_waits_until_the_owner_has_left",
    ),
    defect(
        "the owner enters while another thread is inside",
        "src/io/biased.rs",
        "        match lock.wanted.load(Ordering::Acquire) {",
        "        match false && lock.wanted.load(Ordering::Acquire) {",
        "lib::io::biased::tests::the_owner_waits_until_another_thread_has_left",
    ),
    defect(
        "no barrier runs on the other processors",
        "src/io/barrier.rs",
        "    if asymmetric && !on_all_processors() {",
        "    if false && asymmetric && !on_all_processors() {",
        "lib::io::biased::tests::owner_and_other_threads_exclude_each_other",
    ),
    defect(
        "an appender waits for a buffer while it is inside its lock",
        "src/writer/appender.rs",
        "        let has_buffer = self.staging.enter().has_buffer();\n        let buffer = match has_buffer {",
        "        let buffer = match self.staging.enter().has_buffer() {",
        "model::no_call_waits_for_memory_for_ever_whatever_fails",
    ),
    defect(
        "a type is written without its schema",
        "src/writer/filling.rs",
        "            self.push_event(event::SCHEMA, self.now, about, &schema.bytes)?;\n",
        "            let _ = about;\n",
        "schemas::writing::each_segment_begins_with_the_schemas_of_the_log_before_the_types_that_refer_to_them",
    ),
    defect(
        "a segment begins with types without their schemas",
        "src/writer/types.rs",
        "        memory::list(self.schemas.iter().map(schema).chain(self.named.iter().map(named)))",
        "        memory::list(self.schemas.iter().take(0).map(schema).chain(self.named.iter().map(named)))",
        "schemas::kept::compressing_and_decompressing_keep_them",
    ),
    defect(
        "the schemas of a log have no bound together",
        "src/writer/types.rs",
        "        if schema.len() as u64 > left {",
        "        if schema.len() as u64 > left && left == u64::MAX {",
        "schemas::writing::the_schemas_of_a_log_have_a_bound_in_all_and_one_schema_counts_once",
    ),
]
