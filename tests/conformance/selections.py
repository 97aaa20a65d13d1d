"""What conditions select, computed from a golden file's JSON, and as the command's options."""

import time

# A golden file, and conditions as `conform read` takes them.
SELECTIONS = [
    ("plain.binlog", ["from_time=5"]),
    ("plain.binlog", ["from_time=-1", "to_time=100"]),
    ("plain.binlog", ["pair=key=value"]),
    ("plain.binlog", ["pair==twice"]),
    ("plain.binlog", ["pair=ключ=значение 🗝"]),
    ("plain.binlog", ["type_name=com.example.Jöb", "type=2"]),
    ("plain.binlog", ["newest_first"]),
    ("batches.binlog", ["pair=batch=yes", "type=1"]),
    ("batches.binlog", ["newest_first", "last=5"]),
    ("indexed.binlog", ["type_name=rare"]),
    ("indexed.binlog", ["type_name=rare", "type=3"]),
    ("indexed.binlog", ["type_name=rare", "newest_first", "last=2"]),
    ("indexed.binlog", ["type_name=nobody"]),
    ("indexed.binlog", ["type=3", "pair=key=value", "pair=other=thing"]),
    ("indexed.binlog", ["pair=key=other"]),
    ("indexed.binlog", ["from_id=450", "to_id=452"]),
    ("indexed.binlog", ["from_id=600"]),
    ("indexed.binlog", ["from_id=601"]),
    ("indexed.binlog", ["from_time=300000", "to_time=310001"]),
    ("indexed.binlog", ["from_time=300000", "to_id=400", "last=3"]),
    ("indexed.binlog", ["type=3", "last=2"]),
    ("recovered", ["from_id=290", "to_id=410"]),
    ("recovered", ["newest_first", "last=300"]),
    ("reopened.binlog", ["last=2"]),
    ("rolled", ["from_id=4", "to_id=6"]),
    ("rolled", ["from_time=5"]),
    ("rolled", ["type_name=named", "last=4"]),
    ("rolled", ["newest_first"]),
    ("periods", ["from_time=1792890005000000000"]),
    ("events", ["last=3"]),
    ("first_removed", ["from_id=5"]),
    ("strings.binlog", ["type_name=a \"name\"\twith\\quotes/"]),
]

# Nothing can be predicted where reading ends with an error, but all must agree.
UNPREDICTED = [
    ("first_removed", ["from_id=1"]),
    ("second_removed", ["newest_first"]),
    ("damaged", ["from_id=50"]),
    ("damaged", ["newest_first"]),
    ("damaged", ["last=3"]),
    ("torn.binlog", ["newest_first", "last=2"]),
]


def parse(conditions):
    """The last value of each kind, and lists where several make sense."""
    found = {"types": set(), "type_names": set(), "pairs": [], "newest_first": False}
    for condition in conditions:
        what, _, value = condition.partition("=")
        if what == "type":
            found["types"].add(int(value))
        elif what == "type_name":
            found["type_names"].add(value)
        elif what == "pair":
            found["pairs"].append(list(value.partition("=")[::2]))
        elif what == "newest_first":
            found["newest_first"] = True
        else:
            found[what] = int(value)
    return found


def select(records, conditions):
    wanted = parse(conditions)

    def passes(row):
        of_type = row["type"] in wanted["types"] or row.get("type_name") in wanted["type_names"]
        return (wanted.get("from_id", 0) <= row["id"] <= wanted.get("to_id", row["id"])
                and wanted.get("from_time", row["time"]) <= row["time"]
                and ("to_time" not in wanted or row["time"] < wanted["to_time"])
                and (of_type or not wanted["types"] | wanted["type_names"])
                and all(pair in row["metadata"] for pair in wanted["pairs"]))

    chosen = [row for row in records if passes(row)]
    chosen = chosen[-wanted["last"]:] if "last" in wanted else chosen
    return chosen[::-1] if wanted["newest_first"] else chosen


def options(conditions):
    """As options of `binlog cat`; None for conditions that it has no options for."""
    wanted = parse(conditions)
    words = [word for number in sorted(wanted["types"]) for word in ("--type", str(number))]
    words += [word for name in sorted(wanted["type_names"]) for word in ("--type", name)]
    for key, value in wanted["pairs"]:
        if not key:
            return None
        words += ["--where", f"{key}={value}"]
    if "from_id" in wanted or "to_id" in wanted:
        words += ["--id", f"{wanted.get('from_id', '')}..{wanted.get('to_id', '')}"]
    for option, key in [("--from", "from_time"), ("--to", "to_time")]:
        if key in wanted:
            words.append(f"{option}={rfc3339(wanted[key])}")
    if "last" in wanted:
        words += ["--last", str(wanted["last"])]
    return words + ["--reverse"] * wanted["newest_first"]


def rfc3339(nanoseconds):
    seconds, fraction = divmod(nanoseconds, 1_000_000_000)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{fraction:09}Z"
