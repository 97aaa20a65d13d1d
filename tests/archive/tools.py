"""Where setup.sh has put the servers and rclone."""

from pathlib import Path

from processes import Failure

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
TOOLS = ROOT / "target/tools"


def tool(path):
    """The path of an installed program."""
    found = TOOLS / path
    if not found.exists():
        raise Failure(f"{found} is missing: run 'make setup', which installs it")
    return found
