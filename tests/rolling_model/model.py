"""The records of each segment, according to the rules of docs/rolling.md. The model takes nothing from the library but
its rules; calendar_model gives the beginnings of periods."""
from dataclasses import dataclass, field

from calendar_model import NS, next_boundary

# A clock that is set back by at most this, or a quarter of the period, jitters.
JITTER = 10 * NS
NEVER = 1 << 62


@dataclass
class Rules:
    period: int = 0
    zone: str = "UTC"
    template: str = "{name}.{seq}"
    age_ms: int = 0
    records: int = 0

    def words(self):
        return f"{self.period} {self.zone} {self.template} {self.age_ms} {self.records}"

    def recorded(self):
        """The rules that a segment's header records."""
        return (self.period, "" if self.zone == "UTC" else self.zone, self.template)

    def begun(self, begun, now):
        jitter = min(self.period * NS // 4, JITTER) if self.period else 0
        return now if now < begun - jitter else begun

    def is_over(self, begun, now):
        begun = self.begun(begun, now)
        boundary = next_boundary(self.zone, self.period, begun // NS) * NS if self.period else NEVER
        return now >= min(boundary, begun + self.age_ms * 1_000_000 if self.age_ms else NEVER)


@dataclass
class Segment:
    created: int
    rules: tuple
    ids: list = field(default_factory=list)
    # The time of the last writing, as the library's own events and the last block of records state it.
    clock: int = 0
    records: int = None
    is_moved: bool = False
    is_closed: bool = False
    is_lost: bool = False


class Model:
    def __init__(self):
        self.segments = []
        self.next_id = 1
        self.rules = None
        self.begun = 0
        # Times of the records that wait in memory.
        self.waiting = []

    @property
    def last(self):
        return self.segments[-1]

    def begin(self, now):
        self.written()
        self.segments.append(Segment(now, self.rules.recorded(), clock=now))
        self.begun = now

    def written(self):
        if self.waiting:
            self.last.records = max(self.waiting)
            self.waiting = []

    def open(self, now, rules):
        self.rules = rules
        if not self.segments or self.last.is_moved:
            self.begin(now)
            return
        last = self.last
        begun = rules.begun(last.created, last.clock)
        if rules.begun(begun, now) != begun and last.records is not None and last.records <= now:
            begun = rules.begun(begun, last.records)
        is_full = rules.records and last.ids and len(last.ids) + 1 > rules.records
        if last.rules != rules.recorded() or rules.is_over(begun, now) or is_full:
            last.is_closed = True
            self.begin(now)
            return
        last.is_closed = False
        last.clock = now
        self.begun = rules.begun(begun, now)

    def append(self, now, count, large=False):
        rules, last = self.rules, self.last
        is_full = rules.records and last.ids and len(last.ids) + count > rules.records
        if rules.is_over(self.begun, now) or is_full:
            self.begin(now)
        else:
            self.begun = rules.begun(self.begun, now)
        if large:
            self.written()
        self.last.ids.extend(range(self.next_id, self.next_id + count))
        self.next_id += count
        self.waiting.extend([now] * count)
        if large:
            self.written()

    def tick(self, now):
        if not self.last.ids:
            return
        if self.rules.is_over(self.begun, now):
            self.begin(now)
            return
        begun = self.rules.begun(self.begun, now)
        if begun != self.begun and self.rules.records and len(self.last.ids) + 1 > self.rules.records:
            # It checks all rules when the clock was set back.
            self.begin(now)
        self.begun = begun if self.last.ids else self.begun

    def roll(self, now):
        self.written()
        if self.last.ids:
            self.begin(now)

    def set_rules(self, now, rules):
        self.rules = rules
        self.begin(now)

    def lose(self, now):
        """The file that is being written was removed, and the writer notices it."""
        self.written()
        self.last.is_lost = True
        self.begin(now)

    def close(self, now):
        self.written()
        self.last.clock = now
        self.last.is_closed = True

    def kept(self):
        """The ids of each segment that holds a record, in the order of writing."""
        return [segment.ids for segment in self.segments if segment.ids and not segment.is_lost]
