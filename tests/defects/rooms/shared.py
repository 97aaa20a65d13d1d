"""Defects of what all rooms use, and the tests that notice them."""

from defect import defect

DEFECTS = [
    defect(
        "more digits than a log's identity has are read as one",
        "src/hex.rs",
        "    if text.len() != N * 2 {",
        "    if text.len() < N * 2 {",
        "lib::hex::tests::what_is_not_digits_or_not_so_many_is_no_bytes",
    ),
]
