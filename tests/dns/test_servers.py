"""Name servers and zones: when they are left alone."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest

from eximacl.dns import servers
from eximacl.dns.servers import Upstream, Upstreams, ZoneHealth
from eximacl.mail.hosts import NameServer
from tests.dns.clock import Clock


def texts(caplog: pytest.LogCaptureFixture) -> list[str]:
    found = [record.getMessage() for record in caplog.records if record.name == "eximacl"]
    caplog.clear()
    return found


def test_a_zone_that_fails_is_left_alone_and_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    clock = Clock()
    zone = ZoneHealth("bl.example.org", clock)
    for _ in range(servers.ZONE_FAILURES - 1):
        zone.failed("SERVFAIL")
    zone.worked()
    assert texts(caplog) == []
    for _ in range(servers.ZONE_FAILURES):
        assert zone.may_ask()
        zone.failed("SERVFAIL")
    zone.failed("SERVFAIL")
    (told,) = texts(caplog)
    assert told.startswith("DNS zone bl.example.org has failed 5 times in a row (SERVFAIL): it is left alone")
    assert zone.left_alone
    assert not zone.may_ask()
    clock.pass_(servers.ZONE_PAUSE_SECONDS)
    assert [zone.may_ask(), zone.may_ask()] == [True, False], "one question finds out"
    zone.failed("SERVFAIL")
    assert texts(caplog) == []
    clock.pass_(servers.ZONE_PAUSE_SECONDS)
    assert zone.may_ask()
    zone.worked()
    assert texts(caplog) == ["DNS zone bl.example.org answers again"]
    assert [zone.may_ask(), zone.may_ask()] == [True, True]


def test_a_silent_server_is_left_alone_until_it_answers(caplog: pytest.LogCaptureFixture) -> None:
    server, zone = Upstream(NameServer("192.0.2.1")), ZoneHealth("bl.example.org", Clock())
    for _ in range(servers.SUSPICIONS):
        assert server.probe_at == float("inf")
        server.suspect(zone, "late", 100.0)
    assert server.probe_at == 100.0
    server.silent("no answer", 101.0)
    server.silent("no answer", 101.0)
    server.suspect(zone, "late", 101.0)
    assert server.alone
    assert server.probe_at == 101.0 + servers.SERVER_PAUSE_SECONDS
    (told,) = texts(caplog)
    assert told.startswith("name server 192.0.2.1 does not answer (no answer): it is left alone")
    server.answered()
    assert texts(caplog) == ["name server 192.0.2.1 answers again"]
    assert not server.alone
    assert not zone.left_alone, "a dead server's zones are not to blame"


def test_a_server_that_answers_leaves_the_blame_to_the_zone(caplog: pytest.LogCaptureFixture) -> None:
    server, zone = Upstream(NameServer("192.0.2.1")), ZoneHealth("bl.example.org", Clock())
    server.answered()
    for _ in range(servers.SUSPICIONS):
        server.suspect(zone, "late", 100.0)
        server.suspect(None, "late", 100.0)
    server.answered()
    assert server.probe_at == float("inf")
    assert zone.left_alone
    (told,) = texts(caplog)
    assert "DNS zone bl.example.org has failed 5 times in a row (late)" in told


def named(found: Upstreams) -> list[str]:
    return [str(server) for server in found.current()]


def test_the_systems_servers_are_read_again_when_they_change(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    clock, file = Clock(), tmp_path / "resolv.conf"
    file.write_text("search example.org\nnameserver 192.0.2.1\nnameserver 192.0.2.2\nnameserver 192.0.2.1\n")
    found = Upstreams([], file, clock)
    first = found.current()
    assert named(found) == ["192.0.2.1", "192.0.2.2"]
    file.write_text("nameserver 192.0.2.2\nnameserver 2001:db8::1\n")
    assert found.current() is first, "too early to look"
    clock.pass_(servers.LOOK_SECONDS)
    assert named(found) == ["192.0.2.2", "[2001:db8::1]:53"]
    assert found.current()[0] is first[1], "what is known of it stays"
    clock.pass_(servers.LOOK_SECONDS)
    same = found.current()
    assert found.current() is same
    file.write_text("# being written\n")
    clock.pass_(servers.LOOK_SECONDS)
    assert named(found) == ["192.0.2.2", "[2001:db8::1]:53"]
    (told,) = texts(caplog)
    assert told.startswith(f"{file} names no name server: ")
    file.write_text("# still being written\n")
    clock.pass_(servers.LOOK_SECONDS)
    assert named(found) == ["192.0.2.2", "[2001:db8::1]:53"]
    file.unlink()
    clock.pass_(servers.LOOK_SECONDS)
    assert found.current() is same


# What the file says, which servers are asked, and what the log says.
RESOLV_CONF: dict[str, tuple[bytes, list[str], list[str]]] = {
    "words after the address": (b"nameserver\t192.0.2.1 # ours\r\n", ["192.0.2.1"], []),
    "comments": (b"# nameserver 192.0.2.2\n;nameserver 192.0.2.3\nnameserver 192.0.2.1\n", ["192.0.2.1"], []),
    "a scope": (b"nameserver fe80::1%eth0\nnameserver 192.0.2.1\n", ["[fe80::1%eth0]:53", "192.0.2.1"], []),
    "an end like a port": (b"nameserver 2001:db8::1:53\n", ["[2001:db8::1:53]:53"], []),
    "one bad name": (b"nameserver dns\nnameserver 192.0.2.1\n", ["192.0.2.1"], ["nameserver 'dns': expected"]),
    "one bad address": (
        b"nameserver 010.1.1.1\nnameserver 192.0.2.1\n",
        ["192.0.2.1"],
        ["nameserver '010.1.1.1': expected"],
    ),
    "an empty label": (b"nameserver 192.0.2.1\nsearch corp..example\n", ["192.0.2.1"], []),
    "a long label": (b"nameserver 192.0.2.1\nsearch " + b"x" * 64 + b".example\n", ["192.0.2.1"], []),
    "odd options": (b"nameserver 192.0.2.1\noptions ndots:x timeout:-1\ndomain\n", ["192.0.2.1"], []),
    "no text": (b"\xff\xfe\0\nnameserver 192.0.2.1\nsearch \xff..\xc3\n", ["192.0.2.1"], []),
    "no address": (b"nameserver\n", ["127.0.0.1"], ["names no name server: write a line such as `nameserver"]),
    "nothing": (b"", ["127.0.0.1"], ["names no name server: write a line such as `nameserver"]),
    "only bad ones": (b"nameserver dns\n", ["127.0.0.1"], ["nameserver 'dns': expected", "names no name server"]),
}


@pytest.mark.parametrize("row", RESOLV_CONF)
def test_only_nameserver_lines_count(row: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    written, expected, told = RESOLV_CONF[row]
    file = tmp_path / "resolv.conf"
    file.write_bytes(written)
    assert named(Upstreams([], file, Clock())) == expected
    found = texts(caplog)
    assert [part in text for part, text in zip(told, found, strict=True)] == [True] * len(told)
    assert all(text.startswith(str(file)) for text in found)


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_nothing_but_a_regular_file_is_read(make: object, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    make(tmp_path / "resolv.conf")  # type: ignore[operator]
    assert named(Upstreams([], tmp_path / "resolv.conf", Clock())) == [servers.LOCAL_SERVER]
    (told,) = texts(caplog)
    assert "resolv.conf names no name server: " in told


def test_without_a_list_the_local_server_is_asked(tmp_path: Path) -> None:
    assert named(Upstreams([], tmp_path / "none", Clock())) == [servers.LOCAL_SERVER]


def test_given_servers_stand() -> None:
    found = Upstreams(["192.0.2.9", "[2001:db8::1]:5353"], Path("/nonexistent"), Clock())
    assert named(found) == ["192.0.2.9", "[2001:db8::1]:5353"]
