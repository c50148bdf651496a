"""Bounces whose tags are asked for, but never made; or made, but not taken off again."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from eximacl.doctor.access import Who
from eximacl.doctor.diagnoses.tags import tags
from eximacl.exim import Exim
from tests.doctor.breaks import policy, setting
from tests.doctor.proof import Way, known, prove, told, wired
from tests.doctor.world import World

REFUSING = '[checks.bounce_tag]\nrecipients = ["steve"]\nkeys = "KEYS"\n'


@contextmanager
def untagged(world: World) -> Iterator[None]:
    """A policy that refuses what has no tag, with an Exim that makes none."""
    keys = world.home / "keys"
    keys.touch(mode=0o640)
    keys.write_text("a key that nobody knows\n")
    check = policy("[state]", f"{REFUSING.replace('KEYS', str(keys))}[state]")
    with policy("order = [", 'order = ["bounce_tag", ')(world), check(world):
        yield
    keys.unlink()


WAYS: dict[str, Way] = {
    "Exim tags nothing": Way(untagged, "problem", "refuses bounces without a tag, but Exim tags nothing"),
    "no key": Way(
        setting("EXIMACL_TAG_SENDERS = steve@example.org"), "problem", "Exim may not read the key .*bounce_keys"
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_each_break_is_named(world: World, way: str) -> None:
    prove(world, "tags", WAYS[way])


def test_a_working_set_up_without_tags_says_nothing(sound: Callable[[str], set[str]]) -> None:
    assert sound("tags") == set()


ROUTERS = "eximacl_tagged:\n  driver = redirect\n  data = :blackhole:\n"
TAGGING = "  return_path = ${if match_address{$return_path}{a@b}{${prvs{$return_path}{key}}}fail}\n"
# Exim's macros, routers and the return path of its transport; whether the check refuses; what is found.
EXIMS = {
    "all of it": ("steve@example.org", ROUTERS, TAGGING, True, ("ok", "mail from steve@example.org leaves with tags")),
    "tags that nothing asks for yet": ("*@example.org", ROUTERS, TAGGING, False, ("ok", "leaves with tags")),
    "no router": ("steve@example.org", "", TAGGING, True, ("problem", "Exim has no router eximacl_tagged")),
    "no transport": ("steve@example.org", ROUTERS, "", True, ("problem", "no smtp transport has the tag")),
    "another return path": (
        "steve@example.org",
        ROUTERS,
        "  return_path = a@b\n",
        True,
        ("problem", "no smtp transport"),
    ),
    "nobody is tagged": ("", ROUTERS, TAGGING, True, ("problem", "Exim tags nothing")),
    "nobody is tagged, and nobody need be": ("", "", "", False, None),
}


@pytest.mark.needs_exim
@pytest.mark.parametrize("name", EXIMS)
@pytest.mark.parametrize("where", ["policy", "domain"])
def test_an_exim(tmp_path: Path, name: str, where: str) -> None:
    senders, routers, transport, refuses, found = EXIMS[name]
    keys = tmp_path / "keys"
    keys.touch(mode=0o600)
    keys.write_text("a key that nobody knows\n")
    check = REFUSING.replace("KEYS", str(keys)) + ("" if refuses else 'action = "observe"\n')
    if where == "domain":
        (tmp_path / "domains").mkdir()
        (tmp_path / "domains/example.org.toml").write_text(check)
    config = tmp_path / "exim.conf"
    macros = f"EXIMACL_TAG_KEYS = {keys}\n" + (f"EXIMACL_TAG_SENDERS = {senders}\n" if senders else "")
    config.write_text(
        f"keep_environment =\n{macros}begin routers\n{routers}begin transports\nout:\n  driver = smtp\n{transport}"
    )
    case = known(tmp_path, check if where == "policy" else "", exim=Exim(config=config), **facts())
    assert case.loaded
    results = told(tags, case)
    assert [level for level, _ in results] == ([found[0]] if found else [])
    assert not found or found[1] in results[0][1]


KEYS = [
    ("keys", os.getuid(), ""),
    ("others", os.getuid(), "Exim tags with the first key in .*/others, but the check bounce_tag reads .*/keys"),
    ("keys", 65534, "Exim may not read the key with which it tags: nobody may not "),
    ("missing", os.getuid(), "Exim may not read the key with which it tags: .*/missing does not exist"),
]


@pytest.mark.needs_exim
@pytest.mark.parametrize(("name", "uid", "words"), KEYS)
def test_its_keys(tmp_path: Path, name: str, uid: int, words: str) -> None:
    for made in ("keys", "others"):
        (tmp_path / made).touch(mode=0o600)
        (tmp_path / made).write_text("a key that nobody knows\n")
    config = tmp_path / "exim.conf"
    macros = f"EXIMACL_TAG_KEYS = {tmp_path / name}\nEXIMACL_TAG_SENDERS = steve@example.org\n"
    transport = f"begin transports\nout:\n  driver = smtp\n{TAGGING}"
    config.write_text(f"keep_environment =\n{macros}begin routers\n{ROUTERS}{transport}")
    case = known(tmp_path, REFUSING.replace("KEYS", "keys"), exim=Exim(config=config), **facts(uid))
    first = told(tags, case)[0]
    assert first[0] == ("problem" if words else "ok")
    assert re.match(words, first[1])


def facts(uid: int = os.getuid()) -> dict[str, object]:
    """Return what Exim is known to be: a user that may do what its number may."""
    return {**wired(), "exim_user": Who("nobody", uid, frozenset()), "exim_view": Path("/")}
