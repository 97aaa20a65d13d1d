"""Checks every command and the library against a case: what its row of the table requires, and what every row requires.

Shown records, losses and new ids are compared with what was written, never with another answer of the library."""
import hashlib
import json
import pathlib
import re
import shutil

import library
import logs
import segment
import table

# Files that a shipper adds beside segments.
LABEL = re.compile(r".*\.(id-[0-9a-f]{32}|catalog-[0-9]{10,}-[0-9]{10,})")
# Rows in which a file beside the newest one is no segment of the log, or another form of one.
NOT_SHIPPED = (".z damaged", ".z and source", "source of a .z damaged", "source's header lost", "another log", "copied", "no segment",
               "renamed", "unborn", "unborn, further back")
# Kinds of losses that say that bytes are not what was written: damage, a lost header, shifted bytes, a type's name, an index.
DAMAGE = (1, 4, 5, 11, 12)

NEW = [b"new record 1", b"new record 2"]
# The head of a lock file: it holds the holder's number, which changes with each opening.
LOCK_HEAD = 512
MAY = table.Cell("may refuse", None)


class Findings(list):
    def __init__(self, case):
        super().__init__()
        self.case = case

    def expect(self, condition, column, check, text):
        if not condition:
            self.append((column, check, text() if callable(text) else text))
        return condition


def content(directory):
    """Name -> bytes, without the head of a lock file: an opening that is refused writes its number there."""
    found = {}
    for path in sorted(pathlib.Path(directory).rglob("*")):
        if path.is_file():
            data = path.read_bytes()
            found[str(path.relative_to(directory))] = data[LOCK_HEAD:] if path.name.endswith(".lock") else data
    return found


def ends_before_zeros(data, other):
    """Whether these are the bytes of a closed segment up to zeros that were filled ahead."""
    return data[-8:] == data[:8] and other.startswith(data) and not any(other[len(data):])


def difference(before, after):
    names = sorted(set(before) | set(after))
    odd = [name for name in names if before.get(name) != after.get(name)]
    # A new lock file says nothing about the log.
    return [name for name in odd if not (name.endswith(".lock") and name not in before and not after[name].strip(b"\n "))]


def last_line(done):
    text = done.stderr.decode(errors="replace").strip().splitlines()
    return text[-1][:300] if text else "(nothing on standard error)"


def ids(numbers):
    """1-3 5 9-11"""
    runs = []
    for number in sorted(numbers):
        if runs and runs[-1][1] == number - 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    text = " ".join(f"{a}-{b}" if a != b else str(a) for a, b in runs[:6])
    return text + (" ..." if len(runs) > 6 else "") if runs else "none"


def of_json(done):
    """The records that `cat --format json` has printed."""
    shown = []
    for line in done.stdout.splitlines():
        one = json.loads(line)
        payload = one["text"].encode() if "text" in one else None
        shown.append((one["id"], one.get("type_name", one["type"]), payload))
    return shown


