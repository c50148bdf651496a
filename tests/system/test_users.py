"""Users and groups, by name and by number."""

from __future__ import annotations

import os
import pwd
import socket
from pathlib import Path

import pytest

from eximacl.system.users import (
    current_user,
    group_id,
    group_name,
    own_rights,
    peer_uid,
    rights_of_owner,
    user_name,
)

NOBODY = 65534


@pytest.mark.parametrize(
    ("environ", "name"),
    [
        pytest.param({"SUDO_USER": "steve"}, "steve", id="before sudo"),
        pytest.param({"SUDO_USER": "a\nb: c"}, "a_b__c", id="hostile"),
        pytest.param({"SUDO_USER": ""}, pwd.getpwuid(os.getuid()).pw_name, id="empty"),
        pytest.param({}, pwd.getpwuid(os.getuid()).pw_name, id="without sudo"),
    ],
)
def test_the_current_user(environ: dict[str, str], name: str) -> None:
    assert current_user(environ) == name


def test_a_user_without_a_name_has_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (user_name(0), user_name(4_000_000)) == ("root", "4000000")
    monkeypatch.setattr(os, "getuid", lambda: 4_000_000)
    assert current_user({}) == "4000000"


def test_a_group_without_a_name_has_a_number() -> None:
    assert (group_name(0), group_name(4_000_000)) == ("root", "4000000")


@pytest.mark.parametrize(("group", "gid"), [("root", 0), ("adm", 4), ("4", 4), ("4294967294", 2**32 - 2)])
def test_the_number_of_a_group(group: str, gid: int) -> None:
    assert group_id(group) == gid


@pytest.mark.parametrize(
    ("group", "text"),
    [
        ("nosuchgroup", "there is no group 'nosuchgroup'"),
        ("", "there is no group ''"),
        ("²", "there is no group '²'"),
        ("-1", "there is no group '-1'"),
        ("4294967295", "4294967295 is not a group: the largest number of one is 4294967294"),
        ("9" * 5000, "there is no group '999"),
    ],
)
def test_what_is_not_a_group(group: str, text: str) -> None:
    with pytest.raises(ValueError, match=f"^{text}"):
        group_id(group)


def test_whose_process_has_connected() -> None:
    left, right = socket.socketpair(socket.AF_UNIX)
    with left, right:
        assert peer_uid(left) == os.getuid()


@pytest.mark.needs_root
def test_root_works_with_the_rights_of_a_directory_s_owner(tmp_path: Path) -> None:
    theirs, before = tmp_path / "theirs", (os.geteuid(), os.getegid(), os.getgroups())
    theirs.mkdir()
    os.chown(theirs, 65534, 65533)
    with rights_of_owner(theirs.stat()):
        assert (os.geteuid(), os.getegid()) == (65534, 65533)
        with own_rights():
            assert (os.geteuid(), os.getegid()) == before[:2]
        assert (os.geteuid(), os.getegid()) == (65534, 65533)
    assert (os.geteuid(), os.getegid(), os.getgroups()) == before


def test_otherwise_everybody_has_only_their_own_rights(tmp_path: Path) -> None:
    before = os.geteuid(), os.getegid(), os.getgroups()
    with rights_of_owner(tmp_path.stat()), own_rights():
        assert (os.geteuid(), os.getegid(), os.getgroups()) == before
