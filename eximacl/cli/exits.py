"""Exit statuses, in one place. Verdicts are 0 to 3; what went wrong is 64 and above (as in sysexits.h)."""

from __future__ import annotations

from collections.abc import Mapping

VERDICTS: Mapping[str, int] = {"accept": 0, "reject": 1, "defer": 2, "hold": 3}

USAGE = 64  # the command line is wrong
DATA = 65  # the input (a batch line, a reference) is wrong
NOT_FOUND = 66  # what was asked for is not there
UNAVAILABLE = 69  # the daemon cannot be asked, or answered `error`
SOFTWARE = 70  # a bug
ALREADY = 73  # it was done before, and is not done twice unasked
IO_ERROR = 74  # a file cannot be read or written
NOT_SENT = 75  # Exim did not take a message; nothing is lost, and it can be tried again
CONFIG = 78  # the configuration is wrong
INTERRUPTED = 130  # Ctrl-C, as shells count it

HELP = """\b
Exit status:
  0 accept    1 reject    2 defer    3 hold
  64 wrong command line      65 wrong input        66 not found
  69 daemon not available    74 file error         78 wrong configuration"""
