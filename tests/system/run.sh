#!/bin/sh
# Real errors of the system, given to programs that use the built library: failing system calls (with strace), file
# systems that fill up (a small tmpfs, a small ext4 in a file), and the limit for the size of files. After each, the log
# is compared with what the program knew of it (session.c). Prints one line per check, and at the end
# "N passed, M failed"; exits with 1 if any failed. What this machine does not permit is named and skipped.
#
#   BINLOG_LIB_DIR      where libbinlog.so is (default: target/release of this repository)
#   BINLOG_INCLUDE_DIR  where binlog.h is (default: include of this repository)
#   CC                  the compiler (default: cc)
set -u

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
lib=$(cd "${BINLOG_LIB_DIR:-$root/target/release}" 2>/dev/null && pwd) || {
  echo "no directory ${BINLOG_LIB_DIR:-$root/target/release}: build the library first" >&2
  exit 1
}
include=$(cd "${BINLOG_INCLUDE_DIR:-$root/include}" && pwd)
CC=${CC:-cc}

work=$(mktemp -d "${TMPDIR:-/tmp}/binlog-system-tests-XXXXXX")
fast=$work
mounted=""
child=""
clean_up() {
  [ -z "$child" ] || kill "$child" 2>/dev/null
  wait
  for place in $mounted; do umount "$place" || umount -l "$place"; done
  rm -rf "$work" "$fast"
}
trap clean_up EXIT
trap 'exit 1' INT TERM HUP
# A program that has ended no longer reads its input; its exit status shows that.
trap '' PIPE
# A signal of the library must be visible, and not fill the disk.
ulimit -c 0

passed=0
failed=0
ok() {
  passed=$((passed + 1))
  echo "ok    $1"
}
fail() { # NAME, then what to show
  failed=$((failed + 1))
  echo "FAIL  $1"
  shift
  printf '%s\n' "$@" | sed 's/^/      /'
}
skip() { echo "skip  $1"; }

mkdir "$work/lib"
ln -s "$lib/libbinlog.so" "$work/lib/libbinlog.so"
ln -s "$lib/libbinlog.so" "$work/lib/libbinlog.so.0"
session=$work/session
if ! $CC -std=c99 -O1 -g -Wall -Wextra -Wpedantic -Werror -I"$include" -o "$session" "$here/session.c" \
  -L"$work/lib" -Wl,-rpath,"$work/lib" -lbinlog -lpthread; then
  echo "FAIL  build session.c"
  exit 1
fi

# ------------------------------------------------------------------ failing system calls
# In memory, where successful syncs cost nothing.
fast=$(mktemp -d /dev/shm/binlog-system-tests-XXXXXX 2>/dev/null) || fast=$work
log=$fast/log
# Only calls on these files fail: neither those on the ledger nor those of the loader.
paths="-P $log -P $log/default.lock"
for n in 1 2 3 4 5 6 7 8 9; do paths="$paths -P $log/default.000000000$n.binlog"; done

# inject CALL ERROR WHEN THREAD [LAST]: one session with that failure, on a new log or on the torn one, which ends with
# record LAST. Prints the reason when it broke a promise; leaves the number of failures injected in $injected.
inject() {
  rm -rf "$log"
  [ -z "${5:-}" ] || cp -r "$work/torn" "$log"
  # shellcheck disable=SC2086  # words, not one argument
  timeout 60 strace -f -y -qq -o "$work/trace" $paths -e trace="$1" -e inject="$1:error=$2:when=$3" \
    "$session" write "$log" "$4" ${5:-} >"$work/ledger" 2>"$work/output"
  code=$?
  injected=$(grep -c INJECTED "$work/trace")
  if [ $code -ne 0 ]; then
    why="the program ended with $code"
    return 1
  fi
  # Each thread has a call that fails. A line of the lock file is written again before it is synced again; a segment is
  # not.
  if [ "$1" = fdatasync ] && grep INJECTED "$work/trace" | grep -o '<[^>]*\.binlog>' | sort | uniq -d | grep -q .; then
    why="fdatasync was called again after it had failed"
    return 1
  fi
  why="the log is not what the program knew of it"
  timeout 60 "$session" check "$log" "$work/ledger" >"$work/output" 2>&1
}

