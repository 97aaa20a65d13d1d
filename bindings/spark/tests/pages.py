#!/usr/bin/env python3
"""The blocks of docs/spark.md in their order, and the examples: what they print is what the page, or expected.txt, says.

pages.py --page PAGE runs the blocks of a page in this process."""

import contextlib
import io
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pyspark
from harness import BUILD, JAR, ROOT, Failure, check, main, must, same

BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SPARK = Path(pyspark.__file__).parent
EXAMPLES = ROOT / "examples/spark"


def run(arguments, where, **env):
    """Runs a program in a directory; returns what it prints."""
    done = subprocess.run([str(argument) for argument in arguments], cwd=where, capture_output=True, text=True, errors="replace", timeout=240, env={
        **os.environ, "PATH": f"{BUILD}:{os.environ['PATH']}", "SPARK_HOME": str(SPARK), "TZ": "UTC", **env})
    must(done.returncode == 0, f"{arguments[0]}: exit {done.returncode}\n{done.stdout[-1500:]}\n{done.stderr[-3000:]}")
    return done.stdout


def sql(spark, block):
    """Rows as spark-sql prints those of the last statement."""
    statements = [one for one in block.split(";") if one.strip()]
    rows = [spark.sql(one).collect() for one in statements][-1]
    return "".join("\t".join("NULL" if value is None else str(value) for value in row) + "\n" for row in rows)


def blocks(page):
    """Runs the blocks of Python, SQL and sh; a block of text behind one is what it prints."""
    names, printed, what = {"__name__": "__main__"}, "", ""
    for kind, block in BLOCK.findall(Path(page).read_text("utf-8")):
        if kind == "text":
            same(printed, block, f"what this block prints: {what.strip()[:200]}")
            printed = ""
            continue
        if kind in ("python", "sql", "sh"):
            must(not printed, f"a block prints what the page does not show: {printed}")
            what = block
        if kind == "python":
            output = io.StringIO()
            with contextlib.redirect_stdout(output):
                exec(compile(block, "docs/spark.md", "exec"), names)
            printed = output.getvalue()
        elif kind == "sql":
            printed = sql(names["spark"], block)
        elif kind == "sh":
            printed = run(["bash", "-euo", "pipefail", "-c", block], ".")
    names["spark"].stop()


@check("the blocks of docs/spark.md print what it says")
def _(place):
    data, url = os.environ.get("BINLOG_S3_DATA"), os.environ.get("BINLOG_TEST_S3_URL")
    must(data and url, "no store: run this by run.py")
    bucket = Path(data) / "logs"
    bucket.mkdir(exist_ok=True)
    jar = place.work / "bindings/spark/target"
    jar.mkdir(parents=True)
    (jar / "binlog-spark.jar").symlink_to(JAR)
    run([sys.executable, Path(__file__).resolve(), "--page", ROOT / "docs/spark.md"], place.work,
        AWS_ENDPOINT_URL=re.search(r"endpoint=([^&]+)", url)[1], AWS_REGION=re.search(r"region=([^&]+)", url)[1],
        PYSPARK_SUBMIT_ARGS="--conf spark.ui.enabled=false --conf spark.driver.memory=1g pyspark-shell")
    shutil.rmtree(bucket)


@check("the page names every option")
def _(place):
    text = (ROOT / "docs/spark.md").read_text("utf-8")
    source = (ROOT / "bindings/spark/src/main/java/io/binlog/spark/ReadOptions.java").read_text("utf-8")
    for name in re.findall(r'(?:from\.get|isTrue|isFirst|bytes|count|list)\((?:from, |from\.get\()?"(\w+)"', source):
        must(name == "paths" or f"| `{name}` |" in text, f"docs/spark.md does not have the option {name}")


@check("examples/spark/orders.py")
def _(place):
    same(run([sys.executable, EXAMPLES / "orders.py", JAR], place.work), (EXAMPLES / "expected-python.txt").read_text())


@check("examples/spark/Orders.java, by spark-submit")
def _(place):
    run(["javac", "-cp", f"{SPARK}/jars/*:{JAR}", "-d", "classes", EXAMPLES / "Orders.java"], place.work)
    run(["jar", "--create", "--file", "orders.jar", "-C", "classes", "."], place.work)
    printed = run([SPARK / "bin/spark-submit", "--master", "local[2]", "--driver-memory", "1g", "--conf", "spark.ui.enabled=false", "--jars", JAR, "--class",
                   "Orders", "orders.jar"], place.work)
    same(printed, (EXAMPLES / "expected-java.txt").read_text())


@check("examples/spark/orders.sql, by spark-sql")
def _(place):
    text = (EXAMPLES / "orders.sql").read_text()
    for line in re.findall(r"^--   (seq .*)$", text, re.MULTILINE):
        run(["bash", "-euo", "pipefail", "-c", line], place.work)
    printed = run([SPARK / "bin/spark-sql", "--master", "local[2]", "--driver-memory", "1g", "--conf", "spark.ui.enabled=false", "--conf",
                   "spark.sql.catalogImplementation=in-memory", "--conf", "spark.sql.catalog.binlog=io.binlog.spark.BinlogCatalog", "--jars", JAR,
                   "-f", EXAMPLES / "orders.sql"], place.work)
    same(printed, (EXAMPLES / "expected-sql.txt").read_text())


if __name__ == "__main__":
    if sys.argv[1:2] == ["--page"]:
        sys.exit(blocks(sys.argv[2]))
    sys.exit(main(lambda: None))
