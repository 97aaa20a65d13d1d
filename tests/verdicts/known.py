"""Cells of the table that do not hold yet: row, column, check; above each row why. "*" is any. One that holds is a failure of
the test, so that the list only gets shorter."""

KNOWN = [
    # the intact records of a damaged block are shown as long as no later segment names the block as a hole
    ("hole", "append", "an append hides nothing"),
    ("hole", "hole, named", "cat: shows what is intact"),
]
