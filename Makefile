# The one list of commands. README, CONTRIBUTING and .ci/run call these.

SHELL := /bin/bash
CARGO ?= cargo
export CARGO_TERM_COLOR ?= auto

.PHONY: help setup build core demo test lint lint-tools lowest unit model c-tests java java-test spark spark-test go-test python python-wheels python-test system-tests rolling-tests verdicts fuzz-replay defects docs-test conformance stranger engines archive-tests archive-tools install-test abi-test abi install install-debug uninstall prefix soak soak-filesystems soak-fuzz soak-sanitized soak-cargo-c bench bench-quick header golden clean

# Where the workspaces beside the library's build: they share what is built of their dependencies, as they have the same
# profiles. Not in target: the library that each of them builds would take the place of the one that is tested.
BESIDE := CARGO_TARGET_DIR="$${CARGO_TARGET_DIR:-$(CURDIR)/target/beside}"

# The profile of the Python package and of the benchmark: without the optimisations, of which their tests see nothing, both are built in
# a third of the time. By themselves, and in make soak, they are built as they are used.
BESIDE_PROFILE := $(if $(TOGETHER),demo,release)
export BINLOG_PYTHON_PROFILE := $(BESIDE_PROFILE)

help: ## Show this list.
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | column -t -s "$$(printf '\t')"

setup: ## Install what the other commands need and this machine lacks.
	@packaging/setup.sh

build: $(if $(TOGETHER),,setup) core ## Build the libraries (shared and static) and the command, optimised.
	$(CARGO) build --release --locked --package binlog-stores
	@packaging/link.sh target/release
	@ln -sf libbinlog_stores.so target/release/libbinlog_stores.so.0

# Programs look for the library under its SONAME.
core: ## Build the library and the command alone, without the stores on servers.
	$(CARGO) build --release --locked --package libbinlog --package binlog-cli
	@ln -sf libbinlog.so target/release/libbinlog.so.0

# Neither builds anything, so that root need not: packaging/install.sh says which variables there are.
install: ## Install what was built: PREFIX (/usr/local), DESTDIR, LIBDIR and others of docs/install.md.
	@packaging/install.sh install

install-debug: ## Install the debug information of what install with the same variables installs, where debuggers find it.
	@packaging/install.sh install-debug

uninstall: ## Remove what install with the same variables has installed.
	@packaging/install.sh uninstall

prefix: ## Install what was built into target/prefix, where tests that need an installed copy find it.
	@env -u DESTDIR -u BINDIR -u LIBDIR -u INCLUDEDIR -u DATADIR PREFIX="$(CURDIR)/target/prefix" packaging/install.sh install

# A build with optimisations takes twice as long as the demo should. One that is there already is used.
DEMO_PROFILE := $(if $(wildcard target/release/libbinlog.so),release,demo)

demo: ## Record this machine's counters and package log from C, read them back by type, and show the log.
	@packaging/setup.sh demo
	$(CARGO) build --profile $(DEMO_PROFILE) --locked --package libbinlog --package binlog-cli
	@ln -sf libbinlog.so target/$(DEMO_PROFILE)/libbinlog.so.0
	@examples/demo.sh target/$(DEMO_PROFILE)

SUITES := lint unit c-tests java-test go-test python-test spark-test conformance stranger engines system-tests rolling-tests verdicts model archive-tests fuzz-replay defects abi-test install-test docs-test bench-quick

# Two at a time, what others wait for first: compilers wait for each other's last step, and tests for disks and clocks. What a suite says comes in one piece.
test: setup ## Run everything that must pass before a change lands.
	@$(MAKE) --no-print-directory -j2 --output-sync=target TOGETHER=1 build archive-tools $(SUITES)
	@echo "all suites passed"

# Which of them must wait for others, because they build into one directory.
ifdef TOGETHER
# Compilers would look for tokens of this make, which it does not hand on; and suites that call make mean another one.
unexport TOGETHER MAKEFLAGS MFLAGS MAKEOVERRIDES
prefix: | build
# The longest first.
lint: | unit
# It builds the library with a scheduler in place of locks, under the same name.
model: | lint unit
install-test docs-test: | go-test
bench-quick: | engines
conformance archive-tests: | java-test go-test
conformance: | python-test
# It uses the jar of the one and the wheel of the other, and a store.
spark-test: | java-test python-test archive-tools
# They build into one directory.
java python conformance archive-tests: | spark-test
endif

# Not part of setup: only lint needs it.
lint-tools: ## Install cargo-deny into target/tools (a minute the first time).
	@packaging/deny.sh install

