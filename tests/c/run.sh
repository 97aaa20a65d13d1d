#!/bin/sh
# Tests the built library as C and C++ programs use it: the headers alone, the tests and examples linked shared and
# static, the C ones under valgrind, all of them again with the compiler's sanitizers, and the exports of the shared
# object. Prints one line per check, and at the end "N passed, M failed"; exits with 1 if any failed.
#
#   BINLOG_LIB_DIR      where libbinlog.so and libbinlog.a are (default: target/release of this repository)
#   BINLOG_INCLUDE_DIR  where binlog.h and binlog.hpp are (default: include of this repository)
#   CC, CXX             the compilers (default: cc, c++)
#   BINLOG_SANITIZED    1 = only the part with the sanitizers
set -u

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
lib=$(cd "${BINLOG_LIB_DIR:-$root/target/release}" 2>/dev/null && pwd) || {
  echo "no directory ${BINLOG_LIB_DIR:-$root/target/release}: build the library first" >&2
  exit 1
}
include=$(cd "${BINLOG_INCLUDE_DIR:-$root/include}" && pwd)
CC=${CC:-cc}
CXX=${CXX:-c++}
warnings="-Wall -Wextra -Wpedantic -Werror"
system_libs="-lpthread -ldl -lm -Wl,--as-needed -lgcc_s -Wl,--no-as-needed"

tests="layout round_trip appender area types bad_arguments filters index packed closing_order threads fork live damage salvage open_paths
roll_arguments rolling ship_arguments compress ship ship_writer memory waiting table splits"
cpp_tests="wrapper wrapper_rolling wrapper_ship wrapper_table wrapper_splits"
# Each example with its arguments; they run in a directory of their own.
examples="quickstart gather counters find rolling tail migrate archive memory_store"
cpp_examples="quickstart gather threads rolling tail migrate archive"

work=$(mktemp -d "${TMPDIR:-/tmp}/binlog-c-tests-XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM
export TMPDIR="$work"

passed=0
failed=0
# check NAME COMMAND...: runs the command and prints one line; the beginning of its output only if it fails.
check() {
  name=$1
  shift
  if "$@" >"$work/output" 2>&1 </dev/null; then
    passed=$((passed + 1))
    echo "ok    $name"
  else
    code=$?
    failed=$((failed + 1))
    echo "FAIL  $name (exit $code)"
    sed 's/^/      /; 30q' "$work/output"
    return 1
  fi
}

# The loader looks for the SONAME, which a plain build does not put beside the library.
mkdir "$work/shared"
ln -s "$lib/libbinlog.so" "$work/shared/libbinlog.so"
ln -s "$lib/libbinlog.so" "$work/shared/libbinlog.so.0"

# build NAME OUTPUT shared|static COMPILER FLAGS... SOURCE
build() {
  build_name=$1 output=$2 how=$3
  shift 3
  if [ "$how" = shared ]; then
    check "build $build_name" "$@" -I"$include" -o "$output" \
      -L"$work/shared" -Wl,-rpath,"$work/shared" -lbinlog -lpthread
  else
    # shellcheck disable=SC2086  # words, not one argument
    check "build $build_name" "$@" -I"$include" -o "$output" "$lib/libbinlog.a" $system_libs
  fi
}

in_new_directory() {
  scratch=$(mktemp -d "$work/run-XXXXXX")
  (cd "$scratch" && "$@")
  code=$?
  rm -rf "$scratch"
  return $code
}

# A program that is linked statically finds the library of stores by the loader's path.
stores=$lib:$root/target/release
# run_program NAME BINARY: at most two minutes.
run_program() { check "run $1" in_new_directory env LD_LIBRARY_PATH="$stores" timeout 120 "$2"; }

# ------------------------------------------------------------------ sanitizers
# AddressSanitizer replaces malloc for the library too: leaks, double frees and uses after free are found, and so are
# accesses out of bounds of the programs' memory in every call of libc. Warnings are left to the builds below: the code
# that sanitizers insert causes some of its own.
sanitize="-O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined"
export ASAN_OPTIONS="detect_leaks=1:detect_stack_use_after_return=1:abort_on_error=0"
export UBSAN_OPTIONS="print_stacktrace=1"

# A writer that is never closed: if that is not noticed, the other checks prove nothing.
leaks_are_seen() {
  cat >"$work/leak.c" <<'END'
#include <binlog.h>
#include <stddef.h>
int main(void) {
  binlog_writer *w = NULL;
  if (binlog_writer_open_file("leak.binlog", NULL, &w, NULL) != BINLOG_OK) return 2;
  w = NULL;
  return 0;
}
END
  # shellcheck disable=SC2086
  $CC -std=c99 $sanitize -I"$include" -o "$work/leak" "$work/leak.c" \
    -L"$work/shared" -Wl,-rpath,"$work/shared" -lbinlog || return 1
  in_new_directory "$work/leak" && return 1
  in_new_directory "$work/leak" 2>&1 | grep 'detected memory leaks'
}

sanitized() {
  # shellcheck disable=SC2086
  if ! echo 'int main(void) { return 0; }' | $CC $sanitize -x c -o "$work/empty" - 2>/dev/null; then
    echo "note  $CC has no AddressSanitizer: no checks with it"
    return 0
  fi
  check "a leak is seen with sanitizers" leaks_are_seen
  for test in $tests; do
    # shellcheck disable=SC2086
    build "$test (sanitized)" "$work/$test-asan" shared $CC -std=c99 $sanitize "$here/$test.c" &&
      run_program "$test (sanitized)" "$work/$test-asan"
  done
  for test in $cpp_tests; do
    # shellcheck disable=SC2086
    build "$test (sanitized)" "$work/$test-asan" shared $CXX -std=c++17 $sanitize "$here/$test.cpp" &&
      run_program "$test (sanitized)" "$work/$test-asan"
  done
  for example in $examples; do
    # shellcheck disable=SC2086
    build "examples/c/$example (sanitized)" "$work/c-$example-asan" shared $CC -std=c99 $sanitize \
      "$root/examples/c/$example.c" && run_program "examples/c/$example (sanitized)" "$work/c-$example-asan"
  done
}

finish() {
  echo "$passed passed, $failed failed"
  [ "$failed" -eq 0 ]
  exit
}

sanitized
[ "${BINLOG_SANITIZED:-}" != 1 ] || finish

# ------------------------------------------------------------------ headers
compile_alone() { # header, then compiler and flags; -x gives the language
  header=$1
  shift
  echo "#include <$header>" | "$@" -I"$include" -fsyntax-only -
}
for std in c99 c11 c17 c2x; do
  # shellcheck disable=SC2086
  check "header binlog.h as $std" compile_alone binlog.h $CC -x c -std=$std $warnings
done
for std in c++11 c++14; do
  # shellcheck disable=SC2086
  check "header binlog.h as $std" compile_alone binlog.h $CXX -x c++ -std=$std $warnings
done
for std in c++17 c++20; do
  # shellcheck disable=SC2086
  check "header binlog.h as $std" compile_alone binlog.h $CXX -x c++ -std=$std $warnings
  # shellcheck disable=SC2086
  check "header binlog.hpp as $std" compile_alone binlog.hpp $CXX -x c++ -std=$std $warnings -Wconversion
  for part in "$include"/binlog/*.hpp; do
    part=binlog/${part##*/}
    # shellcheck disable=SC2086
    check "header $part as $std" compile_alone "$part" $CXX -x c++ -std=$std $warnings -Wconversion
  done
