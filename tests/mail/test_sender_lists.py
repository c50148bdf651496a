"""Lists of senders: by address, domain, localpart or pattern, for everybody or for one recipient, with texts."""

from __future__ import annotations

import pytest

from eximacl.mail.address import parse_quoted
from eximacl.mail.sender_lists import SenderRules, SenderTexts

RULES = [
    "ann@example.net",
    "@shop.example",
    "*@wild.example",
    "@.below.example",
    "robot",
    '"first.last"',
    r"/^bounce-\d+@list\.example$/",
    "/@promo[0-9]*\\./",
    "joe@example.org: news@theirs.example",
    "steve: @theirs.example",
    "@example.com: /^x@/",
    '"a b"@example.org: quoted@theirs.example',
]
# sender, recipient, entry
MATCHES = [
    ("ann@example.net", "steve@example.org", "ann@example.net"),
    ("Ann@Example.NET", "steve@example.org", "ann@example.net"),
    ("ann@x.example.net", "steve@example.org", None),
    ("any@shop.example", "steve@example.org", "@shop.example"),
    ("any@x.shop.example", "steve@example.org", None),
    ("any@wild.example", "steve@example.org", "@wild.example"),
    ("any@below.example", "steve@example.org", "@.below.example"),
    ("any@x.y.below.example", "steve@example.org", "@.below.example"),
    ("any@notbelow.example", "steve@example.org", None),
    ("Robot@any.example", "steve@example.org", "robot"),
    ("first.last@any.example", "steve@example.org", "first.last"),
    ("bounce-17@list.example", "steve@example.org", r"/^bounce-\d+@list\.example$/"),
    ("BOUNCE-17@LIST.example", "steve@example.org", r"/^bounce-\d+@list\.example$/"),
    ("bounce-x@list.example", "steve@example.org", None),
    ("any@promo7.example", "steve@example.org", "/@promo[0-9]*\\./"),
    ("news@theirs.example", "joe@example.org", "joe@example.org: news@theirs.example"),
    ("news@theirs.example", "JOE@example.org", "joe@example.org: news@theirs.example"),
    ("news@theirs.example", "joe@example.net", None),
    ("other@theirs.example", "joe@example.org", None),
    ("other@theirs.example", "steve@example.net", "steve: @theirs.example"),
    ("x@theirs.example", "any@example.com", "@example.com: /^x@/"),
    ("y@theirs.example", "any@example.com", None),
    ("ann@example.net", "joe@example.org", "ann@example.net"),
    ("quoted@theirs.example", '"a b"@example.org', "a b@example.org: quoted@theirs.example"),
    ("news@theirs.example", "", None),
    ("ann@example.net", "", "ann@example.net"),
    # The address behind tags, but not behind a host that forwards: anyone can write a stranger's address there.
    ("prvs=0787b0b1b2=ann@example.net", "steve@example.org", "ann@example.net"),
    ("SRS0=abcd=2Z=example.net=ann@forwarder.example", "steve@example.org", None),
    ("prvs=0787b0b1b2=news@theirs.example", "joe@example.org", "joe@example.org: news@theirs.example"),
    ("prvs=0787b0b1b2=bob@example.net", "steve@example.org", None),
    ("a=b@shop.example", "steve@example.org", "@shop.example"),
    ("\udcff@shop.example", "\udcff@example.org", "@shop.example"),
]


@pytest.mark.parametrize(("sender", "recipient", "entry"), MATCHES)
def test_rules(sender: str, recipient: str, entry: str | None) -> None:
    to = parse_quoted(recipient)
    assert SenderRules(RULES).match(parse_quoted(sender), (to.localpart,), to.domain) == entry


def test_which_entry_decides() -> None:
    """One for the recipient before one for all; then the narrowest."""
    rules = [
        "@shop.example",
        "/@shop/",
        "joe: /@shop/",
        "joe@example.org: @shop.example",
        "a@shop.example",
        "@.example",
    ]
    sender = parse_quoted("a@shop.example")
    found = []
    while rules:
        entry = SenderRules(rules).match(sender, ("joe",), "example.org")
        assert entry is not None
        found.append(entry)
        rules.remove(entry)
    assert found == [
        "joe@example.org: @shop.example", "joe: /@shop/", "a@shop.example", "@shop.example", "@.example", "/@shop/",
    ]  # fmt: skip