lint: lint-tools ## Formatting, warnings as errors, documentation without broken links; dependencies: licences, advisories, other versions.
	$(CARGO) fmt --all --check
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings
	$(CARGO) clippy --locked --package libbinlog -- -D warnings
	$(CARGO) clippy --locked --package libbinlog --no-default-features -- -D warnings
	$(CARGO) clippy --locked --package libbinlog --no-default-features --features model --lib --test model -- -D warnings
	packaging/deny.sh
	packaging/versions.sh
	! $(CARGO) package --locked --list --allow-dirty --package libbinlog 2>/dev/null | grep -vE '^((src|include)/.*|Cargo\.(toml|lock|toml\.orig)|\.cargo_vcs_info\.json|build\.rs|README\.md|CHANGELOG\.md|LICENSE)$$'
	cd fuzz && $(CARGO) fmt --check
	cd fuzz && $(BESIDE) $(CARGO) clippy --locked --no-default-features --all-targets -- -D warnings
	cd bindings/python && $(CARGO) fmt --check
	cd bindings/python && $(BESIDE) $(CARGO) clippy --locked --all-targets -- -D warnings
	cd bindings/python && $(BESIDE) $(CARGO) clippy --locked --all-targets --no-default-features -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --workspace --no-deps --quiet

# The same random cases each time, so that a change is judged by what it changes; make soak tries others.
unit: ## Rust tests of the library and of the command.
	PROPTEST_RNG_SEED=1 $(CARGO) test --locked --workspace --no-fail-fast

# A lock that the scheduler does not know of waits for ever, hence the limit in seconds.
MODEL_LIMIT ?= 600

# BINLOG_MODEL_SCHEDULES says how many schedules each scenario tries, BINLOG_MODEL_SEED which ones.
model: ## The writer's threads under a scheduler that tries many orders of them, with writes and syncs that fail.
	timeout $(MODEL_LIMIT) $(CARGO) test --locked --package libbinlog --no-default-features --features model --test model

c-tests: build ## C and C++ tests against the built library, shared and static, with sanitizers and under valgrind.
	tests/c/run.sh

java: build ## The jar of the Java binding, with the library in it: bindings/java/target/binlog.jar.
	bindings/java/test.sh build

java-test: build ## Tests and examples of the Java binding on each JDK of the machine, with the JVM's checks of JNI.
	bindings/java/test.sh

spark: build ## The jar of the Spark connector, with the Java binding and the library in it: bindings/spark/target/binlog-spark.jar.
	bindings/spark/test.sh build

# A bound of five minutes of its own; the long scenarios are in make soak.
spark-test: build archive-tools ## The Spark connector with Spark itself, on executors of their own: kills, streams, damage, a store, documentation, examples.
	bindings/spark/test.sh

# The programs of Java, Go and Python come with their bindings, and are linked as a user of theirs would.
conformance: build $(if $(wildcard bindings/java/pom.xml),java) $(if $(wildcard bindings/go/go.mod),prefix) $(if $(wildcard bindings/python/pyproject.toml),python) ## Every language reads the golden files, and writes, reads and follows what the others do.
	tests/conformance/run.py

# The same damages each time; make soak tries others.
stranger: build ## A reader written after the format's pages alone reads the golden files, and damaged logs as the command does.
	tests/stranger/run.sh

engines: build ## pyarrow, nanoarrow, DuckDB, Polars and DataFusion read tables; Python reads exports; DuckDB queries logs by examples/duckdb.
	tests/engines/run.sh

system-tests: build ## Failing system calls, full disks and failing devices under the built library; mounting small file systems needs root.
	tests/system/run.sh
	tests/filesystems/run.py --quick

rolling-tests: build ## Random sequences with false clocks, DST nights, failing hooks and kills under the built library, against a model.
	tests/rolling_model/run.py

verdicts: build ## Every situation that a log can be in, made and held against the table in docs/recovery.md, with what was written as the judge.
	tests/verdicts/run.py

# Not part of setup: only these tests need them.
archive-tools: $(if $(TOGETHER),,setup) ## Install the object stores that archive-tests runs against into target/tools (3 minutes the first time).
	@tests/archive/setup.sh

archive-tests: build archive-tools prefix ## Shipping to real object stores on loopback, through what networks, servers, disks and kill -9 do to it.
	python3 tests/archive/test_proxy.py
	tests/archive/run.py
	tests/archive/servers.py run -- bash -c 'bindings/go/test.sh stores && bindings/java/test.sh stores'

# 256 MiB of addresses: bytes that make the library ask for more are a finding.
fuzz-replay: ## Every file of the fuzz corpus once more, with little memory; needs no fuzzer.
	cd fuzz && $(BESIDE) $(CARGO) test --locked --no-default-features --quiet
	cd fuzz && $(BESIDE) $(CARGO) build --locked --no-default-features --bin replay
	ulimit -v 262144 && timeout 120 "$${CARGO_TARGET_DIR:-target/beside}/debug/replay"

# One of 32 parts, another one with each commit, and all of them in make soak.
defects: ## Break the library on purpose, one defect after the other, and see that a test notices each.
	python3 tests/defects/run.py --share

go-test: prefix ## The Go module: vet, tests with the race detector, shared and static, cgo's checks of pointers, examples.
	bindings/go/test.sh

python: ## The Python package: bindings/python/target/wheels has a wheel for this machine.
	packaging/python.sh build

python-wheels: ## Wheels of the Python package for linux x86_64 and aarch64, and the sdist.
	packaging/python.sh all

