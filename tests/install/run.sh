#!/bin/sh
# Tests the installed library as its users do: make install and uninstall with all their variables, the examples built
# against a copy that was moved after it was installed, found by pkg-config and by CMake, shared and static; what the
# examples print; manual pages and completions. All paths contain spaces. Prints one line per check, and at the end
# "N passed, M failed"; exits with 1 if any failed.
#
#   CC, CXX   the compilers (default: cc, c++)
set -u

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
CC=${CC:-cc}
CXX=${CXX:-c++}
warnings="-Wall -Wextra -Wpedantic -Werror"
examples="c/quickstart c/gather c/find c/counters c/rolling c/tail c/migrate c/archive
cpp/quickstart cpp/gather cpp/threads cpp/rolling cpp/tail cpp/migrate cpp/archive"

base=$(mktemp -d "${TMPDIR:-/tmp}/binlog-install-tests-XXXXXX")
trap 'rm -rf "$base"' EXIT
trap 'exit 1' INT TERM
work="$base/a place with spaces"
mkdir -p "$work/home"
export TMPDIR="$base" HOME="$work/home"
# Variables that were set for other installations must not count here.
unset PREFIX DESTDIR BINDIR LIBDIR INCLUDEDIR DATADIR MANDIR DOCDIR PKGCONFIGDIR CMAKEDIR BASHCOMPDIR ZSHCOMPDIR
unset FISHCOMPDIR STRIP BINLOG_BUILD_DIR BINLOG_HOST_COMMAND MAKEFLAGS MAKELEVEL LD_LIBRARY_PATH

passed=0
failed=0
# check NAME COMMAND...: runs the command and prints one line; the beginning of its output only if it fails.
check() {
  name=$1
  shift
  if "$@" >"$base/output" 2>&1 </dev/null; then
    passed=$((passed + 1))
    echo "ok    $name"
  else
    code=$?
    failed=$((failed + 1))
    echo "FAIL  $name (exit $code)"
    sed 's/^/      /; 30q' "$base/output"
    return 1
  fi
}
make_in_root() { make -s --no-print-directory -C "$root" "$@"; }
files_in() { (cd "$1" && find . \( -type f -o -type l \) | sed 's/^\.//' | LC_ALL=C sort); }

# ------------------------------------------------------------------ install and uninstall
# Documentation and C++ headers are installed with others that are in the tree.
as_listed() {
  files_in "$1" | grep -vE '/doc/binlog/docs/|/include/binlog/' | diff "$here/files.txt" - &&
    for header in "$root"/include/binlog/*.hpp; do cmp "$header" "$1/usr/include/binlog/${header##*/}" || return 1; done
}
refuses_without_a_build() {
  mkdir -p "$work/no build"
  ! make_in_root install PREFIX="$work/refused" BINLOG_BUILD_DIR="$work/no build" >"$base/refused" 2>&1 &&
    grep 'run make build first' "$base/refused" && [ ! -e "$work/refused" ]
}
# The command of another machine, which this one cannot run for its manual pages.
for_another_machine() {
  mkdir -p "$work/foreign build"
  ln -s "$root"/target/release/libbinlog*.so "$root"/target/release/libbinlog*.a "$work/foreign build"
  printf 'foreign' >"$work/foreign build/binlog"
  set -- PREFIX="$work/foreign" BINLOG_BUILD_DIR="$work/foreign build"
  ! make_in_root install "$@" >"$base/refused" 2>&1 && grep 'BINLOG_HOST_COMMAND names one' "$base/refused" &&
    make_in_root install "$@" STRIP= BINLOG_HOST_COMMAND="$root/target/release/binlog" &&
    [ "$(cat "$work/foreign/bin/binlog")" = foreign ] && [ -f "$work/foreign/share/man/man1/binlog.1" ]
}
nothing_is_left() { [ -z "$(files_in "$1")" ] || { files_in "$1" && return 1; }; }
only_the_neighbour_is_left() { [ "$(files_in "$1")" = /usr/include/binlog/neighbour.hpp ] || { files_in "$1" && return 1; }; }
without_a_home() {
  # shellcheck disable=SC2016
  env -i PATH="$PATH" sh -c 'make -s --no-print-directory -C "$1" install PREFIX="$2" && "$2/bin/binlog" --version' sh \
    "$root" "$work/bare"
}
as_others_wish() {
  make_in_root install PREFIX="$work/other" LIBDIR="$work/other/lib/x86_64-linux-gnu" \
    INCLUDEDIR="$work/elsewhere/include" BINDIR="$work/other/commands" MANDIR="$work/other/manual" || return 1
  [ -x "$work/other/commands/binlog" ] && [ -f "$work/other/manual/man1/binlog-append.1" ] &&
    in_new_directory with_pkg_config "$work/other/lib/x86_64-linux-gnu" "" run_here quickstart
}
no_other_user_may_write() { [ -z "$(find "$1" ! -type l -perm /022)" ] && [ -z "$(find "$1" ! -type l ! -perm -044)" ]; }

