"""Appends to a shared library what DuckDB reads at the end of an extension: for which platform and for which version of
the C extension API it is. It is not signed: DuckDB loads it with allow_unsigned_extensions alone.

    footer.py LIBRARY EXTENSION VERSION
"""

import platform
import sys

API = "v1.2.0"
PLATFORMS = {"x86_64": "linux_amd64", "aarch64": "linux_arm64"}


def field(text):
    return text.encode("ascii").ljust(32, b"\0")


def footer(version):
    # The form of a custom section of WebAssembly: 531 bytes, a name of 16, contents of 512.
    section = b"\0\x93\x04\x10" + b"duckdb_signature" + b"\x80\x04"
    fields = ["", "", "", "C_STRUCT", version, API, PLATFORMS[platform.machine()], "4"]
    return section + b"".join(map(field, fields)) + bytes(256)


if __name__ == "__main__":
    library, extension, version = sys.argv[1:]
    with open(library, "rb") as source, open(extension, "wb") as target:
        target.write(source.read() + footer(version))
