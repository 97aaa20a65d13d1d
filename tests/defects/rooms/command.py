"""Defects of the command, and the tests that notice them."""

from defect import defect

DEFECTS = [
    defect(
        "the target of an unfinished recovery is verified as a log",
        "cli/src/verify.rs",
        "    if let Some(error) = unfinished_recovery(&reader) {",
        "    if let Some(error) = unfinished_recovery(&reader).filter(|_| false) {",
        "cli/command::recover::the_target_of_an_unfinished_recovery_is_not_called_whole",
    ),
    defect(
        "commands in messages do not quote the path",
        "cli/src/advice.rs",
        "    let shown = quoted(log);\n    let mends",
        "    let shown = log.display();\n    let mends",
        "cli/command::messages::what_is_said_is_a_line_with_a_file_and_a_command_that_runs",
    ),
    defect(
        "cat names no command where it passes over a copy",
        "cli/src/cat.rs",
        "    if findings > 0 && !args.salvage {\n        printer.out.flush()?;",
        "    if findings > 0 && args.salvage && args.reverse {\n        printer.out.flush()?;",
        "cli/command::messages::what_is_said_is_a_line_with_a_file_and_a_command_that_runs",
    ),
    defect(
        "files that are no segments are not noted",
        "cli/src/notes.rs",
        "reader.strays().to_vec()",
        "reader.strays()[..0].to_vec()",
        "cli/command::segments::stray_files_are_noted_and_are_nothing_wrong",
    ),
    defect(
        "ls does not show a segment of which nothing is left",
        "cli/src/ls.rs",
        ".chain(unreadable).collect()",
        ".chain(unreadable.take(0)).collect()",
        "cli/command::segments::a_segment_of_which_nothing_is_left_is_reported",
    ),
    defect(
        "a hole of an earlier segment is taken for the end of the segment that names it",
        "cli/src/index_check.rs",
        "first_id.max(last.saturating_add(1))",
        "last.saturating_add(1)",
        "cli/command::verify::a_hole_that_an_opening_alone_names_is_the_only_finding_and_is_recovered",
    ),
    defect(
        "control characters reach the terminal",
        "cli/src/plain.rs",
        "    char.is_control()\n        || matches!(",
        "    char == '\\u{7f}'\n        || matches!(",
        "cli/command::cat::a_terminal_gets_no_control_characters_unless_it_is_asked_for_them",
    ),
    defect(
        "a mistyped type is reported for a log that was not read to its end",
        "cli/src/cat.rs",
        "    if !args.follow && code == OK && args.limit != Some(0) {",
        "    if !args.follow && args.limit != Some(0) {",
        "cli/command::cat::a_type_or_a_key_that_occurs_nowhere_is_reported_with_what_there_is",
    ),
    defect(
        "figures are written over any file",
        "cli/src/ship/follow.rs",
        "Ok(_) if !has_figures(path) => {",
        "Ok(_) if !has_figures(path) && text.is_empty() => {",
        "cli/command::ship::figures_are_written_over_no_other_file",
    ),
    defect(
        "an emptied object among many is not listed",
        "cli/src/ls.rs",
        "    let is_whole = all.len() == files.len();",
        "    let is_whole = all.len() <= files.len();",
        "cli/command::ship::an_emptied_object_among_many_is_listed_as_missing",
    ),
    defect(
        "a rule of retention that keeps nothing is no wrong usage",
        "cli/src/rolling.rs",
        "value_parser = args::some_size)]",
        "value_parser = args::size)]",
        "cli/command::usage::a_rule_that_keeps_nothing_is_wrong_usage",
    ),
    defect(
        "verify takes segments that are removed meanwhile for a failure",
        "cli/src/scan.rs",
        "            Err(error) if error.kind() == Kind::Missed => {",
        "            Err(error) if error.kind() == Kind::Locked => {",
        "cli/command::verify::segments_that_are_removed_while_verify_reads_are_no_damage",
    ),
    defect(
        "what is advised of a damaged split names its token as a log",
        "cli/src/cat.rs",
        "    let log = if args.split { reader.place() } else { path };",
        "    let log = path;",
        "cli/command::splits::what_is_advised_of_a_damaged_split_is_done_with_its_log",
    ),
]