in_new_directory() {
  scratch=$(mktemp -d "$base/run-XXXXXX")
  (cd "$scratch" && "$@")
  code=$?
  rm -rf "$scratch"
  return $code
}
# with_pkg_config LIBDIR OPTIONS COMMAND...: COMMAND gets the flags after its own arguments.
with_pkg_config() {
  libdir=$1 options=$2
  shift 2
  # shellcheck disable=SC2086
  flags=$(PKG_CONFIG_PATH="$libdir/pkgconfig" pkg-config $options --cflags --libs binlog) || return 1
  # Spaces in paths come with backslashes.
  eval "set -- \"\$@\" $flags"
  "$@"
}
run_here() { # EXAMPLE FLAGS...
  example=$1
  shift
  $CC -std=c99 "$root/examples/c/$example.c" "$@" -o program && LD_LIBRARY_PATH="$libdir" ./program
}

check "install refuses without a build, and says what to do" refuses_without_a_build
check "install with DESTDIR and PREFIX" make_in_root install DESTDIR="$work/dest" PREFIX=/usr
check "what is installed is what files.txt lists" as_listed "$work/dest"
check "everybody may read it, and only the owner may write" no_other_user_may_write "$work/dest"
check "installing again replaces it" make_in_root install DESTDIR="$work/dest" PREFIX=/usr
touch "$work/dest/usr/include/binlog/neighbour.hpp"
check "uninstall" make_in_root uninstall DESTDIR="$work/dest" PREFIX=/usr
check "uninstall leaves nothing of ours, and what is not ours" only_the_neighbour_is_left "$work/dest"
check "install without HOME and other variables, from a plain sh" without_a_home
check "uninstall of that" make_in_root uninstall PREFIX="$work/bare"
check "nothing is left of that" nothing_is_left "$work/bare"
check "install with LIBDIR, INCLUDEDIR, BINDIR and MANDIR, and a program with that" as_others_wish

check "install for another machine, with a command of this one" for_another_machine

check "install with PREFIX alone" make_in_root install PREFIX="$work/first place"
mv "$work/first place" "$work/second place"
prefix="$work/second place"
lib="$prefix/lib"

# ------------------------------------------------------------------ pkg-config
# The archive in place of the library: -lbinlog alone would take the shared one, which is beside it.
build_with_pkg_config() { # shared|static OUTPUT COMPILER FLAGS... SOURCE
  how=$1 output=$2
  shift 2
  if [ "$how" = shared ]; then
    with_pkg_config "$lib" "" "$@" -pthread -o "$output"
  else
    flags=$(PKG_CONFIG_PATH="$lib/pkgconfig" pkg-config --static --cflags --libs binlog | sed 's/-lbinlog/-l:libbinlog.a/')
    eval "set -- \"\$@\" $flags"
    "$@" ${last_library-} -o "$output"
  fi
}
build_example() { # shared|static EXAMPLE OUTPUT
  # shellcheck disable=SC2086
  case $2 in
  c/*) build_with_pkg_config "$1" "$3" $CC -std=c99 -O1 $warnings "$root/examples/$2.c" ;;
  cpp/*) build_with_pkg_config "$1" "$3" $CXX -std=c++17 -O1 $warnings -Wconversion "$root/examples/$2.cpp" ;;
  esac
}
# Runs it in an empty directory, and compares what it prints.
prints_what_is_expected() { # EXAMPLE PROGRAM
  expected="$here/expected/$1.txt"
  if [ -f "$expected" ]; then
    LD_LIBRARY_PATH="$lib" timeout 60 "$2" >printed && diff "$expected" printed
  else # counters depends on this machine
    LD_LIBRARY_PATH="$lib" timeout 60 "$2" >printed && grep '^all ' printed
  fi
}
needs_shared() { LD_LIBRARY_PATH="$lib" ldd "$1" | grep -F "libbinlog.so.0 => $lib/libbinlog.so.0"; }
needs_no_library() { ! ldd "$1" | grep libbinlog; }
fits_linkage() { if [ "$1" = shared ]; then needs_shared "$2"; else needs_no_library "$2"; fi; }

check "pkg-config reports the version" env PKG_CONFIG_PATH="$lib/pkgconfig" pkg-config --exact-version=0.1.0 binlog
for example in $examples; do
  for how in shared static; do
    program="$work/${example%/*}-${example#*/}-$how"
    check "$example, $how by pkg-config: builds" build_example $how "$example" "$program" &&
      check "$example, $how by pkg-config: is $how" fits_linkage $how "$program" &&
      check "$example, $how by pkg-config: prints what is expected" \
        in_new_directory prints_what_is_expected "$example" "$program"
  done
