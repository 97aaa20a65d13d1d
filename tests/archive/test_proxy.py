#!/usr/bin/env python3
"""Tests of the proxy: each of its faults against a small server that keeps the requests it received."""

import http.client
import threading
import unittest
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from proxy import KINDS, Fault, Proxy

BODY = b"0123456789" * 30_000


class Server(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    seen = []

    def do_PUT(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if len(body) == int(self.headers["Content-Length"]):
            Server.seen.append((self.path, body))
        self.answer(201, b"stored")

    def do_GET(self):
        Server.seen.append((self.path, b""))
        self.answer(200, BODY)

    def do_HEAD(self):
        self.send_response(200)
        self.send_header("Content-Length", str(len(BODY)))
        self.end_headers()

    def do_POST(self):
        """Answers before it has read anything, and closes."""
        self.close_connection = True
        self.answer(413, b"too much")

    def answer(self, status, body):
        self.send_response(status)
        if self.path == "/chunked":
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for at in range(0, len(body), 1000):
                chunk = body[at:at + 1000]
                self.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
            self.wfile.write(b"0\r\n\r\n")
            return
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Quiet(ThreadingHTTPServer):
    def handle_error(self, *_):
        """Broken connections are what is tested here."""


class ProxyTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Quiet(("127.0.0.1", 0), Server)
        threading.Thread(target=cls.server.serve_forever, daemon=True).start()

    @classmethod
    def tearDownClass(cls):
        cls.server.shutdown()
        cls.server.server_close()

    def setUp(self):
        Server.seen.clear()
        self.proxy = Proxy(self.server.server_address)
        self.client = http.client.HTTPConnection("127.0.0.1", self.proxy.port, timeout=20)

    def tearDown(self):
        self.client.close()
        self.proxy.close()

    def ask(self, method, path="/a", body=None):
        """Status and body, or the error that a client sees."""
        try:
            self.client.request(method, path, body)
            answer = self.client.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException) as e:
            self.client.close()
            return type(e).__name__, getattr(e, "partial", b"")

    def test_without_faults_everything_passes_on_one_connection(self):
        for path in ("/a", "/chunked"):
            self.assertEqual(self.ask("GET", path), (200, BODY))
            sock = self.client.sock
            self.assertEqual(self.ask("HEAD", path), (200, b""))
            self.assertEqual(self.ask("PUT", path, BODY), (201, b"stored"))
            self.assertIs(self.client.sock, sock)
        self.assertEqual(Server.seen[1], ("/a", BODY))
        log = self.proxy.log()
        self.assertEqual([entry["status"] for entry in log[:3]], [200, 200, 201])
        self.assertEqual((log[0]["answered"], log[2]["sent"]), (len(BODY), len(BODY)))

    def test_an_answer_before_the_body_has_gone_out_arrives(self):
        self.assertEqual(self.ask("POST", "/a", BODY * 20), (413, b"too much"))

    def test_only_the_chosen_requests_are_hit(self):
        self.proxy.set(Fault("status", at=2, times=2, method="GET", path="/b"))
        seen = [self.ask("GET", path)[0] for path in ("/b", "/a", "/b", "/b", "/b")]
        self.assertEqual(seen, [200, 200, 503, 503, 200])
        self.assertEqual(self.proxy.hit(), 2)
        self.proxy.set(Fault("status", times=0, status=500))
        self.assertEqual([self.ask("GET")[0] for _ in range(3)], [500] * 3)
        self.proxy.set()
        self.assertEqual(self.ask("GET")[0], 200)

    def test_status_before_and_after_the_server_has_seen_it(self):
        self.proxy.set(Fault("status", status=412), Fault("status-after", at=1, status=503, retry_after=7))
        self.assertEqual(self.ask("PUT", "/a", BODY)[0], 412)
        self.assertEqual(Server.seen, [])
        self.proxy.set(Fault("status-after", status=503, retry_after=7))
        self.client.request("PUT", "/a", BODY)
        answer = self.client.getresponse()
        self.assertEqual((answer.status, answer.headers["Retry-After"]), (503, "7"))
        self.assertIn(b"<Code>SlowDown</Code>", answer.read())
        self.assertEqual(Server.seen, [("/a", BODY)])

    def test_broken_before_after_and_within(self):
        for kind, stored in (("reset", False), ("cut", False), ("drop", True), ("reset-after", True)):
            with self.subTest(kind):
                Server.seen.clear()
                self.proxy.set(Fault(kind, bytes=1000))
                self.assertIsInstance(self.ask("PUT", "/a", BODY)[0], str)
                self.assertEqual(Server.seen, [("/a", BODY)] if stored else [])
                self.assertEqual(self.ask("PUT", "/a", BODY)[0], 201)

    def test_an_answer_ends_after_so_many_bytes(self):
        self.proxy.set(Fault("cut-answer", bytes=70_000))
        self.assertEqual(self.ask("GET"), ("IncompleteRead", BODY[:70_000]))

    def test_stalls_last_until_released(self):
        for kind in ("stall", "stall-answer"):
            with self.subTest(kind):
                self.proxy.set(Fault(kind, bytes=10))
                self.client.close()
                self.client.timeout = 0.3
                self.assertEqual(self.ask("PUT" if kind == "stall" else "GET", "/a", BODY)[0], "TimeoutError")
                self.proxy.set()
                self.client.timeout = 20
                self.assertEqual(self.ask("GET")[0], 200)

    def test_slow_is_slow_and_whole(self):
        self.proxy.set(Fault("throttle", rate=3_000_000), Fault("delay", at=1, seconds=0.01))
        self.assertEqual(self.ask("GET"), (200, BODY))

    def test_no_fault_is_left_out_here(self):
        self.assertEqual(len(KINDS), 11)
        with self.assertRaises(ValueError):
            Fault("unheard-of")

    def test_a_server_that_is_down_is_a_reset(self):
        self.proxy.to = ("127.0.0.1", 1)
        self.assertIsInstance(self.ask("GET")[0], str)


if __name__ == "__main__":
    unittest.main()
