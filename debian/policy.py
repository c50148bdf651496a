"""Write the policy that the package installs: the project's sample, but a check that could refuse good mail observes.

    python3 debian/policy.py DIRECTORY

It is made from the sample line by line, so the two cannot drift apart; a check that is new in the sample observes, too.
"""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

from eximacl.config import find_checks, load, show, write_sample

# Its refusals are what the owner of the address has asked for.
SAFE = frozenset({"disposable"})
TABLE = re.compile(r"\[checks\.(\w+)\]")
# A check that is off stays off.
ACTION = re.compile(r'#action = "(?!off")\w+"')
OBSERVE = (
    "# Only notes what it would have refused. Once you trust it, take the next line away, and eximacl reload.",
    'action = "observe"',
)


def observing(text: str) -> str:
    """Return the sample with the safe action set for each check."""
    lines = []
    check = ""
    for line in text.splitlines():
        table = TABLE.fullmatch(line)
        check = table[1] if table else check
        lines += OBSERVE if ACTION.fullmatch(line) and check not in SAFE else (line,)
    return "\n".join(lines) + "\n"


def write(directory: Path) -> None:
    """Write eximacl.toml and its lists; fail where one check would object all the same."""
    if directory.exists():
        shutil.rmtree(directory)
    path, *_ = write_sample(directory, find_checks().values())
    path.write_text(observing(path.read_text(encoding="utf-8")), encoding="utf-8")
    checks = show(load(path))["checks"]
    loud = {name for name, options in checks.items() if options["action"] not in ("observe", "off")} - SAFE
    if loud:
        sys.exit(f"debian/policy.py: these checks would object: {', '.join(sorted(loud))}")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
