"""Where commands about the state put their requests."""

from __future__ import annotations

from pathlib import Path

import pytest

from eximacl.cli import exits
from eximacl.cli.options import Failure
from eximacl.cli.sources import find_source, source_failures
from eximacl.daemon.blocks import REQUESTS, blocks_of
from eximacl.policy.state import StateError
from eximacl.protocol.client import NoDaemon
from eximacl.state import SqliteState
from tests.lab.daemon import Daemon


def test_the_daemon_then_its_state(config: Path) -> None:
    with Daemon(config, config.parent / "eximacl.sock", config.parent / "log"):
        assert list(blocks_of(find_source(REQUESTS, config, None, None))) == []
    assert list(blocks_of(find_source(REQUESTS, config, None, None))) == []


def test_a_socket_that_is_named_must_be_answered(config: Path) -> None:
    with pytest.raises(NoDaemon):
        find_source(REQUESTS, config, config.parent / "other.sock", None)


def test_a_state_file_that_is_named_must_be_there(config: Path, tmp_path: Path) -> None:
    with pytest.raises(Failure, match="does not exist") as failed:
        find_source(REQUESTS, config, None, tmp_path / "no.db")
    assert failed.value.status == exits.IO_ERROR
    SqliteState(tmp_path / "a.db").close()
    assert list(blocks_of(find_source(REQUESTS, config, None, tmp_path / "a.db"))) == []


@pytest.mark.parametrize(
    ("error", "status"), [(ValueError("wrong"), exits.CONFIG), (StateError("gone"), exits.IO_ERROR)]
)
def test_what_may_go_wrong_has_a_status(error: Exception, status: int) -> None:
    with pytest.raises(Failure) as failed, source_failures():
        raise error
    assert failed.value.status == status
