"""`python -m bench.constant SOCKET`: the daemon's server without a daemon. Every reply is the same, as in limit.c."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from eximacl.daemon.server import Server
from eximacl.daemon.sockets import open_socket

REPLY = (
    b'verdict=reject code=550 reason=rdns-tld ref=7KQ2M9D4 want="" '
    b'message="5.7.1 mail from mx.example.sa is not accepted here (ref=7KQ2M9D4)" log="rdns_tld: sa"\n'
)


async def serve(path: Path) -> None:
    """Serve until the process is killed."""
    Server([open_socket(path)], lambda _line: REPLY, lambda _error: REPLY).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1])))
