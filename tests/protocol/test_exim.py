"""The socket protocol: the golden table in every chunking, hostile bytes, and the real Exim as the other side."""

from __future__ import annotations

import base64
import random
import re
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from eximacl.mail.address import NULL_SENDER, Address
from eximacl.policy.outcome import Decision
from eximacl.policy.query import STAGES, Query
from eximacl.protocol import exim as wire
from eximacl.protocol.exim import LineReader, ProtocolError, Reply
from tests.golden import rows
from tests.needs import needs

EXIM = "/usr/sbin/exim4"
EXIM_TIMEOUT_SECONDS = 60
GOLDEN = rows("wire")
REASONS = {"empty", "unknown-stage", "version", "missing-key", "duplicate-key", "control", "syntax", "line-too-long"}

TOKEN = re.compile(r"\{(?:([0-9a-f]{2})|(.)\*([0-9]+))\}")


def bytes_of(text: str) -> bytes:
    """Replace a golden table's `{hh}` by that byte, and `{c*n}` by n times c."""

    def one(match: re.Match[str]) -> str:
        byte, letter, times = match.groups()
        return chr(int(byte, 16)) if byte else letter * int(times)

    return TOKEN.sub(one, text).encode("latin-1")


def read(chunks: Iterable[bytes]) -> Query:
    """Read one query as the server does: a line by its newline, or by the end of the stream."""
    reader = LineReader()
    for chunk in chunks:
        line = reader.feed(chunk)
        if line is not None:
            return wire.parse_query(line)
    return wire.parse_query(reader.end())


def outcome_of(chunks: Iterable[bytes]) -> str:
    """Return the stage that was read, or the reason why not. Anything but a ProtocolError passes through."""
    try:
        return read(chunks).stage
    except ProtocolError as error:
        return error.reason