# series CALL ERROR THREAD [LAST MOST]: each call of that kind fails, alone, and every third with all that follow; of
# the torn log the first MOST calls.
series() {
  name="$1 fails with $2, $3 thread${4:+, torn log}"
  runs=0
  most=0
  for from in "" "+"; do
    n=1
    if [ -z "$from" ]; then step=1; else step=3; fi
    while [ $n -le "${5:-1000}" ]; do
      if ! inject "$1" "$2" "$n$from" "$3" "${4:-}"; then
        fail "$name: number $n$from" "$why" "$(tail -5 "$work/output")" "$(tail -5 "$work/ledger")"
        return
      fi
      [ "$injected" -gt 0 ] || break
      runs=$((runs + 1))
      [ -n "$from" ] || most=$n
      n=$((n + step))
    done
  done
  if [ $most -gt 0 ]; then ok "$name: each of $most, $runs sessions"; else fail "$name: it is never called"; fi
}

if strace -qq -o /dev/null -e trace=fdatasync -e inject=fdatasync:error=EIO true 2>/dev/null; then
  series pwritev ENOSPC own
  series pwritev EIO own
  series pwritev EDQUOT background
  series fdatasync EIO own
  series fdatasync ENOSPC own
  series fdatasync EIO background
  series fsync EIO own
  series openat EIO own
  series openat ENOSPC own
  series ftruncate EIO own
  series fallocate ENOSPC own
  series fallocate EOPNOTSUPP own
  series mkdir ENOSPC own
  series fchmod EPERM own
  series fcntl EIO own

  # Recovery: a torn tail is kept in a file of its own and cut, before the log is continued.
  rm -rf "$log"
  "$session" write "$log" own >"$work/ledger"
  last=$(sed -n 's/^kept //p' "$work/ledger" | tail -1)
  segment=$(ls "$log"/default.*.binlog | tail -1)
  kept=$segment.torn-$(stat -c %s "$segment")
  paths="$paths -P $kept"
  head -c 9000 /dev/urandom >>"$segment"
  cp -r "$log" "$work/torn"
  series openat EMFILE own "$last" 8
  series pread64 EIO own "$last" 12
  series pwritev ENOSPC own "$last" 6
  series ftruncate EIO own "$last" 4
  series fdatasync EIO own "$last" 3
  series fsync EIO own "$last" 3
  if [ "$(stat -c %s "$kept")" = 9000 ]; then ok "the torn tail is kept"; else fail "the torn tail is kept"; fi

  # Without an error: preallocation is optional.
  inject fallocate ENOSPC 1+ own
  if grep -q error "$work/ledger"; then
    fail "no call fails because space cannot be set aside" "$(grep error "$work/ledger")"
  else
    ok "no call fails because space cannot be set aside"
  fi

  # New names are made durable, and those of directories made on the way, before anything is written into them.
  rm -rf "$log"
  strace -f -qq -y -o "$work/trace" -e trace=mkdir,openat,fsync,fdatasync \
    "$session" write "$log/a/b" own >/dev/null 2>&1
  if why=$(awk -v work="$fast" '
    function parent(path) { sub("/[^/]*$", "", path); return path }
    index($0, work) == 0 { next }
    match($0, /"[^"]*"/) { path = substr($0, RSTART + 1, RLENGTH - 2) }
    /mkdir\(.* = 0$/ { due[parent(path)] = path; made++ }
    /openat\(.*O_EXCL.* = [0-9]/ && path ~ /\.binlog$/ { due[parent(path)] = path; made++ }
    /fsync\(.* = 0$/ { match($0, /<[^>]*>/); delete due[substr($0, RSTART + 1, RLENGTH - 2)] }
    /fdatasync\(.* = 0$/ { for (directory in due) { print due[directory] " was not made durable"; exit 1 } }
    END { for (directory in due) { print due[directory] " was never made durable"; exit 1 }
          if (made < 5) { print "only " made + 0 " names were made"; exit 1 } }' "$work/trace"); then
    ok "new names are durable before what is in them"
  else
    fail "new names are durable before what is in them" "$why"
  fi
else
  skip "failing system calls: strace cannot trace here"
fi

# ------------------------------------------------------------------ no space, and space again
# filled NAME PLACE POLICY THREAD LIMIT: a writer fills PLACE, and continues when make_room has made room. LIMIT is the
# limit for the size of files in blocks of 512 bytes, or "unlimited".
filled() {
  rm -rf "$2/log"
  rm -f "$work/go"
  # The program's shell may be slow to empty it.
  : >"$work/ledger"
  mkfifo "$work/go"
  sh -c 'ulimit -S -f "$1"; shift; exec "$@"' sh "$5" "$session" fill "$2/log" "$3" "$4" \
    <"$work/go" >"$work/ledger" 2>"$work/output" &
  child=$!
  exec 9>"$work/go"
  tries=0
  if [ "$3" = wait ]; then
    sleep 0.7
    # It waits: it neither uses the processor nor has ended. User and system time are in hundredths of a second.
    before=$(awk '{ print $14 + $15 }' "/proc/$child/stat" 2>/dev/null)
    sleep 0.6
    after=$(awk '{ print $14 + $15 }' "/proc/$child/stat" 2>/dev/null)
    if [ -z "$after" ] || [ $((after - before)) -gt 12 ] || grep -q end "$work/ledger"; then
      fail "$1" "it does not wait quietly: ${before:-?} to ${after:-?} ticks" "$(cat "$work/output")"
    fi
  else
    until grep -q full "$work/ledger" || [ $tries -ge 200 ]; do
      kill -0 "$child" 2>/dev/null || break
      sleep 0.05
      tries=$((tries + 1))
    done
  fi
  make_room "$child"
  echo 2>/dev/null >&9
  exec 9>&-
  # Ends a program that hangs.
  (sleep 60 && kill -9 "$child") 2>/dev/null &
  watchdog=$!
  wait "$child"
  code=$?
  child=""
  kill "$watchdog" 2>/dev/null
  if [ $code -ne 0 ]; then
    fail "$1" "the program ended with $code" "$(tail -5 "$work/output")" "$(tail -3 "$work/ledger")"
  elif ! timeout 60 "$session" check "$2/log" "$work/ledger" >"$work/output" 2>&1; then
    fail "$1" "$(tail -5 "$work/output")"
  else
    ok "$1: $(cat "$work/output")"
  fi
  rm -rf "$2/log"
}

# Leaves 1 MB free.
ballast() {
  free=$(df -k --output=avail "$1" | tail -1)
  head -c $(((free - 1024) * 1024)) /dev/zero >"$1/ballast"
  sync -f "$1"
}

each_policy() { # NAME PLACE LIMIT
  for policy in fail drop wait; do
    for thread in own background; do
      [ "$3" != unlimited ] || ballast "$2"
      filled "$1: $policy, $thread thread" "$2" $policy $thread "$3"
    done
  done
}

make_room() { rm -f "$place/ballast"; }
may_mount=no
mkdir "$work/tmpfs" "$work/ext4"
if mount -t tmpfs -o size=8m tmpfs "$work/tmpfs" 2>/dev/null; then
  mounted="$work/tmpfs"
  may_mount=yes
  place=$work/tmpfs
  each_policy "full tmpfs" "$place" unlimited
else
  skip "full tmpfs: mounting is not permitted here"
fi
truncate -s 16M "$work/image"
if [ $may_mount = no ]; then
  skip "full ext4: mounting is not permitted here"
elif ! PATH=$PATH:/sbin:/usr/sbin mkfs.ext4 -q -F "$work/image" 2>/dev/null; then
  skip "full ext4: there is no mkfs.ext4"
elif ! mount -o loop "$work/image" "$work/ext4" 2>/dev/null; then
  skip "full ext4: there is no loop device"
else
  mounted="$mounted $work/ext4"
  place=$work/ext4
  each_policy "full ext4" "$place" unlimited
fi

# ------------------------------------------------------------------ the limit for the size of files
if command -v prlimit >/dev/null 2>&1; then
  make_room() { prlimit --pid "$1" --fsize=unlimited; }
  mkdir "$work/limited"
  each_policy "file size limit" "$work/limited" 2000
  # tmpfs raises SIGXFSZ for preallocation beyond the limit too.
  [ $may_mount = no ] || each_policy "file size limit on tmpfs" "$work/tmpfs" 2000
else
  skip "file size limit: there is no prlimit"
fi

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