class Judge:
    def __init__(self, case, work, row, extras):
        self.case, self.work, self.row, self.extras = case, pathlib.Path(work), row, extras
        self.found = Findings(case)
        self.at = self.work / "log"
        # A log of one file is addressed by its name.
        self.path = self.at / "default.binlog" if case.log.single else self.at
        written = case.log.written
        self.known = {number: record for number, record in written.items() if number not in case.hidden}
        self.there = written
        self.others = case.others

    def judge(self):
        case = self.case
        if self.at.exists():
            shutil.rmtree(self.at)
        logs.store(case.files, self.at)
        before = content(self.at)
        self.salvage()
        self.cat()
        self.strict()
        self.verify()
        self.found.expect(content(self.at) == before, "cat", "reading changes nothing", "a reader has changed the directory")
        self.append()
        self.recover()
        self.recover_in_place()
        if self.extras:
            self.compress()
            self.ship()
            self.without_zeros()
            self.prune()
        return self.found

    def copy(self, name):
        target = self.work / name
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(self.at, target)
        return target, target / "default.binlog" if self.case.log.single else target

    # --- what every reader keeps to --------------------------------------------------------------------------------

    def genuine(self, shown, column):
        """Nothing appears that was not written, each record once, in order."""
        expect = self.found.expect
        wrong = [record[0] for record in shown
                 if self.there.get(record[0]) != record and record not in self.others]
        if wrong:
            number = wrong[0]
            got = next(record for record in shown if record[0] == number)
            expect(False, column, "only what was written", lambda: f"record {number} is shown as {str(got)[:90]}, and was written as "
                   f"{str(self.there.get(number))[:90]}; {len(wrong)} such")
        mine = [record[0] for record in shown if self.there.get(record[0]) == record]
        expect(mine == sorted(set(mine)), column, "each once, in order", "records are repeated or out of order")
        return set(mine)

    def shown_as(self, word, shown, column):
        """Checks the shown records against the first word of the table's cell."""
        expect, case = self.found.expect, self.case
        if word == "all":
            expect(shown >= self.known.keys(), column, "shows all", lambda: f"not shown: {ids(self.known.keys() - shown)}")
        elif word == "nothing":
            expect(not shown, column, "shows nothing", lambda: f"shown: {ids(shown)}")
        elif word == "before":
            expect(shown >= case.before, column, "shows what is before",
                   lambda: f"not shown: {ids(case.before - shown)}")
            order = sorted(self.known.keys() | shown)
            expect(order[:len(shown)] == sorted(shown), column, "shows only what is before",
                   lambda: f"shown, with others missing before: {ids(shown)}")
        elif word == "rest":
            expect(shown >= case.intact, column, "shows what is intact", lambda: f"not shown: {ids(case.intact - shown)}")
        else:
            raise ValueError(f"{column}: what is {word!r}?")

    def never_silent(self, shown, status, column, reported):
        """A durable record that is not shown is reported, by the exit status and in words."""
        expected = {number for number in self.known if number <= self.case.log.durable}
        hidden = expected - shown
        if hidden:
            self.found.expect(status != 0 and reported, column, "nothing durable is hidden without a word",
                              lambda: f"status {status}, and not shown: {ids(hidden)}")

    def cell(self, column):
        if self.row is None:
            return None
        if column == "salvage" and column not in self.row.cells:
            raise ValueError(f"{self.row.name}: no cell for {column}")
        cell = self.row.get(column, self.case.further)
        return MAY if column == "append" and self.case.neighbour and cell.word == "refuses" else cell

    # --- the columns ------------------------------------------------------------------------------------------------

    def cat(self):
        done = logs.command("cat", "--format", "json", self.path)
        shown = self.genuine(of_json(done), "cat")
        self.never_silent(shown, done.returncode, "cat", done.stderr.strip())
        cell, expect = self.cell("cat"), self.found.expect
        expect(done.returncode in (0, 1, 3), "cat", "exit status", f"{done.returncode}: {last_line(done)}")
        if cell:
            expect(done.returncode == cell.status, "cat", "exit status",
                   lambda: f"{done.returncode} instead of {cell.status}: {last_line(done)}")
            self.shown_as(cell.word, shown, "cat")
            self.words(done, cell.status, "cat")
        self.cat_shown, self.cat_status = shown, done.returncode

    def words(self, done, status, column):
        """A failure is reported with a file's name; nothing is printed about a whole log."""
        text = done.stderr.decode(errors="replace")
        names = [name for name in set(self.case.files) | set(self.case.log.files)]
        if status:
            self.found.expect(any(name in text for name in names) or str(self.at) in text, column, "names the file",
                              lambda: f"{last_line(done)}")

    def strict(self):
        read = library.Read(self.path, library.STRICT)
        shown = self.genuine(read.shown, "strict")
        status = read.error.status if read.error else 0
        self.never_silent(shown, status, "strict", read.error)
        cell, expect = self.cell("strict"), self.found.expect
        if not cell:
            return
        if cell.word == "all":
            self.shown_as("all", shown, "strict")
            live_end = self.case.log.state in ("open", "unsynced")
            if live_end:
                # An end without a clean close is an error of this mode; the tail shows that it is no damage.
                expect(read.error is None or read.tail == "unclosed", "strict", "distinguishes unclosed from corrupt",
                       lambda: f"tail {read.tail}: {read.error}")
            else:
                expect(read.error is None, "strict", "no error", lambda: f"{read.error}")
        elif cell.word == "nothing":
            expect(not shown and read.error is None, "strict", "nothing, no error", lambda: f"{read.error}")
        else:
            wanted = library.UNSUPPORTED if cell.word == "newer" else library.CORRUPT
            expect(read.error is not None and read.error.status == wanted, "strict", "error",
                   lambda: f"{read.error} instead of status {wanted}")
            if cell.word != "at once":
                self.shown_as("before", shown, "strict")
            if cell.word == "torn":
                expect(read.tail == "torn", "strict", "distinguishes torn from corrupt", lambda: f"tail {read.tail}: {read.error}")

    def salvage(self):
        read = library.Read(self.path, library.SALVAGE)
        expect, column = self.found.expect, "salvage"
        shown = self.genuine(read.shown, column)
        self.salvaged = read
        self.saved = shown
        lost = set()
        for loss in read.losses:
            if loss.ids:
                lost |= set(range(loss.ids[0], loss.ids[1] + 1))
        expect(not lost & shown, column, "a loss is exact",
               lambda: f"reported as lost and shown: {ids(lost & shown)}; {read.losses[:4]}")
        never = {number for number in lost if number > self.case.log.given}
        expect(not never, column, "a loss is exact", lambda: f"reported as lost and never given: {ids(never)}; {read.losses[:4]}")
        durable = {number for number in self.known if number <= self.case.log.durable}
        hidden = durable - shown - lost
        vague = [loss for loss in read.losses if not loss.ids]
        if hidden:
            expect(read.error or vague, column, "nothing durable is hidden without a word",
                   lambda: f"neither shown nor reported: {ids(hidden)}; reported {read.losses[:4]}")
        expect(shown >= self.case.intact or (self.row and self.cell("salvage").word == "nothing" or self.case.row == "newer"), column, "shows what is intact",
               lambda: f"not shown: {ids(self.case.intact - shown)}; reported {read.losses[:4]} {read.error or ''}")
        done = logs.command("cat", "--salvage", "--format", "json", self.path)
        again = self.genuine(of_json(done), column)
        expect(again == shown, column, "the command shows what the library shows",
               lambda: f"the command {ids(again)}, the library {ids(shown)}")
        self.never_silent(shown, done.returncode, column, done.stderr.strip())
        cell = self.cell("salvage")
        if cell:
            expect(done.returncode == cell.status, column, "exit status",
                   lambda: f"{done.returncode} instead of {cell.status}: {last_line(done)}")
            self.shown_as(cell.word, shown, column)
            self.words(done, cell.status, column)
        self.lost = lost

    def verify(self):
        done = logs.command("verify", "--json", self.path)
        cell, expect = self.cell("verify"), self.found.expect
        self.verified = done.returncode
        if cell:
            expect(done.returncode == cell.status, "verify", "exit status",
                   lambda: f"{done.returncode} instead of {cell.status}: {done.stdout.decode()[:300]} {last_line(done)}")
        durable = {number for number in self.known if number <= self.case.log.durable}
        expect(done.returncode != 0 or self.saved >= durable, "verify", "whole only if nothing durable is missing",
               lambda: f"status 0, and missing: {ids(durable - self.saved)}")
        if done.returncode in (0, 3) and done.stdout.startswith(b"{"):
            try:
                report = json.loads(done.stdout)
            except ValueError:
                return
            if "records" in report and not self.others:
                expect(report["records"] == len(self.saved), "verify", "counts what salvage shows",
                       lambda: f"{report['records']} records, and salvage shows {len(self.saved)}")
                expect(report.get("lost_records", 0) == len(self.lost), "verify", "reports the losses that salvage reports",
                       lambda: f"{report.get('lost_records')} lost, and salvage reports {len(self.lost)}")

    def limit(self):
        return self.case.limit if self.case.limit is not None else self.case.log.given if self.case.log.state != "open" \
            and self.case.log.state != "unsynced" else max(self.case.log.durable, max(self.saved, default=0))

    def append(self):
        at, path = self.copy("append")
        before = content(at)
        arguments = ["--single-file"] if self.case.log.single else []
        done = logs.command("append", "--type", "orders", *arguments, path, stdin=b"\n".join(NEW) + b"\n")
        after = content(at)
        cell, expect, column = self.cell("append"), self.found.expect, "append"
        expect(done.returncode in (0, 1), column, "exit status", f"{done.returncode}: {last_line(done)}")
        if cell and cell.status is not None:
            expect(done.returncode == cell.status, column, "exit status",
                   lambda: f"{done.returncode} instead of {cell.status} ({cell.word}): {last_line(done)}")
        if done.returncode:
            odd = difference(before, after)
            expect(not odd, column, "a refusal changes nothing", lambda: f"changed: {odd}; {last_line(done)}")
            # Only a newer library can repair a newer format.
            if cell and cell.word == "refuses" and self.case.row != "newer":
                expect("binlog " in done.stderr.decode(errors="replace"), column, "a refusal names the command that mends it",
                       lambda: last_line(done))
            return
        self.appended(before, after, path, cell, done)
        again = logs.command("verify", "--json", path)
        if self.row and self.cell("verify").status == 0 or cell and cell.word == "cuts":
            expect(again.returncode == 0, column, "verify afterwards", lambda: f"{again.returncode}: {again.stdout.decode()[:300]}")
        if self.case.row == "hole":
            self.named(path)

    def appended(self, before, after, path, cell, done):
        """After an append that was not refused: all earlier records, followed by the new ones."""
        expect, column = self.found.expect, "append"
        read = library.Read(path, library.SALVAGE)
        new = [record for record in read.shown if record[2] in NEW]
        expect(self.case.row == "newer" or [record[2] for record in new] == NEW, column, "the new records are read",
               lambda: f"{[record[0] for record in new]}; {last_line(done)}; {read.losses[:3]} {read.error or ''}")
        expect(all(record[1] == "orders" for record in new), column, "type names hold", lambda: f"{[record[1] for record in new]}")
        given = [record[0] for record in new]
        if self.case.row == "newer":
            # After a segment that cannot be read, only the words state the ids of the new records.
            given = [int(one.replace(",", "")) for one in re.findall(r"ids ([\d,]+)", last_line(done))]
        limit = self.limit()
        expect(all(number > limit for number in given), column, "ids never repeat",
               lambda: f"new ids {given}, and ids up to {limit} were given; {last_line(done)}")
        everything = [record[0] for record in read.shown if record not in self.others]
        expect(len(everything) == len(set(everything)), column, "ids never repeat", lambda: "an id is there twice")
        old = {record[0] for record in read.shown if self.there.get(record[0]) == record}
        gone = (self.saved - old) if not given else {number for number in self.saved - old}
        if cell and cell.word == "cuts":
            gone &= self.case.before
        expect(not gone, column, "an append hides nothing", lambda: f"shown before and no longer: {ids(gone)}; {read.losses[:3]}")
        kept = False
        for name, data in before.items():
            now = after.get(name)
            if name.endswith((".lock", ".active")):
                continue
            cut = [(other, int(found[1])) for other in after if (found := re.match(re.escape(name) + r"\.torn-(\d+)", other))]
            tails = [offset for other, offset in cut if data[offset:] == after[other] and now is not None and now.startswith(data[:offset])]
            kept = kept or bool(tails)
            was = self.case.log.files.get(name, b"")
            begun = was and len(data) <= segment.parse(was).header[1] if name.endswith(".binlog") else False
            unborn = begun or self.case.row and self.case.row.startswith("unborn") and not was or not self.case.log.written
            if name.endswith(".binlog") and segment.has_space(data):
                # Zeros at the end are no bytes of the log.
                data = data.rstrip(b"\0")
            expect(now is not None and (now.startswith(data) or tails or unborn), column, "no byte is lost",
                   lambda: f"{name}: {len(data)} bytes before, {len(now) if now is not None else 'none'} now")
            if cell and cell.word == "next segment" and name.endswith(".binlog"):
                expect(now == data, column, "the file with the hole stays as it is", name)
        if cell and cell.word == "cuts":
            expect(kept, column, "a torn tail is kept aside", lambda: f"{sorted(set(after) - set(before))}")

    def named(self, path):
        """The row of a hole that a later segment names."""
        row = self.table_row("hole, named")
        if row is None:
            return
        expect, column = self.found.expect, "hole, named"
        cat = logs.command("cat", "--format", "json", path)
        expect(cat.returncode == row.get("cat").status, column, "cat: exit status",
               lambda: f"{cat.returncode} instead of {row.get('cat').status}: {last_line(cat)}")
        shown = {record[0] for record in of_json(cat)}
        expect(shown >= self.case.intact, column, "cat: shows what is intact", lambda: f"not shown: {ids(self.case.intact - shown)}")
        expect(len(shown - self.there.keys()) == len(NEW), column, "cat: shows the new records", lambda: f"{ids(shown - self.there.keys())}")
        verify = logs.command("verify", path)
        expect(verify.returncode == row.get("verify").status, column, "verify: exit status", lambda: f"{verify.returncode}: {verify.stdout.decode()[:300]}")
        more = logs.command("append", path, stdin=b"another\n")
        expect(more.returncode == 0, column, "append: exit status", lambda: last_line(more))
        accepted = logs.command("recover", "--in-place", path)
        expect(accepted.returncode in (0, 3), column, "recover: exit status", lambda: last_line(accepted))
        verify = logs.command("verify", path)
        expect(verify.returncode == 0, column, "verify after recover", lambda: f"{verify.returncode}: {verify.stdout.decode()[:300]}")
        again = logs.command("cat", "--format", "json", path)
        expect({record[0] for record in of_json(again)} >= shown, column, "recover hides nothing", lambda: last_line(again))

    table_row = staticmethod(lambda name: None)

    # --- recovery ---------------------------------------------------------------------------------------------------

    def recover(self):
        target = self.work / "recovered"
        shutil.rmtree(target, ignore_errors=True)
        before = content(self.at)
        done = logs.command("recover", "--json", self.path, target)
        cell, expect, column = self.cell("recover"), self.found.expect, "recover"
        if cell:
            expect(done.returncode == cell.status, column, "exit status",
                   lambda: f"{done.returncode} instead of {cell.status}: {last_line(done)}")
        else:
            expect(done.returncode in (0, 3) or not self.saved, column, "exit status", lambda: f"{done.returncode}: {last_line(done)}")
        expect(content(self.at) == before, column, "the source stays as it is", "the source was changed")
        if done.returncode in (0, 3):
            if self.case.log.single:
                target = target / "default.binlog"
            self.clean(target, column)
            second = self.work / "again"
            shutil.rmtree(second, ignore_errors=True)
            again = logs.command("recover", target, second)
            if self.case.log.single:
                second = second / "default.binlog"
            expect(again.returncode == 0, column, "a second recovery finds nothing",
                   lambda: f"{again.returncode}: {last_line(again)} {again.stdout.decode()[:200]}")
            if again.returncode == 0:
                expect(library.Read(second).shown == library.Read(target).shown, column, "a second recovery changes nothing", "other records")

    def clean(self, path, column):
        """Checks a log that a recovery has made: whole, with what salvage showed, and writable."""
        expect = self.found.expect
        verify = logs.command("verify", "--json", path)
        expect(verify.returncode == 0 or not self.saved and verify.returncode in (1, 3), column, "verify afterwards",
               lambda: f"{verify.returncode}: {verify.stdout.decode()[:300]}{last_line(verify)}")
        if not self.saved:
            return
        read = library.Read(path)
        shown = self.genuine(read.shown, column)
        expect(read.error is None, column, "reads without an error", lambda: f"{read.error}")
        expect(shown == self.saved or self.case.row == "newer" and shown >= self.saved, column, "saves what salvage shows",
               lambda: f"not saved: {ids(self.saved - shown)}; saved besides: {ids(shown - self.saved)}")
        strict = library.Read(path, library.STRICT)
        expect(strict.error is None or strict.tail == "unclosed", column, "strict reads it", lambda: f"{strict.error}")
        at = pathlib.Path(path)
        copy = self.work / "behind"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(at if at.is_dir() else at.parent, copy)
        where = copy if at.is_dir() else copy / at.name
        done = logs.command("append", "--type", "orders", *([] if at.is_dir() else ["--single-file"]), where, stdin=NEW[0] + b"\n")
        if expect(done.returncode == 0, column, "append continues", lambda: last_line(done)):
            # A new directory has no lock file, so that what only the lock file recorded is lost.
            # Records of a torn tail were never reported as durable.
            torn = self.case.is_torn or "torn" in str(self.case.row)
            known = max(max(self.saved), 0 if torn else max(self.lost, default=0))
            given = [record[0] for record in library.Read(where).shown if record[2] == NEW[0]]
            expect(given and given[0] > known, column, "ids never repeat", lambda: f"new {given}, and {known} was given")

    def recover_in_place(self):
        at, path = self.copy("in-place")
        before = content(at)
        done = logs.command("recover", "--in-place", path)
        cell, expect, column = self.cell("recover"), self.found.expect, "recover --in-place"
        if cell:
            expect(done.returncode == cell.status, column, "exit status",
                   lambda: f"{done.returncode} instead of {cell.status}: {last_line(done)}")
        else:
            expect(done.returncode in (0, 1, 3), column, "exit status", lambda: f"{done.returncode}: {last_line(done)}")
        after = content(at)
        if done.returncode == 1:
            lost = [name for name, data in before.items() if data not in after.values()]
            expect(not lost, column, "no byte is lost", lambda: f"{lost}")
            return
        digests = {hashlib.sha256(data).digest() for data in after.values()}
        lost = [name for name, data in before.items() if name.endswith(".binlog") and hashlib.sha256(data).digest() not in digests]
        expect(not lost, column, "the damaged file is kept", lambda: f"{lost}")
        self.clean(path, column)
        first = content(at)
        again = logs.command("recover", "--in-place", path)
        expect(again.returncode == 0, column, "a second recovery finds nothing",
               lambda: f"{again.returncode}: {last_line(again)} {again.stdout.decode()[:200]}")
        odd = difference(first, content(at))
        expect(not odd, column, "a second recovery changes nothing", lambda: f"{odd}")

    # --- what moves closed segments --------------------------------------------------------------------------------

    def compress(self):
        at, path = self.copy("compressed")
        done = logs.command("compress", "--block-bytes", "16KiB", path)
        expect, column = self.found.expect, "compress"
        cell = self.cell("compress")
        if cell:
            expect(done.returncode == cell.status, column, "exit status", lambda: f"{done.returncode} instead of {cell.status}: {last_line(done)}")
        expect(done.returncode in (0, 1, 3), column, "exit status", lambda: last_line(done))
        read = library.Read(path if path.exists() else at, library.SALVAGE)
        shown = {record[0] for record in read.shown}
        expect(shown >= self.saved, column, "hides nothing", lambda: f"no longer shown: {ids(self.saved - shown)}")
        verify = logs.command("verify", path if path.exists() else at)
        expect((verify.returncode == 0) <= (self.verified == 0) or self.case.row in ("index", ".z damaged"), column,
               "damage is not hidden", lambda: f"verify said {self.verified} before and says {verify.returncode} now")

    def ship(self):
        if self.case.log.single:
            return
        at, path = self.copy("shipped")
        store = self.work / "store"
        shutil.rmtree(store, ignore_errors=True)
        store.mkdir()
        before = content(at)
        done = logs.command("ship", "--patience", "1s", path, f"file://{store}")
        expect, column, cell = self.found.expect, "ship", self.cell("ship")
        if cell:
            expect(done.returncode == cell.status, column, "exit status", lambda: f"{done.returncode} instead of {cell.status}: {last_line(done)}")
        expect(done.returncode in (0, 1, 3), column, "exit status", lambda: last_line(done))
        after = content(at)
        odd = [name for name in before if name.endswith(".binlog") and before[name] != after.get(name)]
        expect(not odd, column, "the log stays as it is", lambda: f"{odd}")
        there = {name: data for name, data in content(store).items() if not LABEL.fullmatch(name)}
        for name, data in there.items():
            is_here = data in before.values() or any(ends_before_zeros(data, other) for other in before.values())
            expect(is_here, column, "the store holds what is here", name)
        if there and not self.others:
            read = library.Read(store, library.SALVAGE)
            self.genuine(read.shown, column)
            # Gaps there, and the end of the last segment, do not count here.
            damage = [loss for loss in read.losses if loss.kind in DAMAGE]
            expect(not damage, column, "nothing damaged is shipped", lambda: f"{damage}")
        here = sorted(name for name in before if name.endswith(".binlog"))
        # A copy is no segment of the log, and the end of a log that was never durable may be missing.
        exempt = self.case.row in NOT_SHIPPED or "copied" in self.case.name or self.case.name.startswith("unsynced")
        left = set(here[:-1]) - set(there) if not exempt else set()
        expect(done.returncode != 0 or not left, column, "what is not shipped is named",
               lambda: f"{left}: {last_line(done)}")

    def without_zeros(self):
        """What is made of a log that was filled ahead ends with a trailer, and its records are all there."""
        if self.case.row != "filled ahead":
            return
        expect = self.found.expect

        def succeeds(column, *arguments):
            done = logs.command(*arguments)
            expect(done.returncode == 0, column, "exit status", lambda: f"{done.returncode}: {last_line(done)}")

        def all_closed(column, files):
            left = [name for name, data in files.items() if name.endswith(".binlog") and data[-8:] != data[:8]]
            expect(not left, column, "no zeros after the trailer", lambda: f"{left}")

        at, path = self.copy("indexed")
        succeeds("index --rebuild", "index", "--rebuild", path)
        last = self.case.log.segments[-1][0]
        all_closed("index --rebuild", {last: content(at)[last]})
        self.clean(path, "index --rebuild")
        if self.case.log.single:
            return
        for compress in ((), ("--compress", "zstd")):
            column = " ".join(("ship", *compress))
            at, path = self.copy("shipped")
            store = self.work / "store"
            shutil.rmtree(store, ignore_errors=True)
            store.mkdir()
            url = f"file://{store}"
            succeeds(column, "ship", *compress, path, url)
            closed = {name: data for name, data in content(store).items() if not LABEL.fullmatch(name)}
            expect(closed, column, "ships the closed segments", "there is none")
            all_closed(column, closed)
            succeeds(f"{column}, then ship --verify", "ship", "--verify", "--read-back", path, url)
            writer = library.Writer(path, name=logs.NAME, fill_ahead_bytes=1 << 20)
            writer.append(7, b"after the crash", 1)
            writer.sync()
            writer.close()
            # Or the zeros were cut off since.
            for name, data in content(at).items():
                if name in closed and data != closed[name]:
                    (at / name).write_bytes(closed[name])
            succeeds(f"{column}, then append, then ship --verify", "ship", "--verify", "--read-back", path, url)
            succeeds(f"{column}, then append, then ship", "ship", *compress, "--keep-segments", "1", path, url)
            left = [name for name in content(at) if name.endswith(".binlog")]
            expect(len(left) == 1, column, "what was shipped may go", lambda: f"{left}")
        at, path = self.copy("compressed")
        succeeds("compress", "compress", path)
        all_closed("compress", {name: data for name, data in content(at).items() if ".z" in name})

    def prune(self):
        if self.case.log.single:
            return
        at, path = self.copy("pruned")
        done = logs.command("prune", "--keep-segments", "2", path)
        expect, column, cell = self.found.expect, "prune", self.cell("prune")
        if cell:
            expect(done.returncode == cell.status, column, "exit status", lambda: f"{done.returncode} instead of {cell.status}: {last_line(done)}")
        expect(done.returncode in (0, 1, 3), column, "exit status", lambda: last_line(done))
        read = library.Read(path, library.SALVAGE)
        shown = {record[0] for record in read.shown}
        order = sorted(self.saved)
        expect(sorted(shown & self.saved) == order[len(order) - len(shown & self.saved):], column, "only the oldest go",
               lambda: f"left: {ids(shown)} of {ids(self.saved)}")