def chunks_of(data: bytes, how: str, name: str) -> Iterator[bytes]:
    if how == "whole":
        yield data
        return
    sizes = random.Random(name)
    start = 0
    while start < len(data):
        size = 1 if how == "byte by byte" else sizes.randint(1, 1 + len(data) // 3)
        yield data[start : start + size]
        start += size


@pytest.mark.parametrize("ending", [b"\n", b""], ids=["newline", "eof"])
@pytest.mark.parametrize("how", ["whole", "byte by byte", "random"])
@pytest.mark.parametrize(("name", "line", "stage", "expected"), [(*row[:3], row[3:]) for row in GOLDEN])
def test_golden_table_in_every_chunking(
    name: str, line: str, stage: str, expected: list[str], how: str, ending: bytes
) -> None:
    data = bytes_of(line) + ending
    if stage == "error":
        with pytest.raises(ProtocolError) as caught:
            read(chunks_of(data, how, name))
        assert caught.value.reason == expected[0]
        return
    query = read(chunks_of(data, how, name))
    values = [f"{key}={value}".encode("utf-8", "surrogateescape") for key, value in query.values.items()]
    assert (query.stage, values) == (stage, [bytes_of(one) for one in expected])


def test_nothing_at_all_is_refused() -> None:
    with pytest.raises(ProtocolError, match="ended before a query") as caught:
        read([])
    assert caught.value.reason == "empty"
    with pytest.raises(ProtocolError, match="the stage is none of connect, helo"):
        read([b"\n"])


def test_only_data_may_have_a_megabyte_of_headers() -> None:
    start = b'data v=1 ip="" tx=1 from="" rcpts="" headers="'
    room = wire.MAX_DATA_LINE_BYTES - len(start) - 1
    chunk = b"x" * 65536
    full, rest = divmod(room, len(chunk))
    query = read([start, *[chunk] * full, chunk[:rest], b'"', b"\n"])
    assert len(query.values["headers"]) == room
    with pytest.raises(ProtocolError, match=f"longer than {wire.MAX_DATA_LINE_BYTES} bytes"):
        read([start, *[chunk] * full, chunk[:rest], b'x"', b"\n"])


def test_an_error_quotes_no_value() -> None:
    for line in (b'rcpt v=1 tx="evil secret', b"evil v=1", b"end v=evil", b"end v=1 tx=evil tx=evil"):
        with pytest.raises(ProtocolError) as caught:
            wire.parse_query(line)
        assert "evil" not in str(caught.value)


QUERIES = [
    ("before MAIL", b"connect v=1 ip=192.0.2.7", None, None, (), ""),
    ("null sender", b'mail v=1 ip=192.0.2.7 from=""', NULL_SENDER, None, (), ""),
    (
        "recipient",
        b'rcpt v=1 ip="" tx=1 from=a@Example.NET. rcpt="Steve@EXAMPLE.org"',
        Address("a", "example.net"),
        Address("Steve", "example.org"),
        (),
        "Steve",
    ),
    (
        "localpart of RCPT is out of its quotes already",
        b'rcpt v=1 ip="" tx=1 from="" rcpt="a\\"b\\\\c@example.org"',
        NULL_SENDER,
        Address('a"b\\c', "example.org"),
        (),
        'a"b\\c',
    ),
    (
        "sender in quotes",
        b'mail v=1 ip="" from="\\"a \\\\\\"b\\"@example.net"',
        Address('a "b', "example.net"),
        None,
        (),
        "",
    ),
    (
        "recipients of DATA",
        b'data v=1 ip="" tx=1 from="" rcpts="a@example.org, b@example.org"',
        NULL_SENDER,
        None,
        (Address("a", "example.org"), Address("b", "example.org")),
        "",
    ),
]


@pytest.mark.parametrize(
    ("line", "sender", "recipient", "recipients", "mailbox"), [row[1:] for row in QUERIES], ids=[q[0] for q in QUERIES]
)
def test_addresses_of_a_query(
    line: bytes,
    sender: Address | None,
    recipient: Address | None,
    recipients: tuple[Address, ...],
    mailbox: str,
) -> None:
    query = wire.parse_query(line)
    assert (query.sender, query.recipient, query.recipients) == (sender, recipient, recipients)
    assert query.mailbox == mailbox


RECIPIENTS = [
    ("none", "", []),
    ("one", "a@example.org", ["a@example.org"]),
    ("three", "a@example.org, b@example.net, c@example.com", ["a@example.org", "b@example.net", "c@example.com"]),
    ("comma without a blank", "a,b@example.org, c@example.org", ["a,b@example.org", "c@example.org"]),
    ("separator in quotes", '"a, b"@example.org, c@example.org', ["a, b@example.org", "c@example.org"]),
    ("address in quotes", '"x@y, z"@example.org, c@example.org', ["x@y, z@example.org", "c@example.org"]),
    ("quote in quotes", '"a\\", b"@example.org, c@example.org', ['a", b@example.org', "c@example.org"]),
    ("escaped comma", "a\\, b@example.org, c@example.org", ["a, b@example.org", "c@example.org"]),
    ("needless quotes", '"steve"@example.org', ["steve@example.org"]),
    ("quote that never ends", '"a, b@example.org', ["a", "b@example.org"]),
    ("no domain", "a, b@example.org", ["a", "b@example.org"]),
    ("only separators", ", , ", []),
]


@pytest.mark.parametrize(("text", "expected"), [row[1:] for row in RECIPIENTS], ids=[row[0] for row in RECIPIENTS])
def test_split_addresses(text: str, expected: list[str]) -> None:
    assert [str(address) for address in wire.split_addresses(text)] == expected


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300) | st.text(alphabet='rcptend v=1x"\\ \t\r\n\0ä', max_size=120).map(str.encode))
@example(b"end v=1 tx=\xff\xfe")
def test_any_bytes_parse_or_raise_protocol_error(data: bytes) -> None:
    assert outcome_of([data]) in {*STAGES, *REASONS}


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200), st.sampled_from(["rcpt", "data", "end"]))
def test_any_tail_of_a_query_parses_or_raises_protocol_error(tail: bytes, stage: str) -> None:
    start = stage.encode() + b' v=1 ip=192.0.2.7 tx=1 from="" rcpt="a@example.org" rcpts="'
    assert outcome_of([start, tail]) in {stage, "syntax", "duplicate-key"}


