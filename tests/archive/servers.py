#!/usr/bin/env python3
"""Starts real object stores on loopback for the tests of shipping, runs a command with them, and stops them again.

  servers.py run [--only s3,swift,keystone] [--keep] [-- COMMAND...]

Without a command, prints the variables that a command would see, and runs the servers until Ctrl-C. With --keep, their
directory (data, configuration, output) is left behind, and named.

  BINLOG_TEST_S3_URL        a bucket of versitygw
  BINLOG_TEST_SWIFT_URL     a container of OpenStack Swift, TempAuth
  BINLOG_TEST_SWIFT_S3_URL  the same container by Swift's own S3 API
  AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY            for both S3 servers
  ST_AUTH, ST_USER, ST_KEY                            for Swift
  BINLOG_TEST_SWIFT_KEYSTONE_URL, OS_AUTH_URL, OS_...  a container of a user that Keystone knows by a password
  BINLOG_TEST_APPLICATION_CREDENTIAL_ID               one of the same user; its secret is the password
  BINLOG_TEST_RCLONE                                  path of rclone, an independent client
  RCLONE_CONFIG_...                                   its remotes binlogs3:, binlogswift: and binlogswifts3:

The credentials are made up anew each time. The servers end with this process, even if it is killed.
"""

import argparse
import os
import secrets
import shlex
import shutil
import signal
import subprocess
import sys
import time

from keystone_server import Keystone
from processes import Failure, data_directory, die_with_parent, free_port
from s3_server import Gateway
from swift_server import KeystoneProxy, Swift
from tools import tool

USER = "binlog:archive"
# Keystone is slow, and only started on request.
DEFAULT = ("s3", "swift")
NAMES = (*DEFAULT, "keystone")
BUCKET = "binlog-test"


class Servers:
    """The requested servers; `with Servers(["s3"]) as servers:` starts and stops them."""

    def __init__(self, names=DEFAULT, keep=False, later=False):
        """With `later`, Keystone may still be starting until `wait_for_keystone` has returned."""
        self.keep, self.later = keep, later
        self.user, self.secret = USER, secrets.token_hex(16)
        self.directory = data_directory()
        self.s3 = Gateway(self.directory, self.user, self.secret) if "s3" in names else None
        self.swift = Swift(self.directory, self.user, self.secret) if {"swift", "keystone"} & set(names) else None
        self.keystone = self.keystone_proxy = None
        if "keystone" in names:
            self.keystone_proxy = KeystoneProxy(self.directory, self.swift, free_port())
            self.keystone = Keystone(self.directory, self.secret, self.keystone_proxy.endpoint)

    def __enter__(self):
        try:
            # Its remotes are in the environment.
            (self.directory / "rclone.conf").touch()
            # First, since it takes longest.
            if self.keystone:
                self.keystone.launch()
            for server in self.each():
                server.start()
                self.rclone("mkdir", f"binlog{server.name}:{BUCKET}")
            if self.keystone:
                self.keystone_proxy.configure(self.keystone)
                self.keystone_proxy.start()
                if not self.later:
                    self.wait_for_keystone()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for server in (self.keystone_proxy, self.keystone, *self.each()):
            if server:
                server.stop()
        if self.keep:
            print(f"servers: their files are in {self.directory}", file=sys.stderr)
        else:
            shutil.rmtree(self.directory, ignore_errors=True)

    def each(self):
        return [server for server in (self.s3, self.swift) if server]

    def wait_for_keystone(self):
        self.keystone.start()
        self.rclone("mkdir", f"binlogkeystone:{BUCKET}")

    def environment(self):
        """The variables that the tests and their programs see."""
        env = {"AWS_ACCESS_KEY_ID": self.user, "AWS_SECRET_ACCESS_KEY": self.secret,
               "BINLOG_TEST_RCLONE": str(tool("python/bin/rclone")),
               "RCLONE_CONFIG": str(self.directory / "rclone.conf"),
               # Requests to loopback must not go through a proxy of the environment.
               "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}

        def remote(name, **options):
            for key, value in options.items():
                env[f"RCLONE_CONFIG_{name.upper()}_{key.upper()}"] = value

        amazon = {"type": "s3", "env_auth": "true", "region": "us-east-1", "force_path_style": "true"}
        if self.s3:
            env["BINLOG_TEST_S3_URL"] = self.s3.url(BUCKET)
            remote("binlogs3", provider="Other", endpoint=self.s3.endpoint, **amazon)
        if self.swift:
            env["BINLOG_TEST_SWIFT_URL"] = self.swift.url(BUCKET)
            env["BINLOG_TEST_SWIFT_S3_URL"] = self.swift.s3_url(BUCKET)
            env.update(ST_AUTH=self.swift.auth, ST_USER=self.user, ST_KEY=self.secret)
            remote("binlogswift", type="swift", auth=self.swift.auth, user=self.user, key=self.secret)
            remote("binlogswifts3", provider="Other", endpoint=self.swift.endpoint, **amazon)
        if self.keystone:
            env["BINLOG_TEST_SWIFT_KEYSTONE_URL"] = f"swift://{BUCKET}/?auth={self.keystone.auth}"
            env.update(self.keystone.environment())
            remote("binlogkeystone", type="swift", auth=self.keystone.auth, user=self.keystone.user, key=self.secret,
                   tenant=self.keystone.project, domain="Default", tenant_domain="Default", auth_version="3")
        return env

    def rclone(self, *arguments, check=True):
        """Runs rclone; returns its output."""
        done = subprocess.run([tool("python/bin/rclone"), "--retries", "1", *map(str, arguments)], text=True,
                              capture_output=True, timeout=120, env={**os.environ, **self.environment()})
        if check and done.returncode != 0:
            raise Failure(f"rclone {shlex.join(map(str, arguments))}: {done.stderr.strip()}")
        return done.stdout


def run(names, keep, command):
    """Returns the command's exit status."""
    began = time.monotonic()
    with Servers(names, keep) as servers:
        env = servers.environment()
        print(f"servers: {', '.join(names)} after {time.monotonic() - began:.1f} s", file=sys.stderr)
        if not command:
            for key, value in sorted(env.items()):
                print(f"export {key}={shlex.quote(value)}")
            sys.stdout.flush()
            while True:
                signal.pause()
        child = subprocess.Popen(command, env={**os.environ, **env}, preexec_fn=die_with_parent)
        try:
            return child.wait()
        except BaseException:
            child.terminate()
            try:
                child.wait(10)
            except subprocess.TimeoutExpired:
                child.kill()
            raise


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(required=True)
    verb = verbs.add_parser("run", help="run a command with servers")
    verb.add_argument("--only", default=",".join(DEFAULT), help="comma separated: s3, swift, keystone (with swift)")
    verb.add_argument("--keep", action="store_true", help="leave the servers' directory behind")
    verb.add_argument("command", nargs="*")
    chosen = parser.parse_args()
    names = chosen.only.split(",")
    unknown = [name for name in names if name not in NAMES]
    if unknown:
        parser.error(f"no such server: {', '.join(unknown)}; there are {', '.join(NAMES)}")

    def end(number, _):
        # Once is enough: the stop must not be interrupted.
        for other in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(other, signal.SIG_IGN)
        raise SystemExit(128 + number)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, end)
    try:
        return run(names, chosen.keep, chosen.command)
    except Failure as e:
        print(f"servers: {e}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
