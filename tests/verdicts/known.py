"""Cells of the table that do not hold yet: row, column, check; above each row why. "*" is any. One that holds is a failure of
the test, so that the list only shrinks."""

KNOWN = [
    # never durable, with the header of another segment: append takes it for one that lost its beginning, and goes on behind it
    ("another's header", "append", "exit status"),
    # the intact records of a damaged block are shown as long as no later segment names the block as a hole
    ("hole", "append", "an append hides nothing"),
    ("hole", "hole, named", "cat: shows what is intact"),
    # damage and a wrong name at once
    ("(any)", "recover", "append goes on"),
    ("(any)", "recover", "each once, in order"),
    ("(any)", "recover", "ids never repeat"),
    ("(any)", "recover --in-place", "append goes on"),
    ("(any)", "recover --in-place", "each once, in order"),
    ("(any)", "salvage", "each once, in order"),
    ("(any)", "verify", "counts what salvage shows"),
]
