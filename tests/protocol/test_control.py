"""A daemon's answers to requests are believed only where they have the right shape."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from eximacl.protocol.client import DaemonError, RequestRefused
from eximacl.protocol.control import Reloaded, is_status, read_status, reload
from eximacl.protocol.exim import Reply, format_reply

GOOD: dict[str, Any] = {
    "version": "1",
    "pid": 7,
    "config": "/etc/x",
    "uptime": 1.5,
    "loaded": 1.5e9,
    "counts": {"accept": 3},
    "dns": {"entries": 1, "questions": 2, "servers": ["192.0.2.53"], "more": None},
    "problems": ["one"],
    "notes": [],
    "records": {"log": {"dropped": 0, "lost": 0, "waiting": 0, "path": "/var/log/x"}},
}
WRONG: dict[str, list[Any]] = {
    "pid": ["/var/lib/eximacl/evil", "7", -7, 0, True, 1.5, [7], None, 1 << 80],
    "version": [1, None, ["1"]],
    "config": [1, None, "a\0b"],
    "uptime": ["1", None, True, float("inf"), float("nan")],
    "loaded": ["then", float("nan")],
    "counts": [[], {"accept": -1}, {"accept": "3"}, {"accept": True}],
    "dns": [[], {"entries": "1"}, {"servers": [1]}],
    "problems": ["one", [1], {"a": 1}],
    "notes": [[["a"]]],
    "records": [[], {"log": []}, {"log": {"dropped": "3", "lost": 0, "waiting": 0, "path": ""}}],
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
def answering(path: Path, answer: str | Reply) -> Iterator[None]:
    """Answer one query at a socket: with a reply, or with one that has this text as its answer."""
    reply = answer if isinstance(answer, Reply) else Reply("ok", extra={"answer": answer} if answer else {})

    def serve() -> None:
        client, _ = listener.accept()
        with client:
            client.recv(4096)
            client.sendall(format_reply(reply))

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield
        thread.join(10)


ANSWERS = ["", "nonsense", "[" * 20_000, '{"pid": "/var/lib/eximacl/evil"}', json.dumps([GOOD])]


@pytest.mark.parametrize("request_", [read_status, reload])
@pytest.mark.parametrize("text", ANSWERS, ids=range(len(ANSWERS)))
def test_an_answer_of_another_program(tmp_path: Path, text: str, request_: Callable[[Path], object]) -> None:
    with answering(tmp_path / "s", text), pytest.raises(DaemonError, match="or another program"):
        request_(tmp_path / "s")


def test_a_daemons_own(tmp_path: Path) -> None:
    with answering(tmp_path / "s", json.dumps(GOOD)):
        assert read_status(tmp_path / "s") == GOOD


RELOADS = [
    ({"problems": [], "kept": ["a list"], "accepted": [], "notes": ["one"]}, True),
    ({"problems": ["one"], "kept": [], "accepted": [], "notes": [], "more": 1}, True),
    ({"problems": None, "kept": [], "accepted": [], "notes": []}, False),
    ({"problems": "text", "kept": [], "accepted": [], "notes": []}, False),
    ({"problems": [], "kept": [], "notes": []}, False),
    ({"problems": [], "kept": [], "accepted": "text", "notes": []}, False),
    ({"problems": [], "kept": "text", "accepted": [], "notes": []}, False),
    ({"problems": [], "kept": [], "accepted": [], "notes": [{"a": 1}]}, False),
    ({"problems": []}, False),
]


@pytest.mark.parametrize(("answer", "fine"), RELOADS)
def test_a_reload(tmp_path: Path, answer: dict[str, Any], fine: bool) -> None:
    with answering(tmp_path / "s", json.dumps(answer)):
        if fine:
            assert reload(tmp_path / "s") == Reloaded(
                answer["problems"], answer["kept"], answer["accepted"], answer["notes"]
            )
        else:
            with pytest.raises(DaemonError, match="or another program"):
                reload(tmp_path / "s")


def test_a_refusal_has_its_reason(tmp_path: Path) -> None:
    refusal = Reply("error", reason="permission", message="only root may")
    with answering(tmp_path / "s", refusal), pytest.raises(RequestRefused, match="only root may") as caught:
        reload(tmp_path / "s")
    assert caught.value.reason == "permission"
