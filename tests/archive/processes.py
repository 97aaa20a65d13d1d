"""Servers as child processes: started on free ports of the loopback interface, waited for, and ended whatever happens."""

import ctypes
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

# How long a server may take to answer after its start, on a busy machine.
START_SECONDS = 90
# How long it may take to end when asked to, before it is killed.
STOP_SECONDS = 5

PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


class Failure(Exception):
    """What went wrong, in a sentence for the caller."""


def die_with_parent():
    """In a child before its exec: it is killed when its parent ends, even by kill -9."""
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def free_port():
    """A free port, below those that the system gives to clients, so that none of them takes it meanwhile."""
    for _ in range(200):
        port = random.randrange(12000, 32000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise Failure("no free port was found on 127.0.0.1 between 12000 and 32000")


def keeps_attributes(directory):
    """Whether files in this directory may have user attributes, in which Swift and the gateway keep their metadata."""
    with tempfile.NamedTemporaryFile(dir=directory) as probe:
        try:
            os.setxattr(probe.name, "user.binlog", b"1")
        except OSError:
            return False
        return True


def sweep(place):
    """Removes what killed runs have left: it may be gigabytes of memory."""
    for left in Path(place).glob("binlog-archive-*-*"):
        owner = left.name.split("-")[2]
        if owner.isdigit() and not os.path.exists(f"/proc/{owner}"):
            shutil.rmtree(left, ignore_errors=True)


def data_directory():
    """A new directory for the servers' data: in memory if possible, since they sync every object."""
    for place in ("/dev/shm", tempfile.gettempdir(), "/var/tmp"):
        if os.path.isdir(place) and os.access(place, os.W_OK) and keeps_attributes(place):
            sweep(place)
            return Path(tempfile.mkdtemp(prefix=f"binlog-archive-{os.getpid()}-", dir=place))
    raise Failure(f"neither /dev/shm nor {tempfile.gettempdir()} nor /var/tmp lets files have extended attributes "
                  "(user.*), which Swift and the S3 server need: set TMPDIR to a directory that does")


class Process:
    """A server in a process group of its own, which prints into a file."""

    def __init__(self, name, argv, log, env=None):
        self.name, self.argv, self.log = name, [str(word) for word in argv], Path(log)
        self.env = {**os.environ, **(env or {})}
        self.child = None

    def start(self):
        with open(self.log, "ab") as log:
            self.child = subprocess.Popen(
                self.argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.env,
                start_new_session=True, preexec_fn=die_with_parent)

    def running(self):
        return self.child is not None and self.child.poll() is None

    def wait_until(self, what, answers):
        """Waits until `answers()` is true; fails when the server has ended instead, or never answers."""
        limit = time.monotonic() + START_SECONDS
        while True:
            if not self.running():
                raise Failure(f"{self.name} ended with {self.child.returncode} instead of {what}:\n{self.tail()}")
            if answers():
                return
            if time.monotonic() > limit:
                raise Failure(f"{self.name} is not {what} after {START_SECONDS} s:\n{self.tail()}")
            time.sleep(0.02)

    def send(self, number):
        if self.running():
            os.killpg(self.child.pid, number)

    def stop(self, number=signal.SIGTERM):
        """Ends it and all processes that it started."""
        if self.child is None:
            return
        for send, seconds in ((number, STOP_SECONDS), (signal.SIGKILL, None)):
            try:
                os.killpg(self.child.pid, send)
            except ProcessLookupError:
                pass
            try:
                self.child.wait(seconds)
            except subprocess.TimeoutExpired:
                continue
            # Processes that it started may still be there.
            try:
                os.killpg(self.child.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            break
        self.child = None

    def tail(self):
        try:
            return "\n".join(self.log.read_text("utf-8", "replace").splitlines()[-15:])
        except OSError:
            return ""


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), NoRedirect)


def request(method, url, headers=None, body=None, seconds=30):
    """One request; returns status, headers and body, whatever the status is. A status of 0 means no answer."""
    wanted = urllib.request.Request(url, data=body, headers=headers or {}, method=method)
    try:
        with _opener.open(wanted, timeout=seconds) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as answer:
        with answer:
            return answer.code, answer.headers, answer.read()
    except OSError as e:
        return 0, {}, str(e).encode()
