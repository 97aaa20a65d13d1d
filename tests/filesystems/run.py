#!/usr/bin/env python3
"""Real file systems under the built library: what was acknowledged is there after a power cut, a full disk, and a
failure of the device below. Prints one line per check; exits with 1 if any failed. Needs root and loop devices;
names and skips what this machine does not permit.

    tests/filesystems/run.py           ten minutes, or BINLOG_FILESYSTEM_SECONDS
    tests/filesystems/run.py --quick   a failing device below an ext4, and a few power cuts: seconds

    BINLOG_LIB_DIR      where libbinlog.so is (default: target/release of this repository)
    BINLOG_INCLUDE_DIR  where binlog.h is (default: include of this repository)
    CC                  the compiler (default: cc)

Power is cut by the ioctl with which ext4 and XFS stop at once. Btrfs has none: its image is copied in one step while
the program writes, by a reflink on an XFS below, and the copy is mounted. A line of the program that was read before
the cut is a promise.
"""
import errno
import fcntl
import os
import pathlib
import random
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
POLICIES = ["none", "each-synced", "flushed", "bytes", "background", "rolling", "file"]
SHUTDOWN = 0x8004587D  # EXT4_IOC_SHUTDOWN and XFS_IOC_GOINGDOWN
MIB = 1 << 20
MKFS = {
    "ext4": (["mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0"], 64, "e2fsprogs"),
    "xfs": (["mkfs.xfs", "-q", "-f"], 320, "xfsprogs"),
    "btrfs": (["mkfs.btrfs", "-q", "-f"], 256, "btrfs-progs"),
}

passed, failed = 0, 0


def ok(what):
    global passed
    passed += 1
    print(f"ok    {what}", flush=True)


def fail(what, *why):
    global failed
    failed += 1
    print(f"FAIL  {what}", *[f"      {line}" for text in why for line in str(text).splitlines()], sep="\n", flush=True)


def skip(what):
    print(f"skip  {what}", flush=True)


def run(*command, **options):
    return subprocess.run([str(word) for word in command], check=True, capture_output=True, text=True, **options)


class Place:
    """A file system in an image."""

    def __init__(self, kind, image, where):
        self.kind, self.image, self.where, self.is_mounted = kind, image, where, False
        where.mkdir(exist_ok=True)

    def make(self, whole=False):
        command, size, _ = MKFS[self.kind]
        with open(self.image, "wb") as image:
            image.truncate(size * MIB)
        run(*command, self.image)
        if whole:
            # Allocates the zeros too, which the image leaves out.
            with open(self.image, "r+b") as image:
                os.posix_fallocate(image.fileno(), 0, size * MIB)
        return self

    def hollow(self):
        """Removes the blocks of free space from the image: a write there needs new space below, while the file system's
        own tables and journal have theirs."""
        filler = self.where / "filler"
        if not leave(self.where, filler, 4):
            return
        run("sync", "-f", self.where)
        for line in run("filefrag", "-v", "-b4096", filler).stdout.splitlines():
            words = line.replace(":", " ").replace("..", " ").split()
            if words and words[0].isdigit():
                first, last = int(words[3]), int(words[4])
                run("fallocate", "--punch-hole", "-o", first * 4096, "-l", (last - first + 1) * 4096, self.image)
        filler.unlink()
        run("sync", "-f", self.where)

    def mount(self):
        run("mount", "-o", "loop", self.image, self.where)
        self.is_mounted = True
        return self

    def umount(self):
        for _ in range(50):
            try:
                run("umount", self.where)
                break
            except subprocess.CalledProcessError as e:
                if "busy" not in e.stderr:
                    raise
                time.sleep(0.1)
        else:
            run("umount", "-l", self.where)
        self.is_mounted = False

    def cut(self, flag):
        at = os.open(self.where, os.O_RDONLY)
        try:
            fcntl.ioctl(at, SHUTDOWN, flag.to_bytes(4, sys.byteorder))
        finally:
            os.close(at)


