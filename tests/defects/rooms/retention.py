"""Defects of the room retention, and the tests that notice them."""

from defect import defect

DEFECTS = [
    defect(
        "a file that nobody has begun to write makes a segment go",
        "src/retention/plan.rs",
        "Some(len) => len >= SMALL || !is_unborn(lengths.directory, &slot.name),",
        "Some(_) => true,",
        "lib::retention::plan::tests::among_many_segments_one_that_was_never_begun_makes_none_go",
    ),
    defect(
        "old segments go before the one behind them is durable",
        "src/retention/plan.rs",
        "    match directory.open(name, Access::Read).and_then(|file| file.sync_data()) {",
        "    match directory.open(name, Access::Read).map(drop) {",
        "writer::hooks::ids_continue_when_old_segments_were_removed_and_the_power_fails",
    ),
    defect(
        "one segment more than the rule says goes",
        "src/retention/plan.rs",
        "if segments > *most => Some(\"segments\"),",
        "if segments >= *most => Some(\"segments\"),",
        "lib::retention::plan::tests::the_oldest_go_until_no_more_than_so_many_are_left_and_the_active_one_stays",
    ),
    defect(
        "old segments of a log that is shipped are removed before a store holds them",
        "src/retention/plan.rs",
        "            self.expired.truncate(count);\n",
        "",
        "ship::runs::nothing_that_is_not_in_a_store_is_removed_by_the_writer_or_by_prune_unless_that_is_said",
    ),
    defect(
        "what was removed from a store on purpose is missed",
        "src/retention/prune.rs",
        "        directory.put_label(&name, &label.text(&log.name)).map_err(|e| failed(&e, &name))?;\n",
        "",
        "ship::runs::what_was_removed_from_the_store_on_purpose_is_not_missed",
    ),
    defect(
        "prune leaves a hole behind a segment that was renamed",
        "src/retention/plan.rs",
        "oldest.obstacle(this, segment.header.first_id)",
        "oldest.obstacle(this, segment.header.first_id).filter(|error| error.os_code().is_some())",
        "lib::retention::plan::tests::nothing_goes_that_is_behind_a_segment_which_somebody_has_copied_or_renamed",
    ),
    defect(
        "a name behind the segment that is being written is believed",
        "src/retention/plan.rs",
        "Ordering::Greater => open(there, slot)?.is_some(),",
        "Ordering::Greater => true,",
        "lib::retention::plan::tests::among_many_segments_a_name_that_lies_is_found_before_anything_goes",
    ),
    defect(
        "catalogs stay when their segments are gone",
        "src/retention/prune.rs",
        "            Some(Label::Catalog(_, to)) => to <= last.sequence,",
        "            Some(Label::Catalog(_, to)) => to < 1,",
        "store::remote_requests::a_catalog_goes_with_the_last_of_its_segments",
    ),
    defect(
        "a form that a segment has got since its removal was planned stays",
        "src/retention/plan.rs",
        "        // It may have been compressed since it was planned, and its source kept.\n        _ => remove_other_forms(directory, segment, forms),",
        "        _ => Ok(()),",
        "compress::segments::a_segment_that_retention_removes_beside_its_compression_does_not_come_back",
    ),
]
