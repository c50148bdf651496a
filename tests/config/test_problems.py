"""Problems: one line each, with file and key, and the nearest name that is known."""

from __future__ import annotations

from pathlib import Path

import pytest

from eximacl.config.problems import (
    LINE_CHARACTERS_MAX,
    NEAREST_CANDIDATES_MAX,
    ConfigError,
    Problem,
    Refused,
    nearest,
    shown_path,
    unknown,
)
from tests.config.world import site


@pytest.mark.parametrize(
    ("problem", "line"),
    [
        (Problem("eximacl.toml", "checks.x.y", "is wrong"), "eximacl.toml: checks.x.y: is wrong"),
        (Problem("eximacl.toml", "", "is wrong"), "eximacl.toml: is wrong"),
        (Problem("a", "", "x" * LINE_CHARACTERS_MAX), f"a: {'x' * (LINE_CHARACTERS_MAX - 3)}…"),
        (Problem("a\nb", "c\x1b", "\udcff"), r"a\nb: c\x1b: \udcff"),
    ],
)
def test_a_problem_is_one_line(problem: Problem, line: str) -> None:
    assert str(problem) == line


def test_an_error_has_all_problems() -> None:
    problems = [Problem("a", "", "x"), Problem("b", "", "y")]
    error = ConfigError(problems)
    assert error.problems == tuple(problems)
    assert str(error) == "a: x\nb: y"


def test_refused_messages_stay_apart() -> None:
    assert Refused("one", "two").messages == ("one", "two")
    assert str(Refused("one", "two")) == "one; two"


def test_sites_grow_keys_and_collect_problems() -> None:
    here = site(key="")
    here.at("checks").at("x").report("one", "two")
    assert list(map(str, here.problems)) == ["eximacl.toml: checks.x: one", "eximacl.toml: checks.x: two"]


@pytest.mark.parametrize(
    ("text", "path"), [("a", "/etc/eximacl/a"), ("../a/./b", "/etc/a/b"), ("/a", "/a"), ("x/../a", "/etc/eximacl/a")]
)
def test_paths_start_where_the_file_is(text: str, path: str) -> None:
    assert site().path(text) == Path(path)


def test_paths_are_shown_as_they_would_be_written() -> None:
    home = Path("/etc/eximacl")
    assert shown_path(home / "lists/tld", home) == site().shown(home / "lists/tld") == "lists/tld"
    assert shown_path(Path("/srv/tld"), home) == "/srv/tld"


def test_nearest() -> None:
    assert nearest("tdls", ["tlds", "action"]) == "tlds"
    assert nearest("xyzzy", ["tlds", "action"]) is None
    many = [f"d{number}.example" for number in range(NEAREST_CANDIDATES_MAX)]
    assert nearest("z.example.org", [*many, "z.example.org"]) != "z.example.org"


def test_unknown_names_get_the_nearest_or_all() -> None:
    assert unknown("key", "tdls", ["tlds", "action"]) == "unknown key; did you mean tlds?"
    assert unknown("key", "xyzzy", ["tlds", "action"]) == "unknown key; known: tlds, action"
    assert unknown("key", "xyzzy", []) == "unknown key; known: none"
