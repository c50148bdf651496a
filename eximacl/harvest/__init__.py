"""`eximacl harvest`: which of our addresses ever received mail, by the headers in a mail store.

`find` finds the mail, `read` reads headers off the disk, `pool` does so in several processes, `listfile` writes the
list. `addresses`, `dates`, `message` and `tally` are pure.

`python -m bench.harvest` measures how fast that is. Most of the time goes into address lists not seen before.
"""

from __future__ import annotations

from eximacl.harvest.find import EXCLUDED_FOLDERS, MailSource, NoMail, Source, Walk, chunks
from eximacl.harvest.listfile import ListFile, ListFileError, line_of, unwritable
from eximacl.harvest.message import Criteria, Reader
from eximacl.harvest.pool import WorkerLost, work
from eximacl.harvest.tally import AddressCount, Tally, Troubles

__all__ = [
    "EXCLUDED_FOLDERS",
    "AddressCount",
    "Criteria",
    "ListFile",
    "ListFileError",
    "MailSource",
    "NoMail",
    "Reader",
    "Source",
    "Tally",
    "Troubles",
    "Walk",
    "WorkerLost",
    "chunks",
    "line_of",
    "unwritable",
    "work",
]
