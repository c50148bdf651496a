"""Many patterns: what they can match is known from their ends, and nothing that matches is missed."""

from __future__ import annotations

import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from eximacl.mail.address import parents
from eximacl.mail.pattern_table import PatternTable, domain_of, split_pattern
from eximacl.mail.patterns import PatternTimeout

# pattern, the domain and the letters in which its texts end
ENDS = [
    (r"^ms-smtp.*\.rr\.com$", "rr.com", ".rr.com"),
    (r"^s[cv]\d+pub\.verizon\.net$", "verizon.net", "pub.verizon.net"),
    (r"^lists\.example\.com$", "lists.example.com", "lists.example.com"),
    (r"LISTS\.Example\.com$", "example.com", "lists.example.com"),
    (r"^mta[12].siol.net$", "", "net"),
    (r"@shop\.example$", "shop.example", "@shop.example"),
    (r"^news@shop\.example$", "shop.example", "news@shop.example"),
    (r"^news\@shop\.example$", "shop.example", "news@shop.example"),
    (r"(a|b)\.example\.com$", "example.com", ".example.com"),
    (r"(?:a|b)\.example\.com$", "example.com", ".example.com"),
    (r"[|]\.example\.com$", "example.com", ".example.com"),
    (r"[^]|]\.example\.com$", "example.com", ".example.com"),
    (r"\|\.example\.com$", "example.com", ".example.com"),
    (r"(.)\1\.com$", "com", ".com"),
    (r"foo\x2ecom\.au$", "au", ".au"),
    (r"foo\x2enet$", "", ""),
    (r"x\\\.com$", "com", ".com"),
    (r"x\\.com$", "", "com"),
    (r"a\.com$|b", "", ""),
    (r"[(]a|b\.com$", "", ""),
    (r"(?i)a\.com$", "", ""),
    (r"(?<!x)\.com$", "", ""),
    (r"a\.com", "", ""),
    (r"a\.com\$", "", ""),
    (r"a\.com?$", "", ""),
    (r"a\.co{1}$", "", ""),
    (r"a\.(com)$", "", ""),
    (r"example$", "", "example"),
    (r"münchen$", "", "nchen"),
    ("$", "", ""),
    ("", "", ""),
]


@pytest.mark.parametrize(("source", "domain", "tail"), ENDS)
def test_what_a_pattern_s_texts_end_in(source: str, domain: str, tail: str) -> None:
    assert domain_of(source) == (domain, tail)


_PIECES = st.sampled_from([*"ab1.@-$^|()[]*?", r"\.", "(?:", "[ab]", r"\d", r"\x2e", "\\"])


@given(st.lists(_PIECES, max_size=9).map("".join), st.text("ab.@-1", max_size=8))
def test_nothing_that_matches_is_missed(source: str, text: str) -> None:
    try:
        found = regex.search(source, text, flags=regex.IGNORECASE)
    except regex.error:
        return
    domain, tail = domain_of(source)
    if found:
        assert text.endswith(tail)
        assert not domain or domain in parents(text.rpartition("@")[2])


LISTED = [
    r"^mail\d+\.example\.net$",
    r"\.example\.net$",
    r"^smtp\d+.example.com$",
    r"^a(b)\1",
    r"^mx\.",
    r"^news-\d+@shop\.example$",
]
ROWS = [
    ("mail3.example.net", LISTED[0]),
    ("x.example.net", LISTED[1]),
    ("example.net", None),
    ("smtp3-example.com", LISTED[2]),
    ("smtp3.example.org", None),
    ("abb.test", LISTED[3]),
    ("mx.test", LISTED[4]),
    ("news-12@shop.example", LISTED[5]),
    ("news-12@x.shop.example", None),
    ("", None),
    ("\udcff.example.net", LISTED[1]),
    ("a" * 100_000, None),
    ("." * 100_000, None),
]


@pytest.mark.parametrize(("text", "expected"), ROWS, ids=[repr(text[:30]) for text, _ in ROWS])
def test_search(text: str, expected: str | None) -> None:
    assert PatternTable(LISTED).search(text) == expected


def test_its_size() -> None:
    table = PatternTable([*LISTED, LISTED[0]])
    assert (len(table), table.filled) == (len(LISTED), True)
    assert (len(PatternTable()), PatternTable().filled) == (0, False)


def test_thousands_are_found_by_their_domains() -> None:
    """Only the patterns of the name's own domain are searched: one of them, not two thousand."""
    table = PatternTable(rf"^mail\d+\.host{number}\.example\.com$" for number in range(2000))
    assert table.search("mail7.host1999.example.com") == r"^mail\d+\.host1999\.example\.com$"
    assert table.search("mail.host1999.example.com") is None


@pytest.mark.parametrize(
    ("source", "why"),
    [
        (r"^(?:a|aa)+$", "backtracks endlessly"),
        (r"(a\.example\.net$", "does not compile"),
        (r".*", "matches every text"),
    ],
)
def test_a_bad_pattern_is_refused(source: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        PatternTable([source])


def test_a_search_that_takes_too_long() -> None:
    table = PatternTable([r"^(?:xy|xyxy)+[.]example\.net$"])
    assert table.search(f"{'xy' * 100}!") is None
    with pytest.raises(PatternTimeout, match="took over 5 ms"):
        table.search(f"{'xy' * 100}!.example.net")


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ("example.net", None),
        ("/a/", ("a", "")),
        ("/a b/", ("a b", "")),
        ("/a/b/", ("a/b", "")),
        ("/a/  Some text ", ("a", "Some text")),
        ("/a/ 1/2/ 3", ("a", "1/2/ 3")),
    ],
)
def test_split_pattern(entry: str, expected: tuple[str, str] | None) -> None:
    assert split_pattern(entry) == expected


@pytest.mark.parametrize("entry", ["/", "//", "/a", "/a/b", "/a/i"])
def test_a_pattern_without_its_end(entry: str) -> None:
    with pytest.raises(ValueError, match="it begins with a slash, and must end with one"):
        split_pattern(entry)
