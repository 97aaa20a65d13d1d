"""The table of docs/recovery.md. Expectations are written down only on that page: a cell is a word or two that the test
knows, and the exit status; what follows a semicolon is for people, except for "further back: ..."."""
import dataclasses

import library

PAGE = library.ROOT / "docs" / "recovery.md"
COLUMNS = {"`cat`": "cat", "strict": "strict", "`cat --salvage`": "salvage", "append": "append", "`verify`": "verify",
           "`recover`": "recover", "`compress`": "compress", "`ship`": "ship", "`prune`": "prune"}
WORDS = {
    "cat": {"all", "before", "rest", "nothing"},
    "strict": {"all", "nothing", "error", "newer", "torn", "at once"},
    "salvage": {"all", "before", "rest", "nothing"},
    "append": {"goes on", "cuts", "next segment", "refuses", "begins", "may refuse", "locked"},
    "verify": {"whole", "damaged", "torn", "fails"},
    "recover": {"saves", "refuses", "nothing to do"},
    "compress": {"does", "passes over", "refuses"},
    "ship": {"does", "passes over", "refuses"},
    "prune": {"does", "refuses"},
}


@dataclasses.dataclass
class Cell:
    word: str
    status: int | None


class Row:
    def __init__(self, name):
        self.name, self.cells, self.further = name, {}, {}

    def get(self, column, further=False):
        return self.further.get(column) if further and column in self.further else self.cells.get(column)


def cell(column, text, row):
    word, _, status = text.strip().rpartition(",")
    if not word:
        word, status = text.strip(), None
    if word == "may refuse":
        return Cell(word, None)
    if word not in WORDS[column] or status is None and column != "strict":
        raise SystemExit(f"{PAGE.name}: row {row}, column {column}: {text!r} is no word of the table and an exit status")
    return Cell(word, int(status) if status is not None else None)


def rows():
    """Row name -> Row, from every table of the page whose first column is called "row"."""
    found, columns = {}, None
    for line in PAGE.read_text().splitlines():
        if not line.startswith("|"):
            columns = None
            continue
        cells = [one.strip() for one in line.strip().strip("|").split("|")]
        if columns is None:
            # The first column is no cell, so a table of rows is never an empty list.
            columns = [COLUMNS.get(one) for one in cells] if cells[0] == "row" else []
        elif columns and not cells[0].startswith("-"):
            name = cells[0].strip("*")
            row = found.setdefault(name, Row(name))
            for column, text in zip(columns, cells):
                if column is None or text in ("", "-"):
                    continue
                here, _, rest = text.partition(";")
                row.cells[column] = cell(column, here, name)
                if rest.strip().startswith("further back:"):
                    row.further[column] = cell(column, rest.partition(":")[2], name)
    return found
