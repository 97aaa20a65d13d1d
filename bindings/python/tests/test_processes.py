"""What signals, processes, other interpreters and a broken sub-interpreter do to it."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path

import libbinlog as binlog


def run(code: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)]
    return subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)


def test_ctrl_c_ends_a_wait(log: Path) -> None:
    for code in ("for r in records: pass", "records.wait()"):
        # Background shells start programs with SIGINT ignored.
        program = f"import signal, sys, libbinlog; signal.signal(signal.SIGINT, signal.default_int_handler)\nrecords = libbinlog.open(sys.argv[1]).records(from_id=1001, follow=True)\nprint('now', flush=True)\n{code}"
        process = subprocess.Popen([sys.executable, "-c", program, str(log)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert process.stdout is not None and process.stdout.readline() == "now\n"
        time.sleep(0.3)
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=20)
        assert errors.rstrip().endswith("KeyboardInterrupt") and time.monotonic() - began < 3


def test_a_handler_of_another_signal_runs_during_a_wait(log: Path) -> None:
    done = run(
        """
        import signal, sys, libbinlog
        records = libbinlog.open(sys.argv[1]).records(from_id=1001, follow=True)
        signal.signal(signal.SIGALRM, lambda *_: records.close())
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        print(list(records))
        """, log)
    assert (done.returncode, done.stdout, done.stderr) == (0, "[]\n", "")


def test_ctrl_c_ends_a_long_read(tmp_path: Path) -> None:
    with binlog.Writer(tmp_path / "log") as writer:
        for _ in range(300):
            writer.append_batch([b"x" * 10] * 1000)
    done = run(
        """
        import signal, sys, libbinlog
        signal.signal(signal.SIGALRM, signal.default_int_handler)
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        log = libbinlog.open(sys.argv[1])
        while True:
            log.verify()
        """, tmp_path / "log")
    assert done.returncode != 0 and done.stderr.rstrip().endswith("KeyboardInterrupt")


def test_a_thread_that_follows_does_not_keep_the_program_alive(log: Path) -> None:
    done = run(
        """
        import sys, threading, time, libbinlog
        follow = lambda: [None for _ in libbinlog.open(sys.argv[1]).records(follow=True)]
        threading.Thread(target=follow, daemon=True).start()
        time.sleep(0.3)
        """, log)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_writer_that_is_open_at_the_end_has_written(tmp_path: Path) -> None:
    done = run(
        """
        import sys, libbinlog
        writer = libbinlog.Writer(sys.argv[1], background=True, on_close=print)
        writer.append(b"x")
        """, tmp_path / "log")
    assert (done.returncode, done.stderr) == (0, "")
    assert [record.payload for record in binlog.open(tmp_path / "log")] == [b"x"]


def test_a_sub_interpreter_is_refused_in_words() -> None:
    name = {11: "_xxsubinterpreters", 12: "_xxsubinterpreters"}.get(sys.version_info.minor, "_interpreters")
    done = run(
        f"""
        import libbinlog, {name} as interpreters
        try:
            said = interpreters.run_string(interpreters.create(), "import libbinlog")
        except Exception as error:
            said = error
        print(said)
        """)
    assert done.returncode == 0 and "interpreter" in done.stdout, done


def _numbers(token: str) -> tuple[list[int], int]:
    return [record.id for record in binlog.Split(token).open().records(type=7)], os.getpid()


def test_splits_are_read_by_processes(log: Path) -> None:
    splits = binlog.open(log).splits(target=4096, type=7)
    assert len(splits) > 2
    with get_context("spawn").Pool(2) as pool:
        found = pool.map(_numbers, [split.token for split in splits])
    assert [one for ids, _ in found for one in ids] == list(range(2, 1001, 2))


def in_a_child(call: Callable[[], str]) -> str:
    """What the function returns in the child of a fork."""
    if sys.version_info >= (3, 12):
        import warnings
        warnings.simplefilter("ignore", DeprecationWarning)
    readable, writable = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            said = call()
        except BaseException as raised:
            said = repr(raised)
        os.write(writable, said.encode())
        os._exit(0)
    os.close(writable)
    with os.fdopen(readable) as pipe:
        said = pipe.read()
    assert os.waitpid(child, 0)[1] == 0
    return said


def test_the_child_of_a_fork_has_no_writer(tmp_path: Path) -> None:
    for background in (False, True):
        where = tmp_path / f"log-{background}"
        writers = [binlog.Writer(where, background=background)]
        writer = writers[0]
        writer.append(b"parent")

        def child() -> str:
            calls: list[Callable[[], object]] = [
                lambda: writer.append(b"child"), lambda: writer.append(b"child", "new"), lambda: writer.append_batch([b"child"]),
                lambda: writer.append_batch([]), lambda: writer.gather([b"child"]), lambda: writer.type("other"), writer.flush, writer.sync,
                writer.roll, writer.tick, lambda: writer.position, writer.close,
            ]
            said = []
            for call in calls:
                try:
                    said.append(str(call()))
                except binlog.ForkedError:
                    said.append("forked")
            # These ask the library for nothing; a close that has failed leaves a closed writer, as everywhere.
            writer.close()
            said.append(f"{writer.closed} {writer.location == where}")
            return " ".join(said)

        assert in_a_child(child) == " ".join(["forked"] * 12 + ["True True"])

        def dropped() -> str:
            nonlocal writer
            writers.clear()
            del writer
            gc.collect()
            return "nothing"

        assert in_a_child(dropped) == "nothing"

        def left() -> str:
            try:
                with writer:
                    pass
            except binlog.ForkedError:
                return "forked"
            return "nothing"

        assert in_a_child(left) == "forked"

        def counted() -> str:
            return f"{writer.dropped} {writer.failures} {writer.closed}"

        assert in_a_child(counted) == "0 0 False"

        def other() -> str:
            with binlog.Writer(tmp_path / f"child-{background}") as own:
                own.append(b"child")
            try:
                binlog.Writer(where)
            except binlog.LockedError:
                return "locked"
            return "opened"

        assert in_a_child(other) == "locked"
        assert len(list(binlog.open(tmp_path / f"child-{background}"))) == 1
        writer.append(b"parent again")
        writer.close()
        assert [record.payload for record in binlog.open(where)] == [b"parent", b"parent again"]


def test_the_child_of_a_fork_reads_what_the_parent_has_opened(log: Path) -> None:
    opened = binlog.open(log)
    records = opened.records()
    next(records)
    split = opened.splits()[0]

    def child() -> str:
        rest = len(list(records))
        return f"{rest} {len(list(opened.records()))} {opened.info().records} {bool(opened.verify())} {len(list(split.records_of()))} {records.closed}"

    assert in_a_child(child) == "999 1000 1000 True 1000 False"
    assert len(list(records)) == 999


def test_no_memory_is_an_exception(tmp_path: Path) -> None:
    done = run(
        """
        import resource, sys, libbinlog
        large = 200 << 20
        with libbinlog.Writer(sys.argv[1]) as writer:
            writer.append(b"small")
            writer.append(bytes(large))
        payload = bytearray(large)
        used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
        said = []

        def within(megabytes, call):
            resource.setrlimit(resource.RLIMIT_AS, (used + (megabytes << 20), resource.RLIM_INFINITY))
            try:
                said.append(call())
            except MemoryError:
                said.append("refused")
            finally:
                resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))

        def read():
            for record in libbinlog.open(sys.argv[1]):
                read.seen = record.id
            return "read"

        writer = libbinlog.Writer(sys.argv[1])
        within(100, lambda: writer.append(payload))
        said.append(writer.append(b"works on"))
        writer.close()
        for megabytes in (100, 300, 500):
            within(megabytes, read)
            said.append(read.seen)
        print(*said)
        """, tmp_path / "log")
    assert (done.stdout.split(), done.returncode) == (["refused", "3", *["refused", "1"] * 3], 0), done
