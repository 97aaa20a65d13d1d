"""Random histories, against a list in memory as the judge."""

from __future__ import annotations

import importlib.util
import tempfile
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as some

import libbinlog as binlog

texts = some.text(alphabet=some.characters(exclude_categories=["Cs"]), max_size=6)
records = some.tuples(
    some.binary(max_size=40),
    some.one_of(some.integers(0, 5), some.sampled_from(["a", "a.b", "ж.b"])),
    some.one_of(some.none(), some.dictionaries(texts, texts, max_size=3)),
    some.integers(-(2**62), 2**62),
)
steps = some.one_of(
    some.tuples(some.just("append"), records),
    some.tuples(some.just("batch"), some.lists(records, max_size=5)),
    some.tuples(some.sampled_from(["flush", "roll", "reopen"]), some.none()),
)
conditions = some.fixed_dictionaries({}, optional={
    "type": some.lists(some.one_of(some.integers(0, 5), some.sampled_from(["a", "a.b", "a*", "*.b", "[a]", "none"])), max_size=3),
    "from_id": some.integers(0, 30), "since": some.integers(-(2**62), 2**62), "last": some.integers(1, 10),
    "reverse": some.booleans(), "views": some.booleans(),
})


@settings(max_examples=150, deadline=None)
@given(history=some.lists(steps, max_size=20), selection=conditions)
def test_a_log_shows_what_a_list_does(history: list[tuple[str, Any]], selection: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        where = Path(scratch) / "log"
        model: list[tuple[bytes, str | int, dict[str, str], int]] = []
        writer = binlog.Writer(where)
        for step, given_ in history:
            if step == "append":
                payload, kind, pairs, time = given_
                assert writer.append(payload, kind, pairs, time) == len(model) + 1
                model.append((payload, kind, pairs or {}, time))
            elif step == "batch":
                assert writer.append_batch(given_) == len(model) + 1
                model.extend((payload, kind, pairs or {}, time) for payload, kind, pairs, time in given_)
            elif step == "reopen":
                writer.close()
                writer = binlog.Writer(where)
            else:
                getattr(writer, step)()
        writer.close()
        wanted = [(number, *record) for number, record in enumerate(model, 1)]
        if (types := selection.get("type")) is not None:
            wanted = [one for one in wanted if any(matches(one[2], kind) for kind in types)]
        wanted = [one for one in wanted if one[0] >= selection.get("from_id", 0) and one[4] >= selection.get("since", -(2**63))]
        wanted = wanted[-selection.get("last", len(wanted) or 1):]
        if selection.get("reverse"):
            wanted.reverse()
        shown = binlog.open(where).records(**selection)
        assert [(one.id, bytes(one.payload), one.type, one.metadata, one.time_ns) for one in shown] == wanted
        if importlib.util.find_spec("pyarrow") is None:
            return
        plain = {key: value for key, value in selection.items() if key != "views"}
        table = binlog.open(where).table(columns=["id", "payload"], **plain).to_arrow()
        assert list(zip(table["id"].to_pylist(), table["payload"].to_pylist())) == [one[:2] for one in wanted]


def matches(kind: str | int, wanted: str | int) -> bool:
    return kind == wanted if isinstance(kind, int) or isinstance(wanted, int) else fnmatchcase(kind, wanted)
