"""Logs that are written, shipped, killed and continued."""

import random
import signal
import time

import command
import logs
from processes import Failure
from proxy import Fault, Proxy
from scene import Scene

# A wait for something that must come, however busy the machine is.
PATIENCE = 60


def until(what, happens):
    limit = time.monotonic() + PATIENCE
    while not happens():
        if time.monotonic() > limit:
            raise Failure(f"waited {PATIENCE} s in vain for {what}")
        time.sleep(0.05)


def stop(child, *statuses):
    child.send_signal(signal.SIGTERM)
    return command.finish(child).expect(*statuses)


def under_load(servers, kind, work, seconds, *options):
    """A log that rolls every second, shipped while it is written: no record is ever missing, and in the end all have
    arrived."""
    scene = Scene(servers, kind, " ".join(["under load", *options]), work)
    live = logs.Live(scene.log, "--age", "1s")
    shipper = scene.start("--follow", "--keep-segments", "3", *options)
    try:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            time.sleep(1)
            scene.untouched()
            names = scene.remote.names()
            if len(set(map(logs.stem, names))) != len(names):
                raise Failure(f"a segment is there twice: {names}")
            if shipper.poll() is not None:
                command.finish(shipper).expect(0)
                raise Failure("binlog ship --follow has ended by itself")
        until("three segments in the store", lambda: len(scene.remote.names()) > 3)
    finally:
        written = live.end()
        done = stop(shipper, 0, 143)
    scene.records = written
    scene.check()
    scene.ship("--roll", "--keep-segments", "3", *options).expect(0)
    scene.arrived()
    scene.read_there()
    # Those that were requested, and the one in which the writer continues.
    if len(scene.local_names()) > 4:
        raise Failure(f"{scene.local_names()} are still here\n{done}")


def killed(servers, kind, work, template, records, rounds, *options):
    """kill -9 after any request, over and over: nothing is lost at any moment, and a run that is not killed
    finishes."""
    chance = random.Random(7)
    kills = number = 0
    while kills < rounds:
        number += 1
        scene = Scene(servers, kind, " ".join(["killed", str(number), *options]), work, template, records)
        with Proxy(scene.remote.address) as proxy:
            # A limited number of times: a run that is always killed after the first request makes no progress.
            for _ in range(12):
                # Slow enough that there is time to be killed in the middle of a part.
                proxy.set(Fault("throttle", times=0, rate=40_000_000))
                requests = chance.randint(0, 8)
                child = scene.start("--keep-segments", "1", *options, endpoint=proxy.url)
                until("a request or the end", lambda: len(proxy.log()) >= requests or child.poll() is not None)
                time.sleep(chance.uniform(0, 0.1))
                child.kill()
                done = command.finish(child).expect(0, -signal.SIGKILL)
                until("the server to have done with it", proxy.idle)
                scene.check()
                if done.status == 0:
                    break
                kills += 1
            scene.ship("--keep-segments", "1", *options, endpoint=proxy.url).expect(0)
        # An upload that was begun just before a kill, and is not in the ledger yet, can only be given up when it is
        # old.
        scene.arrived(may_be_left=True)
        scene.read_there()
        if len(scene.local_names()) > 2:
            raise Failure(f"{scene.local_names()} are still here")


def server_down(servers, kind, work):
    """The server cannot be reached for the length of several rolls, while the log is written; then it is back."""
    scene = Scene(servers, kind, "down", work)
    with Proxy(scene.remote.address) as proxy:
        live = logs.Live(scene.log, "--age", "1s")
        metrics = scene.work / "ship.prom"
        shipper = scene.start("--follow", "--keep-segments", "1", "--metrics", metrics, endpoint=proxy.url)
        try:
            until("the first segment in the store", lambda: len(scene.remote.names()) > 1)
            proxy.set(Fault("reset", times=0))
            until("a failed request", lambda: proxy.hit() > 2)
            before = len(scene.local_names())
            until("several rolls", lambda: len(scene.local_names()) > before + 3)
            until("the lag in the metrics", lambda: waiting(metrics) >= 3)
            proxy.set()
            written = live.end()
            until("what has piled up to go", lambda: len(scene.local_names()) <= 2)
        finally:
            written = live.end()
            stop(shipper, 0, 143)
        scene.records = written
        scene.check()
        scene.ship("--roll", endpoint=proxy.url).expect(0)
    scene.arrived()


def waiting(metrics):
    """Segments that wait, from the Prometheus text."""
    try:
        text = metrics.read_text()
    except FileNotFoundError:
        return 0
    for one in text.splitlines():
        name = one.split("{")[0].split(" ")[0]
        if name == "binlog_ship_waiting_segments":
            return float(one.rsplit(" ", 1)[1])
    return 0


def checks(servers, kind, work, templates, soak):
    rounds = 200 if soak else 12
    seconds = 60 if soak else 6
    yield f"{kind}: a log under load, rolled every second", lambda: under_load(servers, kind, work, seconds)
    yield (f"{kind}: a log under load, rolled every second, compressed",
           lambda: under_load(servers, kind, work, seconds, "--compress", "zstd"))
    yield f"{kind}: kill -9 at any moment", lambda: killed(servers, kind, work, *templates["mixed"], rounds)
    yield (f"{kind}: kill -9 at any moment, compressed",
           lambda: killed(servers, kind, work, *templates["mixed"], rounds, "--compress", "zstd"))
    yield f"{kind}: server down for several rolls", lambda: server_down(servers, kind, work)
