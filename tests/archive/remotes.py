"""The contents of a store, seen without binlog: by the gateway's directory, by Swift's own API, by rclone."""

import json
import re
import urllib.parse
from pathlib import Path

from processes import Failure, request


# Files beside the segments whose names are labels.
LABEL = re.compile(r".*\.(id-[0-9a-f]{32}|pruned-[0-9]{10,}|catalog-[0-9]{10,}-[0-9]{10,})")


def without_labels(names):
    return sorted(name for name in names if not LABEL.fullmatch(name))


class S3Remote:
    """A prefix of a bucket of the gateway, which keeps objects as files."""

    kind = "s3"

    def __init__(self, servers, bucket, prefix):
        self.servers, self.bucket, self.prefix = servers, bucket, prefix
        self.directory = servers.s3.data / bucket / prefix
        self.address = ("127.0.0.1", servers.s3.port)
        self.rclone_path = f"binlogs3:{bucket}/{prefix}"

    def url(self, endpoint=None):
        return self.servers.s3.url(self.bucket, self.prefix, endpoint)

    def names(self):
        if not self.directory.is_dir():
            return []
        return without_labels(path.name for path in self.directory.iterdir() if path.is_file())

    def read(self, name):
        return (self.directory / name).read_bytes()

    def put(self, name, data, scratch):
        path = Path(scratch) / "to be put"
        path.write_bytes(data)
        self.servers.rclone("copyto", path, f"{self.rclone_path}/{name}")
        path.unlink()

    def unfinished(self):
        """Uploads in parts that were begun and neither completed nor given up."""
        listed = self.servers.rclone("backend", "list-multipart-uploads", f"binlogs3:{self.bucket}")
        uploads = json.loads(listed).get(self.bucket) or []
        return [upload for upload in uploads if upload["Key"].startswith(self.prefix + "/")]

    def fetch(self, directory):
        """A copy of all objects."""
        Path(directory).mkdir()
        for name in self.names():
            (Path(directory) / name).write_bytes(self.read(name))
        return directory


class SwiftRemote(S3Remote):
    """A prefix of a container of Swift."""

    kind = "swift"

    def __init__(self, servers, bucket, prefix):
        self.servers, self.bucket, self.prefix = servers, bucket, prefix
        self.address = ("127.0.0.1", servers.swift.ports["proxy"])
        self.rclone_path = f"binlogswift:{bucket}/{prefix}"
        self.storage, self.token = servers.swift.session()

    def url(self, endpoint=None):
        return self.servers.swift.url(self.bucket, self.prefix, endpoint)

    def listed(self, container, prefix):
        query = urllib.parse.urlencode({"format": "json", "prefix": prefix})
        status, _, body = request("GET", f"{self.storage}/{container}?{query}", self.token)
        if status == 404:
            return []
        if status != 200:
            raise Failure(f"Swift answers the list of {container} with {status}")
        return [found["name"] for found in json.loads(body)]

    def names(self):
        begin = f"{self.prefix}/"
        return without_labels(name.removeprefix(begin) for name in self.listed(self.bucket, begin))

    def read(self, name):
        path = urllib.parse.quote(f"{self.bucket}/{self.prefix}/{name}")
        status, _, body = request("GET", f"{self.storage}/{path}", self.token)
        if status != 200:
            raise Failure(f"Swift answers {name} with {status}")
        return body

    def unfinished(self):
        """Parts of large objects that no manifest names."""
        parts = set(self.listed(f"{self.bucket}_segments", f"{self.prefix}/"))
        for name in self.names():
            path = urllib.parse.quote(f"{self.bucket}/{self.prefix}/{name}")
            status, headers, body = request("GET", f"{self.storage}/{path}?multipart-manifest=get", self.token)
            if status == 200 and headers.get("X-Static-Large-Object"):
                parts -= {part["name"].removeprefix(f"/{self.bucket}_segments/") for part in json.loads(body)}
        return sorted(parts)


def remote(servers, kind, prefix, bucket="binlog-test"):
    return {"s3": S3Remote, "swift": SwiftRemote}[kind](servers, bucket, prefix)
