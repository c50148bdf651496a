"""What a daemon says of itself is believed only where it has a status's shape."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from eximacl.doctor.status import is_status, read_status
from eximacl.protocol.exim import Reply, format_reply

GOOD: dict[str, Any] = {
    "version": "1",
    "pid": 7,
    "config": "/etc/x",
    "uptime": 1.5,
    "problems": ["one"],
    "notes": [],
    "records": {"log": {"dropped": 0, "waiting": 0, "path": "/var/log/x"}},
}
WRONG: dict[str, list[Any]] = {
    "pid": ["/var/lib/eximacl/evil", "7", -7, 0, True, 1.5, [7], None, 1 << 80],
    "version": [1, None, ["1"]],
    "config": [1, None, "a\0b"],
    "uptime": ["1", None, True, float("inf"), float("nan")],
    "problems": ["one", [1], {"a": 1}],
    "notes": [[["a"]]],
    "records": [[], {"log": []}, {"log": {"dropped": "3", "waiting": 0, "path": ""}}],
}
BAD = [{**GOOD, name: value} for name, values in WRONG.items() for value in values]
NONE: list[Any] = [None, [], "text", 3, {}, {name: value for name, value in GOOD.items() if name != "pid"}]


def test_a_status() -> None:
    assert is_status(GOOD)
    assert is_status({name: GOOD[name] for name in ("version", "pid", "config", "uptime")})  # an older daemon's


@pytest.mark.parametrize("answer", [*BAD, *NONE])
def test_what_is_none(answer: object) -> None:
    assert not is_status(answer)


@contextmanager
def answering(path: Path, text: str) -> Iterator[None]:
    """Somebody at a socket who answers one query so."""

    def serve() -> None:
        client, _ = listener.accept()
        with client:
            client.recv(4096)
            client.sendall(format_reply(Reply("ok", extra={"answer": text} if text else {})))

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield
        thread.join(10)


ANSWERS = ["", "nonsense", "[" * 20_000, '{"pid": "/var/lib/eximacl/evil"}', json.dumps([GOOD])]


@pytest.mark.parametrize("text", ANSWERS, ids=range(len(ANSWERS)))
def test_whoever_answers_something_else_tells_no_status(tmp_path: Path, text: str) -> None:
    with answering(tmp_path / "s", text):
        assert "does not tell its status" in str(read_status(tmp_path / "s"))


def test_a_daemons_own(tmp_path: Path) -> None:
    with answering(tmp_path / "s", json.dumps(GOOD)):
        assert read_status(tmp_path / "s") == GOOD
