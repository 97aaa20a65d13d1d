"""What must hold for a log, for its files' names, and for the calls of its hooks."""
import os
import re

from calendar_model import EPOCH, NS, floor, next_boundary, wall

PARTS = {"%Y": r"(?P<Y>\d{4})", "%m": r"(?P<m>\d\d)", "%d": r"(?P<d>\d\d)", "%H": r"(?P<H>\d\d)", "%M": r"(?P<M>\d\d)", "%S": r"(?P<S>\d\d)"}


class Wrong(Exception):
    """The library did something other than it should."""


def check_hooks(hooks, mode):
    """In the order of segments, once each, with failures where hooks fail."""
    opened = [int(words[1]) for words in hooks if words[0] == "open"]
    closed = [int(words[1]) for words in hooks if words[0] == "close"]
    for what, numbers in (("opened", opened), ("closed", closed)):
        if any(b <= a for a, b in zip(numbers, numbers[1:])):
            raise Wrong(f"hooks were not called in the order of segments: {what} {numbers}")
    lost = sum(1 for words in hooks if words[0] == "failure" and "away:" in words)
    failures = sum(1 for words in hooks if words[0] == "failure") - lost
    expected = sum(1 for number in closed if mode == 3 or (mode == 2 and number % 3 == 0))
    if failures != expected:
        raise Wrong(f"{failures} failures were reported, and {expected} hooks have failed: {hooks}")
    # A segment that was closed before it was continued is not closed again by a writer that begins with another one.
    missing = set(opened) - set(closed)
    if len(missing) != lost:
        raise Wrong(f"for the segments {sorted(missing)} no hook was called when they were closed, and {lost} were lost")


def check_log(sequence):
    """Everything together, wherever the hooks have left it, is one log without a gap except for what was removed."""
    for name in os.listdir(sequence.moved):
        if (sequence.directory / name).exists():
            raise Wrong(f"{name} is there twice")
        os.rename(sequence.moved / name, sequence.directory / name)
    lines, answer = sequence.driver.do(f"show {sequence.directory}")
    if answer[0] == "error":
        raise Wrong(f"a strict reader says: {' '.join(answer)}")
    segments = [(int(w[1]), int(w[2]), int(w[3]), w[4]) for w in lines if w[0] == "segment"]
    records = [(int(w[1]), int(w[2]), int(w[3])) for w in lines if w[0] == "record"]
    model = sequence.model
    ids = [record[0] for record in records]
    lost = {id for segment in model.segments if segment.is_lost for id in segment.ids}
    expected = [id for id in range(1, model.next_id) if id not in lost]
    if ids != expected:
        raise Wrong(f"the reader shows {brief(ids)}, not {brief(expected)}")
    for id, time, then in records:
        if time != then:
            raise Wrong(f"record {id} was appended at {then}, and has the time {time}")
    if any(b[0] <= a[0] for a, b in zip(segments, segments[1:])):
        raise Wrong(f"numbers are no order: {[segment[0] for segment in segments]}")
    parts = split(segments, ids)
    if sequence.is_exact:
        found = [part for part in parts if part]
        if found != model.kept():
            raise Wrong(f"the segments hold {list(map(brief, found))}, and by the rules {list(map(brief, model.kept()))}")
    names = [segment[3] for segment in segments]
    if all(re.match(r"log\.\d{10}", name) for name in names) and sorted(names) != names:
        raise Wrong(f"names do not sort in the order of writing: {names}")
    times = {id: then for id, _, then in records}
    rules = {segment.ids[0]: segment.rules for segment in model.segments if segment.ids}
    for (_, _, created, name), part in zip(segments, parts):
        if part:
            # Where the model does not say which segment a record is in, all have the same rules.
            recorded = rules[part[0]] if sequence.is_exact else sequence.rules.recorded()
            check_segment(created, name, [times[id] for id in part], recorded, sequence.set_back)


def check_segment(created, name, times, rules, set_back):
    period, zone, template = rules
    zone = zone or "UTC"
    shown = named_time(template, name)
    if shown is not None and not fits(shown, created, zone, period):
        raise Wrong(f"{name} was begun when the clock of {zone} showed {wall(zone, created // NS)}, another period")
    if not period:
        return
    end = next_boundary(zone, period, created // NS) * NS
    for then in times:
        if then >= end:
            raise Wrong(f"a record of {wall(zone, then // NS)} is in {name}, whose period was over")
        if not set_back and then < created:
            raise Wrong(f"a record of {wall(zone, then // NS)} is in {name}, which was begun later")


def named_time(template, name):
    """The time in a name, in the conversions of its template; `None` without one."""
    pattern = re.escape(template).replace(r"\{name\}", "log").replace(r"\{seq\}", r"\d{10}")
    for conversion, text in PARTS.items():
        pattern = pattern.replace(re.escape(conversion), text)
    match = re.fullmatch(pattern + r"\.binlog", name)
    if match is None:
        raise Wrong(f"{name} is no name of the template {template}")
    return match.groupdict() or None


def fits(shown, created, zone, period):
    """Whether a name has the time of the segment's beginning, or an earlier one of the same period."""
    at = wall(zone, created // NS)
    exact = all(int(text) == {"Y": at.year, "m": at.month, "d": at.day, "H": at.hour, "M": at.minute, "S": at.second}[key] for key, text in shown.items())
    if exact or not period:
        return exact
    named = at.replace(year=int(shown["Y"]), month=int(shown["m"]), day=int(shown["d"]), hour=int(shown["H"]), minute=int(shown["M"]), second=int(shown.get("S", 0)))
    since = lambda moment: int((moment - EPOCH).total_seconds())
    unit = 60 if "S" not in shown else 1
    first = floor(period, since(at)) // unit * unit
    return first <= since(named) <= since(at)


def split(segments, ids):
    """The ids of each segment."""
    firsts = [segment[1] for segment in segments] + [1 << 62]
    return [[id for id in ids if first <= id < behind] for first, behind in zip(firsts, firsts[1:])]


def brief(ids):
    runs = []
    for id in ids:
        if runs and runs[-1][1] + 1 == id:
            runs[-1][1] = id
        else:
            runs.append([id, id])
    return " ".join(f"{a}" if a == b else f"{a}-{b}" for a, b in runs) or "nothing"
