"""`eximacl doctor`: does the whole of it work, from Exim's configuration to the disk?

It looks and asks, and changes nothing: no message is sent, no query is counted or logged, and no file is written except
in a private directory: a socket, and the configuration that Exim would get next.
"""

from __future__ import annotations

from eximacl.doctor.case import Case
from eximacl.doctor.model import Finding, Level, diagnosis, examine, ok, problem, warning

__all__ = ["Case", "Finding", "Level", "diagnosis", "examine", "ok", "problem", "warning"]