class Tests:
    def __init__(self, work):
        self.work = work
        self.mounted = []
        library = pathlib.Path(os.environ.get("BINLOG_LIB_DIR", ROOT / "target/release")) / "libbinlog.so"
        include = os.environ.get("BINLOG_INCLUDE_DIR", ROOT / "include")
        for name in ["libbinlog.so", "libbinlog.so.0"]:
            (work / name).symlink_to(library.resolve(strict=True))
        strict = ["-std=c99", "-O1", "-g", "-Wall", "-Wextra", "-Wpedantic", "-Werror", f"-I{include}"]
        library = [f"-L{work}", f"-Wl,-rpath,{work}", "-lbinlog", "-lpthread"]
        compiler = os.environ.get("CC", "cc")
        subprocess.run([compiler, *strict, "-o", work / "workload", HERE / "workload.c", *library], check=True)
        self.ledger = work / "ledger"

    def place(self, kind, store=None):
        place = Place(kind, (store or self.work) / f"{kind}.img", self.work / f"{kind}.mounted")
        self.mounted.append(place)
        return place

    def clean_up(self):
        for place in reversed(self.mounted):
            if place.is_mounted:
                place.umount()

    def log(self, place, policy):
        return place.where / ("log.binlog" if policy == "file" else "log")

    def start(self, place, policy, sessions):
        command = [self.work / "workload", "run", self.log(place, policy), policy, str(sessions)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)

    def check(self, place, policy, name):
        """Compares what is left with the ledger; returns a summary, or None when a promise was broken."""
        command = [self.work / "workload", "check", self.log(place, policy), self.ledger]
        checked = subprocess.run(command, capture_output=True, text=True, timeout=120)
        if checked.returncode == 0:
            return checked.stdout.strip()
        there = sorted(f"{path.name} {path.stat().st_size}" for path in place.where.rglob("*") if path.is_file())
        fail(name, checked.stderr, *self.ledger.read_text().splitlines()[-6:], *there[-8:])
        return None

    def one_cut(self, place, policy, cut, after):
        """Lets the program write, and cuts the power when so many milliseconds have passed since its first record is durable."""
        writer = self.start(place, policy, 0)
        pipe = writer.stdout.fileno()
        os.set_blocking(pipe, False)
        text, until = b"", None
        while until is None or time.monotonic() < until:
            left = 5 if until is None else until - time.monotonic()
            if not select.select([pipe], [], [], max(0, left))[0] and until is None:
                break
            text += read(pipe)
            if until is None and b"durable" in text:
                until = time.monotonic() + after / 1000
            if writer.poll() is not None:
                break
        text += read(pipe)
        promised = text[: text.rfind(b"\n") + 1]
        cut()
        if writer.poll() is None:
            try:
                writer.wait(timeout=0.2)
            except subprocess.TimeoutExpired:
                writer.kill()
        os.set_blocking(pipe, True)
        rest = (text[len(promised):] + writer.stdout.read()).splitlines(keepends=True)
        writer.wait()
        # What came later was not promised, but may be there.
        later = b"".join(line for line in rest if line.startswith(b"taken") and line.endswith(b"\n"))
        self.ledger.write_bytes(promised + later)

    def power_cuts(self, kind, seconds, most=1 << 30):
        """Cuts the power of an ext4 or XFS again and again."""
        chance = random.Random(kind)
        place = self.place(kind).make().mount()
        until, cuts, refused, records = time.monotonic() + seconds, 0, 0, 0
        while time.monotonic() < until and cuts < most:
            policy, flag = POLICIES[cuts % len(POLICIES)], chance.choice([1, 2, 2])
            name = f"{kind}: power cut {cuts}, policy {policy}, flag {flag}"
            self.one_cut(place, policy, lambda: place.cut(flag), chance.choice([0, 3, 20, 80, 200]))
            place.umount()
            place.mount()
            found = self.check(place, policy, name)
            if found is None:
                return
            cuts, refused, records = cuts + 1, refused + found.endswith("refused"), records + int(found.split()[0])
            remove(self.log(place, policy))
        place.umount()
        ok(f"{kind}: {cuts} power cuts, {records} durable records, {refused} logs rightly refused")

    def copies(self, seconds):
        """The same for btrfs, by copies of its image on an XFS."""
        chance = random.Random("btrfs")
        below = Place("xfs", self.work / "below.img", self.work / "below")
        self.mounted.append(below)
        command, _, _ = MKFS["xfs"]
        with open(below.image, "wb") as image:
            image.truncate(2048 * MIB)
        run(*command, below.image)
        below.mount()
        until, cuts, records, refused = time.monotonic() + seconds, 0, 0, 0
        while time.monotonic() < until:
            place = self.place("btrfs", below.where).make().mount()
            copy = Place("btrfs", below.where / "copy.img", self.work / "copy.mounted")
            self.mounted.append(copy)
            for _ in range(8):
                policy = POLICIES[cuts % len(POLICIES)]
                cut = lambda: run("cp", "--reflink=always", place.image, copy.image)  # noqa: E731
                self.one_cut(place, policy, cut, chance.choice([0, 3, 20, 80, 200]))
                # Two of one number are not mounted beside each other.
                place.umount()
                copy.mount()
                found = self.check(copy, policy, f"btrfs: copy {cuts}, policy {policy}")
                copy.umount()
                if found is None:
                    return
                cuts, refused, records = cuts + 1, refused + found.endswith("refused"), records + int(found.split()[0])
                copy.image.unlink()
                place.mount()
                remove(self.log(place, policy))
            place.umount()
        below.umount()
        ok(f"btrfs: {cuts} copies of its image, {records} durable records, {refused} logs rightly refused")

    def failing_store(self, kind, policy, late):
        """The device below fails for a while: the disk that its image is on is full. `late`: a writer opens the log meanwhile too."""
        name = f"{kind}: the device below fails, policy {policy}{', and the next writer meets that' if late else ''}"
        store = self.work / "store"
        store.mkdir(exist_ok=True)
        size = MKFS[kind][1]
        run("mount", "-t", "tmpfs", "-o", f"size={size + 1}m", "tmpfs", store)
        below = Place("tmpfs", None, store)
        below.is_mounted = True
        self.mounted.append(below)
        # On btrfs, which writes nothing in its place, its own tables fail too.
        place = self.place(kind, store).make(whole=kind != "btrfs").mount()
        if kind != "btrfs":
            place.hollow()
        lines = self.session(place, policy, 2)
        run("sync", "-f", place.where)
        fill(store / "ballast")
        lines += self.session(place, policy, 0, ends=3)
        if late:
            lines += self.session(place, policy, 0, ends=3)
        (store / "ballast").unlink()
        lines += self.session(place, policy, 2, ends=None)
        self.ledger.write_bytes(lines)
        # In an orderly way, so that everything that the system has is written.
        place.umount()
        place.mount()
        found = self.check(place, policy, name)
        place.umount()
        below.umount()
        if found is not None:
            errors = lines.count(b"\nerror ")
            went_on = lines.rfind(b"\ndurable") > lines.rfind(b"\nerror ")
            ok(f"{name}: {found}, {errors} errors{'' if went_on else ', the file system has stopped'}")

    def session(self, place, policy, sessions, ends=0):
        """The ledger of a program that writes until it is done or a call has failed."""
        writer = self.start(place, policy, sessions)
        try:
            text, _ = writer.communicate(timeout=120)
        except subprocess.TimeoutExpired:
            writer.kill()
            text, _ = writer.communicate()
            raise AssertionError(f"{place.kind}, {policy}: hangs: {text[-300:]!r}")
        if ends is not None and writer.returncode != ends:
            raise AssertionError(f"{place.kind}, {policy}: ended with {writer.returncode}, not {ends}: {text[-300:]!r}")
        return text

    def full_disk(self, kind, policy):
        """The disk is full, and has space again: the next writer continues."""
        name = f"{kind}: full, policy {policy}"
        place = self.place(kind).make().mount()
        ballast = place.where / "ballast"
        if not leave(place.where, ballast, 4):
            skip(f"{name}: it cannot be filled")
        else:
            lines = self.session(place, policy, 0, ends=3)
            ballast.unlink()
            run("sync", "-f", place.where)
            lines += self.session(place, policy, 2)
            self.ledger.write_bytes(lines)
            place.umount()
            place.mount()
            found = self.check(place, policy, name)
            if found is not None:
                ok(f"{name}: {found}")
        place.umount()


