"""The examples in docs/checks: each configuration is loaded, and each row of its tables is asked.

A page's fenced `toml` blocks are files: one without a name starts a new directory with `eximacl.toml`; one with a
name (`toml domains/example.net.toml`, `text keys`) is added to it. A table with the heading `Exim asks about` has rows
of query values as on the wire, and the SMTP reply or `accepted`. Its rows are messages that come one after the other,
at noon on 15 January 2027 in UTC; `after=600` in a row puts it 600 seconds after that. A fenced `dns` block is all that
DNS knows for the tables after it, a line for each name: `NAME KIND ANSWER, ANSWER`, or `SERVFAIL` for the answers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

from eximacl.config import load
from eximacl.daemon.answers import Answers
from eximacl.policy.drive import drive_now
from eximacl.policy.engine import decide
from eximacl.policy.plan import Policy
from eximacl.policy.query import Stage
from eximacl.policy.state import State
from eximacl.protocol.exim import Reply, build_query, parse_line, reply_for
from eximacl.state import MemoryState
from eximacl.testing import Dns

DOCS = Path(__file__).parents[2] / "docs" / "checks"
NOON = 1800014400.0
USUAL = {"ip": "192.0.2.7", "from": "a@example.net", "rcpt": "steve@example.org"}

BLOCK = re.compile(
    r"^```(toml|dns|text) ?(\S*)\n(.*?)^```$|^\| Exim asks about \|[^\n]*\n\|[-|]+\n((?:\|[^\n]*\n)+)", re.M | re.S
)
ROW = re.compile(r"^\| `(.*)` \| (?:`(.*)`|accepted) \|$")


class Example(NamedTuple):
    """One table: the files and the DNS before it, and its rows of query values and reply."""

    page: str
    files: Mapping[str, str]
    names: str
    rows: tuple[tuple[str, str], ...]


def examples() -> Iterator[Example]:
    for path in sorted(DOCS.glob("*.md")):
        files: dict[str, str] = {}
        names = ""
        for kind, name, text, table in BLOCK.findall(path.read_text(encoding="utf-8")):
            if kind == "dns":
                names = text
            elif text:
                files = {**files, name: text} if name else {"eximacl.toml": text}
            else:
                yield Example(path.stem, files, names, tuple(map(row_of, table.splitlines())))


def row_of(line: str) -> tuple[str, str]:
    match = ROW.match(line.replace("\\|", "|"))
    assert match, f"no row: {line}"
    return match[1], match[2] or "accepted"


class World(NamedTuple):
    """What a page's examples are asked of."""

    policy: Policy
    state: State
    names: Dns

    def ask(self, stage: Stage, values: Mapping[str, str]) -> Reply:
        asked = build_query(stage, values, NOON + float(values.get("after", "0")))
        answers = Answers(self.state, self.names, asked)
        return reply_for(drive_now(decide(self.policy, asked), answers), "")

    def told(self, values: Mapping[str, str]) -> str:
        """Return what the client gets, at RCPT or, if that is asked about, at DATA."""
        reply = self.ask("rcpt", values)
        if reply.verdict == "accept" and reply.want:
            reply = self.ask("data", {**values, "rcpts": values["rcpt"], "want": reply.want})
        return "accepted" if reply.verdict == "accept" else f"{reply.code} {reply.message}"


EXAMPLES = list(examples())


@pytest.mark.parametrize("example", EXAMPLES, ids=[f"{one.page}: {one.rows[0][0]}" for one in EXAMPLES])
def test_an_example_is_true(example: Example, tmp_path: Path) -> None:
    for name, text in example.files.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        path.chmod(0o600)  # it may hold secrets
    world = World(load(tmp_path / "eximacl.toml").policy, MemoryState(), Dns(example.names))
    for number, (asked, reply) in enumerate(example.rows):
        _, values = parse_line(f"rcpt {asked}".encode())
        assert (asked, world.told({**USUAL, "tx": str(number), **values})) == (asked, reply)


@pytest.mark.parametrize("page", [path.stem for path in sorted(DOCS.glob("*.md"))])
def test_every_page_has_examples_of_both_fates(page: str) -> None:
    replies = [reply for one in EXAMPLES if one.page == page for _, reply in one.rows]
    assert "accepted" in replies
    assert any(reply.startswith(("550 ", "451 ")) for reply in replies)
