"""pyarrow and Python's csv module read what `binlog export` writes."""

import base64
import csv
import io
import json
import os
import tempfile
import unittest

import pyarrow
import pyarrow.ipc

import logs

SELECTIONS = [[], ["--type", "order.placed"], ["--type", "7", "--last", "5"], ["--where", "host=a"], ["--id", "9..3005"]]


def of_arrow(table):
    """The rows as logs.shown has them."""
    times = table.column("time").cast(pyarrow.int64()).to_pylist()
    rows = table.drop_columns(["time"]).to_pylist()
    return [dict(row, time=time) for row, time in zip(rows, times)]


def expected(log, *arguments, status=0):
    for record in logs.shown(log, *arguments, status=status):
        try:
            text = record["payload"].decode()
        except UnicodeDecodeError:
            text = None
        yield {
            "id": record["id"],
            "time": logs.nanoseconds(record["time"]),
            "type": record["type"],
            "type_name": record.get("type_name"),
            "metadata": logs.pairs(record["metadata"]),
            "length": record["length"],
            "payload": record["payload"],
            "text": text,
        }


def of_csv(text):
    """The rows as logs.shown has them."""
    for row in csv.DictReader(io.StringIO(text, newline=""), strict=True):
        record = {"id": int(row["id"]), "time": row["time"], "type": int(row["type"])}
        if row["type_name"]:
            record["type_name"] = row["type_name"]
        record["metadata"] = json.loads(row["metadata"])
        record["length"] = int(row["length"])
        record["payload"] = row["text"].encode() if "text" in row else base64.b64decode(row["base64"])
        yield record


class Exported(unittest.TestCase):
    maxDiff = 2000

    def setUp(self):
        home = tempfile.TemporaryDirectory()
        self.addCleanup(home.cleanup)
        self.home = home.name
        self.log = logs.make(os.path.join(self.home, "log"))

    def export(self, form, *arguments, status=0):
        output = os.path.join(self.home, "out")
        logs.binlog("export", "--quiet", "--force", "--to", form, self.log, output, *arguments, status=status)
        return output

    def test_an_arrow_file_holds_the_records_that_cat_shows(self):
        for selection in SELECTIONS:
            with self.subTest(selection), pyarrow.OSFile(self.export("arrow", *selection)) as file:
                table = pyarrow.ipc.open_file(file).read_all()
                table.validate(full=True)
                rows = list(expected(self.log, *selection))
                self.assertTrue(rows)
                self.assertEqual(of_arrow(table), rows)

    def test_the_columns_have_the_types_of_the_library_s_table(self):
        with pyarrow.OSFile(self.export("arrow")) as file:
            schema = pyarrow.ipc.open_file(file).schema
        text = pyarrow.utf8()
        types = [
            ("id", pyarrow.uint64(), False),
            ("time", pyarrow.timestamp("ns", "UTC"), False),
            ("type", pyarrow.uint32(), False),
            ("type_name", pyarrow.dictionary(pyarrow.int32(), text), True),
            ("metadata", pyarrow.map_(text, text), False),
            ("length", pyarrow.uint64(), False),
            ("payload", pyarrow.binary(), False),
            ("text", text, True),
        ]
        self.assertEqual([(field.name, field.type, field.nullable) for field in schema], types)

    def test_standard_output_gets_a_stream(self):
        stream = logs.binlog("export", "--to", "arrow", self.log, "-")
        table = pyarrow.ipc.open_stream(stream).read_all()
        table.validate(full=True)
        self.assertEqual(of_arrow(table), list(expected(self.log)))

    def test_chosen_columns_are_there_alone(self):
        with pyarrow.OSFile(self.export("arrow", "--columns", "type_name,id")) as file:
            table = pyarrow.ipc.open_file(file).read_all()
        self.assertEqual(table.column_names, ["id", "type_name"])
        rows = [{"id": row["id"], "type_name": row["type_name"]} for row in expected(self.log)]
        self.assertEqual(table.to_pylist(), rows)

    def test_names_that_come_in_later_batches_are_in_the_file(self):
        log = os.path.join(self.home, "names")
        for name in ["first", "second", "third"]:
            logs.binlog("append", "--quiet", "--type", name, log, stdin=b"x\n" * 70_000)
        self.log = log
        for read in (
            pyarrow.ipc.open_file(self.export("arrow", "--columns", "type_name")),
            pyarrow.ipc.open_stream(logs.binlog("export", "--to", "arrow", "--columns", "type_name", log, "-")),
        ):
            names = read.read_all().column("type_name").to_pylist()
            self.assertEqual(names, ["first"] * 70_000 + ["second"] * 70_000 + ["third"] * 70_000)

    def test_a_log_without_records_is_a_table_without_rows(self):
        none = ["--id", "1000000.."]
        self.assertEqual(pyarrow.ipc.open_file(self.export("arrow", *none)).read_all().num_rows, 0)
        with open(self.export("csv", *none)) as file:
            self.assertEqual(file.read(), "id,time,type,type_name,metadata,length,text\n")

    def test_csv_holds_the_records_that_cat_shows(self):
        for selection in SELECTIONS:
            with self.subTest(selection), open(self.export("csv", "--payload", "base64", *selection), newline="") as file:
                rows = list(of_csv(file.read()))
                self.assertTrue(rows)
                self.assertEqual(rows, logs.shown(self.log, *selection))

    def test_csv_holds_texts_with_quotes_and_line_breaks(self):
        self.log = logs.make(os.path.join(self.home, "texts"), text_only=True)
        with open(self.export("csv"), newline="") as file:
            self.assertEqual(list(of_csv(file.read())), logs.shown(self.log))
        piped = logs.binlog("export", "--to", "csv", self.log, "-").decode()
        self.assertEqual(list(of_csv(piped)), logs.shown(self.log))

    def test_what_is_behind_damage_is_exported_with_salvage(self):
        segment = sorted(name for name in os.listdir(self.log) if name.endswith(".binlog"))[0]
        with open(os.path.join(self.log, segment), "r+b") as file:
            file.seek(os.path.getsize(file.name) // 2)
            file.write(b"\x99" * 64)
        whole = list(expected(self.log, "--salvage", status=3))
        self.assertLess(0, len(whole))
        self.assertEqual(of_arrow(pyarrow.ipc.open_file(self.export("arrow", "--salvage", status=3)).read_all()), whole)
        with open(self.export("csv", "--salvage", "--payload", "base64", status=3), newline="") as file:
            self.assertEqual([row["id"] for row in of_csv(file.read())], [row["id"] for row in whole])


if __name__ == "__main__":
    unittest.main()