def read(pipe):
    text = b""
    while True:
        try:
            chunk = os.read(pipe, 1 << 16)
        except BlockingIOError:
            return text
        if not chunk:
            return text
        text += chunk


def remove(path):
    shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


def fill(path):
    """Writes a file until there is no space left."""
    with open(path, "wb", buffering=0) as file:
        for size in [MIB, 4096]:
            try:
                while True:
                    file.write(b"\xAA" * size)
            except OSError as e:
                if e.errno != errno.ENOSPC:
                    raise


def leave(where, ballast, mib):
    """Fills a file system except for some MiB."""
    facts = os.statvfs(where)
    bytes_ = facts.f_bavail * facts.f_frsize - mib * MIB
    try:
        with open(ballast, "wb") as file:
            os.posix_fallocate(file.fileno(), 0, bytes_)
    except OSError:
        return False
    run("sync", "-f", where)
    return True


def available(kind):
    """Whether the kernel knows the file system, and its tools are there or can be installed."""
    def is_known():
        return f"\t{kind}\n" in pathlib.Path("/proc/filesystems").read_text()
    if not is_known():
        subprocess.run(["modprobe", kind], capture_output=True)
    if not is_known():
        return skip(f"{kind}: this kernel has none")
    command, _, package = MKFS[kind]
    if not shutil.which(command[0]) and shutil.which("apt-get"):
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for words in [["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", package]]:
            subprocess.run(["apt-get", *words], capture_output=True, env=environment)
    if not shutil.which(command[0]):
        return skip(f"{kind}: there is no {command[0]} (package {package})")
    return True


