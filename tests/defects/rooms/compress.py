"""Defects of the room compress, and the tests that notice them."""

from defect import defect

DEFECTS = [
    defect(
        "two that compress a segment at the same time do not exclude each other",
        "src/compress/make.rs",
        "if options.dry_run { None } else { Some(part::lock(directory, name)?) }",
        "if options.dry_run { None } else { None::<Part<'_>> }",
        "compress::segments::two_that_compress_one_log_at_the_same_time_remove_no_record",
    ),
    defect(
        "what a compression left is written over, whatever it is",
        "src/compress/part.rs",
        "            if is_new {\n",
        "            if is_new || file.set_len(0).is_ok() {\n",
        "log::strange_files::a_compressed_segment_is_never_written_through_a_link_or_over_another_s_file",
    ),
    defect(
        "a compressed form that was there is not made durable before its source goes",
        "src/compress/make.rs",
        "            file.and_then(|file| file.sync_data())",
        "            file.map(drop)",
        "compress::faults::a_compressed_form_that_is_there_already_is_made_durable_before_its_source_goes",
    ),
    defect(
        "a compressed segment takes its name before it is durable",
        "src/compress/make.rs",
        "    part.sync()?;\n",
        "",
        "compress::faults::the_power_goes_at_every_operation_and_no_record_is_lost",
    ),
    defect(
        "the source goes before the name of what was made of it is durable",
        "src/compress/part.rs",
        """        self.is_published = true;
        directory.sync()""",
        """        self.is_published = true;
        Ok(())""",
        "compress::faults::the_power_goes_at_every_operation_and_no_record_is_lost",
    ),
    defect(
        "what a segment was compressed to is not compared with it",
        "src/compress/compare.rs",
        "                (true, true) if these.shown() == those.shown() => (),",
        "                (true, true) => (),\n                (true, true) if these.shown() == those.shown() => (),",
        "lib::compress::compare::tests::a_record_that_is_another_in_any_respect_is_noticed",
    ),
    defect(
        "a block that was written is not read back",
        "src/compress/crew.rs",
        "            Task::Compare { from, until } => self.read_back.compare(group, from, until),",
        "            Task::Compare { from, until } => Ok(drop((from, until, &self.read_back))),",
        "compress::faults::a_bit_that_flips_on_its_way_to_the_file_is_noticed_before_the_source_goes",
    ),
    defect(
        "the index and the end of a compressed segment are not verified",
        "src/compress/blocks.rs",
        "        Blocks { checks_all: true, ..Self::of(segment) }",
        "        Blocks { checks_all: false, ..Self::of(segment) }",
        "compress::faults::a_bit_that_flips_on_its_way_to_the_file_is_noticed_before_the_source_goes",
    ),
    defect(
        "to find its end, all of a segment is read before it is compressed",
        "src/compress/closed.rs",
        "        _ => segment::find_end(&segment)?,",
        "        _ => segment::find_end(&segment).and(segment::recover(&segment))?,",
        "compress::cost::a_segment_is_read_once_and_what_is_made_of_it_once",
    ),
    defect(
        "what a recovery is making is compressed",
        "src/compress/mod.rs",
        "    mark::check_in(directory)?;\n    if !options",
        "    if !options",
        "repair::rows::what_a_recovery_is_making_is_neither_recovered_compressed_pruned_nor_shipped",
    ),
    defect(
        "a recovered segment that ends with lost records cannot be compressed",
        "src/compress/blocks.rs",
        "                    self.check_id(&header)?;\n                    self.scanner.skip(&header);\n                }\n",
        "                    self.scanner.skip(&header);\n                }\n",
        "compress::segments::a_recovered_segment_that_ends_with_lost_records_is_compressed_and_says_so_still",
    ),
    defect(
        "a compressed segment does not count the records lost at its end in its TRAILER",
        "src/compress/regroup.rs",
        "    output.appender.pass_over(blocks.next_id());\n",
        "",
        "compress::segments::a_recovered_segment_that_ends_with_lost_records_is_compressed_and_says_so_still",
    ),
    defect(
        "records of a segment packed as a whole are counted by its ids",
        "src/compress/make.rs",
        "    recover(plain)?;\n    records(plain)\n",
        "    let _ = records;\n    Ok(recover(plain)?.next_id - plain.header.first_id)\n",
        "compress::segments::a_recovered_segment_that_ends_with_lost_records_is_compressed_and_says_so_still",
    ),
    defect(
        "a segment of which one form is damaged is compressed as a whole, which hides what the other form holds",
        "src/compress/make.rs",
        "    forms::check(directory, source, direction)?;\n",
        "",
        "cli/command::compress::a_segment_of_which_one_form_is_damaged_is_left_alone",
    ),
    defect(
        "a segment that is compressed again is another file",
        "src/compress/make.rs",
        "    hash.update(form.dictionary);\n",
        "    hash.update(form.dictionary);\n    hash.update(crate::io::clock::now_ns().to_le_bytes());\n",
        "compress::segments::a_segment_that_is_compressed_again_is_the_same_file",
    ),
    defect(
        "compression gives a file its name while retention removes the segment",
        "src/compress/make.rs",
        "    let excluded = exclude_others(directory)?;\n    let target",
        "    let excluded = ();\n    let target",
        "compress::segments::a_segment_that_retention_removes_beside_its_compression_does_not_come_back",
    ),
    defect(
        "a level that gzip does not have is another one",
        "src/options/compress.rs",
        "if self == Whole::Gzip && !(1..=9).contains(&level) {",
        "if self == Whole::Gzip && level < 1 {",
        "compress::segments::gzip_has_no_levels_beyond_its_own",
    ),
    defect(
        "a compression beside which old segments are removed fails",
        "src/compress/mod.rs",
        "        if is_not_found && directory",
        "        if is_not_found && name.is_empty() && directory",
        "reader::removal::segments_that_are_removed_at_any_moment_are_damage_to_no_reader",
    ),
]