done
# The compiler adds most of the system's libraries by itself: without them, the link shows whether binlog.pc names all.
# The unwinder is named here: each compiler has its own, in another form for programs that are static as a whole.
names_all_it_needs() {
  last_library="-lgcc_s -lc"
  # shellcheck disable=SC2086
  build_with_pkg_config static "$work/all-named" $CC -nodefaultlibs -std=c99 "$root/examples/c/quickstart.c"
}
check "binlog.pc names all libraries that the static one needs" names_all_it_needs
unset last_library
for std in c++11 c++17 c++20; do
  # shellcheck disable=SC2086
  check "binlog.h in C++ as $std: builds" build_with_pkg_config shared "$work/header" \
    $CXX -std=$std $warnings "$here/c_header_in_cpp.cpp" &&
    check "binlog.h in C++ as $std: runs" in_new_directory env LD_LIBRARY_PATH="$lib" "$work/header"
done

# ------------------------------------------------------------------ CMake
looked_in=$prefix
configure() {
  cmake -S "$1" -B "$2" -DCMAKE_PREFIX_PATH="$looked_in" -DEXAMPLES="$root/examples" -DCMAKE_BUILD_TYPE=Release
}
if check "CMake finds the package" configure "$here/cmake" "$work/cmake build" &&
  check "CMake builds the examples" cmake --build "$work/cmake build" --parallel 2; then
  for example in $examples; do
    for how in shared static; do
      program="$work/cmake build/${example%/*}-${example#*/}-$how"
      check "$example, $how by CMake: is $how" fits_linkage $how "$program" &&
        check "$example, $how by CMake: prints what is expected" \
          in_new_directory prints_what_is_expected "$example" "$program"
    done
  done
fi
# asks_for VERSION...: the answer of find_package.
asks_for() {
  mkdir -p "$work/asks"
  printf 'cmake_minimum_required(VERSION 3.13)\nproject(asks C)\nfind_package(binlog %s CONFIG REQUIRED)\n' "$*" \
    >"$work/asks/CMakeLists.txt"
  rm -rf "$work/asked"
  configure "$work/asks" "$work/asked"
}
# CMake wraps its lines.
is_refused() { ! asks_for "$@" >"$base/refused" 2>&1 && tr -s '\n ' '  ' <"$base/refused" | grep "$reason"; }
for version in "" 0.1 0.1.0 "0.1.0 EXACT" 0.1...0.9 0.0.9; do
  # shellcheck disable=SC2086
  check "CMake: version '$version' is there" asks_for $version
done
reason="requested version"
for version in 0.2 1.0 "0.1 EXACT" 0.2...0.9 1...2; do
  # shellcheck disable=SC2086
  check "CMake: version '$version' is not there" is_refused $version
done
cp -R "$prefix" "$work/incomplete"
rm "$work/incomplete/lib/libbinlog.a"
looked_in="$work/incomplete"
reason="binlog is not installed as a whole"
check "CMake: half of an installation is refused" is_refused 0.1
rm -rf "$work/incomplete"

