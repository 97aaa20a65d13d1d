#!/bin/sh
# Changes of binlog.h that break programs which were built before, each made in a copy: the comparison with the baselines
# must notice them. Prints one line per check, and at the end "N passed, M failed".
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/binlog-abi-tests-XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM
passed=0
failed=0

# noticed NAME EXPECTED SED-SCRIPT: after the change, the comparison must report EXPECTED; nothing: it must succeed.
noticed() {
  mkdir -p "$work/include"
  sed -E "$3" "$root/include/binlog.h" >"$work/include/binlog.h"
  status=0
  if [ -n "$3" ] && cmp -s "$root/include/binlog.h" "$work/include/binlog.h"; then
    echo "the header no longer has what should be changed" >"$work/output" && status=2
  else
    BINLOG_INCLUDE_DIR="$work/include" "$root/packaging/abi/compare.sh" >"$work/output" 2>&1 || status=1
    if [ -z "$2" ]; then [ "$status" = 0 ]; else [ "$status" = 1 ] && grep -qF "$2" "$work/output"; fi || status=2
  fi
  if [ "$status" != 2 ]; then
    passed=$((passed + 1)) && echo "ok    $1"
  else
    failed=$((failed + 1)) && echo "FAIL  $1" && sed 's/^/      /; 30q' "$work/output"
  fi
}

changed='functions or structs have been removed or changed'
noticed "the header as it is fits the baselines" '' ''
noticed "two fields of a struct change places" "$changed" \
  '/^typedef struct binlog_position/,/^}/ { s/appended_id;/tmp;/; s/durable_id;/appended_id;/; s/tmp;/durable_id;/ }'
noticed "a field becomes larger" "$changed" '/^typedef struct binlog_filter/,/^}/ s/uint32_t flags;/uint64_t flags;/'
noticed "a reserved tail shrinks" "$changed" '/^typedef struct binlog_required/,/^}/ s/reserved\[3\]/reserved[2]/'
noticed "a field becomes signed" "$changed" '/^typedef struct binlog_loss/,/^}/ s/uint32_t durable;/int32_t durable;/'
noticed "a function takes another type" "$changed" 's/(uint64_t) (\*id_out)/uint32_t \2/'
noticed "a function returns another type" "$changed" 's/^uint32_t (binlog_version_number)/uint64_t \1/'
noticed "a callback gets another parameter" "$changed" 's/\(\*binlog_drop_callback\)\(void \*userdata/&, int32_t why/'
noticed "a function goes" "$changed" '/^uint32_t binlog_version_number/d'
noticed "a function comes" 'functions have been added' 's/^uint32_t binlog_version_number.*/&\
uint32_t binlog_version_digits(void);/'
noticed "a declaration that the library does not have" 'does not export' 's/^uint32_t binlog_version_number.*/&\
uint32_t binlog_version_digits(void);/'
noticed "a status gets another number" 'constants have been removed or changed' 's/(BINLOG_E_LOCKED) \(-5\)/\1 (-55)/'
noticed "a constant goes" 'constants have been removed or changed' '/^#define BINLOG_NEVER/d'
noticed "a constant comes" 'constants have been added' 's/^#define BINLOG_END.*/&\
#define BINLOG_PENDING 4/'

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