def main(words):
    os.environ["PATH"] += ":/sbin:/usr/sbin"
    if os.geteuid() != 0:
        skip("real file systems: mounting needs root")
        return 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    work = pathlib.Path(tempfile.mkdtemp(prefix="binlog-filesystems-"))
    tests = None
    try:
        tests = Tests(work)
        try:
            run("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", (work / "try"), cwd=(work / "try").mkdir() or work)
            run("umount", work / "try")
        except subprocess.CalledProcessError:
            skip("real file systems: mounting is not permitted here")
            return 0
        kinds = [kind for kind in (["ext4"] if "--quick" in words else MKFS) if available(kind)]
        if "--quick" in words:
            for kind in kinds:
                tests.failing_store(kind, "flushed", False)
                tests.failing_store(kind, "none", True)
                tests.power_cuts(kind, 20, most=7)
        else:
            seconds = int(os.environ.get("BINLOG_FILESYSTEM_SECONDS", "600"))
            for kind in kinds:
                for policy in POLICIES:
                    tests.full_disk(kind, policy)
                    for late in [False, True]:
                        tests.failing_store(kind, policy, late)
            for kind in kinds:
                share = max(5, (seconds - 60) / len(kinds))
                tests.copies(share) if kind == "btrfs" else tests.power_cuts(kind, share)
    except (subprocess.CalledProcessError, AssertionError) as e:
        fail("the tests themselves", e, getattr(e, "stderr", ""))
    finally:
        if tests is not None:
            tests.clean_up()
        shutil.rmtree(work, ignore_errors=True)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
