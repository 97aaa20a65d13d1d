"""One random sequence: its commands, their times, and the comparison with the model."""
import copy
import os
import pathlib
import random
import signal
import subprocess

from calendar_model import DAY, NS, next_boundary
from check import Wrong, check_hooks, check_log
from model import Model, Rules

PERIODS = [0, 7, 60, 300, 900, 3600, 7200, DAY, 7 * DAY]
# Time zones, and nights in which their clocks are put forward or back, in UTC.
NIGHTS = [
    ("UTC", 1_795_255_200),
    ("Europe/Berlin", 1_774_742_400),
    ("Europe/Berlin", 1_792_886_400),
    ("America/New_York", 1_772_949_600),
    ("America/New_York", 1_793_509_200),
    ("Australia/Lord_Howe", 1_775_312_100),
    ("Australia/Lord_Howe", 1_791_037_800),
    ("Asia/Kathmandu", 1_795_255_200),
]
TEMPLATES = [
    "{name}.{seq}",
    "{name}.{seq}.%Y-%m-%dT%H-%M-%S",
    "{name}.{seq}.%Y%m%dT%H%M",
    "{name}-%Y%m%dT%H%M%S-{seq}",
]


class Driver:
    def __init__(self, program, log):
        self.process = subprocess.Popen([str(program)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        self.log = log

    def do(self, command):
        """The lines before the answer, and the words of the answer."""
        if self.log:
            print(f">     {command}")
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        before = []
        while True:
            line = self.process.stdout.readline()
            if not line:
                raise Wrong(f"the driver has ended at {command!r}: {self.process.wait()}")
            if self.log:
                print(f"      {line.rstrip()}")
            words = line.split()
            if words[0] in ("ok", "error"):
                return before, words
            before.append(words)

    def end(self, kill=False):
        if kill:
            self.process.send_signal(signal.SIGKILL)
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


class Sequence:
    def __init__(self, seed, program, home, log):
        self.random = random.Random(seed)
        self.program, self.log = program, log
        self.directory, self.moved = home / "log", home / "moved"
        for path in (home, self.directory, self.moved):
            path.mkdir()
        self.model = Model()
        # The calls of one writer's hooks; and those of all writers so far.
        self.hooks, self.sessions = [], []
        self.lost, self.kills, self.set_back = 0, 0, False
        # A loss that no call has reported yet.
        self.unreported = False
        zone, night = self.random.choice(NIGHTS)
        self.zones = [zone, zone, self.random.choice(NIGHTS)[0]]
        self.now = (night + self.random.randrange(-3 * 3600, 3600)) * NS + self.random.randrange(NS)
        # Sizes and threads roll at times of their own: then the model predicts less.
        self.small = self.random.random() < 0.15
        self.background = self.random.random() < 0.1
        self.lazy = self.random.random() < 0.4
        self.mode = self.random.choice([0, 0, 1, 2, 2, 3])
        self.driver, self.rules = None, None
        self.rules = self.random_rules()

    @property
    def is_exact(self):
        return not self.small and not self.background

    def random_rules(self):
        if self.rules is not None and not self.is_exact:
            return self.rules
        pick = self.random.choice
        age = pick([0, 0, 0, 30_000, 5_400_000])
        return Rules(pick(PERIODS), pick(self.zones), pick(TEMPLATES), age, pick([0, 0, 0, 1, 5, 40]))

    def do(self, command):
        before, answer = self.driver.do(command)
        self.hooks.extend(words for words in before if words[0] in ("open", "close", "failure"))
        if answer[:2] == ["error", "-4"] and "away:" in answer and self.unreported:
            # The first call that is responsible for records that were lost with their file has done its work, and
            # reports the loss.
            self.unreported = False
            return 0
        if answer[0] == "error":
            raise Wrong(f"{command}: {' '.join(answer)}")
        return int(answer[1])

    def set_clock(self, now):
        self.set_back |= now < self.now
        self.now = now
        self.do(f"clock {now}")

    def open(self):
        if self.driver is None:
            self.driver = Driver(self.program, self.log)
        self.do(f"clock {self.now}")
        size = 64 << 10 if self.small else 0
        flags = f"{int(self.background)} {int(self.lazy)}"
        self.hooks = []
        self.sessions.append(self.hooks)
        self.do(f"open {self.rules.words()} {self.directory} {size} {self.mode} {self.moved} {flags}")
        self.model.open(self.now, copy.copy(self.rules))

    def append(self, command, count, large=False):
        expected = self.model.next_id
        first = self.do(command)
        if first != expected:
            raise Wrong(f"{command} at {self.now} was given the id {first}, not {expected}")
        self.model.append(self.now, count, large)
        if not self.lazy:
            self.model.written()

    def move_clock(self):
        choice = self.random.randrange(12)
        period = self.rules.period or 3600
        boundary = next_boundary(self.rules.zone, period, self.now // NS) * NS
        if choice < 3:
            self.set_clock(self.now + self.random.randrange(5 * NS))
        elif choice < 6:
            self.set_clock(boundary + self.random.choice([-NS, -1, 0, 1, NS, -NS // 2]))
        elif choice == 6:
            self.set_clock(self.now + self.random.randrange(3 * period) * NS)
        elif choice == 7:
            self.set_clock(self.now - NS * self.random.choice([1, 1, 2, 5]))
        elif choice == 8:
            self.set_clock(self.now - NS * self.random.choice([60, 900, 3600, 7000, DAY]))
        elif choice == 9:
            self.set_clock(self.now + NS * self.random.choice([1800, 3600, DAY]))
        elif choice == 10 and self.random.random() < 0.3:
            self.set_clock(self.now + NS * 2 * 365 * DAY)
        elif choice == 11 and self.random.random() < 0.3:
            self.set_clock(max(self.now - NS * 2 * 365 * DAY, 10**18))

    def moved_now(self):
        """The model learns which closed segments the hooks have moved away."""
        for segment in self.model.segments:
            if segment.ids:
                segment.is_moved = self.place_of(segment) == self.moved
        if self.model.segments and not self.model.last.ids:
            # A segment without a record is found by being the newest.
            self.model.last.is_moved = self.newest() == self.moved

    def place_of(self, segment):
        for words in reversed([words for session in self.sessions for words in session if words[0] == "close"]):
            if int(words[2]) <= segment.ids[0] < int(words[2]) + int(words[3]):
                return self.moved if (self.moved / words[4]).exists() else self.directory
        return self.directory

    def newest(self):
        closed = [words for session in self.sessions for words in session if words[0] == "close"]
        return self.moved if closed and (self.moved / closed[-1][4]).exists() else self.directory

    def close(self):
        self.do("close")
        self.model.close(self.now)
        check_hooks(self.hooks, self.mode)
        self.moved_now()

    def kill(self):
        self.do("flush")
        self.model.written()
        self.driver.end(kill=True)
        self.driver = None
        self.kills += 1
        self.moved_now()

    def step(self):
        choice = self.random.randrange(100)
        if choice < 35:
            self.move_clock()
        elif choice < 60:
            length = self.random.choice([8, 8, 100, 5000 if self.small else 200])
            self.append(f"append {length}", 1)
        elif choice < 68:
            count = self.random.choice([1, 2, 7, 60])
            self.append(f"batch {count} {self.random.choice([8, 300])}", count)
        elif choice < 70:
            self.append("append 200000", 1, large=True)
        elif choice < 74:
            self.do(self.random.choice(["flush", "sync"]))
            self.model.written()
        elif choice < 83:
            self.do("tick")
            self.model.tick(self.now)
        elif choice < 87:
            self.do("roll")
            self.model.roll(self.now)
        elif choice < 90:
            self.rules = self.random_rules()
            self.do(f"rules {self.rules.words()}")
            self.model.set_rules(self.now, copy.copy(self.rules))
        elif choice < 91 and self.is_exact and self.mode == 0:
            self.lose()
        elif choice < 97:
            self.close()
            self.reopen()
        else:
            self.kill()
            self.reopen()

    def lose(self):
        """The file that is being written is removed."""
        self.do("tick")
        self.model.tick(self.now)
        self.do("flush")
        self.model.written()
        active = (self.directory / "log.active").read_text().splitlines()[0]
        os.unlink(self.directory / active)
        self.unreported |= bool(self.model.last.ids)
        self.do("tick")
        self.model.lose(self.now)
        self.lost += 1

    def reopen(self):
        if self.random.random() < 0.5:
            self.rules = self.random_rules()
        if self.random.random() < 0.5:
            self.driver = self.driver or Driver(self.program, self.log)
            self.move_clock()
        self.open()

    def run(self):
        self.open()
        for _ in range(self.random.randrange(20, 70)):
            self.step()
        self.close()
        check_log(self)
        self.driver.end()
        return self.model.next_id - 1


def run_sequence(seed, program, home, log):
    sequence = Sequence(seed, program, pathlib.Path(home), log)
    try:
        return sequence.run()
    finally:
        if sequence.driver is not None and sequence.driver.process.poll() is None:
            sequence.driver.end(kill=True)
