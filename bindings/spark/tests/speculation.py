#!/usr/bin/env python3
"""Speculative execution. Spark starts a second copy of a task only on another host: here a master and two workers, whose addresses on the
loopback interface differ."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import libbinlog as binlog
from harness import Jobs, check, ends_with_parent, load, main, must, rows, same, session, until
from processes import free_port
from scenarios import SLOW


@check("speculative execution: a second copy of slow tasks on another host, each row once")
def _(place):
    # Only the records of the last segment are slow: its task is the one that is copied.
    path = place.work / "log"
    with binlog.Writer(str(path), roll={"records": 500}) as writer:
        for at in range(4000):
            writer.append(b"%d" % at, metadata={"host": "slow"} if at >= 3500 else None)
    with Jobs(place.spark) as jobs:
        frame = load(place.spark, path, splitSize="4k", metadataColumns="host").where(f"host is null or {SLOW.format(10)}")
        same(rows(frame, ("id",)), [{"id": at} for at in range(1, 4001)])
        stages = [stage.stageId for stage in jobs.stages()]
    store = place.spark.sparkContext._jsc.sc().statusStore()
    tasks = [tasks.apply(at) for stage in stages for tasks in [store.taskList(stage, 0, 10_000)] for at in range(tasks.size())]
    must(any(task.speculative() for task in tasks), f"none of {len(tasks)} tasks was started a second time")
    same({task.host() for task in tasks}, {"127.0.0.1", "127.0.0.2"}, "hosts")


def begin():
    import pyspark

    home, work = Path(pyspark.__file__).parent, tempfile.mkdtemp(prefix="binlog-spark-workers-")
    port = free_port()
    url = f"spark://127.0.0.1:{port}"

    def start(name, *arguments):
        env = {**os.environ, "SPARK_HOME": str(home), "SPARK_DAEMON_MEMORY": "256m"}
        env.pop("SPARK_LOCAL_IP", None)
        with open(f"{work}/daemons", "ab") as log:
            subprocess.Popen([str(home / "bin/spark-class"), f"org.apache.spark.deploy.{name}", *arguments], env=env, stdout=log,
                             stderr=log, preexec_fn=ends_with_parent)

    start("master.Master", "--host", "127.0.0.1", "--port", str(port), "--webui-port", "0")
    for host in ("127.0.0.1", "127.0.0.2"):
        start("worker.Worker", "--host", host, "--cores", "1", "--memory", "512m", "--webui-port", "0", "--work-dir", f"{work}/{host}", url)
    made = session(url, spark_executor_memory="480m", spark_speculation="true", spark_speculation_interval="100ms",
                   spark_speculation_quantile="0.5", spark_speculation_minTaskRuntime="500ms")
    until(lambda: made.sparkContext._jsc.sc().getExecutorMemoryStatus().size() == 3, what="two executors")
    return made


if __name__ == "__main__":
    sys.exit(main(begin))
