"""OpenStack Swift on one machine: one account, container, object and proxy server, one replica of everything."""

import base64
import os
import pwd
import signal
import textwrap

from processes import Process, free_port, listens, request
from tools import tool

# Made in one process, where the command would need nine. One device, 16 partitions, one replica.
RINGS = """
import sys
from swift.common.ring import RingBuilder
directory, *ports = sys.argv[1:]
for name, port in zip(("account", "container", "object"), ports):
    builder = RingBuilder(4, 1, 1)
    builder.add_dev({"id": 0, "region": 1, "zone": 1, "weight": 100, "ip": "127.0.0.1", "port": int(port),
                     "device": "disk", "replication_ip": "127.0.0.1", "replication_port": int(port), "meta": ""})
    builder.rebalance()
    builder.get_ring().save(f"{directory}/{name}.ring.gz")
"""

# The settings of all four servers. Without workers each is one process.
DEFAULTS = """
[DEFAULT]
bind_ip = 127.0.0.1
bind_port = {port}
swift_dir = {etc}
devices = {devices}
mount_check = false
user = {user}
workers = 0
log_level = WARNING
# Nothing listens there: messages go to the file that stderr is.
log_address = {etc}/no-such-socket
"""

STORAGE = DEFAULTS + """
[pipeline:main]
pipeline = {kind}-server

[app:{kind}-server]
use = egg:swift#{kind}
"""

PROXY = DEFAULTS + """
[pipeline:main]
pipeline = catch_errors gatekeeper healthcheck listing_formats bulk s3api tempauth copy container_quotas account_quotas slo dlo proxy-server

[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
# There is no cache: changes of a container take effect at once.
recheck_account_existence = 0
recheck_container_existence = 0

[filter:catch_errors]
use = egg:swift#catch_errors
[filter:gatekeeper]
use = egg:swift#gatekeeper
[filter:healthcheck]
use = egg:swift#healthcheck
[filter:listing_formats]
use = egg:swift#listing_formats
[filter:bulk]
use = egg:swift#bulk
[filter:copy]
use = egg:swift#copy
[filter:container_quotas]
use = egg:swift#container_quotas
[filter:account_quotas]
use = egg:swift#account_quotas
[filter:slo]
use = egg:swift#slo
[filter:dlo]
use = egg:swift#dlo
[filter:s3api]
use = egg:swift#s3api
s3_acl = false
location = us-east-1
# Parts of a few KiB are enough for a test.
min_segment_size = 1
[filter:tempauth]
use = egg:swift#tempauth
# Tokens that prove themselves need no memcached.
fernet_key_1 = {fernet}
active_fernet_key_id = 1
user_{account}_{name} = {secret} .admin
# May read where it has permission, and nothing else.
user_{account}_reader = {secret}
"""

# A second proxy, in front of the same servers, for users that Keystone knows.
KEYSTONE_PROXY = DEFAULTS + """
[pipeline:main]
pipeline = catch_errors gatekeeper healthcheck listing_formats bulk authtoken keystoneauth copy container_quotas slo dlo proxy-server

[filter:authtoken]
paste.filter_factory = keystonemiddleware.auth_token:filter_factory
auth_url = {auth}
www_authenticate_uri = {auth}
auth_type = password
username = admin
password = {secret}
project_name = admin
user_domain_id = default
project_domain_id = default
delay_auth_decision = true
[filter:keystoneauth]
use = egg:swift#keystoneauth
operator_roles = admin, member
""" + PROXY[PROXY.index("\n[app:proxy-server]"):PROXY.index("[filter:s3api]")]