python-test: ## The Python package as a wheel in an environment of its own: mypy, pytest, engines, documentation, examples.
	bindings/python/test.sh

docs-test: build ## Run the commands that README and CONTRIBUTING show.
	tests/documented.sh

install-test: build ## Install, move, build the examples against that, run them, uninstall.
	tests/install/run.sh

abi-test: build ## Functions, structs and constants against packaging/abi, and that breaking changes are noticed there.
	packaging/abi/compare.sh
	tests/install/abi.sh

soak: build archive-tools soak-filesystems soak-fuzz soak-sanitized soak-cargo-c ## The long forms: fuzzing, random histories, faults, power cuts, kills, following and the C tests, over and over (hours).
	for round in $$(seq 50); do \
	  $(CARGO) test --release --locked --quiet --test format --test writer --test reader --lib || exit 1; \
	done
	BINLOG_MODEL_SCHEDULES=5000 BINLOG_MODEL_SEED=$$RANDOM $(MAKE) model MODEL_LIMIT=7200
	BINLOG_ORACLE_SEEDS=20000 BINLOG_ORACLE_FIRST=$$RANDOM $(CARGO) test --release --locked --quiet --test reader oracle
	BINLOG_POWER_SEEDS=100 $(CARGO) test --release --locked --quiet --test writer power_loss
	BINLOG_SOAK_SECONDS=600 $(CARGO) test --release --locked --quiet --test writer appenders_soak
	for round in $$(seq 20); do \
	  $(CARGO) test --release --locked --quiet --test writer kill && $(CARGO) test --release --locked --quiet --test reader tail_processes || exit 1; \
	done
	packaging/versions.sh test
	for round in $$(seq 10); do tests/c/run.sh || exit 1; done
	tests/rolling_model/run.py --sequences 20000 --first 1000
	tests/verdicts/run.py --all
	tests/stranger/run.sh --seconds 1200 --seed $$RANDOM
	python3 tests/defects/run.py
	bindings/python/test.sh
	bindings/spark/soak.sh

# BINLOG_FILESYSTEM_SECONDS says for how long.
soak-filesystems: build ## Power cuts, full disks and failing devices on real ext4, XFS and btrfs (10 minutes); needs root, installs their tools.
	tests/filesystems/run.py

soak-fuzz: ## Fuzz each target for 90 seconds; installs cargo-fuzz.
	fuzz/soak.sh 90

# Only a nightly compiler builds the library with AddressSanitizer; the C compiler brings the sanitizer's library.
soak-sanitized: ## The C tests against the library built with AddressSanitizer, if there is a nightly toolchain.
	@if $(CARGO) +nightly --version > /dev/null 2>&1; then \
	  RUSTFLAGS=-Zsanitizer=address $(CARGO) +nightly build --locked --package libbinlog \
	    --target x86_64-unknown-linux-gnu --target-dir target/sanitized && \
	  BINLOG_SANITIZED=1 BINLOG_LIB_DIR=target/sanitized/x86_64-unknown-linux-gnu/debug tests/c/run.sh; \
	else echo "no nightly toolchain: the library is not built with AddressSanitizer"; fi

soak-cargo-c: ## Install the library by cargo-c, as docs/install.md tells, and use it; builds cargo-c first (5 minutes).
	tests/install/cargo-c.sh

bench: build archive-tools ## Measure against raw system calls and peers (half an hour and more); writes docs/performance/.
	bench/languages/peers.sh
	cd bench && $(BESIDE) ../tests/archive/servers.py run --only s3 -- $(CARGO) run --release --locked -- --markdown ../docs/performance/results.md --svg ../docs/performance/results.svg $(BENCH_ARGS)
	tests/engines/run.sh --python bench/tables.py --markdown docs/performance/tables.md
	bindings/spark/test.sh --python bench/spark.py --markdown docs/performance/spark.md

bench-quick: build ## A few seconds of the benchmark, to see that it works.
	bench/languages/peers.sh
	cd bench && $(BESIDE) $(CARGO) test --profile $(BESIDE_PROFILE) --locked --quiet
	cd bench && $(BESIDE) $(CARGO) run --profile $(BESIDE_PROFILE) --locked --quiet -- --quick > /dev/null
	tests/engines/run.sh --python bench/tables.py --quick > /dev/null

header: ## Write include/binlog.h anew from src/ffi.
	BINLOG_WRITE_HEADER=1 $(CARGO) test --locked --test header

lowest: ## Write packaging/lowest.lock anew, after a dependency was added or changed.
	packaging/versions.sh write

abi: build ## Write the baselines of packaging/abi anew, after something was added to binlog.h.
	packaging/abi/compare.sh --write

golden: ## Write the golden files anew; only for a new version of the format.
	$(CARGO) test --locked --test format -- --ignored --exact golden::write_golden

clean: ## Remove everything that was built.
	$(CARGO) clean
	rm -rf bench/target fuzz/target bindings/java/target bindings/python/target bindings/spark/target
