"""The identity of the server, by its certificate; and that of the client, by the metadata of the instance on which it
runs."""

import json
import shutil
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import command
import logs
from outside import says
from processes import Failure
from s3_server import Gateway
from tools import HERE, tool


def https(servers, work, template, records):
    """Nothing is sent to a server whose certificate is not trusted, is for another name or has expired."""
    directory = Path(work) / "https"
    directory.mkdir()
    subprocess.run([tool("python/bin/python"), HERE / "certificates.py", directory], check=True)
    log = directory / "log"
    shutil.copytree(template, log)
    no_authority = directory / "empty.pem"
    no_authority.touch()

    def stored():
        return [path.name for path in (directory / "data").rglob("*.binlog")]

    def ship(certificate, authority):
        gateway = Gateway(directory, servers.user, servers.secret, directory / "data", directory / certificate)
        try:
            gateway.start()
            (gateway.data / "safe").mkdir(exist_ok=True)
            url = gateway.url("safe", "logs")
            env = {**servers.environment(), "SSL_CERT_FILE": str(authority)}
            done = command.run("ship", "--quiet", "--patience=2s", "--part-size=5MiB", log, url, env=env)
            return done, command.run("cat", url, env=env)
        finally:
            gateway.stop()

    for certificate, authority, word in (("server", "stranger.pem", "unknown"), ("server", "empty.pem", "certificate"),
                                         ("other", "ca.pem", "name"), ("past", "ca.pem", "expired")):
        done, shown = ship(certificate, directory / authority)
        says(done.expect(1), "certificate", word)
        says(shown.expect(1), "certificate")
        if there := stored():
            raise Failure(f"{there} went to a server with the certificate {certificate!r}, trusting {authority}")
    done, shown = ship("server", directory / "ca.pem")
    done.expect(0)
    if (count := logs.count_of(logs.archived(shown.expect(0)))) != records:
        raise Failure(f"{count} records were read over HTTPS instead of {records}")


class Instance(BaseHTTPRequestHandler):
    """The metadata service of an instance at Amazon, version 2, as documented: a token for a PUT, then the name of the
    role and its credentials for the token."""

    def answer(self, status, text):
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def do_PUT(self):
        asked = self.path == "/latest/api/token" and self.headers["X-aws-ec2-metadata-token-ttl-seconds"]
        self.answer(200 if asked else 404, self.server.token if asked else "")

    def do_GET(self):
        roles = "/latest/meta-data/iam/security-credentials/"
        if self.headers["X-aws-ec2-metadata-token"] != self.server.token:
            return self.answer(401, "")
        if self.path == roles:
            return self.answer(200, "archivist")
        if self.path != roles + "archivist":
            return self.answer(404, "")
        self.server.asked += 1
        user, secret = self.server.credentials
        return self.answer(200, json.dumps({
            "Code": "Success", "Type": "AWS-HMAC", "AccessKeyId": user, "SecretAccessKey": secret, "Token": "",
            "LastUpdated": "2026-01-01T00:00:00Z", "Expiration": "2199-01-01T00:00:00Z"}))

    def log_message(self, *_):
        pass


def instance(servers, work, template, records):
    """Without credentials in the environment or a file, those of the instance's role are used."""
    log = Path(work) / "instance log"
    shutil.copytree(template, log)
    service = ThreadingHTTPServer(("127.0.0.1", 0), Instance)
    service.token, service.asked = "a token of the instance", 0
    service.credentials = (servers.user, servers.secret)
    threading.Thread(target=service.serve_forever, daemon=True).start()
    try:
        env = {**servers.environment(), "AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "",
               "AWS_EC2_METADATA_SERVICE_ENDPOINT": f"http://127.0.0.1:{service.server_port}"}
        url = servers.s3.url("binlog-test", "instance")
        command.run("ship", "--quiet", "--patience=2s", "--part-size=5MiB", log, url, env=env).expect(0)
        if (count := logs.count_of(logs.archived(command.run("cat", url, env=env).expect(0)))) != records:
            raise Failure(f"{count} records are there instead of {records}")
        if not 1 <= service.asked <= 2:
            raise Failure(f"two processes asked the instance {service.asked} times for its credentials")
        # With that variable, the service is not asked.
        refused = command.run("cat", url, env={**env, "AWS_EC2_METADATA_DISABLED": "true"})
        says(refused.expect(1, 2), "aws_access_key_id")
        # A role that the server does not know is reported, and not requested again and again.
        service.credentials = (servers.user, "another secret")
        says(command.run("ship", "--quiet", "--patience=2s", "--verify", log, url, env=env).expect(1), "40")
    finally:
        service.shutdown()


def checks(servers, work, templates):
    yield "s3: https, and certificates that are not good", lambda: https(servers, work, *templates["small"])
    yield "s3: credentials of the instance", lambda: instance(servers, work, *templates["small"])