done

# Names without our prefix would clash with those of the programs that include the header; Arrow's own are under its guards.
macros() { echo "$1" | $CC -x c -std=c99 -I"$include" -dM -E - | awk '{ print $2 }' | LC_ALL=C sort; }
only_our_macros() {
  macros '#include <stddef.h>
#include <stdint.h>' >"$work/macros"
  ! macros '#include <binlog.h>' | LC_ALL=C comm -13 "$work/macros" - | grep -vE '^(BINLOG_|ARROW_(C_(DATA|STREAM)_INTERFACE|FLAG_(DICTIONARY_ORDERED|MAP_KEYS_SORTED|NULLABLE))$)'
}
check "binlog.h defines only BINLOG_* and the macros of the Arrow C interfaces" only_our_macros

# The attributes that compilers see in a call, and a switch to turn them off.
compiles() { $CC -std=c11 -O1 -Wall -Wextra -Werror -I"$include" "$@" -c -o /dev/null -x c - ; }
warns_of() { # flag, then the body of a function
  program="#include <binlog.h>
void f(binlog_writer *w, const char *text);
void f(binlog_writer *w, const char *text) { (void)w, (void)text; $2 }"
  echo "$program" | compiles "-Wno-error=$1" 2>&1 | grep -F "[-W$1]" || return 1
  echo "$program" | compiles -DBINLOG_NO_ATTRIBUTES
}
check "an unused status is warned of" warns_of unused-result 'binlog_writer_flush(w, NULL);'
# Only clang has an attribute with which the library may still answer NULL, as it promises.
if $CC --version | grep -q clang; then
  check "NULL where it is an error is warned of" warns_of nonnull \
    'if (binlog_writer_append(NULL, 1, text, 1, NULL, NULL) != BINLOG_OK) return;'
fi

without_exceptions="$CXX -std=c++17 -O1 -fno-exceptions -fno-rtti $warnings -I$include"
throwing_forms_do_not_compile() {
  # shellcheck disable=SC2086
  ! $without_exceptions -DCALLS_WHAT_THROWS -c -o /dev/null "$here/without_exceptions.cpp" >"$work/refused" 2>&1 &&
    grep -F 'call its try_ form' "$work/refused"
}
# shellcheck disable=SC2086
build "without_exceptions" "$work/without_exceptions" shared $without_exceptions "$here/without_exceptions.cpp" &&
  run_program "without_exceptions" "$work/without_exceptions"
