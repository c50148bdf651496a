"""The markers come by themselves, and a test that escapes them fails."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.needs import MARKERS, needs


@needs("needs_root")
def helper() -> None:
    """Stands for one that needs root."""


def other() -> None:
    helper()


class Holder:
    def method(self) -> None:
        other()


TABLE = {"a": (1, helper)}


@pytest.fixture
def given() -> None:
    other()


def marks(request: pytest.FixtureRequest) -> list[str]:
    return [name for name in MARKERS if request.node.get_closest_marker(name)]


def test_by_a_helper_of_a_helper(request: pytest.FixtureRequest) -> None:
    other()
    assert marks(request) == ["needs_root"]


def test_by_a_method(request: pytest.FixtureRequest) -> None:
    Holder().method()
    assert marks(request) == ["needs_root"]


def test_by_a_function_inside(request: pytest.FixtureRequest) -> None:
    def inside() -> None:
        other()

    inside()
    assert marks(request) == ["needs_root"]


def test_by_a_table(request: pytest.FixtureRequest) -> None:
    assert TABLE
    assert marks(request) == ["needs_root"]


@pytest.mark.usefixtures("given")
def test_by_a_fixture(request: pytest.FixtureRequest) -> None:
    assert marks(request) == ["needs_root"]


@pytest.mark.parametrize("called", [other])
def test_by_a_parameter(request: pytest.FixtureRequest, called: object) -> None:
    assert marks(request) == ["needs_root"]


def test_what_was_not_seen_fails(request: pytest.FixtureRequest) -> None:
    unseen = vars(sys.modules[__name__])["helper"]
    with pytest.raises(pytest.fail.Exception, match=r"helper, so it needs pytest\.mark\.needs_root"):
        unseen()
    with pytest.raises(pytest.fail.Exception, match=r"uses mount, so it needs pytest\.mark\.needs_root"):
        subprocess.run(["mount"], check=False)
    assert marks(request) == []
