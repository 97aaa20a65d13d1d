"""Every fault of the proxy at every request in turn: what is shipped arrives nevertheless, once the fault is over."""

import itertools

from processes import Failure
from proxy import Fault, Proxy
from scene import Scene

# Faults that hit one request. `bytes` is within the smallest body.
FAULTS = [
    {"kind": "reset"},
    {"kind": "status", "status": 500},
    {"kind": "status", "status": 503, "retry_after": 1},
    {"kind": "status", "status": 409},
    {"kind": "cut", "bytes": 700},
    {"kind": "drop"},
    {"kind": "reset-after"},
    {"kind": "status-after", "status": 500},
    {"kind": "status-after", "status": 503, "retry_after": 0},
    {"kind": "cut-answer", "bytes": 20},
    {"kind": "stall", "bytes": 700},
    {"kind": "stall-answer", "bytes": 0},
    # As a cache or a gateway might answer by mistake: the object does not exist yet.
    {"kind": "status", "status": 412},
    {"kind": "status-after", "status": 412},
    {"kind": "status-after", "status": 409},
]


# The server has done its work, and the client does not know. A request without a body has passed whole before it is
# cut.
AFTER = ("drop", "reset-after", "status-after", "cut-answer", "stall-answer")
AFTER_WITHOUT_BODY = (*AFTER, "cut", "stall")


def conditional(entry):
    """Whether a request stores an object that must not exist yet, and not one of its parts."""
    path = entry["path"]
    if entry["method"] == "POST":
        return "uploadId=" in path
    return entry["method"] == "PUT" and "partNumber=" not in path and "_segments/" not in path


def begins(entry):
    """Whether a request begins an upload in parts."""
    return entry["method"] == "POST" and entry["path"].rstrip("=").endswith("?uploads")


def name_of(fault):
    return " ".join(str(value) for key, value in fault.items() if key in ("kind", "status"))


def one_fault(servers, kind, work, template, records, fault, at):
    scene = Scene(servers, kind, f"{name_of(fault)} at {at}", work, template, records)
    with Proxy(scene.remote.address) as proxy:
        proxy.set(Fault(at=at, **fault))
        done = scene.ship(endpoint=proxy.url)
        hit = proxy.log()
        if len(hit) < at:
            # A run may take one request less than another when several parts are sent at the same time.
            done.expect(0)
            return
        if not any(entry["fault"] for entry in hit):
            raise Failure(f"the fault has hit nothing: there were {len(hit)} requests\n{done}")
        scene.check()
        met = next(entry for entry in hit if entry["fault"])
        # An answer about a condition that was not set may end the run; the next run must succeed.
        if fault.get("status") not in (409, 412) or conditional(met):
            done.expect(0)
        proxy.set()
        scene.ship(endpoint=proxy.url).expect(0)
    # An upload whose name the client never received can only be given up when it is old.
    scene.arrived(may_be_left=begins(met) and fault["kind"] in AFTER_WITHOUT_BODY)


def persistent(servers, kind, work, template, records, fault):
    """A fault that stays: nothing is lost meanwhile, the run ends and reports why; once the fault is over, all
    arrives."""
    scene = Scene(servers, kind, f"{name_of(fault)} for ever", work, template, records)
    with Proxy(scene.remote.address) as proxy:
        proxy.set(Fault(times=0, **fault))
        done = scene.ship("--patience=2s", "--timeout=1s", endpoint=proxy.url).expect(1)
        if not done.stderr.strip():
            raise Failure(f"{done}\nsays nothing")
        scene.check()
        proxy.set()
        scene.ship(endpoint=proxy.url).expect(0)
    scene.arrived()


def slow(servers, kind, work, template, records):
    scene = Scene(servers, kind, "slow", work, template, records)
    with Proxy(scene.remote.address) as proxy:
        proxy.set(Fault("throttle", times=0, rate=1_500_000))
        # In one part: it takes longer than the time limit, but always makes progress.
        scene.ship("--timeout=5s", "--part-size=64MiB", endpoint=proxy.url).expect(0)
    scene.arrived()


def requests_of(servers, kind, work, template, records, which):
    """How many requests a run without faults takes."""
    scene = Scene(servers, kind, f"no fault {which}", work, template, records)
    with Proxy(scene.remote.address) as proxy:
        scene.ship(endpoint=proxy.url).expect(0)
        scene.arrived()
        return len(proxy.log())


def checks(servers, kind, work, templates, soak):
    template, records = templates["mixed"]

    def rotation(which):
        """A share of all pairs of fault and request: each request meets several faults, each fault several requests."""
        count = requests_of(servers, kind, work, template, records, which)
        pairs = list(itertools.product(range(count), range(len(FAULTS))))
        step = 1 if soak else 5
        for at, number in pairs:
            if (at + number // 5) % step == 0 and number % 5 == which:
                one_fault(servers, kind, work, template, records, FAULTS[number], at + 1)

    for which in range(5):
        names = ", ".join(name_of(fault) for fault in FAULTS[which::5])
        yield f"{kind}: {names} at each request", lambda which=which: rotation(which)
    for fault in ({"kind": "reset"}, {"kind": "status", "status": 503}, {"kind": "drop"}, {"kind": "stall", "bytes": 0}):
        yield f"{kind}: {name_of(fault)} for ever", lambda f=fault: persistent(servers, kind, work, *templates["small"], f)
    yield f"{kind}: a slow way", lambda: slow(servers, kind, work, template, records)