@pytest.mark.parametrize(
    "piece",
    [
        b' a="',
        b"\\",
        b'"',
        b'\\"',
        b" a=",
        b' a="\\',
        b"a",
        b" ",
        b" \t",
        b"=",
        b' a="b" ',
        b"\xff",
        b"\x0b",
        b", ",
        b".@",
    ],
)
@pytest.mark.parametrize("start", [b'data v=1 ip="" tx=1 from="" rcpts="', b"data ", b'data v=1 h="'])
@pytest.mark.parametrize("end", [b"", b'"'])
def test_hostile_lines_of_the_largest_size(start: bytes, piece: bytes, end: bytes) -> None:
    """Quadratic time on two megabytes would take minutes: that this ends at all is the proof."""
    room = wire.MAX_DATA_LINE_BYTES - len(start) - len(end)
    outcome = outcome_of([start, piece * (room // len(piece)), end, b"\n"])
    assert outcome in {"data", "syntax", "duplicate-key", "version", "missing-key"}


BYTES_TEXT = st.binary(max_size=60).map(lambda data: data.decode("utf-8", "surrogateescape"))
KEYS = st.from_regex(r"\A[a-z][a-z0-9_-]{0,8}\Z").filter(lambda key: key != "v")


@given(st.sampled_from(STAGES), st.dictionaries(KEYS, BYTES_TEXT, max_size=6))
def test_a_query_written_is_read_again(stage: str, values: dict[str, str]) -> None:
    line = wire.format_query(stage, values)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert wire.parse_line(line) == (stage, {"v": "1", **values})


def joined(first: str, second: str) -> str:
    """Join the bytes of two texts: two surrogates side by side may be UTF-8 together."""
    return (first + second).encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape")


@given(st.dictionaries(KEYS, BYTES_TEXT, max_size=6), KEYS, BYTES_TEXT)
@example({"b": "\udcc2"}, "b", "\udc80")
def test_a_query_rewritten_has_the_new_value_and_the_others(values: dict[str, str], key: str, new: str) -> None:
    line = wire.format_query("data", values).rstrip(b"\n")
    assert wire.rewrite(line, {}) == line
    assert wire.rewrite(line, {key: lambda value: value}) == line
    changed = wire.rewrite(line, {key: lambda value: value + new})
    expected = {"v": "1", **values} | ({key: joined(values[key], new)} if key in values else {})
    assert wire.parse_line(changed) == ("data", expected)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        pytest.param(b"data a=x b=y", b'data a="<x>" b=y', id="bare"),
        pytest.param(b'data b="a=x" a="x"', b'data b="a=x" a="<x>"', id="its name in another value"),
        pytest.param(rb'data b="\x41\"" a="\x41" c=\x', rb'data b="\x41\"" a="<A>" c=\x', id="other spellings stay"),
        pytest.param(b"data\ta=x \t b=\xff\r\n", b"data\ta=x \t b=\xff", id="no word of its own"),
        pytest.param(b"data b=1 \t a=x  c=2 \r\n", b'data b=1 a="<x>"  c=2', id="white space"),
        pytest.param(b'data a=""', b'data a="<>"', id="empty"),
        pytest.param(b"data", b"data", id="no values"),
    ],
)
def test_rewriting_leaves_other_bytes_alone(line: bytes, expected: bytes) -> None:
    assert wire.rewrite(line, {"a": lambda value: f"<{value}>"}) == expected


QUOTED = [
    ("bare", "mx-1.example_a", "mx-1.example_a"),
    ("empty", "", '""'),
    ("address", "a@example.org", '"a@example.org"'),
    ("quote and backslash", '"\\', '"\\"\\\\"'),
    ("newline and return", "\r\n", '"\\r\\n"'),
    ("tab stays", "\t", '"\t"'),
    ("letter beyond ASCII", "ä", '"ä"'),
]


@pytest.mark.parametrize(("text", "quoted"), [row[1:] for row in QUOTED], ids=[row[0] for row in QUOTED])
def test_quote(text: str, quoted: str) -> None:
    assert wire.quote(text) == quoted


REPLIES = [
    ("accept", Reply("accept", 250, ref="7KQ2M9D4", want="data end")),
    ("reject", Reply("reject", 550, "rdns-tld", "7KQ2M9D4", "", '5.7.1 "a\\b" (ref=7KQ2M9D4)', "x y")),
    ("extra", Reply("error", 0, "syntax", message="ä", extra={"a": "1", "trace": '[{"x": "y\\n"}]'})),
]


def test_a_reply_that_closes_the_connection_says_so() -> None:
    decision = Decision("reject", (), "a", "a-hit", "detail", "no", "no", "7.1")
    assert b" close=" not in wire.format_reply(wire.reply_for(decision, "7KQ2M9D4"))
    line = wire.format_reply(wire.reply_for(decision._replace(closes=True), "7KQ2M9D4"))
    assert line.endswith(b' log="eximacl: a a-hit detail (ref=7KQ2M9D4)" close=yes\n')


@pytest.mark.parametrize("reply", [row[1] for row in REPLIES], ids=[row[0] for row in REPLIES])
def test_a_reply_written_is_read_again(reply: Reply) -> None:
    line = wire.format_reply(reply)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert wire.parse_reply(line) == reply


@pytest.mark.parametrize(
    "line",
    [b"", b"verdict=accept", b"nonsense", b'verdict=accept code=x reason="" ref="" want="" message="" log=""'],
)
def test_what_is_no_reply_is_refused(line: bytes) -> None:
    with pytest.raises(ProtocolError) as caught:
        wire.parse_reply(line)
    assert caught.value.reason == "syntax"


TEXTS = [
    ("plain", "mail to joe not accepted here", "mail to joe not accepted here"),
    ("line breaks are one blank", "a\r\nb", "a b"),
    ("control characters", "a\x00\x1b[31m\x7fb\x85c", "a [31m b c"),
    ("control bytes that are not UTF-8", b"a\x9b31mb".decode("utf-8", "surrogateescape"), "a 31mb"),
    ("line separators of Unicode", "a\u2028b\u2029c", "a b c"),
    ("overridden direction", "a\u202egpj.exe\u202cb", "a gpj.exe b"),
    ("isolated direction", "a\u2066b\u2067c\u2068d\u2069e", "a b c d e"),
    ("marks of direction", "a\u061cb\u200ec\u200fd", "a b c d"),
    ("embedded direction", "a\u202ab\u202bc\u202dd", "a b c d"),
    ("unseen", "a\xadb\u200bc\u2060d\ufeffe\u180ef\U000e0041g", "a b c d e f g"),
    (
        "joiners and letters of any direction stay",
        "\u0646\u0627\u0645\u200c\u0647\u0627 \u05d0",
        "\u0646\u0627\u0645\u200c\u0647\u0627 \u05d0",
    ),
    ("emoji stay", "\U0001f468\u200d\U0001f469", "\U0001f468\u200d\U0001f469"),
    ("quotes cannot be left", '" verdict=accept x="\\', '\\" verdict=accept x=\\"\\\\'),
    ("other 8-bit stays", b"\xe4".decode("utf-8", "surrogateescape"), "\udce4"),
    ("cut to the limit", "x" * 500, "x" * 400),
    ("cut between characters", "x" + "ä" * 300, "x" + "ä" * 199),
]


@pytest.mark.parametrize(("text", "safe"), [row[1:] for row in TEXTS], ids=[row[0] for row in TEXTS])
def test_safe_text(text: str, safe: str) -> None:
    assert wire.safe_text(text) == safe


@given(BYTES_TEXT, BYTES_TEXT)
def test_no_text_can_change_another_field_of_the_reply(message: str, log: str) -> None:
    line = wire.format_reply(Reply("reject", 550, "slug", "REF", "", message, log))
    reply = wire.parse_reply(line)
    assert (reply.verdict, reply.code, reply.reason, reply.ref, reply.want) == ("reject", 550, "slug", "REF", "")
    assert not reply.extra
    assert not re.search(r"[\x00-\x1f\x7f]", reply.message + reply.log)


@needs("needs_exim")
def exim_expand(expansions: list[str]) -> list[bytes]:
    """Let the real Exim expand each string; each must yield base64 and nothing else."""
    done = subprocess.run(
        [EXIM, "-be"],
        input="\n".join(expansions).encode() + b"\n",
        capture_output=True,
        timeout=EXIM_TIMEOUT_SECONDS,
        check=True,
    )
    lines = [line.removeprefix(b"> ").strip() for line in done.stdout.split(b"\n")]
    return [base64.b64decode(line, validate=True) for line in lines[: len(expansions)]]


def b64d(data: bytes) -> str:
    return f"${{base64d:{base64.b64encode(data).decode()}}}"


def hostile_values() -> list[bytes]:
    """Every byte but NUL (which ends a string in Exim), signs in pairs, and seeded noise."""
    signs = b'"\\\n\r\t $ {}=,|%\x01\x7f\x80\xff'
    pairs = [bytes((one, other)) for one in signs for other in signs]
    noise = random.Random("exim")
    random_values = [bytes(noise.choices(range(1, 256), k=noise.randint(1, 200))) for _ in range(200)]
    return [b"", *(bytes((byte,)) for byte in range(1, 256)), *pairs, *random_values]


@pytest.fixture(scope="module")
def quoted_by_exim() -> list[tuple[bytes, bytes]]:
    values = hostile_values()
    return list(zip(values, exim_expand([f"${{base64:${{quote:{b64d(value)}}}}}" for value in values]), strict=True))


def test_exims_quote_is_ours(quoted_by_exim: list[tuple[bytes, bytes]]) -> None:
    for value, quoted in quoted_by_exim:
        assert wire.quote(value.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape") == quoted


def test_what_exim_quotes_is_read_as_it_was(quoted_by_exim: list[tuple[bytes, bytes]]) -> None:
    for value, quoted in quoted_by_exim:
        _, values = wire.parse_line(b"rcpt v=1 before=1 x=" + quoted + b" after=2")
        assert values.pop("x").encode("utf-8", "surrogateescape") == value
        assert values == {"v": "1", "before": "1", "after": "2"}


def test_exim_cuts_a_value_at_nul() -> None:
    assert exim_expand([f"${{base64:${{quote:{b64d(bytes((97, 0, 98)))}}}}}"]) == [b"a"]


def test_exim_reads_our_replies() -> None:
    texts = [value.decode("utf-8", "surrogateescape") for value in hostile_values()]
    lines = [wire.format_reply(Reply("reject", 550, "slug", "REF", "data end", text, "log")) for text in texts]
    for key, expected in (
        ("message", None),
        ("verdict", b"reject"),
        ("code", b"550"),
        ("want", b"data end"),
        ("log", b"log"),
    ):
        got = exim_expand([f"${{base64:${{extract{{{key}}}{{{b64d(line)}}}}}}}" for line in lines])
        ours = [wire.parse_reply(line).message.encode("utf-8", "surrogateescape") for line in lines]
        assert got == (ours if expected is None else [expected] * len(lines))


def test_exim_undoes_escapes_as_we_do() -> None:
    texts = [
        "\\x41",
        "\\x4g",
        "\\101",
        "\\1019",
        "\\7",
        "\\b\\f\\n\\r\\t\\v",
        "\\q\\ \\=",
        '\\"',
        "\\\\",
        "\\xe4",
        "\\303\\244",
    ]
    lines = [f'x="{text}"'.encode() for text in texts]
    got = exim_expand([f"${{base64:${{extract{{x}}{{{b64d(line)}}}}}}}" for line in lines])
    assert got == [wire.unescape(text).encode("utf-8", "surrogateescape") for text in texts]


# The usual query, read in one match, and whatever differs, read pair by pair: to the same values.

SNIPPETS = Path(__file__).parents[2] / "exim-snippets"
USUAL = {
    **dict.fromkeys(wire.USUAL_KEYS, "1"),
    "ip": "2001:db8::1",
    "host": "mx.example.net",
    "from": "bounces+17-a=b@lists.example.com",
    "tls": "TLS1.3:X:256",
    "rcpt": "steve@example.org",
}


def test_the_usual_keys_are_those_of_the_snippet_in_its_order() -> None:
    text = (SNIPPETS / "rcpt.acl").read_text()
    sent = text[text.index(" v=1 tx=") :]
    sent = sent[: sent.index("remove_header")] + sent[sent.index("$acl_m_eximacl_common ") :]
    found = re.findall(r"(?<=\s)(\w+)=(\$\{quote:)?", sent[: sent.index("control = caselower")])
    assert tuple(key for key, _ in found) == wire.USUAL_KEYS
    assert {key for key, quoted in found if quoted} == wire.USUAL_QUOTED


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"from": ""},
        {"host": ""},
        {"helo": "two words"},
        {"helo": 'a"b'},
        {"helo": "a\\b"},
        {"helo": "ä\n"},
        {"from": '"two words"@example.net'},
        {"tx": "a b"},
        {"more": "x"},
    ],
    ids=str,
)
def test_the_usual_query_has_the_values_of_any_other(changes: dict[str, str]) -> None:
    values = USUAL | changes
    line = wire.format_query("rcpt", {key: value for key, value in values.items() if key != "v"})
    assert wire.parse_query(line) == wire.build_query("rcpt", values)


@given(st.text(alphabet='a1=. "\\\t\x0b,@', max_size=8), st.sampled_from(wire.USUAL_KEYS[1:]))
def test_one_match_reads_as_the_pairs_do(value: str, key: str) -> None:
    """Values put in raw, so that most lines are torn somewhere."""
    line = ("rcpt " + " ".join(f"{k}={value if k == key else v}" for k, v in USUAL.items())).encode()
    try:
        expected: object = wire.build_query("rcpt", wire.parse_line(line)[1])
    except ProtocolError as error:
        expected = error.reason
    try:
        found: object = wire.parse_query(line)
    except ProtocolError as error:
        found = error.reason
    assert found == expected or (found == "missing-key" and key in wire.NEEDED["rcpt"])