TEXTS = [
    "ann@example.net  Please write to the list: list@example.org",
    "@.shop.example We have asked you to stop",
    '"first.last"@example.net hello',
    "/^x{2} y@/ a/b c",
    "joe@example.org: news@theirs.example Joe does not want this",
    "silent@example.net",
    "prvs=0787b0b1b2=tagged@example.net hi",
]
TEXT_ROWS = [
    ("ann@example.net", "joe@example.org", ("ann@example.net", "Please write to the list: list@example.org")),
    ("a@x.shop.example", "joe@example.org", ("@.shop.example", "We have asked you to stop")),
    ("first.last@example.net", "joe@example.org", ("first.last@example.net", "hello")),
    ('"xx y"@any.example', "joe@example.org", ("/^x{2} y@/", "a/b c")),
    ("news@theirs.example", "joe@example.org", ("joe@example.org: news@theirs.example", "Joe does not want this")),
    ("news@theirs.example", "steve@example.org", None),
    ("silent@example.net", "joe@example.org", ("silent@example.net", "")),
    ("tagged@example.net", "joe@example.org", ("tagged@example.net", "hi")),
]


@pytest.mark.parametrize(("sender", "recipient", "expected"), TEXT_ROWS)
def test_texts(sender: str, recipient: str, expected: tuple[str, str] | None) -> None:
    to = parse_quoted(recipient)
    assert SenderTexts(TEXTS).match(parse_quoted(sender), (to.localpart,), to.domain) == expected


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        ("shop.example", "for a whole domain write @shop.example"),
        ("joe@example.org: shop.example", "for a whole domain write @shop.example"),
        ("joe@example.org:", "is not"),
        (": ann@example.net", "is not"),
        ("joe smith: ann@example.net", "is not"),
        ("joe@@x: ann@example.net", "is not a localpart, an address, or @domain"),
        ("@.", "is not a domain name"),
        ("*", "is not"),
        ("promo-*@shop.example", r"write a pattern between slashes: /\^promo-\.\*@shop\\.example\$/$"),
        ("@*.shop.example", r"for all below a domain write @\.shop\.example$"),
        ("*@*.shop.example", r"for all below a domain write @\.shop\.example$"),
        ("joe:ann@example.net", "a colon, a blank and the sender: joe: news@shop.example$"),
        ("joe:steve: a@b.example", "a colon, a blank and the sender: joe: news@shop.example$"),
        ("root:x:0:0:root:/root:/bin/sh", "this looks like a passwd file"),
        ("", "is not"),
        ("<>", "the null sender, which all bounces have, cannot be in a list"),
        ("<ann@example.net>", "write it without < and >"),
        ("ann@example.net, bob@example.net", "without commas"),
        ("/(/", "does not compile"),
        ("/x", "must end with one"),
    ],
)
def test_what_is_not_a_sender(entry: str, why: str) -> None:
    rules = SenderRules(["ann@example.net"])
    with pytest.raises(ValueError, match=why):
        rules.replace(["bob@example.net", entry])
    assert (len(rules), rules.has_recipients) == (1, False)


@pytest.mark.parametrize("text", ["news@x.example", "@x.example", "@.x.example", "/^news-/"])
@pytest.mark.parametrize("before", ["joe", "ann: joe", '"first.last"'])
def test_a_colon_that_was_forgotten_does_not_refuse_all_who_are_called_so(before: str, text: str) -> None:
    with pytest.raises(ValueError, match="has a sender where a text is expected: for the recipient"):
        SenderTexts([f"{before} {text}"])


@pytest.mark.parametrize(
    "entry", ["joe ask ann@x.example", "joe", "joe a/b", "@x.example ann@x.example", "joe: ann@x.example ann@x.example"]
)
def test_a_text_may_have_an_address_in_it(entry: str) -> None:
    assert len(SenderTexts([entry])) == 1


def test_what_follows_a_sender_or_pattern_is_refused_where_there_are_no_texts() -> None:
    for entry in ("ann@example.net OK", "/x/ OK", "joe: ann@example.net OK"):
        with pytest.raises(ValueError, match=r"has something after its pattern|has a blank in it"):
            SenderRules([entry])


def test_sizes() -> None:
    assert (len(SenderRules(RULES)), SenderRules(RULES).has_recipients) == (len(RULES), True)
    assert (len(SenderTexts(TEXTS)), len(SenderRules()), SenderRules().filled) == (len(TEXTS), 0, False)