# ------------------------------------------------------------------ the command, its pages and completions
same_version() { [ "$("$prefix/bin/binlog" --version)" = "binlog 0.1.0" ]; }
appends_and_reads() { echo hello | "$prefix/bin/binlog" append --quiet log && [ "$("$prefix/bin/binlog" cat log)" = hello ]; }
check "the command runs" same_version
check "the command appends and reads" in_new_directory appends_and_reads

renders() { [ -z "$(groff -man -ww -z -Tutf8 "$1" 2>&1 | tee /dev/stderr)" ] && man --warnings -l "$1" | grep -q '^NAME'; }
for page in "$prefix"/share/man/man1/*.1; do check "manual page ${page##*/} renders without warnings" renders "$page"; done
found_by_man() { [ "$(man -M "$prefix/share/man" -w binlog-append)" = "$prefix/share/man/man1/binlog-append.1" ]; }
check "man finds a page" found_by_man

# Each shell loads its file, and can complete "binlog pru" then.
bash_completes() {
  bash --norc --noprofile -ec '
    . "$1/share/bash-completion/completions/binlog"
    complete -p binlog
    COMP_WORDS=(binlog pru) COMP_CWORD=1
    _binlog binlog pru binlog
    [ "${COMPREPLY[*]}" = prune ]' bash "$prefix"
}
zsh_completes() {
  zsh -f -c '
    fpath=("$1/share/zsh/site-functions" $fpath)
    autoload -Uz compinit && compinit -u -D && [ "$_comps[binlog]" = _binlog ] && autoload +X -U _binlog' zsh "$prefix"
}
fish_completes() {
  # shellcheck disable=SC2016  # fish's own variables
  fish --no-config -c '
    source $argv[1]/share/fish/vendor_completions.d/binlog.fish
    complete -C "binlog pru" | grep "^prune"' "$prefix"
}
lnav_shows() (
  cd "$work" && printf 'hello\n' | "$prefix/bin/binlog" append -q --type order.placed --meta host=a lnav-log &&
    "$prefix/bin/binlog" cat --format json lnav-log >lnav.jsonl && lnav -I "$prefix/share/lnav" -C &&
    lnav -n -I "$prefix/share/lnav" lnav.jsonl | grep -E '^20[0-9T:.-]+ +1 order.placed hello$' &&
    lnav -n -I "$prefix/share/lnav" -c ';SELECT log_body, jget(metadata, "/host") FROM binlog_log' -c ':write-csv-to -' \
      lnav.jsonl | grep '^hello,a$'
)
check "bash completes" bash_completes
check "zsh loads the completions" zsh_completes
check "fish completes" fish_completes
check "lnav shows records" lnav_shows

# ------------------------------------------------------------------ without debug information
size_of() { wc -c <"$1"; }
has_no_debug_information() { ! readelf -SW "$1" | grep -F '.debug_line'; }
debug_of() { find "$work/split/lib/debug" -name "$(readelf -n "$1" | sed -n 's/^ *Build ID: ..//p').debug"; }
is_split() (
  make_in_root install PREFIX="$work/split" STRIP= && kept=$(size_of "$work/split/lib/libbinlog.so") &&
    ! has_no_debug_information "$work/split/lib/libbinlog.so" >/dev/null &&
    make_in_root install PREFIX="$work/split" && [ $(($(size_of "$work/split/lib/libbinlog.so") * 3)) -lt "$kept" ] &&
    make_in_root install-debug PREFIX="$work/split" &&
    for file in lib/libbinlog.so lib/libbinlog_stores.so bin/binlog; do
      has_no_debug_information "$work/split/$file" && debug=$(debug_of "$work/split/$file") && [ -n "$debug" ] &&
        readelf -SW "$debug" | grep -qF '.debug_line' || exit 1
    done &&
    make_in_root uninstall PREFIX="$work/split" && nothing_is_left "$work/split"
)
check "debug information is a package of its own, found by the build id" is_split

