"""DuckDB reads logs by the extension of examples/duckdb."""

import os
import re
import tempfile
import unittest

import duckdb

import logs

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")


def connect():
    connection = duckdb.connect(config={"allow_unsigned_extensions": "true"})
    connection.execute(f"LOAD '{os.environ['BINLOG_EXTENSION']}'")
    return connection


class Queried(unittest.TestCase):
    maxDiff = 2000

    def setUp(self):
        home = tempfile.TemporaryDirectory()
        self.addCleanup(home.cleanup)
        self.home = home.name
        self.log = logs.make(os.path.join(self.home, "log"))
        self.db = connect()
        self.addCleanup(self.db.close)

    def rows(self, query, **named):
        return self.db.execute(query, {"log": self.log, **named}).fetchall()

    def test_rows_are_what_cat_shows(self):
        query = "SELECT id, epoch_ns(time), type, type_name, map_entries(metadata), length, payload, text FROM {} ORDER BY id"
        calls = {
            "read_binlog($log)": [],
            "read_binlog($log, type := 'order.placed')": ["--type", "order.placed"],
            "read_binlog($log, type := '7')": ["--type", "7"],
            "read_binlog($log, type := 'no such type')": ["--type", "no such type"],
        }
        for call, selection in calls.items():
            with self.subTest(call):
                rows = [
                    (*row[:4], [(pair["key"], pair["value"]) for pair in row[4]], *row[5:]) for row in self.rows(query.format(call))
                ]
                self.assertEqual(rows, list(map(self.row, logs.shown(self.log, *selection))))

    def row(self, record):
        try:
            text = record["payload"].decode()
        except UnicodeDecodeError:
            text = None
        facts = (record["id"], logs.nanoseconds(record["time"]), record["type"], record.get("type_name"))
        return (*facts, logs.pairs(record["metadata"]), record["length"], record["payload"], text)

    def test_times_select_as_since_and_until_do(self):
        records = logs.shown(self.log)
        since, until = records[100]["time"], records[-20]["time"]
        selected = [(record["id"],) for record in logs.shown(self.log, "--since", since, "--until", until)]
        query = f"SELECT id FROM read_binlog($log, since := '{since[:-1]}', until := '{until[:-1]}') ORDER BY id"
        self.assertEqual(self.rows(query), selected)
        self.assertLess(0, len(selected))

    def test_any_columns_in_any_order(self):
        records = logs.shown(self.log)
        self.assertEqual(self.rows("SELECT count(*) FROM read_binlog($log)"), [(len(records),)])
        rows = self.rows("SELECT length, type_name, id FROM read_binlog($log) ORDER BY id")
        self.assertEqual(rows, [(record["length"], record.get("type_name"), record["id"]) for record in records])
        hosts = self.rows("SELECT count(*) FROM read_binlog($log) WHERE metadata['host'] = 'a'")
        self.assertEqual(hosts, [(len(logs.shown(self.log, "--where", "host=a")),)])

    def test_several_threads_read_each_record_once(self):
        log = os.path.join(self.home, "large")
        logs.binlog("append", "--quiet", "--segment-size", "4MiB", log, stdin=b"x" * 999 + b"\n" + b"short\n" * 5 + b"",)
        for _ in range(3):
            logs.binlog("append", "--quiet", "--segment-size", "4MiB", log, stdin=(b"x" * 999 + b"\n") * 40_000)
        self.log = log
        query = "SELECT count(*), count(DISTINCT id), sum(length), max(id) FROM read_binlog($log)"
        for threads in [1, 4]:
            self.db.execute(f"SET threads = {threads}")
            self.assertEqual(self.rows(query), [(120_006, 120_006, 999 * 120_001 + 25, 120_006)])

    def test_a_statement_that_is_executed_again_sees_new_records(self):
        def count():
            return self.rows("SELECT count(*) FROM read_binlog($log)")[0][0]

        before = count()
        logs.binlog("append", "--quiet", self.log, stdin=b"one\ntwo\n")
        self.assertEqual(count(), before + 2)

    def test_errors_are_the_library_s(self):
        with self.assertRaisesRegex(duckdb.Error, "nowhere"):
            self.db.execute("SELECT * FROM read_binlog('nowhere')")
        segment = sorted(name for name in os.listdir(self.log) if name.endswith(".binlog"))[0]
        path = os.path.join(self.log, segment)
        with open(path, "r+b") as file:
            file.seek(os.path.getsize(path) // 2)
            file.write(b"\x99" * 64)
        with self.assertRaisesRegex(duckdb.Error, re.escape(segment) + ".*offset"):
            self.rows("SELECT sum(octet_length(payload)) FROM read_binlog($log)")

    def test_the_query_of_the_readme(self):
        with open(os.path.join(ROOT, "README.md")) as page:
            page = page.read()
        query = re.search(r"```sql\n(.*?)```", page, re.S).group(1)
        load, query = query.split(";\n", 1)
        self.assertRegex(load, "^LOAD ")
        logs.binlog("append", "--quiet", "--type", "order.placed", "orders", stdin=b'{"total": 7}\n{"total": 5}\n', cwd=self.home)
        logs.binlog("append", "--quiet", "--type", "order.cancelled", "orders", stdin=b"{}\n", cwd=self.home)
        before = os.getcwd()
        os.chdir(self.home)
        try:
            rows = self.db.execute(query).fetchall()
        finally:
            os.chdir(before)
        self.assertEqual([row[0:2] for row in rows], [("order.placed", 2), ("order.cancelled", 1)])


if __name__ == "__main__":
    unittest.main()