check "without exceptions, what throws does not compile" throwing_forms_do_not_compile

# ------------------------------------------------------------------ tests and examples, shared and static
have_valgrind=$(command -v valgrind || true)
[ -n "$have_valgrind" ] || echo "note  valgrind is not installed: no memory checks"
# Rust's name of the main thread is referred to only by a pointer into its middle, and is never freed.
cat >"$work/valgrind.supp" <<'END'
{
  the name of the main thread
  Memcheck:Leak
  match-leak-kinds: possible
  ...
  fun:*3std6thread7current12init_current
}
END
memcheck="valgrind --quiet --error-exitcode=99 --leak-check=full --suppressions=$work/valgrind.supp"

# Under valgrind everything is about fifty times slower.
run_memcheck() {
  [ -n "$have_valgrind" ] || return 0
  # shellcheck disable=SC2086
  check "valgrind $1" in_new_directory timeout 900 $memcheck "$2"
}

for how in shared static; do
  for test in $tests; do
    # shellcheck disable=SC2086
    build "$test ($how)" "$work/$test-$how" $how $CC -std=c99 -O1 -g $warnings "$here/$test.c" &&
      run_program "$test ($how)" "$work/$test-$how"
  done
  for test in $cpp_tests; do
    for std in c++17 c++20; do
      # shellcheck disable=SC2086
      build "$test as $std ($how)" "$work/$test-$std-$how" $how $CXX -std=$std -O1 -g $warnings -Wconversion \
        "$here/$test.cpp" && run_program "$test as $std ($how)" "$work/$test-$std-$how"
    done
  done
  for example in $examples; do
    # shellcheck disable=SC2086
    build "examples/c/$example ($how)" "$work/c-$example-$how" $how $CC -std=c99 -O1 -g $warnings \
      "$root/examples/c/$example.c" && run_program "examples/c/$example ($how)" "$work/c-$example-$how"
  done
  for example in $cpp_examples; do
    # shellcheck disable=SC2086
    build "examples/cpp/$example ($how)" "$work/cpp-$example-$how" $how $CXX -std=c++17 -O1 -g $warnings \
      "$root/examples/cpp/$example.cpp" && run_program "examples/cpp/$example ($how)" "$work/cpp-$example-$how"
  done
done

for test in $tests; do
  [ -x "$work/$test-shared" ] && run_memcheck "$test" "$work/$test-shared"
done
for example in $examples; do
  [ -x "$work/c-$example-shared" ] && run_memcheck "examples/c/$example" "$work/c-$example-shared"
done
for test in $cpp_tests; do
  [ -x "$work/$test-c++17-shared" ] && run_memcheck "$test" "$work/$test-c++17-shared"
done

# ------------------------------------------------------------------ what appenders share
if [ -n "$have_valgrind" ]; then
  # shellcheck disable=SC2086
  build alone "$work/alone" shared $CC -std=c99 -O1 -g $warnings "$here/alone.c" &&
    check "appenders lock nothing, and share no cache line that one of them writes" python3 "$here/alone.py" "$work/alone"
fi

# ------------------------------------------------------------------ the shared object
exported() { nm -D --defined-only "$lib/libbinlog.so" | awk '{ print $NF }' | sed 's/@.*//' | LC_ALL=C sort -u; }
# Comments name functions without parentheses, so that only declarations and types of callbacks match.
declared() { grep -oE '\bbinlog_[a-z0-9_]+ *\(([^*]|$)' "$include/binlog.h" | sed 's/ *(.*//' | LC_ALL=C sort; }
only_our_names() { ! exported | grep -v '^binlog_'; }
exports_as_committed() { exported | diff "$here/symbols.txt" -; }
declares_as_committed() { declared | diff "$here/symbols.txt" -; }
has_soname() { readelf -d "$lib/libbinlog.so" | grep -F '(SONAME)' | grep -F '[libbinlog.so.0]'; }
has_nodelete() { readelf -d "$lib/libbinlog.so" | grep -F '(FLAGS_1)' | grep -w NODELETE; }
check "only binlog_* is exported" only_our_names

# A plugin that contains the static library may be unloaded, which the shared library never is.
forks_after_unloading() {
  # shellcheck disable=SC2086
  $CC -std=c99 -shared -fPIC $warnings -I"$include" -o "$work/plugin.so" "$here/unload/plugin.c" "$lib/libbinlog.a" \
    $system_libs || return 1
  # -Wpedantic allows no cast from the result of dlsym to a function.
  $CC -std=gnu99 -Wall -Wextra -Werror -o "$work/host" "$here/unload/host.c" -ldl || return 1
  in_new_directory "$work/host" "$work/plugin.so" log
}
check "a program forks after it has unloaded the library" forks_after_unloading
check "exported symbols are those of symbols.txt" exports_as_committed
check "binlog.h declares those of symbols.txt, once each" declares_as_committed
check "SONAME is libbinlog.so.0" has_soname
check "NODELETE is set" has_nodelete

finish
