"""What the pages show is what happens."""

from __future__ import annotations

import contextlib
import io
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

import libbinlog as binlog

HERE = Path(__file__).resolve().parent
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def page(name: str) -> str:
    """A page beside the tests, or where it is in the repository."""
    beside = HERE.parent / name
    return (beside if beside.exists() else HERE.parents[2] / name).read_text("utf-8")


def run(text: str, name: str) -> None:
    """Runs the blocks of Python in one namespace; a block of text behind one is what it prints."""
    names: dict[str, Any] = {"__name__": "__main__"}
    printed: str | None = None
    for kind, block in BLOCK.findall(text):
        if kind == "python":
            assert not printed, f"a block of {name} prints what the page does not show: {printed}"
            output = io.StringIO()
            with contextlib.redirect_stdout(output):
                exec(compile(block, name, "exec"), names)
            printed = output.getvalue()
        elif kind == "text":
            assert printed == block
            printed = None


def test_the_blocks_of_the_page_print_what_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for needed in ("duckdb", "polars", "pandas", "pyarrow"):
        pytest.importorskip(needed)
    monkeypatch.chdir(tmp_path)
    run(page("docs/python.md"), "docs/python.md")


def test_users_of_the_older_logger_can_move_as_the_page_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = HERE.parent / "legacy/closed.log"
    shutil.copy(old if old.exists() else HERE.parents[2] / "tests/data/legacy/maplogger/closed.log", tmp_path / "the_logger.log")
    monkeypatch.chdir(tmp_path)
    run(page("docs/migrating.md"), "docs/migrating.md")


def test_the_program_of_the_readme_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    block = BLOCK.findall((HERE.parent / "README.md").read_text("utf-8"))[0]
    assert block[0] == "python"
    exec(compile(block[1], "README.md", "exec"), {})


def test_every_public_name_is_documented() -> None:
    for name in binlog.__all__:
        thing = getattr(binlog, name)
        if callable(thing):
            assert thing.__doc__, f"{name} has no docstring"
        for member, value in vars(thing).items() if isinstance(thing, type) else []:
            if not member.startswith("_") and callable(value):
                assert value.__doc__, f"{name}.{member} has no docstring"


def test_the_page_names_every_argument_and_exception() -> None:
    import inspect

    text = page("docs/python.md")
    for function in (
        binlog.open, binlog.scan, binlog.Log.records, binlog.Log.table, binlog.Log.splits, binlog.Writer.__new__, binlog.logging.Handler,
        binlog.compress,
    ):
        for argument in inspect.signature(function).parameters:
            assert argument in ("self", "cls") or f"{argument}" in text, f"{function.__qualname__}: {argument}"
    for name in binlog.__all__:
        if name.endswith("Error"):
            assert name in text or name == "InterruptedWaitError", name
