"""The conformance programs of all languages: how they are built and run."""

import os
import shlex
import subprocess
import sys
import tempfile
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
GOLDEN = ROOT / "tests/golden"
LIBRARIES = Path(os.environ.get("BINLOG_LIB_DIR") or ROOT / "target/release").resolve()
WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror"]
SANITIZE = ["-g", "-fno-omit-frame-pointer", "-fsanitize=address,undefined", "-fno-sanitize-recover=undefined"]
# A program that takes this long never ends; those that wait give up by themselves after 60 s.
PATIENCE = 150


class Failure(Exception):
    """A check that failed, with its details."""


def command_failed(words, status, errors):
    shown = " ".join(shlex.quote(str(word)) for word in words)
    return Failure(f"exit status {status}: {shown}\n{errors.decode(errors='replace').strip()}")


@dataclass
class Program:
    """One language's `conform`."""

    name: str
    words: list
    # The writer that its segments name.
    writer: str
    # Whether it has the command `salvage` and takes conditions, which bindings test by themselves.
    has_extras: bool = True
    # Whether it has the command `stage`: the language has appenders.
    has_appenders: bool = True
    # Whether it is another build of a program that exists already: it reads and writes, but follows no writer.
    is_variant: bool = False
    environment: dict = field(default_factory=dict)

    def start(self, *arguments, output=subprocess.PIPE):
        # Paths are UTF-8, which a JVM learns from the locale.
        environment = {**os.environ, "LC_ALL": "C.UTF-8", **self.environment}
        words = [*self.words, *(str(argument) for argument in arguments)]
        return subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.PIPE,
                                env=environment)

    def finish(self, process):
        """Its output; fails unless it ended well."""
        try:
            output, errors = process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise Failure(f"no end after {PATIENCE} s: {shlex.join(process.args)}") from None
        if process.returncode != 0:
            raise command_failed(process.args, process.returncode, errors)
        return output.decode() if output is not None else ""

    def run(self, *arguments):
        return self.finish(self.start(*arguments))


def build(words, **options):
    done = subprocess.run([str(word) for word in words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False, **options)
    if done.returncode != 0:
        raise command_failed(words, done.returncode, done.stdout)


def rust(_work):
    build([os.environ.get("CARGO", "cargo"), "build", "--locked", "--quiet", "--example", "conform"], cwd=ROOT)
    target = Path(os.environ.get("CARGO_TARGET_DIR") or "target")
    return Program("Rust", [ROOT / target / "debug/examples/conform"], "rust")


def compiled(name, source, compiler, writer, flags, is_variant=False):
    def make(work):
        program = work / f"conform-{name.split()[0].lower()}{'-sanitized' if is_variant else ''}"
        build([*compiler, *flags, f"-I{ROOT / 'include'}", HERE / source, "-o", program,
               f"-L{LIBRARIES}", f"-Wl,-rpath,{LIBRARIES}", "-lbinlog"])
        return Program(name, [program], writer, is_variant=is_variant)
    return make


def java(_work):
    target = ROOT / "bindings/java/target"
    for needed in [target / "binlog.jar", target / "test-classes/io/binlog/conform/Conform.class"]:
        if not needed.exists():
            raise Failure(f"{needed.relative_to(ROOT)} is missing: `make java` builds it")
    classes = f"{target / 'binlog.jar'}:{target / 'test-classes'}"
    # Many short runs: compiling what runs for a second would cost more than it brings.
    words = ["java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto", "-cp", classes]
    return Program("Java", [*words, "io.binlog.conform.Conform"], "java", has_extras=False)


def go(work):
    prefix = ROOT / "target/prefix/lib"
    if not (prefix / "pkgconfig/binlog.pc").exists():
        raise Failure("target/prefix/lib/pkgconfig/binlog.pc is missing: `make prefix` installs it")
    program = work / "conform-go"
    environment = {**os.environ, "PKG_CONFIG_PATH": str(prefix / "pkgconfig")}
    build(["go", "build", "-o", program, "./internal/conform"], cwd=ROOT / "bindings/go", env=environment)
    return Program("Go", [program], "go", environment={"LD_LIBRARY_PATH": str(prefix)})


def python(work):
    wheels = sorted((ROOT / "bindings/python/target/wheels").glob("libbinlog-*-abi3-*.whl"))
    if len(wheels) != 1:
        raise Failure("bindings/python/target/wheels has no wheel, or several: `make python` builds it")
    packages = work / "python-packages"
    with zipfile.ZipFile(wheels[0]) as wheel:
        wheel.extractall(packages)
    return Program("Python", [sys.executable, HERE / "conform.py"], "python", has_appenders=False,
                   environment={"PYTHONPATH": str(packages), "PYTHONDONTWRITEBYTECODE": "1"})


def has_sanitizers(compiler):
    with tempfile.TemporaryDirectory() as scratch:
        source = Path(scratch) / "empty.c"
        source.write_text("int main(void) { return 0; }\n")
        words = [*compiler, *SANITIZE, str(source), "-o", str(Path(scratch) / "empty")]
        return subprocess.run(words, capture_output=True, check=False).returncode == 0


def build_all(work, note):
    """The programs of all languages that are there, in a fixed order. `note` is called with remarks."""
    cc, cxx = shlex.split(os.environ.get("CC", "cc")), shlex.split(os.environ.get("CXX", "c++"))
    makers = [rust,
              compiled("C", "conform.c", cc, "c", ["-std=c99", "-O1", *WARNINGS]),
              compiled("C++", "conform.cpp", cxx, "cpp", ["-std=c++17", "-O1", *WARNINGS])]
    if has_sanitizers(cc):
        # Warnings are left to the builds above: the code that sanitizers insert causes some of its own.
        makers += [compiled("C (sanitized)", "conform.c", cc, "c", ["-std=c99", "-O1", *SANITIZE], True),
                   compiled("C++ (sanitized)", "conform.cpp", cxx, "cpp", ["-std=c++17", "-O1", *SANITIZE], True)]
    else:
        note(f"{cc[0]} has no AddressSanitizer: nothing is run with it")
    for language, maker in [("java", java), ("go", go), ("python", python)]:
        if (ROOT / "bindings" / language).is_dir():
            makers.append(maker)
        else:
            note(f"there is no bindings/{language}: it takes no part")
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(lambda maker: maker(work), makers))
