"""Defects of the room legacy, and the tests that notice them."""

from defect import defect

DEFECTS = [
    defect(
        "the letters of a class name are taken for bytes",
        "src/legacy/python.rs",
        "            0x80..0xe0 => 2,",
        "            0x80..0xe0 => 1,",
        "legacy::a_class_name_with_letters_of_several_bytes_is_read_as_it_was_meant",
    ),
    defect(
        "the payload of an older file's record is taken from where a segment would have it",
        "src/legacy/translate.rs",
        "payload_at: self.at + item.payload.start,",
        "payload_at: self.at,",
        "legacy::every_sample_holds_what_its_own_library_wrote",
    ),
    defect(
        "payloads of older files are read for their heads",
        "src/legacy/translate.rs",
        "let ahead = if payloads || *form == Form::Lines",
        "let ahead = if !payloads || *form == Form::Lines",
        "legacy::heads_of_long_records_are_read_without_their_payloads",
        "cli/command::legacy::large_old_files_are_looked_at_in_little_memory",
    ),
    defect(
        "a time that does not fit is clamped without a word",
        "src/legacy/java.rs",
        "                if is_cut {\n                    item.put(TIME_MS",
        "                if is_cut && ms == 0 {\n                    item.put(TIME_MS",
        "cli/command::legacy::a_time_that_a_log_does_not_hold_is_kept_in_the_metadata_and_reported",
    ),
]
