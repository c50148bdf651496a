"""A message as people read it, and messages that are made to break their readers."""

from __future__ import annotations

import time
from email.message import EmailMessage

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eximacl.mail.view import (
    COMPARISONS_MAX,
    HTML_CHARACTERS_MAX,
    PARSED_PARTS_MAX,
    PARTS_MAX,
    TEXT_CHARACTERS_MAX,
    Part,
    view,
    without_tags,
)

MIXED = b"""Subject: =?iso-8859-1?q?Hyv=E4=E4?= =?utf-8?b?cMOkaXbDpMOk?=
X-Folded: one
\ttwo
X-Raw: \xc3\xa4 \xff
Content-Type: multipart/mixed; boundary=b

--b
Content-Type: multipart/alternative; boundary=c

--c
Content-Type: text/html

<p>html</p>
--c
Content-Type: text/plain; charset=iso-8859-1
Content-Transfer-Encoding: quoted-printable

p=E4iv=E4=E4
--c--
--b
Content-Type: application/pdf; name="=?utf-8?q?l=C3=A4ppu.pdf?="
Content-Disposition: attachment
Content-Transfer-Encoding: base64

aGVsbG8=
--b
Content-Type: message/rfc822

Subject: inner

inner text
--b--
"""


def test_a_message_of_parts() -> None:
    seen = view(MIXED)
    assert seen.headers[:3] == (("Subject", "Hyvääpäivää"), ("X-Folded", "one two"), ("X-Raw", "ä �"))
    assert [name for name, _ in seen.headers] == ["Subject", "X-Folded", "X-Raw", "Content-Type"]
    assert (seen.text, seen.html, seen.cut, seen.problem) == ("päivää", False, 0, "")
    assert seen.parts == (
        Part("", "text/html", 11),
        Part("läppu.pdf", "application/pdf", 5),
        Part("", "message/rfc822", None),
    )


def test_lines_that_are_no_headers() -> None:
    assert view(b"no header\n: neither\nA: b\n\nx").headers == (("A", "b"),)


@pytest.mark.parametrize(
    ("message", "headers", "text"),
    [
        pytest.param(b"\nA: b\n\nx", (), "A: b\n\nx", id="no headers"),
        pytest.param(b"\n", (), "", id="nothing"),
        pytest.param(b"\n" * COMPARISONS_MAX + b"\nA: b", (), "\n" * TEXT_CHARACTERS_MAX, id="none, and not parsed"),
    ],
)
def test_a_body_is_no_header(message: bytes, headers: tuple[tuple[str, str], ...], text: str) -> None:
    seen = view(message)
    assert (seen.headers, seen.text) == (headers, text)


def test_only_html() -> None:
    seen = view(b"Content-Type: text/html\n\n<b>Hello</b> &amp; <i>bye</i>")
    assert (seen.text, seen.html) == ("Hello & bye", True)


def test_an_attached_text_is_no_text() -> None:
    message = EmailMessage()
    message.add_attachment("secret", filename="a.txt")
    seen = view(bytes(message))
    assert seen.text == ""
    assert seen.parts[0].name == "a.txt"


@pytest.mark.parametrize(
    ("message", "text"),
    [
        pytest.param(b"", "", id="empty"),
        pytest.param(b"\n\ntext", "\ntext", id="no headers"),
        pytest.param(b"A: b", "", id="no body"),
        pytest.param(b"A: b\r\n\r\ntext\r\n", "text\r\n", id="CRLF"),
        pytest.param(b"Content-Type: text/plain; charset=x-none\n\n\xc3\xa4\xff", "ä\ufffd", id="unknown charset"),
        pytest.param(b"Content-Type: text/plain; charset=us-ascii\n\n\xc3\xa4", "ä", id="wrong charset"),
        pytest.param(b"Content-Type: text/plain; charset=unicode_escape\n\n\\x", "\\x", id="no charset of mail"),
        pytest.param(b"Content-Type: text/plain; charset=\xff\n\nx", "x", id="binary charset"),
        pytest.param(b"Content-Type: text/plain; charset*=a'b'c%ff\n\nx", "x", id="odd charset"),
        pytest.param(b"Content-Transfer-Encoding: base64\n\n!!!", "", id="no base64"),
        pytest.param(b"Content-Type: multipart/mixed\n\nx", "", id="no boundary"),
        pytest.param(b"Content-Type: multipart/mixed; boundary=b\n\nx\n--b--\n", "", id="no parts"),
        pytest.param(
            b"Content-Type: text/plain; charset=utf-8\n\n\x1b[31m", "\x1b[31m", id="controls are for the printer"
        ),
    ],
)
def test_odd_messages(message: bytes, text: str) -> None:
    assert view(message).text == text


