"""`rhsbl`: which names are asked about, each once; what the client gets; hostile names ask nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from eximacl.check import Hit, Unknown, declared
from eximacl.checks._list_zones import list_probes
from eximacl.checks.rhsbl import PARENTS_MAX, rhsbl
from eximacl.testing import SERVFAIL, Dns
from tests.asking import judge, query
from tests.checks.listing import options_from, steps_from
from tests.checks.running import documented_defaults
from tests.config.world import problems_of

ONE = 'zones = ["dbl.example.net"]'
ZONE = '[checks.rhsbl.zones."dbl.example.net"]\n'
QUIET: dict[str, Any] = {"helo": "", "host": "", "host_failed": "1", "from_": ""}


def asked_about(tmp_path: Path, toml: str, **values: Any) -> list[str]:
    names = Dns()
    judge(rhsbl, query(**{**QUIET, **values}), options_from(tmp_path, "rhsbl", toml), names=names)
    assert all(kind == "A" for _, kind in names.asked)
    return [name.removesuffix(".dbl.example.net") for name, _ in names.asked]


# With the list's name and a dot 253 characters, the most that a name in DNS has.
LONG = f"{'a' * 50}.{'a' * 63}.{'a' * 63}.{'a' * 52}.b.example"[-(253 - len(".dbl.example.net")) :]
LONG_PARENTS = [LONG.split(".", count)[-1] for count in range(1, LONG.count("."))][-PARENTS_MAX:]
DEEP = ".".join("abcdefghijklmnop")
ASKED: list[tuple[str, dict[str, str], list[str]]] = [
    (ONE, {}, []),
    (ONE, {"from_": "a@Bad.Example.COM."}, ["bad.example.com"]),
    (ONE, {"helo": "mx.example.com"}, ["mx.example.com"]),
    (ONE, {"host": "host.example.com"}, ["host.example.com"]),
    (ONE, {"from_": "a@a.example", "helo": "b.example", "host": "c.example"}, ["a.example", "b.example", "c.example"]),
    (ONE, {"from_": "a@a.example", "helo": "A.example", "host": "a.example"}, ["a.example"]),
    (ONE, {"from_": "a@пример.рф"}, ["xn--e1afmkfd.xn--p1ai"]),
    (f'{ZONE}names = ["sender"]', {"from_": "a@a.example", "helo": "b.example", "host": "c.example"}, ["a.example"]),
    (f'{ZONE}names = ["rdns", "helo"]', {"helo": "b.example", "host": "c.example"}, ["c.example", "b.example"]),
    (f"{ZONE}names = []", {"from_": "a@a.example", "helo": "b.example", "host": "c.example"}, []),
    (f"{ZONE}parents = true", {"from_": "a@mx.a.example.com"}, ["mx.a.example.com", "a.example.com", "example.com"]),
    (f"{ZONE}parents = true", {"from_": "a@a.example", "helo": "mx.a.example"}, ["a.example", "mx.a.example"]),
    (f"{ZONE}parents = true", {"helo": DEEP}, [DEEP, "l.m.n.o.p", "m.n.o.p", "n.o.p", "o.p"]),
    (ONE, {"from_": "a@localhost", "helo": "localhost", "host": "localhost"}, []),
    (ONE, {"from_": "a@[192.0.2.7]", "helo": "[192.0.2.7]"}, []),
    (ONE, {"from_": "a@192.0.2.7", "helo": "192.0.2.7"}, []),
    (ONE, {"from_": "a@b..example", "helo": "a b.example", "host": "\udcff.example"}, []),
    (ONE, {"from_": f"a@{'a' * 64}.example", "helo": f"{'a.' * 127}example"}, []),
    (ONE, {"from_": "nobody"}, []),
    (ONE, {"helo": LONG}, [LONG]),
    (ONE, {"helo": f"a{LONG}"}, []),
    (f"{ZONE}parents = true", {"helo": f"a{LONG}"}, LONG_PARENTS),
]  # fmt: skip


@pytest.mark.parametrize(("toml", "values", "expected"), ASKED)
def test_what_is_asked(tmp_path: Path, toml: str, values: dict[str, Any], expected: list[str]) -> None:
    assert asked_about(tmp_path, toml, **values) == expected
    assert len(expected) <= 3 * (PARENTS_MAX + 1)


def test_before_mail_there_is_no_sender(tmp_path: Path) -> None:
    names = Dns()
    judge(rhsbl, query("helo", helo="mx.example.com", host=""), options_from(tmp_path, "rhsbl", ONE), names=names)
    assert names.asked == [("mx.example.com.dbl.example.net", "A")]


NAMES = {
    ("bad.example.com.dbl.example.net", "A"): ["127.0.1.2"],
    ("worse.example.com.dbl.example.net", "A"): ["127.0.0.4"],
    ("bad.example.com.other.example.net", "A"): ["127.0.0.2"],
    ("odd.example.com.dbl.example.net", "A"): ["127.0.1.255"],
    ("err.example.com.dbl.example.net", "A"): ["127.255.255.254"],
    ("dead.example.com.dbl.example.net", "A"): SERVFAIL,
    ("bad.example.com.dbl.example.net", "TXT"): ["see https://dbl.example.net/bad"],
}
TEXT = "bad.example.com is listed by dbl.example.net"
OUTCOMES: list[tuple[str, dict[str, str], Any]] = [
    (ONE, {"from_": "a@good.example.com"}, None),
    (ONE, {"from_": "a@bad.example.com"}, ("bad.example.com: dbl.example.net 127.0.1.2", TEXT)),
    (ONE, {"helo": "bad.example.com"}, ("bad.example.com: dbl.example.net 127.0.1.2", TEXT)),
    (ONE, {"from_": "", "host": "bad.example.com"}, ("bad.example.com: dbl.example.net 127.0.1.2", TEXT)),
    (
        ONE,
        {"from_": "a@bad.example.com", "helo": "worse.example.com"},
        ("bad.example.com worse.example.com: dbl.example.net 127.0.1.2, dbl.example.net 127.0.0.4", TEXT),
    ),
    (
        'threshold = 2\nzones = ["dbl.example.net", "other.example.net"]',
        {"from_": "a@bad.example.com"},
        ("bad.example.com: dbl.example.net 127.0.1.2, other.example.net 127.0.0.2", TEXT),
    ),
    (f"threshold = 2\n{ONE}", {"from_": "a@bad.example.com", "helo": "worse.example.com"}, None),
    (
        f'{ZONE}text = "{{ip}} {{name}} {{zone}}: {{txt}}"',
        {"from_": "a@bad.example.com"},
        (
            "bad.example.com: dbl.example.net 127.0.1.2",
            "192.0.2.7 bad.example.com dbl.example.net: see https://dbl.example.net/bad",
        ),
    ),
    (ONE, {"from_": "a@odd.example.com"}, Unknown("dbl.example.net: its answer 127.0.1.255 is none of its codes")),
    (ONE, {"helo": "err.example.com"}, Unknown("dbl.example.net: its answer 127.255.255.254 is none of its codes")),
    (ONE, {"host": "dead.example.com"}, Unknown(f"dbl.example.net: {SERVFAIL.detail}")),
    (
        ONE,
        {"from_": "a@bad.example.com", "helo": "dead.example.com"},
        ("bad.example.com: dbl.example.net 127.0.1.2", TEXT),
    ),
    (ONE, {"host_deferred": "1", "host_failed": ""}, Unknown("the reverse look-up of the client was deferred")),
    (f'{ZONE}names = ["sender"]', {"host_deferred": "1", "host_failed": ""}, None),
    (
        ONE,
        {"host_deferred": "1", "host_failed": "", "from_": "a@bad.example.com"},
        ("bad.example.com: dbl.example.net 127.0.1.2", TEXT),
    ),
]


@pytest.mark.parametrize(("toml", "values", "expected"), OUTCOMES)
def test_rhsbl(tmp_path: Path, toml: str, values: dict[str, Any], expected: Any) -> None:
    options = options_from(tmp_path, "rhsbl", toml)
    found = judge(rhsbl, query(**{**QUIET, **values}), options, names=Dns(NAMES))
    assert found == (
        Hit("rhsbl-listed", *expected) if isinstance(expected, tuple) and type(expected) is tuple else expected
    )


def test_the_test_points(tmp_path: Path) -> None:
    toml = f'{ZONE}\n[checks.rhsbl.zones."b.example.net"]\nlisted = "bad.example"\nclean = "good.example"\n'
    made = list_probes(options_from(tmp_path, "rhsbl", f'{toml}[checks.rhsbl.zones."c.example.net"]\nprobe = false\n'))
    assert [(one.zone, *dict(one.question().names())) for one in made] == [
        ("dbl.example.net", "test.dbl.example.net", "invalid.dbl.example.net"),
        ("b.example.net", "bad.example.b.example.net", "good.example.b.example.net"),
    ]


@pytest.mark.parametrize(
    ("toml", "problem"),
    [
        ('listed = ""', "listed: '' is not a name in DNS"),
        ('clean = "a b"', "clean: 'a b' is not a name in DNS"),
        ('names = ["form"]', "names: expected one of sender, helo, rdns, got 'form'"),
        ('text = "{domain}"', "text: {domain}: unknown field; known: zone, ip, name, txt"),
    ],
)
def test_wrong_lists(tmp_path: Path, toml: str, problem: str) -> None:
    files = {"eximacl.toml": f'[policy]\ndomains = ["example.org"]\norder = ["rhsbl"]\n{ZONE}{toml}\n'}
    key, _, message = problem.partition(": ")
    at = f'checks.rhsbl.zones."dbl.example.net"{"." + key if key in ("names", "text") else ""}'
    assert problems_of(tmp_path, files) == [f"eximacl.toml: {at}: {message if key in ('names', 'text') else problem}"]


def test_declaration() -> None:
    declaration = declared(rhsbl)
    assert declaration is not None
    assert declaration.stages == {"connect", "helo", "mail", "rcpt"}
    assert documented_defaults(rhsbl) == {
        "zones": [],
        "threshold": 1,
        "lower_threshold": 0,
        "lower_action": "defer",
    }


def test_without_lists_it_is_idle(tmp_path: Path) -> None:
    assert steps_from(tmp_path, "rhsbl", "") == ()


def test_between_two_thresholds(tmp_path: Path) -> None:
    toml = 'threshold = 2\nlower_threshold = 1\nzones = ["dbl.example.net"]'
    names = Dns({("example.net.dbl.example.net", "A"): ["127.0.1.2"]})
    found = judge(
        rhsbl, query(**QUIET | {"from_": "a@example.net"}), options_from(tmp_path, "rhsbl", toml), names=names
    )
    assert isinstance(found, Hit)
    assert (found.reason, found.action) == ("rhsbl-suspect", "defer")
