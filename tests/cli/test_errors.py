"""Each of the package's own errors has its exit status, and a text that is safe on a terminal."""

from __future__ import annotations

import pytest

from eximacl.archive.errors import (
    AlreadyReleased,
    AlteredMessage,
    ArchiveError,
    MaybeReleased,
    NoSuchMessage,
    ReleaseError,
    SpoolError,
)
from eximacl.cli.errors import explained
from eximacl.cli.options import Failure
from eximacl.config.exempt_change import ExemptError
from eximacl.exim import SetupError
from eximacl.harvest import WorkerLost
from eximacl.policy.state import StateError
from eximacl.protocol.client import DaemonError, NoDaemon, RequestRefused


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (NoSuchMessage, 66),
        (AlteredMessage, 65),
        (AlreadyReleased, 73),
        (ReleaseError, 75),
        (MaybeReleased, 75),
        (ArchiveError, 74),
        (SpoolError, 74),
        (ExemptError, 78),
        (SetupError, 78),
        (StateError, 74),
        (WorkerLost, 74),
        (DaemonError, 69),
        (NoDaemon, 69),
    ],
)
def test_the_status_of_each(error: type[Exception], status: int) -> None:
    with pytest.raises(Failure) as caught, explained():
        raise error("one\x1b[2J\ntwo")
    assert (caught.value.status, caught.value.message) == (status, "one\\x1b[2J\ntwo")


@pytest.mark.parametrize(
    ("reason", "status"), [("late", 69), ("overload", 69), ("permission", 74), ("line-too-long", 65)]
)
def test_the_status_of_a_refused_request(reason: str, status: int) -> None:
    with pytest.raises(Failure, match=r"^the query was refused: one\\x1b\[2J") as caught, explained():
        raise RequestRefused(reason, "one\x1b[2J")
    assert caught.value.status == status


def test_a_bug_stays_one() -> None:
    with pytest.raises(KeyError), explained():
        raise KeyError("x")
