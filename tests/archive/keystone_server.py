"""OpenStack Keystone with its database in a file: a project, a user, an application credential, and Swift in the catalog."""

import json
import signal

from processes import Failure, Process, free_port, request
from swift_server import fernet_key
from tools import HERE, tool

CONFIG = """
[DEFAULT]
log_file =
use_stderr = true
default_log_levels = keystone=WARNING,alembic=WARNING
[database]
connection = sqlite:///{directory}/keystone.sqlite
[token]
provider = fernet
[fernet_tokens]
key_repository = {directory}/keys
[fernet_receipts]
key_repository = {directory}/keys
[credential]
key_repository = {directory}/keys
[identity]
# Quick; there are no real passwords in here.
password_hash_rounds = 4
"""


class Keystone:
    """`swift_url` is the object store's URL in the catalog, followed by the project's number."""

    name = "keystone"
    project, user = "archives", "archiver"

    def __init__(self, directory, secret, swift_url):
        self.directory, self.secret, self.swift_url = directory / "keystone", secret, swift_url
        self.port = free_port()
        self.auth = f"http://127.0.0.1:{self.port}/v3"
        self.application_credential = None
        self.process = Process(
            "keystone", [tool("python/bin/python"), HERE / "keystone_main.py", self.directory / "keystone.conf", self.port],
            directory / "keystone.log", {"OS_BOOTSTRAP_PASSWORD": secret})

    def launch(self):
        """Starts it; `start` waits until it answers. It takes seconds to make its database."""
        if not self.directory.exists():
            self.directory.mkdir()
            (self.directory / "keys").mkdir(mode=0o700)
            for key in ("0", "1"):
                (self.directory / "keys" / key).write_text(fernet_key())
                (self.directory / "keys" / key).chmod(0o600)
            (self.directory / "keystone.conf").write_text(CONFIG.format(directory=self.directory))
        self.process.start()

    def start(self):
        if not self.process.running():
            self.launch()
        self.process.wait_until("answering", lambda: request("GET", self.auth)[0] == 200)
        if not self.application_credential:
            self.fill()

    def stop(self, number=signal.SIGTERM):
        self.process.stop(number)

    def token(self, identity, scope=None):
        auth = {"identity": identity, **({"scope": scope} if scope else {})}
        _, headers, _ = self.call("POST", "/auth/tokens", {"auth": auth}, {})
        return {"X-Auth-Token": headers["X-Subject-Token"]}

    def call(self, method, path, document, headers):
        body = json.dumps(document).encode() if document is not None else None
        status, answered, body = request(method, self.auth + path, {"Content-Type": "application/json", **headers}, body)
        if not 200 <= status < 300:
            raise Failure(f"keystone answers {method} {path} with {status}: {body[:300]!r}")
        return status, answered, json.loads(body) if body else None

    def password(self, name):
        return {"methods": ["password"],
                "password": {"user": {"name": name, "domain": {"id": "default"}, "password": self.secret}}}

    def fill(self):
        admin = self.token(self.password("admin"), {"project": {"name": "admin", "domain": {"id": "default"}}})

        def made(path, kind, **facts):
            return self.call("POST", path, {kind: facts}, admin)[2][kind]["id"]

        project = made("/projects", "project", name=self.project, domain_id="default")
        user = made("/users", "user", name=self.user, password=self.secret, domain_id="default")
        role = self.call("GET", "/roles?name=member", None, admin)[2]["roles"][0]["id"]
        self.call("PUT", f"/projects/{project}/users/{user}/roles/{role}", None, admin)
        service = made("/services", "service", name="swift", type="object-store")
        for interface in ("public", "internal"):
            made("/endpoints", "endpoint", service_id=service, interface=interface, region_id="RegionOne",
                 url=f"{self.swift_url}/v1/AUTH_$(project_id)s")
        own = self.token(self.password(self.user), {"project": {"id": project}})
        self.application_credential = self.call(
            "POST", f"/users/{user}/application_credentials",
            {"application_credential": {"name": "binlog", "secret": self.secret}}, own)[2]["application_credential"]["id"]

    def environment(self):
        """The variables of OpenStack's clients, for a user with a password."""
        return {"OS_AUTH_URL": self.auth, "OS_USERNAME": self.user, "OS_PASSWORD": self.secret,
                "OS_PROJECT_NAME": self.project, "OS_USER_DOMAIN_NAME": "Default",
                "OS_PROJECT_DOMAIN_NAME": "Default", "OS_REGION_NAME": "RegionOne", "OS_IDENTITY_API_VERSION": "3",
                # For programs that use the application credential instead.
                "BINLOG_TEST_APPLICATION_CREDENTIAL_ID": self.application_credential or ""}
