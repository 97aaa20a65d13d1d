#!/usr/bin/env python3
"""A proxy in front of an HTTP server that treats chosen requests as faulty networks and servers do.

As a class (Proxy) in the tests here; from other languages as a process:

  proxy.py --to 127.0.0.1:PORT          prints "PORT CONTROL-PORT" once it listens, and runs until its standard input ends

The control port speaks HTTP: `PUT /faults` with a list of faults replaces those that are set and restarts the count;
`GET /log` returns the requests since then. A fault is {"kind": …} and, where wanted:

  method, path   only requests with this method, and with this text in their path or query, are counted and hit
  at             the first request that is hit (from 1, the default); times: how many from there on (1; 0 for all)
  bytes          for cuts and stalls: so much of the body passes before (0)
  status, retry_after, code   for status: what is answered (503); the Retry-After header; the error's code in an S3 answer
  seconds        for stalls: how long, before the connection is closed (3600); for delay: how long (1)
  rate           for throttle: bytes a second

  kind           what happens                                                       has the server seen the request?
  reset          the connection is reset at once                                                               no
  status         an answer of our own, after the whole request was taken                                       no
  cut            the connection is closed within the request's body                                       in part
  stall          nothing more of the request is taken or answered                                         in part
  drop           the answer is thrown away, the connection closed                                             yes
  reset-after    the answer is thrown away, the connection reset                                              yes
  status-after   the answer is thrown away, and one of our own sent in its place                              yes
  cut-answer     the connection is closed within the answer's body                                            yes
  stall-answer   the answer's body stops                                                                      yes
  throttle       bodies pass slowly, both ways                                                                yes
  delay          the request is passed on late                                                                yes

Headers pass as they are, so that signatures hold: the client addresses the proxy, and the server sees that name.
"""

import argparse
import contextlib
import json
import select
import socket
import struct
import sys
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

CHUNK = 64 * 1024
# No request of a test has longer headers.
HEAD = 64 * 1024

KINDS = ("reset", "status", "cut", "stall", "drop", "reset-after", "status-after", "cut-answer", "stall-answer",
         "throttle", "delay")


@dataclass
class Fault:
    kind: str
    at: int = 1
    times: int = 1
    method: str = ""
    path: str = ""
    bytes: int = 0
    status: int = 503
    retry_after: int | None = None
    code: str = ""
    seconds: float | None = None
    rate: int = 100_000
    seen: int = field(default=0, init=False)

    def __post_init__(self):
        if self.kind not in KINDS:
            raise ValueError(f"there is no fault {self.kind!r}; there are {', '.join(KINDS)}")

    def hits(self, method, path):
        if (self.method and method != self.method) or self.path not in path:
            return False
        self.seen += 1
        return self.seen >= self.at and (self.times == 0 or self.seen < self.at + self.times)

    def answer(self):
        """An error in the form of S3 servers; Swift's clients look at the status alone."""
        reason, code = {409: ("Conflict", "ConditionalRequestConflict"), 412: ("Precondition Failed", "PreconditionFailed"),
                        500: ("Internal Server Error", "InternalError"), 503: ("Service Unavailable", "SlowDown"),
                        }.get(self.status, ("Fault", "Fault"))
        body = (f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{self.code or code}</Code>'
                f"<Message>as the proxy was configured</Message></Error>").encode()
        retry = f"Retry-After: {self.retry_after}\r\n" if self.retry_after is not None else ""
        return (f"HTTP/1.1 {self.status} {reason}\r\nContent-Type: application/xml\r\n"
                f"Content-Length: {len(body)}\r\n{retry}\r\n").encode(), body


class Closed(Exception):
    """The other side has closed, or this side has."""


class Reader:
    """Bytes of a socket: those that were read ahead, then further ones."""

    def __init__(self, sock):
        self.sock, self.ahead = sock, b""

    def some(self, most=CHUNK):
        if self.ahead:
            data, self.ahead = self.ahead[:most], self.ahead[most:]
            return data
        return self.sock.recv(most)

    def head(self):
        """A start line with its headers, up to and including the empty line."""
        data = b""
        while True:
            more = self.some()
            if not more:
                raise Closed
            data += more
            end = data.find(b"\r\n\r\n")
            if end >= 0:
                self.ahead = data[end + 4:] + self.ahead
                return data[:end + 4]
            if len(data) > HEAD:
                raise Closed

    def line(self):
        data = b""
        while not data.endswith(b"\n"):
            more = self.some(1)
            if not more:
                raise Closed
            data += more
        return data