class Swift:
    """TempAuth at `auth`, the S3 API at `endpoint`; the user's name is ACCOUNT:NAME for both."""

    name = "swift"

    def __init__(self, directory, user, secret):
        self.account, self.user_name = user.split(":")
        self.secret = secret
        self.directory, self.etc = directory / "swift", directory / "swift/etc"
        self.facts = {"etc": self.etc, "devices": self.directory / "devices", "user": pwd.getpwuid(os.getuid()).pw_name}
        self.ports = {kind: free_port() for kind in ("account", "container", "object", "proxy")}
        self.endpoint = f"http://127.0.0.1:{self.ports['proxy']}"
        self.auth = self.endpoint + "/auth/v1.0"
        self.processes = {
            kind: Process(f"swift-{kind}-server",
                          [tool(f"python/bin/swift-{kind}-server"), self.etc / f"{kind}.conf", "--verbose"],
                          directory / f"swift-{kind}.log")
            for kind in self.ports}

    def configure(self):
        self.etc.mkdir(parents=True)
        (self.directory / "devices/disk").mkdir(parents=True)
        (self.etc / "swift.conf").write_text(textwrap.dedent("""\
            [swift-hash]
            swift_hash_path_suffix = binlog
            [storage-policy:0]
            name = single
            default = yes
            """))
        for kind, port in self.ports.items():
            template = PROXY if kind == "proxy" else STORAGE
            path = self.etc / f"{kind}.conf"
            path.touch(mode=0o600)
            path.write_text(template.format(kind=kind, port=port, account=self.account, name=self.user_name,
                                            secret=self.secret, fernet=fernet_key(), **self.facts))
        ports = [self.ports[kind] for kind in ("account", "container", "object")]
        rings = Process("making the rings", [tool("python/bin/python"), "-c", RINGS, self.etc, *ports],
                        self.directory / "rings.log")
        rings.start()
        if rings.child.wait(60) != 0:
            rings.wait_until("making them", lambda: False)

    def start(self):
        if not self.etc.exists():
            self.configure()
        for process in self.processes.values():
            process.start()
        for kind, process in self.processes.items():
            process.wait_until("listening", lambda port=self.ports[kind]: listens(port))
        proxy = self.processes["proxy"]
        proxy.wait_until("answering", lambda: request("GET", self.endpoint + "/healthcheck")[0] == 200)

    def stop(self, number=signal.SIGTERM):
        for process in reversed(self.processes.values()):
            process.send(number)
        for process in self.processes.values():
            process.stop(number)

    def url(self, container, prefix="", endpoint=None):
        return f"swift://{container}/{prefix}?auth={endpoint or self.endpoint}/auth/v1.0"

    def s3_url(self, bucket, prefix="", endpoint=None):
        return (f"s3://{bucket}/{prefix}?endpoint={endpoint or self.endpoint}"
                "&region=us-east-1&path_style=true")

    def session(self, secret=None):
        """Storage URL and token, as every client of TempAuth gets them."""
        status, headers, body = request("GET", self.auth, {
            "X-Auth-User": f"{self.account}:{self.user_name}", "X-Auth-Key": secret or self.secret})
        if status != 200:
            raise RuntimeError(f"{self.auth} answers {status}: {body[:200]!r}")
        return headers["X-Storage-Url"], {"X-Auth-Token": headers["X-Auth-Token"]}


def fernet_key():
    return base64.urlsafe_b64encode(os.urandom(32)).decode()


class KeystoneProxy:
    """A proxy server before the storage servers of `swift`, which asks `keystone` to identify users."""

    name = "swift-keystone"

    def __init__(self, directory, swift, port):
        self.swift, self.port = swift, port
        self.endpoint = f"http://127.0.0.1:{port}"
        self.path = swift.etc / "keystone-proxy.conf"
        self.process = Process("swift-proxy-server for Keystone",
                               [tool("python/bin/swift-proxy-server"), self.path, "--verbose"],
                               directory / "swift-keystone-proxy.log")

    def start(self):
        self.process.start()
        self.process.wait_until("answering", lambda: request("GET", self.endpoint + "/healthcheck")[0] == 200)

    def stop(self, number=signal.SIGTERM):
        self.process.stop(number)

    def configure(self, keystone):
        self.path.touch(mode=0o600)
        self.path.write_text(KEYSTONE_PROXY.format(
            port=self.port, auth=keystone.auth, secret=keystone.secret, **self.swift.facts))
