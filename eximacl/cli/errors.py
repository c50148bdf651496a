"""The exit status that each of the package's own errors has."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping

from eximacl.archive.errors import AlreadyReleased, AlteredMessage, ArchiveError, NoSuchMessage, ReleaseError
from eximacl.cli import exits
from eximacl.cli.options import Failure
from eximacl.config.exempt_change import ExemptError
from eximacl.daemon.disposable import DisposableError, ForeignDomain, MintingOff
from eximacl.daemon.mint import UnnamedDomain
from eximacl.exim import SetupError
from eximacl.harvest import WorkerLost
from eximacl.policy.state import StateError
from eximacl.protocol.client import DaemonError, RequestRefused
from eximacl.records.errors import NoDecision, RecordsError
from eximacl.system.text import printable_text

# The nearest class counts.
STATUSES: Mapping[type[Exception], int] = {
    AlreadyReleased: exits.ALREADY,
    AlteredMessage: exits.DATA,
    ArchiveError: exits.IO_ERROR,
    DaemonError: exits.UNAVAILABLE,
    DisposableError: exits.DATA,
    ExemptError: exits.CONFIG,
    ForeignDomain: exits.NOT_FOUND,
    MintingOff: exits.CONFIG,
    NoDecision: exits.NOT_FOUND,
    NoSuchMessage: exits.NOT_FOUND,
    RecordsError: exits.IO_ERROR,
    ReleaseError: exits.NOT_SENT,
    RequestRefused: exits.DATA,
    SetupError: exits.CONFIG,
    StateError: exits.IO_ERROR,
    UnnamedDomain: exits.USAGE,
    WorkerLost: exits.IO_ERROR,
}


@contextlib.contextmanager
def explained() -> Iterator[None]:
    """Turn an error of the package's own into a Failure with a printable text."""
    try:
        yield
    except tuple(STATUSES) as error:
        raise Failure(printable_text(str(error)), _status_of(error)) from None


def _status_of(error: Exception) -> int:
    if isinstance(error, RequestRefused) and error.is_daemons_own:
        return exits.UNAVAILABLE
    if isinstance(error, RequestRefused) and error.reason == "permission":
        return exits.IO_ERROR
    return next(STATUSES[base] for base in type(error).__mro__ if base in STATUSES)
