#!/usr/bin/env bash
# The stranger reads the golden files, and damaged logs, as the command that was built does; arguments go to damages.py.
set -euo pipefail
cd "$(dirname "$0")/../.."
export PYTHONDONTWRITEBYTECODE=1

python=python3
if ! python3 -c 'import zstandard' 2>/dev/null; then
  tools=target/tools/stranger
  [ -x "$tools/bin/python" ] || python3 -m venv "$tools"
  "$tools/bin/python" -c 'import zstandard' 2>/dev/null || "$tools/bin/pip" install --quiet zstandard==0.25.0
  python=$tools/bin/python
fi
"$python" tests/stranger/test_stranger.py --quiet
"$python" tests/stranger/damages.py "$@"
