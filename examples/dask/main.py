"""A log read by the processes of Dask: each opens its part by a token, which is a line of text."""

from __future__ import annotations

import dask
import dask.dataframe as dd
import pandas as pd

import libbinlog as binlog

ORDERS = "order.*"


def read(token: str) -> pd.DataFrame:
    """One part of the log, in whichever process this runs."""
    table = binlog.Split(token).table(type=ORDERS, columns=["id", "type_name", "length"], metadata=["host"], plain=True)
    return table.to_pandas()


def main() -> None:
    with binlog.Writer("orders", roll={"records": 5000}) as writer:
        for number in range(20_000):
            kind = ("order.placed", "order.paid", "login")[number % 3]
            writer.append(b"x" * (number % 100), kind, {"host": "ab"[number % 2]})

    # The plan is a snapshot: what is appended later is in none of its splits.
    splits = binlog.open("orders").splits(target="256KiB", type=ORDERS)
    example = read(splits[0].token).head(0)
    orders = dd.from_map(read, [split.token for split in splits], meta=example)  # type: ignore[no-untyped-call]

    with dask.config.set(scheduler="processes", num_workers=2):
        print(len(splits), "splits,", len(orders), "orders")
        sums = orders.groupby(["type_name", "metadata.host"])["length"].sum().compute().sort_index()
    for (name, host), length in sums.items():
        print(f"{name} on {host}: {length} bytes")


# The processes import this file.
if __name__ == "__main__":
    main()
