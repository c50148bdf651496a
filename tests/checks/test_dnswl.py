"""`dnswl`: whom a list vouches for is spared the rest; nothing else happens, whatever a list says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from eximacl.check import Allowed, Unknown, declared
from eximacl.checks._list_zones import list_probes
from eximacl.checks.dnswl import dnswl
from eximacl.testing import SERVFAIL, Dns
from tests.asking import judge, query
from tests.checks.listing import options_from, steps_from
from tests.checks.running import documented_defaults

ONE = 'zones = ["wl.example.net"]'


def outcome(tmp_path: Path, toml: str, answer: Any, **values: Any) -> Any:
    names = Dns({("7.2.0.192.wl.example.net", "A"): answer, ("7.2.0.192.wl.example.com", "A"): ["127.0.9.1"]})
    return judge(dnswl, query(**values), options_from(tmp_path, "dnswl", toml), names=names)


ROWS: list[tuple[Any, Any]] = [
    ([], None),
    (["127.0.5.3"], Allowed("listed by wl.example.net 127.0.5.3")),
    (["127.0.15.1"], Allowed("listed by wl.example.net 127.0.15.1")),
    (["127.0.5.0"], None),
    (["127.0.5.4"], Unknown("wl.example.net: its answer 127.0.5.4 is none of its codes")),
    (["127.0.0.255"], Unknown("wl.example.net: its answer 127.0.0.255 is none of its codes")),
    (["127.255.255.254"], Unknown("wl.example.net: its answer 127.255.255.254 is none of its codes")),
    (["192.0.2.1"], Unknown("wl.example.net: its answer 192.0.2.1 is none of its codes")),
    (SERVFAIL, Unknown(f"wl.example.net: {SERVFAIL.detail}")),
]


@pytest.mark.parametrize(("answer", "expected"), ROWS)
def test_dnswl(tmp_path: Path, answer: Any, expected: Any) -> None:
    assert outcome(tmp_path, ONE, answer) == expected
    assert outcome(tmp_path, ONE, answer, ip="::ffff:192.0.2.7") == expected


@pytest.mark.parametrize("client", ["", "no address", "\udcff", "2001:db8::7", "192.0.2.8", "127.0.0.1"])
def test_whom_no_list_names(tmp_path: Path, client: str) -> None:
    assert outcome(tmp_path, ONE, ["127.0.5.3"], ip=client) is None


def test_weights_reach_a_threshold(tmp_path: Path) -> None:
    two = 'threshold = 2\nzones = ["wl.example.net", "wl.example.com"]'
    assert outcome(tmp_path, two, []) is None
    assert outcome(tmp_path, two, ["127.0.5.1"]) == Allowed(
        "listed by wl.example.net 127.0.5.1, wl.example.com 127.0.9.1"
    )


def test_declaration(tmp_path: Path) -> None:
    declaration = declared(dnswl)
    assert declaration is not None
    assert declaration.stages == {"connect", "helo", "mail", "rcpt"}
    assert documented_defaults(dnswl) == {"zones": [], "threshold": 1}
    made = list_probes(options_from(tmp_path, "dnswl", ONE))
    assert [one.name for one in made] == ["wl.example.net", "wl.example.net (IPv6)"]
    assert steps_from(tmp_path, "dnswl", "") == ()
