#!/usr/bin/env bash
# Installs OpenStack Swift and Keystone, versitygw and rclone, which the tests of shipping run with, into target/tools:
# nothing is installed on the system, and nothing is started. Returns quickly when everything is there in the required
# versions.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
tools=$root/target/tools
versitygw=v1.8.0

mkdir -p "$tools/bin"
# The stamp is the last file that is made; it contains the versions.
if ! cmp -s "$here/packages.txt" "$tools/python/stamp"; then
  echo "setup: installing $(grep -c == "$here/packages.txt") Python packages into target/tools" >&2
  rm -rf "$tools/python"
  python3 -m venv "$tools/python"
  "$tools/python/bin/pip" install --quiet --disable-pip-version-check --no-input --no-deps --only-binary :all: \
    -r "$here/packages.txt" >&2
  cp "$here/packages.txt" "$tools/python/stamp"
fi

# Its sources come from the module proxy and are compared with the checksum database. Takes two minutes of one core the
# first time, and seconds when Go's cache of built packages is there.
if [ "$(cat "$tools/bin/versitygw.version" 2>/dev/null)" != $versitygw ]; then
  echo "setup: building versitygw $versitygw" >&2
  go=$(command -v go || echo /usr/local/go/bin/go)
  GOBIN=$tools/bin "$go" install -ldflags='-s -w' "github.com/versity/versitygw/cmd/versitygw@$versitygw" >&2
  echo $versitygw >"$tools/bin/versitygw.version"
fi