def parse(head):
    lines = head.decode("latin-1").split("\r\n")
    fields = {}
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if colon:
            fields[name.strip().lower()] = value.strip()
    return lines[0].split(" ", 2), fields


def chunks(reader, fields, until_closed):
    """The body that follows, chunk by chunk as it is sent, with the framing of chunks."""
    if "chunked" in fields.get("transfer-encoding", "").lower():
        while True:
            line = reader.line()
            yield line
            left = int(line.split(b";")[0], 16)
            if left == 0:
                # Trailers, and the empty line.
                while True:
                    line = reader.line()
                    yield line
                    if line == b"\r\n":
                        return
            left += 2
            while left:
                data = reader.some(min(CHUNK, left))
                if not data:
                    raise Closed
                left -= len(data)
                yield data
    elif "content-length" in fields:
        left = int(fields["content-length"])
        while left:
            data = reader.some(min(CHUNK, left))
            if not data:
                raise Closed
            left -= len(data)
            yield data
    elif until_closed:
        while data := reader.some():
            yield data


class Exchange:
    """One request and its answer."""

    def __init__(self, proxy, client, reader):
        self.proxy, self.client, self.reader = proxy, client, reader
        self.server = None
        self.keep = True

    def run(self):
        """Returns whether the client's connection can be used again."""
        head = self.reader.head()
        (self.method, path, _), self.fields = parse(head)
        self.fault, self.entry = self.proxy.begin(self.method, path)
        try:
            self.exchange(head)
        finally:
            if self.server:
                self.server.close()
            self.proxy.done(self.entry)
        return self.keep

    def exchange(self, head):
        kind = self.fault.kind if self.fault else None
        if kind == "reset":
            self.reset()
        if kind == "delay":
            self.proxy.sleep(self.fault.seconds if self.fault.seconds is not None else 1)
        if kind == "status":
            # The whole body is read, as by a server that checks before it stores.
            if "100-continue" in self.fields.get("expect", "").lower():
                self.client.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            for data in chunks(self.reader, self.fields, False):
                self.entry["sent"] += len(data)
            self.own_answer()
            return
        try:
            self.server = socket.create_connection(self.proxy.to, timeout=60)
        except OSError as e:
            # As if the server itself had refused.
            self.reset(e)
        self.server.settimeout(600)
        self.server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        answers = Reader(self.server)
        try:
            self.server.sendall(head)
            early = self.send_body(answers)
        except (BrokenPipeError, ConnectionResetError):
            # The server has answered before it had the whole body, and closed.
            early = None
            self.keep = False
        self.take_answer(answers, early)

    def send_body(self, answers):
        """Passes the request's body on; returns the head of an answer that came before its end."""
        if "100-continue" in self.fields.get("expect", "").lower():
            head = answers.head()
            if not head.split(b" ", 2)[1].startswith(b"1"):
                self.keep = False
                return head
            self.client.sendall(head)
        passed = 0
        breaks = self.fault and self.fault.kind in ("cut", "stall")
        body = chunks(self.reader, self.fields, False)
        while True:
            if breaks and passed >= self.fault.bytes:
                self.break_off()
            data = next(body, None)
            if data is None:
                break
            if passed and select.select([self.server], [], [], 0)[0]:
                # The server has answered before it had the whole body.
                self.keep = False
                return None
            if breaks and passed + len(data) > self.fault.bytes:
                self.server.sendall(data[:self.fault.bytes - passed])
                self.break_off()
            self.throttle(data)
            self.server.sendall(data)
            passed += len(data)
            self.entry["sent"] += len(data)
        if breaks:
            # The body was shorter than announced.
            self.break_off()
        return None

    def take_answer(self, answers, head):
        kind = self.fault.kind if self.fault else None
        while head is None:
            head = answers.head()
            if head.split(b" ", 2)[1].startswith(b"1"):
                head = None
        (_, status, _), fields = parse(head)
        self.entry["status"] = int(status)
        bodiless = self.method == "HEAD" or status in ("204", "304")
        framed = bodiless or "content-length" in fields or "chunked" in fields.get("transfer-encoding", "").lower()
        if not framed or "close" in fields.get("connection", "").lower():
            self.keep = False
        body = iter(()) if bodiless else chunks(answers, fields, True)
        if kind in ("drop", "reset-after", "status-after"):
            # The server has done all its work.
            for _ in body:
                pass
            if kind == "drop":
                raise Closed
            if kind == "reset-after":
                self.reset()
            self.own_answer()
            return
        self.client.sendall(head)
        breaks = kind in ("cut-answer", "stall-answer")
        passed = 0
        for data in body:
            if breaks and passed + len(data) > self.fault.bytes:
                self.client.sendall(data[:self.fault.bytes - passed])
                break
            self.throttle(data)
            self.client.sendall(data)
            passed += len(data)
            self.entry["answered"] += len(data)
        if breaks:
            self.break_off()
        if not self.keep:
            # Reads what the client still sends, so that the client gets to read its answer.
            self.client.shutdown(socket.SHUT_WR)
            self.client.settimeout(2)
            with contextlib.suppress(OSError):
                while self.client.recv(CHUNK):
                    pass

    def own_answer(self):
        self.entry["status"] = self.fault.status
        head, body = self.fault.answer()
        self.client.sendall(head + (b"" if self.method == "HEAD" else body))

    def break_off(self):
        if self.fault.kind.startswith("stall"):
            self.proxy.sleep(self.fault.seconds if self.fault.seconds is not None else 3600)
        raise Closed

    def reset(self, cause=None):
        # Closed with bytes unsent and no time to linger: the client sees a reset.
        self.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raise Closed from cause

    def throttle(self, data):
        if self.fault and self.fault.kind == "throttle":
            self.proxy.sleep(len(data) / self.fault.rate)


