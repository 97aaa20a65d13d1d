#!/usr/bin/env python3
"""Checks what wheels of the Python package contain: the types, the licence, one library for the system in the name.

    packaging/wheel.py WHEEL...
"""

import re
import struct
import sys
import zipfile

MACHINES = {"x86_64": 62, "aarch64": 183}


def check(path):
    wheel = zipfile.ZipFile(path)
    names = set(wheel.namelist())
    read = {name.rsplit("/", 1)[-1]: name for name in names if ".dist-info/" in name}
    for wanted in ("libbinlog/py.typed", "libbinlog/_libbinlog.pyi", "libbinlog/__init__.py"):
        assert wanted in names, f"{wanted} is missing"
    assert "LICENSE.txt" in read, "the licence is missing"
    assert all(name.startswith(("libbinlog/", "libbinlog-")) for name in names), f"there is something else: {names}"
    libraries = [name for name in names if re.search(r"\.so(\.|$)", name)]
    assert len(libraries) == 1, f"one library, not {libraries}"

    tags = re.findall(r"^Tag: (.*)$", wheel.read(read["WHEEL"]).decode(), re.MULTILINE)
    assert tags, "there is no tag"
    for tag in tags:
        python, abi, system = tag.split("-")
        assert (python, abi) == ("cp311", "abi3") or re.fullmatch(r"cp3\d+t", abi), tag
        found = re.fullmatch(r"manylinux(2014|_\d+_\d+)_(\w+)", system)
        assert found, f"{tag} does not say which glibc is needed"
        machine, = struct.unpack_from("<H", wheel.read(libraries[0]), 18)
        assert machine == MACHINES[found[2]], f"{tag}, but the library is for machine {machine}"

    metadata = wheel.read(read["METADATA"]).decode()
    assert "\nRequires-Python: >=3.11\n" in metadata and "\nLicense-Expression: Apache-2.0\n" in metadata, metadata[:900]
    needed = [line for line in metadata.split("\n") if line.startswith("Requires-Dist:") and "extra ==" not in line]
    assert not needed, f"it needs other packages: {needed}"
    print(*tags, f"{len(wheel.read(libraries[0])) / 1e6:.1f} MB")


for path in sys.argv[1:]:
    check(path)
