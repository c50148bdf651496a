"""Whatever stands in a configuration, loading it gives a policy or problems, and never another exception."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eximacl.config import ConfigError, Loaded, find_checks, load
from eximacl.config.problems import Refused
from eximacl.config.render import all_tables, show, show_toml
from eximacl.config.sources import Sources
from eximacl.config.toml import toml, toml_key
from eximacl.mail.entry_list import EntryList
from eximacl.mail.lists import Domains, Messages, Names, Networks, Recipients, Secrets, Suffixes
from eximacl.mail.patterns import Patterns

CHECKS = find_checks()
TABLES = all_tables(CHECKS)
OPTIONS = sorted({option.name for table in TABLES.values() for option in table.options})
LISTS: list[type[EntryList]] = [Names, Suffixes, Domains, Recipients, Messages, Networks, Patterns, Secrets]

TEXTS = st.sampled_from(
    ["", "reject", "off", "lists", "[a-z]", "sa", "@", ".", "192.0.2.0/24", "{ip}", "0660", "memory:", "\0"]
)
LEAVES = st.booleans() | st.integers(-2, 2) | st.floats() | TEXTS | st.text(max_size=5)
VALUES = LEAVES | st.lists(LEAVES, max_size=3) | st.dictionaries(st.sampled_from(OPTIONS), LEAVES, max_size=3)
TABLE = st.dictionaries(st.sampled_from(OPTIONS) | TEXTS, VALUES, max_size=4) | VALUES
NAMED = st.dictionaries(st.sampled_from(sorted(CHECKS)) | TEXTS, TABLE, max_size=4)
FILE = st.dictionaries(
    st.sampled_from(["server", "state", "log", "journal", "archive", "policy", "exempt"]) | TEXTS, TABLE, max_size=4
)
UNHURRIED = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def text_of(tables: dict[str, Any]) -> str:
    return "".join(f"{toml_key(key)} = {toml(value)}\n" for key, value in tables.items())


@UNHURRIED
@given(main=FILE, checks=NAMED | TABLE, domain=FILE, overlay=NAMED | TABLE, right=st.booleans())
def test_any_tables(tmp_path: Path, main: Any, checks: Any, domain: Any, overlay: Any, right: bool) -> None:
    if right:
        order = [name for name in CHECKS if isinstance(checks, dict) and name in checks]
        main["policy"] = {"domains": ["example.org"], "order": order}
    (tmp_path / "domains").mkdir(exist_ok=True)
    (tmp_path / "eximacl.toml").write_text(text_of({**main, "checks": checks}), encoding="utf-8")
    (tmp_path / "domains/example.org.toml").write_text(text_of({**domain, "checks": overlay}), encoding="utf-8")
    loaded, lines = outcome(tmp_path / "eximacl.toml")
    assert all(line.startswith(("eximacl.toml: ", "domains/example.org.toml: ")) for line in lines)
    if loaded is not None:
        assert show_toml(show(loaded, "example.org"))


def outcome(path: Path) -> tuple[Loaded | None, list[str]]:
    """Load; return what was loaded, or what was wrong."""
    try:
        return load(path), []
    except ConfigError as error:
        return None, [str(problem) for problem in error.problems] or ["no problem, and yet an error"]


@UNHURRIED
@given(data=st.binary(max_size=200))
def test_any_policy_file(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "eximacl.toml").write_bytes(data)
    with pytest.raises(ConfigError):  # without policy.domains none is right
        load(tmp_path / "eximacl.toml")


@UNHURRIED
@given(data=st.binary(max_size=100), kind=st.sampled_from(LISTS))
def test_any_list_file(tmp_path: Path, data: bytes, kind: type[EntryList]) -> None:
    path = tmp_path / "list"
    path.write_bytes(data)
    path.chmod(0o600)
    found, messages = list_at(path, kind)
    assert all(message.startswith(("list line ", "list is UTF-16", "list is not a text")) for message in messages)
    assert len(found) <= len(data)


def list_at(path: Path, kind: type[EntryList]) -> tuple[EntryList, tuple[str, ...]]:
    """Read a list; return it, or an empty one and what was wrong."""
    try:
        return Sources(path.parent).open(path, kind), ()
    except Refused as refused:
        return kind(), refused.messages or ("refused without a word",)
