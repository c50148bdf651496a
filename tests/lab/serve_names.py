"""`python -m tests.lab.serve_names ADDRESS:PORT FILE`: the DNS server in a process of its own, for benchmarks.

FILE is JSON, a list of [name, kind, records]; a line is printed once it is served. It ends when it is killed.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tests.lab.names import Listening, Table, bind


def main() -> None:
    """Serve."""
    address, _, port = sys.argv[1].rpartition(":")
    rows = json.loads(Path(sys.argv[2]).read_text(encoding="utf-8"))
    listening = Listening(Table({(name, kind): records for name, kind, records in rows}), *bind(address, int(port)))
    print("serving", flush=True)
    listening.serve()


if __name__ == "__main__":
    main()
