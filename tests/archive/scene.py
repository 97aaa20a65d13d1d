"""One log, one place in a store, and what must hold for both at every moment."""

import shutil
from pathlib import Path

import command
import logs
from processes import Failure
from remotes import remote

# Short waits: waiting longer does not end the fault of a test.
QUICK = ("--quiet", "--patience=20s", "--timeout=3s", "--part-size=5MiB")


class Scene:
    """A directory with a log named default and foreign files, and a prefix of a bucket with a foreign object.

    The prefix is new for each scene."""

    def __init__(self, servers, kind, name, work, template=None, records=0):
        self.servers, self.kind, self.records = servers, kind, records
        self.work = Path(work) / f"{kind} {name}"
        self.work.mkdir()
        self.env = servers.environment()
        self.log = self.work / "log"
        self.remote = remote(servers, kind, f"tests/{name.replace(' ', '-')}")
        if template:
            shutil.copytree(template, self.log)
        else:
            self.log.mkdir()
        self.foreign = {"notes.txt": b"mine", "default.0000000001.binlog.bak": b"a copy", "default.txt": b"not a segment"}
        for file, data in self.foreign.items():
            (self.log / file).write_bytes(data)
        # Another log in the same directory, of one segment.
        logs.append(self.log, 1, 3, 100, "--name", "other")
        self.other = (self.log / "other.0000000001.binlog").read_bytes()
        self.strangers = {"notes.txt": b"theirs"}
        for name, data in self.strangers.items():
            self.remote.put(name, data, self.work)
        self.snapshots = 0
        self.most = 0
        self.uploaded = {}

    def ship(self, *options, endpoint=None, env=None, seconds=command.SECONDS):
        return command.finish(self.start(*options, endpoint=endpoint, env=env), seconds)

    def start(self, *options, endpoint=None, env=None):
        # The caller's options replace the defaults.
        given = [option.split("=")[0] for option in map(str, options)]
        quick = [option for option in QUICK if option.split("=")[0] not in given]
        return command.start("ship", *quick, "--log", "default", *options, self.log, self.remote.url(endpoint),
                             env={**self.env, **(env or {})})

    def copies(self):
        """Copies of both sides: first of the local one, since what is removed there is in the store before."""
        self.snapshots += 1
        local, there = (self.work / f"{side} {self.snapshots}" for side in ("local", "remote"))
        local.mkdir()
        for path in logs.segments(self.log):
            if not path.name.startswith("default."):
                continue
            try:
                shutil.copy(path, local / path.name)
            except FileNotFoundError:
                # Pruned meanwhile: then it is in the store.
                continue
        self.remote.fetch(there)
        for name in self.strangers:
            (there / name).unlink(missing_ok=True)
        return local, there

    def check(self):
        """The oracle: every record that was seen before is in a whole file, here or there; nothing that does not belong
        to the log has been touched; an object, once there, does not change. For moments without a writer. Returns the
        number of records held."""
        self.untouched()
        local, there = self.copies()
        for name, sum_before in self.uploaded.items():
            if not (there / name).exists():
                raise Failure(f"the object {name} was there and is not any longer")
            if logs.digest(there / name) != sum_before:
                raise Failure(f"the object {name} was written over")
        self.uploaded = {path.name: logs.digest(path) for path in there.iterdir()}
        foreign = [path.name for path in there.iterdir() if not path.name.startswith("default.")]
        if foreign:
            raise Failure(f"objects {foreign} have come from nowhere")
        held = logs.held(local, there, self.work / "union")
        if held < max(self.most, self.records):
            raise Failure(f"{held} records are in whole files, here or there, where there were {max(self.most, self.records)}")
        self.most = held
        shutil.rmtree(local)
        shutil.rmtree(there)
        return held

    def untouched(self):
        for file, data in self.foreign.items():
            if (self.log / file).read_bytes() != data:
                raise Failure(f"{file}, which is not the log's, is another one")
        if (self.log / "other.0000000001.binlog").read_bytes() != self.other:
            raise Failure("another log in the directory is another one")
        for name, data in self.strangers.items():
            if self.remote.read(name) != data:
                raise Failure(f"the object {name}, which is a stranger's, is another one")

    def arrived(self, records=None, may_be_left=False):
        """All records are in the store, read from there by binlog, and by rclone's copy of it; there are no
        leftovers."""
        records = self.records if records is None else records
        self.check()
        there = self.work / "there"
        self.servers.rclone("copy", self.remote.rclone_path, there)
        for name in self.strangers:
            (there / name).unlink()
        logs.verify(there)
        count = logs.count_of(logs.archived(command.run("cat", there)))
        if count != records:
            raise Failure(f"rclone finds {count} records in the store instead of {records}")
        shutil.rmtree(there)
        if not may_be_left and (left := self.remote.unfinished()):
            raise Failure(f"uploads were left behind: {left}")
        self.no_leftovers()

    def read_there(self, records=None):
        """Reads the log directly from the store."""
        records = self.records if records is None else records
        done = command.run("cat", self.remote.url(), env=self.env)
        if (count := logs.count_of(logs.archived(done))) != records:
            raise Failure(f"binlog cat URL shows {count} records instead of {records}")

    def no_leftovers(self):
        known = {file for name in ("default", "other") for file in (f"{name}.lock", f"{name}.archive", f".{name}.archive.lock", f".{name}.archive.stores")}
        left = [path.name for path in self.log.iterdir()
                if path.name not in known | set(self.foreign) and not path.name.endswith(logs.SUFFIX)]
        if left:
            raise Failure(f"files were left behind here: {left}")

    def local_names(self):
        return [path.name for path in logs.segments(self.log) if path.name.startswith("default.")]
