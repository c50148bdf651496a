"""One setting of a policy file: read as `load` reads it, whatever is wrong elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from eximacl.config.peek import NoPolicyFile, PeekError, PolicyDenied, default_setting, read_setting
from eximacl.config.settings import SETTINGS_TABLES
from tests.archive.holding import let_everybody_pass, nobody

WRONG_ELSEWHERE = "nonsense = 1\n[servr]\n[policy.wrong]\n"


def peek(tmp_path: Path, text: str, table: str, key: str) -> Any:
    path = tmp_path / "eximacl.toml"
    path.write_text(text + WRONG_ELSEWHERE)
    return read_setting(path, table, key)


@pytest.mark.parametrize(
    ("text", "table", "key", "expected"),
    [
        pytest.param('[server]\nsocket = "run/../s"\n', "server", "socket", "DIR/s", id="relative path"),
        pytest.param('[server]\nsocket = "/run/s"\n', "server", "socket", "/run/s", id="absolute path"),
        pytest.param('[journal]\ndir = ""\n', "journal", "dir", "None", id="set to nothing"),
        pytest.param("", "archive", "dir", "None", id="nothing by default"),
        pytest.param("", "log", "rejections", "/var/log/eximacl/rejections.jsonl", id="default"),
        pytest.param('[state]\nurl = "sqlite:state.db"\n', "state", "url", "sqlite:DIR/state.db", id="URL"),
        pytest.param("", "policy", "domains", "None", id="no default"),
    ],
)
def test_as_load_reads_it(tmp_path: Path, text: str, table: str, key: str, expected: str) -> None:
    assert str(peek(tmp_path, text, table, key)) == expected.replace("DIR", str(tmp_path))


def test_each_default_can_be_read() -> None:
    for table in SETTINGS_TABLES.values():
        for option in table.options:
            found = default_setting(table.key, option.name)
            assert found is not None or option.default in (None, "")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("[server", "eximacl.toml is not TOML: ", id="not TOML"),
        pytest.param("server = 1\n", "eximacl.toml: server: expected a table, got", id="no table"),
        pytest.param("[server]\nsocket = 1\n", "eximacl.toml: server.socket: expected a path", id="wrong type"),
        pytest.param('[server]\nsocket = ""\n', "eximacl.toml: server.socket: the path is empty", id="empty"),
        pytest.param('server = "\udcff"\n', "eximacl.toml is not UTF-8: byte", id="not UTF-8"),
    ],
)
def test_what_is_wrong(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "eximacl.toml"
    path.write_text(text, errors="surrogateescape")
    with pytest.raises(PeekError, match=words):
        read_setting(path, "server", "socket")


def test_what_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(NoPolicyFile, match="none does not exist"):
        read_setting(tmp_path / "none", "server", "socket")
    with pytest.raises(PeekError, match="cannot be read: Is a directory"):
        read_setting(tmp_path, "server", "socket")
    let_everybody_pass(tmp_path)
    (tmp_path / "shut").touch(0o600)
    with nobody(), pytest.raises(PolicyDenied, match="shut cannot be read: Permission denied"):
        read_setting(tmp_path / "shut", "server", "socket")
