"""The search options: what they become, and what is refused with the option's name."""

from __future__ import annotations

import time

import click
import pytest

from eximacl.cli.filters import NAMES, filter_options, reference_of, wanted_of
from eximacl.cli.options import Failure


def test_a_search() -> None:
    before = time.time()
    wanted = wanted_of({"ref": "7kq2-m9do", "since": "2h", "until": None, "domain": "example.org"})
    assert wanted.needle == b"example.org"
    assert wanted.since is not None
    assert before - 7200 <= wanted.since <= time.time() - 7200
    assert wanted.until is None


def test_every_option_is_there() -> None:
    command = click.command()(filter_options(lambda **_: None))
    assert tuple(option.name for option in command.params) == NAMES


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("domain", "a b", "--domain: 'a b' is not a domain name"),
        ("ip", "192.0.2", "--ip: '192.0.2' is not an IP address or network"),
        ("ip", "[::1]", "--ip: '[::1]' is not an IP address or network; write it without brackets"),
        ("recipient", "a@", "--recipient: 'a@' is not a localpart"),
        ("sender", "", "--sender is empty; the null sender is '<>'"),
        ("recipient", "", "--recipient is empty"),
        ("since", "soon", "--since: 'soon' is not a time"),
        ("until", "999999w", "--until: "),
    ],
)
def test_what_cannot_be_searched_for(name: str, value: str, words: str) -> None:
    with pytest.raises(click.UsageError) as caught:
        wanted_of({name: value})
    assert caught.value.message.startswith(words)


def test_references() -> None:
    assert reference_of("7kq2 m9do") == "7KQ2M9D0"
    with pytest.raises(Failure) as caught:
        reference_of("7KQ2")
    assert caught.value.status == 65
