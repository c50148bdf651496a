"""All exit statuses. Verdicts are 0 to 3; errors are 64 and above, as in sysexits.h."""

from __future__ import annotations

from collections.abc import Mapping

VERDICTS: Mapping[str, int] = {"accept": 0, "reject": 1, "defer": 2, "hold": 3}

USAGE = 64  # wrong command line
DATA = 65  # wrong input, such as a batch line or a reference
NOT_FOUND = 66  # there is nothing of what was asked for
UNAVAILABLE = 69  # the daemon cannot be asked, or answered `error`
SOFTWARE = 70  # a bug
ALREADY = 73  # done before; it is done again only with an option that says so
IO_ERROR = 74  # a file, or the state, cannot be read or written
NOT_SENT = 75  # Exim did not accept a message; it is kept, and can be released again
CONFIG = 78  # wrong configuration
INTERRUPTED = 130  # Ctrl-C, as shells count it

HELP = """\b
Exit status:
  0 accept    1 reject    2 defer    3 hold
  64 wrong command line      65 wrong input        66 not found
  69 daemon not available    74 file error         78 wrong configuration"""
