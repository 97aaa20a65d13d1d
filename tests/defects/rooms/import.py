"""Defects of the room import, and the tests that notice them."""

from defect import defect

DEFECTS = [
    defect(
        "an import leaves the payloads of events behind",
        "cli/src/migrate/import/copy.rs",
        ".as_metadata(),\n                payload: record.payload,\n            }),\n            None => Ok(())",
        ".as_metadata(),\n                payload: &[],\n            }),\n            None => Ok(())",
        "cli/command::import::payloads_of_events_are_imported",
    ),
]
