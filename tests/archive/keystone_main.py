"""Keystone in one process: makes its database and its first user, then answers. Runs in the environment that has keystone.

  keystone_main.py CONFIG PORT      the administrator's password comes from OS_BOOTSTRAP_PASSWORD
"""

import os
import sys
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

config, port = sys.argv[1:]
# Keystone reads the arguments of the program that it runs in.
sys.argv = ["keystone"]

from keystone.cmd import bootstrap  # noqa: E402
from keystone.common.sql import upgrades  # noqa: E402
from keystone.server.flask import core  # noqa: E402


class Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class Handler(WSGIRequestHandler):
    def log_message(self, *_):
        """Suppressed: a line for each request is too much."""


app = core.initialize_application(
    "public", lambda: upgrades.offline_sync_database_to_version(None), [config])
# The backends are loaded already.
bootstrap.backends.load_backends = lambda: None
first = bootstrap.Bootstrapper()
first.admin_username = first.project_name = first.admin_role_name = "admin"
first.admin_password = os.environ["OS_BOOTSTRAP_PASSWORD"]
first.region_id = "RegionOne"
first.service_name = "keystone"
first.public_url = first.internal_url = f"http://127.0.0.1:{port}/v3"
first.bootstrap()
make_server("127.0.0.1", int(port), app, Server, Handler).serve_forever()
