"""`eximacl harvest`: who of ours ever received mail, by the headers in a mail store.

Rule: each module does one thing. `addresses`, `dates`, `message` and `tally` are pure; `walking` finds mail, `reading`
reads headers, `pool` does so in several processes, `listfile` writes the list.

Measured by `python -m bench.harvest`: 9,400 messages a second with two processes on two busy cores, 0.08 of what a loop
reaches that only opens, reads and closes. The address lists that nobody has seen yet take the most of it.
"""

from __future__ import annotations

from eximacl.harvest.find import EXCLUDED_FOLDERS, MailSource, NoMail, Source, Walk, chunks
from eximacl.harvest.listfile import ListFile, ListFileError, line_of, unwritable
from eximacl.harvest.message import Reader, Wanted
from eximacl.harvest.pool import work
from eximacl.harvest.tally import Seen, Tally, Troubles

__all__ = [
    "EXCLUDED_FOLDERS",
    "ListFile",
    "ListFileError",
    "MailSource",
    "NoMail",
    "Reader",
    "Seen",
    "Source",
    "Tally",
    "Troubles",
    "Walk",
    "Wanted",
    "chunks",
    "line_of",
    "unwritable",
    "work",
]
