"""The protocols by which queries come, by name: how the records' readers parse and change the bytes of a query."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from eximacl.protocol import exim


class Codec(NamedTuple):
    """What a reader of records needs of a protocol.

    parse: return a query's stage and values; raises ProtocolError. rewrite: return a query with some values changed,
    each by its key's function, and all other bytes as they were.
    """

    parse: Callable[[bytes], tuple[str, dict[str, str]]]
    rewrite: Callable[[bytes, Mapping[str, Callable[[str], str]]], bytes]


CODECS: Mapping[str, Codec] = {exim.NAME: Codec(exim.parse_line, exim.rewrite)}


def query_values(protocol: str, line: bytes) -> dict[str, str]:
    """Return the values of a recorded query; none of one that is damaged, or of a protocol that is not known here."""
    codec = CODECS.get(protocol)
    if codec is None:
        return {}
    try:
        return codec.parse(line)[1]
    except exim.ProtocolError:
        return {}


def shorten_values(protocol: str, line: bytes, characters: int, mark: str) -> bytes:
    """Return a query with each value of more than `characters` cut to that many, and marked.

    One that cannot be parsed is cut as a whole.
    """
    values = query_values(protocol, line)
    if not values:
        return line[:characters]
    long = [key for key, value in values.items() if len(value) > characters]
    return CODECS[protocol].rewrite(line, dict.fromkeys(long, lambda value: value[:characters] + mark))