# ------------------------------------------------------------------ beside other libraries
only_ours_is_global() {
  ! readelf -sW "$lib/libbinlog.a" "$lib/libbinlog_stores.a" | awk '$5 == "GLOBAL" && $7 != "UND" && $8 !~ /^binlog_/ { print; found = 1 } END { exit !found }'
}
# The program defines every function of zstd that the library calls, with another behaviour.
beside_another_zstd() (
  mkdir -p "$work/beside" && cd "$work/beside" &&
    cat >zstd.c <<'C' &&
#include <binlog.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#define MINE(name) size_t name(void); size_t name(void) { abort(); }
MINE(ZSTD_createCCtx) MINE(ZSTD_compressCCtx) MINE(ZSTD_compress2) MINE(ZSTD_CCtx_setParameter) MINE(ZSTD_createDCtx)
MINE(ZSTD_decompressDCtx) MINE(ZSTD_decompress) MINE(ZSTD_compressBound) MINE(ZSTD_isError) MINE(ZSTD_versionNumber)
static void stop(binlog_error *error) { puts(binlog_error_message(error)); exit(1); }
int main(void) {
  binlog_error *error = NULL;
  binlog_writer *writer = NULL;
  binlog_reader *reader = NULL;
  binlog_cursor *cursor = NULL;
  binlog_record record;
  binlog_writer_options options;
  char payload[4000];
  int records = 0;
  memset(payload, 'x', sizeof payload);
  binlog_writer_options_init(&options, sizeof options);
  options.codec = BINLOG_CODEC_ZSTD;
  if (binlog_writer_open("log", &options, &writer, &error)) stop(error);
  for (int i = 0; i < 500; i++)
    if (binlog_writer_append(writer, 1, payload, sizeof payload, NULL, &error)) stop(error);
  if (binlog_writer_close(writer, &error)) stop(error);
  if (binlog_reader_open("log", NULL, &reader, &error) || binlog_cursor_open(reader, NULL, &cursor, &error)) stop(error);
  while (binlog_cursor_next(cursor, &record, &error) == BINLOG_OK) records += record.len == sizeof payload;
  binlog_cursor_close(cursor);
  binlog_reader_close(reader);
  printf("%d records\n", records);
  return 0;
}
C
    $CC -I"$prefix/include" zstd.c -o zstd "$lib/libbinlog.a" -lgcc_s -lpthread -ldl -lm && ./zstd | grep '^500 records$'
)
# A program of this kind can be linked with both, and finds the second by itself, also where the loader has no path to
# it.
with_stores() (
  mkdir -p "$work/stores" && cd "$work/stores" &&
    cat >program.c <<'C' &&
#include <binlog_stores.h>
#include <stdio.h>
int main(int argc, char **argv) {
  binlog_reader_options options = {.struct_size = sizeof options};
#ifdef LINKED
  options.open_store = binlog_stores_open;
#endif
  binlog_reader *reader = NULL;
  binlog_error *err = NULL;
  (void)argc;
  binlog_reader_open(argv[1], &options, &reader, &err);
  puts(binlog_error_message(err));
  return 0;
}
C
    $CC -std=c99 -I"$prefix/include" program.c -o found "$lib/libbinlog.so" -Wl,-rpath,"$lib" &&
    $CC -std=c99 -I"$prefix/include" -DLINKED program.c -o linked "$lib/libbinlog_stores.a" "$lib/libbinlog.a" -lgcc_s -lpthread -ldl -lm &&
    $CC -std=c99 -I"$prefix/include" program.c -o alone "$lib/libbinlog.a" -lgcc_s -lpthread -ldl -lm &&
    ./found 's3://b/?colour=red' | grep -F 'has endpoint' && ./linked 's3://b/?colour=red' | grep -F 'has endpoint' &&
    ./alone 's3://b/?colour=red' | grep -F 'need libbinlog_stores.so.0' &&
    strace -f -e trace=openat ./found "$work" 2>&1 | grep -c binlog_stores | grep -x 0
)
check "stores on servers are found beside the library, or linked, or said to be missing" with_stores
exports_one() { [ "$(nm -D --defined-only "$lib/libbinlog_stores.so" | awk '{ print $3 }')" = binlog_stores_open ]; }
check "libbinlog_stores.so exports one function" exports_one
check "libbinlog.a defines nothing that begins otherwise than with binlog_" only_ours_is_global
check "it is linked beside another zstd, and uses its own" beside_another_zstd

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
