"""Segments that are damaged here, before and after they are shipped, by a shipper that is killed: nothing damaged is shipped as
whole, nothing is lost without being named, and newer segments stay here."""

import json
import random
import shutil
import time

import command
import logs
from processes import Failure
from proxy import Fault, Proxy
from scene import Scene

DAMAGES = ("bit", "cut", "trailer", "header", "empty", "removed", "removed", "removed")


def damage(path, kind, chance):
    data = bytearray(path.read_bytes())
    if kind == "removed":
        path.unlink()
        return
    if kind == "bit":
        data[chance.randrange(200, len(data))] ^= 1 << chance.randrange(8)
    elif kind == "cut":
        del data[chance.randrange(1, len(data)):]
    elif kind == "trailer":
        del data[-104:]
    elif kind == "header":
        data[chance.randrange(0, 60)] ^= 1 << chance.randrange(8)
    else:
        data.clear()
    path.write_bytes(data)


class Oracle:
    """Each closed segment as it was written, and what was done to it since. It knows only files and checksums."""

    def __init__(self, scene):
        self.scene, self.kept = scene, scene.work / "kept"
        self.kept.mkdir()
        # By the segment's name: what was done to the file here.
        self.done = {}
        # What was accepted, damaged or missing.
        self.accepted = set()

    def keep(self):
        """Keeps a copy of each segment that is closed by now."""
        for path in self.closed():
            if not (self.kept / path.name).exists() and path.name not in self.done:
                shutil.copy(path, self.kept / path.name)

    def closed(self):
        """Closed segments, without the one in which the writer continues."""
        return [path for path in logs.segments(self.scene.log) if path.name.startswith("default.")][:-1]

    def names(self):
        return sorted(path.name for path in self.kept.iterdir())

    def is_whole_here(self, name):
        path = self.scene.log / name
        return path.exists() and logs.digest(path) == logs.digest(self.kept / name)

    def there(self):
        """For each object, whether it is what was written."""
        names = [name for name in self.scene.remote.names() if name.startswith("default.")]
        return {name: self.scene.remote.read(name) == (self.kept / name).read_bytes() for name in names}

    def check(self):
        """At any moment: each segment is whole here or there, or was damaged here before it got there. Objects
        are whole, or were accepted as they are. Nothing after a segment that is nowhere whole is removed here."""
        there = self.there()
        for name, whole in there.items():
            if not whole and name not in self.accepted:
                raise Failure(f"{name} is in the store, and is not what was written ({self.done.get(name)})")
        lost = []
        for name in self.names():
            if self.is_whole_here(name) or there.get(name) or name in self.accepted:
                continue
            if name not in self.done:
                raise Failure(f"{name} is nowhere whole, although it was not damaged")
            lost.append(name)
        for name in self.names():
            if lost and name > lost[0] and not (self.scene.log / name).exists() and name not in self.done:
                raise Failure(f"{name} was removed here, behind {lost[0]}, which is nowhere whole")
        return lost

    def check_named(self, lost, done):
        """A run that came to its end names each segment that is nowhere whole, by its file or its number."""
        said = json.loads(done.stdout)
        for name in lost:
            number = str(int(name.split(".")[1]))
            named = [one for one in said["problems"] if name in one or f"segment {number} " in one
                     or in_range(one, int(number))]
            if not named:
                raise Failure(f"{name} ({self.done[name]}) is not named:\n{done}\n{said}")
        if lost and done.status != 3:
            raise Failure(f"{lost} are nowhere whole\n{done}")


def in_range(problem, number):
    words = problem.replace("segments ", "|").split("|")[1:]
    for word in words:
        first, to, last = (word.split(" ") + ["", ""])[:3]
        if to == "to" and first.isdigit() and last.isdigit() and int(first) <= number <= int(last):
            return True
    return False


def damaged(servers, kind, work, rounds, seconds):
    scene = Scene(servers, kind, "damaged", work)
    chance = random.Random(20261123)
    oracle = Oracle(scene)
    following = 1
    end = time.monotonic() + seconds
    number = 0
    with Proxy(scene.remote.address) as proxy:
        while number < rounds or time.monotonic() < end:
            number += 1
            for _ in range(chance.randint(1, 4)):
                following = logs.append(scene.log, following, 20, 300)
                command.run("roll", scene.log, "--name", "default").expect(0)
            oracle.keep()
            closed = [path for path in oracle.closed() if path.name not in oracle.done]
            # What the writer needs to continue stays as it is. A shipper has to assume that segments which were removed
            # before the first run were removed by retention rules.
            if number > 1 and len(closed) > 2 and chance.random() < 0.5:
                # Unshipped segments more often than shipped ones.
                path = chance.choice(closed[-4:-1] if chance.random() < 0.7 else closed[:-1])
                oracle.done[path.name] = chance.choice(DAMAGES)
                damage(path, oracle.done[path.name], chance)
            if chance.random() < 0.6:
                # Killed, or the server goes away in between.
                proxy.set(Fault("throttle", times=0, rate=2_000_000) if chance.random() < 0.7 else Fault("reset", times=3))
                child = scene.start("--keep-segments", "3", endpoint=proxy.url)
                time.sleep(chance.uniform(0, 0.4))
                child.kill()
                command.finish(child)
                proxy.set()
            lost = oracle.check()
            done = scene.ship("--json", "--keep-segments", "3", endpoint=proxy.url)
            lost = oracle.check()
            oracle.check_named(lost, done)
            # One of them is repaired: the right file is put back, or the loss is accepted.
            for name in lost[:1] if chance.random() < 0.5 else []:
                if chance.random() < 0.5:
                    shutil.copy(oracle.kept / name, scene.log / name)
                    del oracle.done[name]
                    continue
                path = scene.log / name
                if oracle.done[name] in ("header", "empty") or (path.exists() and not is_segment(path)):
                    # Nothing of it can be read: it is removed.
                    path.unlink()
                accepted = scene.ship("--json", "--keep-segments", "3", "--accept", str(int(name.split(".")[1])), endpoint=proxy.url)
                if accepted.status not in (0, 3):
                    raise Failure(f"{name} ({oracle.done[name]}) cannot be accepted\n{accepted}")
                oracle.accepted.add(name)
    # In the end, the store's answers, the files and what was done to them agree.
    lost = oracle.check()
    verified = scene.ship("--verify", "--read-back", "--json")
    said = json.loads(verified.stdout)
    wanted = {int(name.split(".")[1]) for name in lost}
    found = {number for problem in said["problems"] for number in range(problem["sequence"], problem["last_sequence"] + 1)
             if problem["kind"] in ("gap", "damaged", "missing", "different") or "is not shipped" in problem["message"]}
    if found != wanted:
        raise Failure(f"--verify finds {sorted(found)} wrong instead of {sorted(wanted)}\n{said}")
    for name, whole in oracle.there().items():
        if whole:
            command.run("verify", f"{scene.remote.url().split('?')[0]}/{name}?{scene.remote.url().split('?')[1]}",
                        env=scene.env).expect(0)


def is_segment(path):
    return command.run("info", path).status != 1


def checks(servers, kind, work, templates, soak):
    rounds, seconds = (100, 3600) if soak else (25, 0)
    yield (f"{kind}: segments damaged here, before and after they are shipped, and kill -9",
           lambda: damaged(servers, kind, work, rounds, seconds))