def test_a_name_that_the_library_cannot_put_together() -> None:
    """Its parameters are numbered and not numbered at once: a TypeError before Python 3.13, which takes the second."""
    seen = view(b"Content-Type: a/b\nContent-Disposition: attachment; filename*=a; filename*0=b\n\nx")
    assert seen.parts in ((Part("", "a/b", 1),), (Part("b", "a/b", 1),))


def test_a_long_text_is_cut() -> None:
    seen = view(b"\n" + b"x" * (TEXT_CHARACTERS_MAX + 7))
    assert (len(seen.text), seen.cut) == (TEXT_CHARACTERS_MAX, 7)


def test_many_parts() -> None:
    data = b"Content-Type: multipart/mixed; boundary=b\n\n" + b"--b\n\nx\n" * (PARTS_MAX + 5)
    seen = view(data)
    assert len(seen.parts) == PARTS_MAX - 1
    assert seen.problem == f"only the first {PARTS_MAX} parts are shown"


def test_parts_without_end() -> None:
    data = b"Content-Type: multipart/mixed; boundary=b\n\n" + b"--b\n\nx\n" * (PARSED_PARTS_MAX + 5)
    assert "cannot be separated" in view(data).problem


def test_long_html_is_cut_before_it_is_read() -> None:
    seen = view(b"Content-Type: text/html\n\na" + b"<b>" * (HTML_CHARACTERS_MAX // 3) + b"z")
    assert (seen.text, seen.problem) == ("a", "only the first 1000000 characters of the HTML were read")


def nested(depth: int, lines: int) -> bytes:
    parts = (b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (n, n) for n in range(depth))
    return b"".join(parts) + b"Content-Type: text/plain\n\n" + b"\n" * lines


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b'Content-Type: text/plain; x="' + b";" * 100_000 + b"\n\nx", id="parameters"),
        pytest.param(
            b"Content-Type: multipart/mixed; boundary=b\n\n"
            + b'--b\nContent-Type: text/plain; x="%s\n\nx\n' % (b";" * 100_000) * 3,
            id="parameters of parts",
        ),
        pytest.param(nested(600, 100_000), id="parts in parts"),
        pytest.param(nested(0, COMPARISONS_MAX + 1), id="lines"),
        pytest.param(b"Content-Type: text/html\n\n<" + b" " * 100_000, id="blanks in HTML"),
        pytest.param(b"Content-Type: text/plain; charset=punycode\n\na-" + b"9a" * 500_000, id="punycode"),
    ],
)
def test_hostile_structure_costs_little(data: bytes) -> None:
    started = time.process_time()
    view(data)
    assert time.process_time() - started < 5


def test_parts_in_parts_without_end() -> None:
    nested = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (n, n) for n in range(3000))
    seen = view(nested)
    assert "cannot be separated" in seen.problem
    assert seen.text.startswith("--b0\n")


@pytest.mark.parametrize(
    ("html", "text"),
    [
        pytest.param("a<br>b<BR/>c", "a\nb\nc", id="lines"),
        pytest.param("<p>a</p>\n\n\n<p>b</p>", "a\n\nb", id="blank lines"),
        pytest.param("<head><title>t</title></head>a<script>b</script >c<STYLE>d</style>", "ac", id="hidden"),
        pytest.param("a<!-- <b> -->c", "ac", id="comment"),
        pytest.param("a<!-- c", "a", id="comment without end"),
        pytest.param("a < b &lt;c&gt; &#x1b;", "a < b <c>", id="entities"),
        pytest.param("<a href='x>y'>z", "y'>z", id="signs in attributes"),
        pytest.param(f"a&#{'1' * 5000};b&#x{'0' * 5000}", "a\ufffdb\ufffd", id="no number"),
        pytest.param("<   br  >a< / p >b", "a\nb", id="blanks in tags"),
        pytest.param("İ<script>x</script>y", "İy", id="a letter that grows in lower case"),
    ],
)
def test_without_tags(html: str, text: str) -> None:
    assert without_tags(html) == text


@pytest.mark.parametrize("piece", ["<", "<script", "<!--", "<p ", "&", "</", "\n ", "<head>", "--b\n"])
def test_hostile_text_costs_little(piece: str) -> None:
    data = b"Content-Type: text/html\n\n" + (piece * (1_000_000 // len(piece))).encode()
    started = time.process_time()
    view(data)
    assert time.process_time() - started < 10


@given(st.binary(max_size=300))
def test_any_bytes_give_a_view(data: bytes) -> None:
    view(data)
    view(MIXED[: len(data)] + data + MIXED[len(data) :])
