"""Our own hosts and users are not to be asked about."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from eximacl.doctor.diagnoses.skipped import relay_host, skipped
from eximacl.exim import Exim
from tests.doctor.breaks import setting, snippet
from tests.doctor.proof import Way, known, prove, told
from tests.doctor.world import World

AUTHENTICATED = (
    "accept  authenticated = *\n        endpass\n        acl = ${listnamed_a:eximacl_next_rcpt}\n"
    "        set acl_m_eximacl_want = ${if eq{${listnamed_l:eximacl_note_sent}}{yes}{sent}}\n"
    "        set acl_m_eximacl_common = v=1 user=${quote:$authenticated_id} from=${quote:$sender_address}\n"
)
WAYS: dict[str, Way] = {
    "relay hosts asked": Way(setting("EXIMACL_SKIP_HOSTS ="), "warning", "relay host 127.0.0.99"),
    "most strangers skipped": Way(
        setting("EXIMACL_SKIP_HOSTS = !192.0.2.0/24 : *"),
        "warning",
        "ask about 198.51.100.1, 203.0.113.1, 2001:db8::1$",
    ),
    "strangers of one kind skipped": Way(
        setting("EXIMACL_SKIP_HOSTS = +relay_from_hosts : ::::/0"), "warning", "not ask about 2001:db8::1$"
    ),
    "users asked": Way(snippet("rcpt.acl", AUTHENTICATED, ""), "warning", "authenticated clients"),
}


@pytest.mark.parametrize("way", WAYS)
def test_each_break_is_named(world: World, way: str) -> None:
    prove(world, "skipped", WAYS[way])


def test_a_working_set_up(sound: Callable[[str], set[str]]) -> None:
    assert sound("skipped") == {"ok"}


RELAYS = [
    ("192.0.2.7", "192.0.2.7"),
    ("192.0.2.0/24 : 198.51.100.7", "198.51.100.7"),
    ("<; 192.0.2.0/24 ; 2001:db8::7", "2001:db8::7"),
    ("192.0.2.0/24 : 2001::db8::::7", "2001:db8::7"),
    ("127.0.0.1 : ::::1", "127.0.0.1"),
    ("::::1", "::1"),
    ("*.example.org", ""),
    ("", ""),
]


@pytest.mark.needs_exim
@pytest.mark.parametrize(("listed", "first"), RELAYS)
def test_a_relay_host_to_try(tmp_path: Path, listed: str, first: str) -> None:
    config = tmp_path / "exim.conf"
    config.write_text(f"keep_environment =\nhostlist relay_from_hosts = {listed}\n")
    assert relay_host(known(tmp_path, exim=Exim(config=config))) == first


def test_where_exim_does_not_ask_there_is_nothing_to_try(tmp_path: Path) -> None:
    assert told(skipped, known(tmp_path, complaint="", directory=None)) == []