class Proxy:
    """Listens on a port of its own from its construction on, until `close`."""

    def __init__(self, to, port=0):
        self.to = to
        self.lock = threading.Lock()
        self.faults, self.entries, self.busy = [], [], 0
        self.released = threading.Event()
        self.listener = socket.create_server(("127.0.0.1", port))
        self.port = self.listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self.accept, daemon=True).start()

    def set(self, *faults):
        """Replaces the faults, clears the log, and ends stalls."""
        with self.lock:
            self.faults = [fault if isinstance(fault, Fault) else Fault(**fault) for fault in faults]
            self.entries = []
            self.released.set()
            self.released = threading.Event()

    def log(self):
        """The requests since `set`: number, method, path, status (0: none came), bytes of the bodies, fault that hit."""
        with self.lock:
            return [dict(entry) for entry in self.entries]

    def hit(self):
        """How many requests a fault has hit."""
        return sum(1 for entry in self.log() if entry["fault"])

    def idle(self):
        with self.lock:
            return self.busy == 0

    def close(self):
        self.set()
        self.listener.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        reader = Reader(client)
        with client, contextlib.suppress(Closed, OSError, ValueError):
            while Exchange(self, client, reader).run():
                pass

    def begin(self, method, path):
        with self.lock:
            hits = [fault for fault in self.faults if fault.hits(method, path)]
            fault = hits[0] if hits else None
            entry = {"number": len(self.entries) + 1, "method": method, "path": path, "status": 0, "sent": 0,
                     "answered": 0, "fault": fault.kind if fault else ""}
            self.entries.append(entry)
            self.busy += 1
            return fault, entry

    def done(self, _entry):
        with self.lock:
            self.busy -= 1

    def sleep(self, seconds):
        """Waits until the time is over or the faults are replaced."""
        released = self.released
        released.wait(seconds)


def control(proxy):
    class Handler(BaseHTTPRequestHandler):
        def reply(self, status, text):
            body = text.encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self):
            self.reply(200, json.dumps(proxy.log()))

        def do_PUT(self):
            try:
                proxy.set(*json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            except (TypeError, ValueError) as e:
                self.reply(400, str(e))
            else:
                self.reply(200, "")

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_address[1]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--to", required=True, help="HOST:PORT of the server")
    host, port = parser.parse_args().to.rsplit(":", 1)
    with Proxy((host, int(port))) as proxy:
        print(proxy.port, control(proxy), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
