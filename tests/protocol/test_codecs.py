"""Reading and shortening the queries that records hold."""

from __future__ import annotations

import pytest

from eximacl.protocol import exim
from eximacl.protocol.codecs import CODECS, query_values, shorten_values

LINE = exim.format_query("rcpt", {"ip": "192.0.2.7", "helo": "x" * 20, "from": "a b"}).rstrip()


def test_every_protocol_has_a_codec() -> None:
    assert set(CODECS) == {exim.NAME}


@pytest.mark.parametrize(
    ("protocol", "line", "expected"),
    [
        ("exim", LINE, {"v": "1", "ip": "192.0.2.7", "helo": "x" * 20, "from": "a b"}),
        ("exim", LINE[:-1], {}),
        ("another", LINE, {}),
    ],
)
def test_values(protocol: str, line: bytes, expected: dict[str, str]) -> None:
    assert query_values(protocol, line) == expected


def test_long_values_are_shortened_and_the_others_keep_their_bytes() -> None:
    assert shorten_values("exim", LINE, 9, "…") == LINE.replace(b"x" * 20, '"xxxxxxxxx…"'.encode())
    assert shorten_values("exim", LINE, 20, "…") is not None
    assert shorten_values("exim", LINE[:-1], 9, "…") == LINE[:9]
    assert shorten_values("another", LINE, 9, "…") == LINE[:9]
