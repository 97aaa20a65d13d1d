"""A driver to be killed: driver.py MASTER LOG SINK RECORDS follows a log into a Parquet sink, so many records a batch."""

import sys
from pathlib import Path

from harness import session
from streams import stream, to_parquet

master, log, sink, records = sys.argv[1:]
query = to_parquet(stream(session(master), log, maxRecordsPerTrigger=records), Path(sink), processingTime="0 seconds")
query.awaitTermination()
