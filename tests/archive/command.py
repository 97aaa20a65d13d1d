"""The command `binlog` as the tests run it. Its whole output is kept, to be searched for secrets."""

import os
import subprocess
import threading
from pathlib import Path

from processes import Failure, die_with_parent
from tools import ROOT

BINLOG = Path(os.environ.get("BINLOG_LIB_DIR", ROOT / "target/release")) / "binlog"
# No single command takes this long, however busy the machine is.
SECONDS = 120

_printed = []
_lock = threading.Lock()


def remember(text):
    with _lock:
        _printed.append(text)


def find(secret):
    """The lines of all output that contain the secret."""
    with _lock:
        return [line for text in _printed for line in text.splitlines() if secret in line]


class Done:
    """A command that has ended."""

    def __init__(self, argv, status, stdout, stderr):
        self.argv, self.status, self.stdout = argv, status, stdout
        self.stderr = stderr.decode("utf-8", "replace")

    def __str__(self):
        return f"{' '.join(self.argv)}\nended with {self.status}\n{self.stderr[-2000:]}"

    def expect(self, *statuses):
        if self.status not in statuses:
            raise Failure(f"{self}\ninstead of {' or '.join(map(str, statuses))}")
        return self


def start(*words, env=None, **options):
    argv = [str(BINLOG), *map(str, words)]
    options = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    child = subprocess.Popen(argv, env={**os.environ, **(env or {})}, preexec_fn=die_with_parent, **options)
    child.words = argv
    return child


def finish(child, seconds=SECONDS, stdin=None):
    """Waits for it; kills it and fails if it takes too long."""
    try:
        stdout, stderr = child.communicate(stdin, timeout=seconds)
    except subprocess.TimeoutExpired:
        child.kill()
        stdout, stderr = child.communicate()
        remember((stderr or b"").decode("utf-8", "replace"))
        raise Failure(f"{' '.join(child.words)}\nwas still running after {seconds} s\n"
                      f"{(stderr or b'').decode('utf-8', 'replace')[-2000:]}") from None
    done = Done(child.words, child.returncode, stdout or b"", stderr or b"")
    remember(done.stderr)
    # Records are hex digits: only short output can be something else.
    remember(done.stdout[:100_000].decode("utf-8", "replace"))
    return done


def run(*words, env=None, stdin=None, seconds=SECONDS):
    pipe = {} if stdin is None else {"stdin": subprocess.PIPE}
    return finish(start(*words, env=env, **pipe), seconds, stdin)
