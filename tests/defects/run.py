#!/usr/bin/env python3
"""Breaks the library on purpose, one defect after the other, in a copy of the tree, and sees that a test notices each.

    tests/defects/run.py            all of them
    tests/defects/run.py --share    one of 32 parts, by the commit: the next commits try the others
    tests/defects/run.py WORD...    those whose title has one of the words

rooms/ROOM.py lists the defects of a room of the code. A defect that no test notices, or one that does not compile, is a failure.
So is a text that is not in the file any more, which is looked up for all of them each time.
"""
import pathlib
import runpy
import shutil
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
BUILD = ROOT / "target" / "defects"
TREE = BUILD / "tree"


def collect():
    """The defects of all rooms, whose titles differ."""
    sys.path.insert(0, str(HERE))
    rooms = sorted((HERE / "rooms").glob("*.py"))
    defects = [defect for room in rooms for defect in runpy.run_path(str(room))["DEFECTS"]]
    titles = [defect["title"] for defect in defects]
    if twice := {title for title in titles if titles.count(title) > 1}:
        sys.exit(f"two defects have the same title: {', '.join(sorted(twice))}")
    return defects


DEFECTS = collect()
# As many commits try each of them once.
PARTS = 32


def main(words):
    copy_tree()
    if words == ["--share"]:
        commits = subprocess.run(["git", "rev-list", "--count", "HEAD"], cwd=ROOT, check=True, capture_output=True)
        chosen = DEFECTS[int(commits.stdout) % PARTS :: PARTS]
    else:
        chosen = [d for d in DEFECTS if not words or any(word in d["title"] for word in words)]
    if not chosen:
        sys.exit(f"no defect's title has one of the words {' '.join(words)!r}")
    unnoticed = [d for d in DEFECTS if d not in chosen and misplaced(d)]
    for defect in unnoticed:
        print(f"FAIL {defect['title']}: {misplaced(defect)}", flush=True)
    begun = time.monotonic()
    for defect in chosen:
        verdict = try_defect(defect)
        print(f"{'ok  ' if verdict is None else 'FAIL'} {defect['title']}{'' if verdict is None else ': ' + verdict}", flush=True)
        if verdict is not None:
            unnoticed.append(defect)
    noticed = sum(defect not in unnoticed for defect in chosen)
    print(f"{noticed} of {len(chosen)} defects noticed in {time.monotonic() - begun:.0f} s; there are {len(DEFECTS)}")
    print(f"{noticed} passed, {len(unnoticed)} failed")
    return 1 if unnoticed else 0


def copy_tree():
    """Only what changed, so that the next run compiles little."""
    files = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True).stdout
    wanted = {name for name in files.decode().split("\0") if name and not name.startswith(("bench/", "fuzz/"))}
    for there in [path for path in TREE.rglob("*") if path.is_file()] if TREE.exists() else []:
        if str(there.relative_to(TREE)) not in wanted:
            there.unlink()
    for name in wanted:
        source, target = ROOT / name, TREE / name
        if not source.exists():
            continue
        if target.exists() and target.read_bytes() == source.read_bytes():
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target)


def misplaced(defect):
    """Why the defect cannot be made, or None."""
    count = (TREE / defect["file"]).read_text().count(defect["old"])
    return None if count == 1 else f"the text to change is {count} times in {defect['file']}"


def try_defect(defect):
    if misplaced(defect):
        return misplaced(defect)
    path = TREE / defect["file"]
    right = path.read_text()
    path.write_text(right.replace(defect["old"], defect["new"]))
    try:
        for target, test in defect["noticed_by"]:
            # Those of the command are called cli/NAME, those of the stores stores/NAME.
            member, _, name = target.rpartition("/")
            package, target = {"": "libbinlog", "cli": "binlog-cli", "stores": "binlog-stores"}[member], name
            command = ["cargo", "test", "--locked", "--quiet", "--target-dir", str(BUILD / "build"), "--package", package]
            command += ["--lib"] if target == "lib" else ["--test", target]
            command += ["--no-default-features", "--features", "model"] if target == "model" else []
            command += ["--", test, "--exact"]
            try:
                run = subprocess.run(command, cwd=TREE, capture_output=True, text=True, timeout=300)
            except subprocess.TimeoutExpired:
                return None  # It hangs: noticed.
            if "no test target named" in run.stderr:
                return f"there are no tests {target}"
            if "could not compile" in run.stderr:
                return "it does not compile: " + run.stderr[-600:]
            if run.returncode == 0:
                return f"{target}: {test} does not notice it"
        return None
    finally:
        path.write_text(right)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
