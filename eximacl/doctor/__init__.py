"""`eximacl doctor`: does the whole of it work, from Exim's configuration to the disk?

Rule: it looks and asks, and changes nothing: no mail is sent, no query is counted or logged, no file is written but
in a directory of its own: a socket, and the configuration that Exim would get next.
"""

from __future__ import annotations

from eximacl.doctor.case import Case
from eximacl.doctor.examine import examine
from eximacl.doctor.model import Finding, Level, diagnosis, ok, problem, warning

__all__ = ["Case", "Finding", "Level", "diagnosis", "examine", "ok", "problem", "warning"]
