"""Where periods begin, by Python's own time zones: nothing is taken from the library."""
import functools
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

NS = 1_000_000_000
DAY = 86_400
EPOCH = datetime(1970, 1, 1)


@functools.lru_cache(maxsize=None)
def zone_of(name):
    return timezone.utc if name in ("", "UTC") else ZoneInfo(name)


@functools.lru_cache(maxsize=1 << 20)
def offset(zone, second):
    """Seconds that the wall clock of the zone is ahead of UTC."""
    return int(datetime.fromtimestamp(second, zone_of(zone)).utcoffset().total_seconds())


def wall(zone, second):
    """What the wall clock shows, as a time without a zone."""
    return EPOCH + timedelta(seconds=second + offset(zone, second))


def floor(period, shown):
    """The last multiple of the period that the wall clock has shown, where it shows this many seconds."""
    if period <= DAY:
        midnight = shown // DAY * DAY
        return midnight + (shown - midnight) // period * period
    return shown // period * period


def after(period, shown):
    """The multiple after it; midnight is one whatever the period is."""
    behind = floor(period, shown) + period
    return min(behind, shown // DAY * DAY + DAY) if period <= DAY else behind


@functools.lru_cache(maxsize=1 << 16)
def next_boundary(zone, period, now):
    """The first second after `now` at which the wall clock shows a multiple, or is put forward over one."""
    at = now
    while True:
        here = offset(zone, at)
        candidate = after(period, at + here) - here
        change = first_change(zone, at, candidate)
        if change is None:
            return candidate
        new = offset(zone, change)
        shown = change + new
        is_put_over_one = new > here and floor(period, shown) >= change + here
        if is_put_over_one or floor(period, shown) == shown:
            return change
        at = change


def first_change(zone, start, end):
    """The first second in (start, end] at which the zone's offset changes; zones change theirs at quarter hours."""
    low = start
    while low < end:
        high = min(end, (low // 900 + 1) * 900)
        if offset(zone, high) != offset(zone, low):
            return high
        low = high
    return None
