"""What a defect is, and tests that notice several."""


def defect(title, file, old, new, *noticed_by):
    return {"title": title, "file": file, "old": old, "new": new, "noticed_by": [tuple(n.split("::", 1)) for n in noticed_by]}


POWER = "writer::power_loss::what_was_acknowledged_durable_survives_a_power_cut_at_every_operation"
POWER_IN_RECOVERY = "writer::power_loss::a_power_cut_during_recovery_loses_nothing_either_and_keeps_what_was_cut"
POWER_AFTER_KILL = "writer::power_loss::what_the_next_writer_syncs_after_a_kill_survives_a_power_cut_with_all_that_came_before"
CLOSED_BESIDE_A_SYNC = "writer::hooks::a_segment_that_was_closed_beside_a_sync_is_durable_when_its_hooks_are_called"
IN_MODEL = "model::ids_and_type_numbers_are_unique_and_what_was_acknowledged_is_there_when_writes_fail"
OUT_OF_MEMORY = "out_of_memory::no_allocation_that_is_refused_ends_the_process_or_costs_a_record"
MANY_TYPES = "out_of_memory::no_list_of_named_types_that_is_refused_ends_the_process_or_costs_a_record_or_a_number"
BY_TIME = "reader::many_segments::a_time_is_found_among_segments_that_rolled_as_reading_everything_finds_it"

