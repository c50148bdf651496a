"""What may stand in a list: what each kind reads an entry as, and what it refuses, with which words."""

from __future__ import annotations

import pytest

from eximacl.mail.entries import ADDRESS_CHARACTERS_MAX, SHOWN_CHARACTERS, is_text, shown, unfit, with_text
from eximacl.mail.entry_list import EntryList
from eximacl.mail.lists import Domains, Messages, Names, Networks, Recipients, Secrets, Senders, Suffixes
from eximacl.mail.patterns import Patterns

BLANK = "it has a blank in it; only a comment (# and a text) may follow an entry"
ALIASES = "this looks like an alias file: write one entry a line, without a colon"
PASSWD = "this looks like a passwd file: write the first field alone"
COMMAS = "write one entry a line, without commas or semicolons"
JSON = "a list is not JSON: write one entry a line"
HTML = "this looks like HTML or XML: write one entry a line"
NO_EXCEPTIONS = "a list has no exceptions: take the entry out"
WILD = "a list has no wildcards"
NOT_UTF8 = "it is not UTF-8: save the file as UTF-8"


def unseen(what: str) -> str:
    return f"it has a character in it that cannot be seen: {what}"


# Files of other programs, and what is left of a file when an export fails. Every line of them is refused by each kind
# of list of recipients and senders.
WRONG_MAILBOXES = [
    pytest.param("steve@example.org OK", BLANK, id="a Postfix map"),
    pytest.param("steve\tOK", unseen("U+0009, a control character"), id="a Postfix map with a tab"),
    pytest.param("steve: smiller", ALIASES, id="an alias"),
    pytest.param("steve:smiller", ALIASES, id="an alias without a blank"),
    pytest.param("steve: |/usr/bin/vacation", ALIASES, id="an alias to a program"),
    pytest.param(":include:/etc/names", "", id="an alias file's include"),
    pytest.param("a@x,b@x", COMMAS, id="addresses with a comma"),
    pytest.param("a@x, b@x", COMMAS, id="addresses with a comma and a blank"),
    pytest.param("a@x;b@x", COMMAS, id="addresses with a semicolon"),
    pytest.param("a@x : b@x", ALIASES, id="Exim's own list"),
    pytest.param("<steve@x>", "write it without < and >", id="angle brackets"),
    pytest.param("Steve <steve@x>", BLANK, id="a name before brackets"),
    pytest.param("<>", "the null sender, which all bounces have, cannot be in a list", id="the null sender"),
    pytest.param("*", WILD, id="a wildcard"),
    pytest.param("sales-*", WILD, id="a wildcard in a localpart"),
    pytest.param("*@*", WILD, id="a wildcard for each domain"),
    pytest.param("root:x:0:0:root:/root:/bin/bash", PASSWD, id="passwd"),
    pytest.param("mail:*:8:steve", PASSWD, id="a group"),
    pytest.param('"steve@example.org","Steve Miller"', "", id="CSV"),
    pytest.param("steve@example.org,Steve,Miller", COMMAS, id="CSV with names"),
    pytest.param('["steve", "juha"]', JSON, id="JSON, an array"),
    pytest.param('{"email": "steve@example.org"}', JSON, id="JSON, an object"),
    pytest.param('"steve@example.org",', "", id="JSON, a line of an array"),
    pytest.param("<!DOCTYPE html>", HTML, id="HTML"),
    pytest.param("</table>", HTML, id="HTML, a tag"),
    pytest.param("ERROR 1045 (28000): Access denied for user 'mail'@'localhost'", BLANK, id="MySQL's error"),
    pytest.param("psql: error: connection to server failed", ALIASES, id="PostgreSQL's error"),
    pytest.param("dn: uid=steve,ou=people", ALIASES, id="LDAP"),
    pytest.param("| steve | 1 |", BLANK, id="a table"),
    pytest.param("From steve@example.org Sat Nov 28 10:00:00 2026", BLANK, id="a mailbox"),
    pytest.param("-----BEGIN CERTIFICATE-----", BLANK, id="PEM"),
    pytest.param("\\N", "", id="MySQL's NULL"),
    pytest.param("s\0t\0e\0", unseen("U+0000, a control character"), id="UTF-16"),
    pytest.param("j\udcfcrgen", NOT_UTF8, id="Latin-1"),
    pytest.param("steve\u00a0", unseen("U+00A0, NO-BREAK SPACE"), id="a no-break space"),
    pytest.param("juha\u200b", unseen("U+200B, ZERO WIDTH SPACE"), id="a zero-width space"),
    pytest.param("\ufeffsteve", unseen("U+FEFF, ZERO WIDTH NO-BREAK SPACE"), id="a byte order mark"),
    pytest.param("st\u00adeve", unseen("U+00AD, SOFT HYPHEN"), id="a soft hyphen"),
    pytest.param("steve\u200e", unseen("U+200E, LEFT-TO-RIGHT MARK"), id="a mark of direction"),
    pytest.param("st\u3164eve", unseen("U+3164, HANGUL FILLER"), id="a letter without a shape"),
    pytest.param("steve\u200d", unseen("U+200D, ZERO WIDTH JOINER"), id="a joiner after ASCII"),
    pytest.param("steve\u2028juha", unseen("U+2028, LINE SEPARATOR"), id="a separator of lines"),
    pytest.param("steve\njuha", unseen("U+000A, a control character"), id="two lines"),
    pytest.param("steve\u3000", unseen("U+3000, IDEOGRAPHIC SPACE"), id="a wide blank"),
    pytest.param("steve@", "for a localpart at any domain write it without the @", id="no domain"),
    pytest.param("@", "", id="nothing around the @"),
    pytest.param("", "", id="nothing"),
    pytest.param("steve@x@y", "", id="two @"),
    pytest.param('"steve@x.example', "", id="a quote that is not closed"),
    pytest.param('"steve"miller@x.example', "", id="text after a quote"),
    pytest.param("steve@a..b", "", id="a domain with an empty label"),
    pytest.param("steve@*.example.org", WILD, id="a domain with a wildcard"),
    pytest.param("!joe", NO_EXCEPTIONS, id="an exception of Exim's lists"),
    pytest.param("!joe@example.org", NO_EXCEPTIONS, id="an address as an exception"),
    pytest.param("! joe", NO_EXCEPTIONS, id="an exception with a blank"),
    pytest.param("steve@192.0.2.7", "", id="an address without brackets for a domain"),
    pytest.param("x" * (ADDRESS_CHARACTERS_MAX + 1), "it is longer than 254 characters", id="too long for SMTP"),
]


@pytest.mark.parametrize(("entry", "hint"), WRONG_MAILBOXES)
@pytest.mark.parametrize("kind", [Recipients, Senders])
def test_what_is_not_a_mailbox_is_refused_with_a_reason(kind: type[EntryList], entry: str, hint: str) -> None:
    for entries in ([entry], ["steve", entry], ["ann@example.org", "steve", entry, "müller"]):
        with pytest.raises(ValueError, match=r"is not an? (localpart|address)") as raised:
            kind(entries)
        assert str(raised.value).endswith(hint)


@pytest.mark.parametrize(("entry", "hint"), WRONG_MAILBOXES)
def test_a_list_of_names_refuses_them_too(entry: str, hint: str) -> None:
    with pytest.raises(ValueError, match="is not a localpart"):
        Names([entry])


@pytest.mark.parametrize("entry", ["/^steve$/", "/steve/i", r"/^steve@example\.org$/", "//"])
def test_a_list_of_recipients_has_no_patterns(entry: str) -> None:
    for kind in (Recipients, Messages, Names):
        with pytest.raises(ValueError, match="a pattern cannot be in this list"):
            kind([entry])


RIGHT_MAILBOXES = [
    pytest.param("Steve", ("steve", "any.example"), id="a localpart"),
    pytest.param("Steve@Example.ORG", ("steve", "example.org"), id="an address"),
    pytest.param("steve@example.org.", ("steve", "example.org"), id="an address with a dot at its end"),
    pytest.param("@example.org", ("anyone", "example.org"), id="a domain"),
    pytest.param("*@example.org", ("anyone", "example.org"), id="a domain with a star"),
    pytest.param('"steve"@example.org', ("steve", "example.org"), id="quotes that are not needed"),
    pytest.param('"steve miller"@example.org', ("steve miller", "example.org"), id="quotes that are needed"),
    pytest.param('"a\\"b"@example.org', ('a"b', "example.org"), id="quotes and backslashes"),
    pytest.param('"a@b"@example.org', ("a@b", "example.org"), id="an @ in quotes"),
    pytest.param('"a@b"', ("a@b", "any.example"), id="a localpart in quotes"),
    pytest.param("o'neil+x/y=z&co%a!b#c@example.org", ("o'neil+x/y=z&co%a!b#c", "example.org"), id="signs"),
    pytest.param("/G=Steve/@x400.example", ("/g=steve/", "x400.example"), id="a gateway's slashes"),
    pytest.param("a..b.@example.org", ("a..b.", "example.org"), id="dots anywhere, as Exim takes them"),
    pytest.param("steve@[192.0.2.7]", ("steve", "[192.0.2.7]"), id="an address literal"),
    pytest.param("root@localhost", ("root", "localhost"), id="one label"),
    pytest.param("a@my_host.example", ("a", "my_host.example"), id="an underscore in a domain"),
    pytest.param("Дмитрий@пример.рф", ("дмитрий", "xn--e1afmkfd.xn--p1ai"), id="letters of another script"),
    pytest.param("a@straße.example", ("a", "xn--strae-oqa.example"), id="IDNA 2008"),
    pytest.param("a@☃.example", ("a", "xn--n3h.example"), id="IDNA 2003 where 2008 has no such label"),
    pytest.param("ju\u0308rgen", ("j\u00fcrgen", "any.example"), id="NFD in the list, NFC in the mail"),
    pytest.param("j\u00fcrgen", ("ju\u0308rgen", "any.example"), id="NFC in the list, NFD in the mail"),
    pytest.param("j\u00fcrgen", ("JU\u0308RGEN", "any.example"), id="NFD in upper case in the mail"),
    pytest.param("نامه\u200cای", ("نامه\u200cای", "any.example"), id="a joiner between letters that need it"),
]


@pytest.mark.parametrize(("entry", "who"), RIGHT_MAILBOXES)
def test_what_is_a_mailbox_is_found(entry: str, who: tuple[str, str]) -> None:
    for kind in (Recipients, Senders):
        assert kind([entry]).match(*who)
        assert kind(["other@example.net", entry]).match(*who)
        assert not kind([entry]).match("another", "example.invalid")
    found = Messages([f"{entry}  gone away "]).match(*who)
    assert found is not None
    assert found[1] == "gone away"


@pytest.mark.parametrize("entry", ["example.org", ".example.org", "first.last"])
def test_a_sender_that_is_probably_a_domain_is_refused(entry: str) -> None:
    with pytest.raises(ValueError, match="for a whole domain write @") as raised:
        Senders(["boss", entry])
    assert f'"{entry}" in quotes' in str(raised.value)
    assert Senders([f'"{entry}"']).match(entry, "example.net")
    assert Recipients([entry]).match(entry, "example.net")


WRONG_DOMAINS = [
    ("*.example.org", "write it without *; .example.org stands for all names below it"),
    ("@example.org", "write the part after the @ alone"),
    ("boss@example.org", "write the part after the @ alone"),
    ("192.0.2.7", "an IP address belongs in a list of networks"),
    ("[192.0.2.7]", "an IP address belongs in a list of networks"),
    ("2001:db8::1", "an IP address belongs in a list of networks"),
    ("example.org REJECT", BLANK),
    ("example.org: x", ALIASES),
    ("example.org,", COMMAS),
    ("example.org\u200b", unseen("U+200B, ZERO WIDTH SPACE")),
    ("b\udcfcro.example", NOT_UTF8),
    ("-a.example", ""),
    ("a.example/x", ""),
    ("7", ""),
    ("a" * 64, ""),
]


@pytest.mark.parametrize(("entry", "hint"), WRONG_DOMAINS)
@pytest.mark.parametrize("kind", [Suffixes, Domains])
def test_what_is_not_a_domain_is_refused_with_a_reason(kind: type[EntryList], entry: str, hint: str) -> None:
    with pytest.raises(ValueError, match="is not a domain name") as raised:
        kind([entry])
    assert str(raised.value).endswith(hint or "is not a domain name")


@pytest.mark.parametrize(
    ("entry", "name"),
    [
        ("straße.example", "xn--strae-oqa.example"),
        ("STRASSE.example", "strasse.example"),
        ("xn--strae-oqa.example", "straße.example"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("日本。jp", "xn--wgv71a.jp"),
        ("my_host.example.", "MY_HOST.example"),
    ],
)
def test_a_domain_is_the_same_in_letters_and_in_a_labels(entry: str, name: str) -> None:
    assert Suffixes([entry]).match(f"mx.{name}")
    assert not Suffixes([entry]).match("example")


@pytest.mark.parametrize(
    ("entry", "hint"),
    [
        ("192.0.2.1/24", "write 192.0.2.0/24 for the network, or 192.0.2.1 for this address alone"),
        ("2001:db8::1/64", "write 2001:db8::/64 for the network, or 2001:db8::1 for this address alone"),
        ("192.0.2.0-192.0.2.9", ""),
        ("[2001:db8::1]", "write it without brackets"),
        ("fe80::1%eth0", "write it without the name of an interface"),
        ("mx.example.org", "a name belongs in a list of hosts"),
        ("192.0.2.1 OK", BLANK),
        ("192.0.2.1,192.0.2.2", COMMAS),
        ("192.0.2.1\u00a0", unseen("U+00A0, NO-BREAK SPACE")),
    ],
)
def test_what_is_not_a_network_is_refused_with_a_reason(entry: str, hint: str) -> None:
    with pytest.raises(ValueError, match="is not an IP address or network") as raised:
        Networks([entry])
    assert str(raised.value).endswith(hint)


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("/^steve$/", "without the slashes"),
        ("/^steve$/i REJECT no", "without the slashes"),
        (".*", "matches every text"),
        ("steve|", "matches every text"),
        ("", "matches every text"),
        ("^", "matches every text"),
        ("\u200b$", "cannot be seen"),
        ("j\udcfcrgen", "not UTF-8"),
    ],
)
def test_what_is_not_meant_as_a_pattern_is_refused_with_a_reason(pattern: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Patterns([pattern])


def test_a_pattern_that_matches_the_empty_text_alone_is_right() -> None:
    assert Patterns(["^$"]).search("") == "^$"
    assert Patterns([r"^/\w+/$"]).search("/a/")


@pytest.mark.parametrize("secret", ["a\0" * 20, "long enough a secret\x1b"])
def test_a_secret_is_text_and_stands_in_no_error(secret: str) -> None:
    with pytest.raises(ValueError, match="a control character in it") as raised:
        Secrets([secret])
    assert secret not in str(raised.value)


def test_the_text_after_a_recipient() -> None:
    assert with_text("joe  No longer   here ") == ("joe", "No longer   here")
    assert with_text('"joe bloggs"@x.example\tgone') == ('"joe bloggs"@x.example', "gone")
    with pytest.raises(ValueError, match="not UTF-8"):
        with_text("joe f\udcfcr immer weg")


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ("j\udcfcrgen", r"'j\xfcrgen'"),
        ("\udc80\udcff", r"'\x80\xff'"),
        (r"j\udcfcrgen", r"'j\\udcfcrgen'"),
        ("jürgen", "'jürgen'"),
    ],
)
def test_bytes_that_are_not_utf_8_are_shown_as_bytes(entry: str, expected: str) -> None:
    assert shown(entry) == expected


def test_a_long_entry_is_shown_by_its_start() -> None:
    with pytest.raises(ValueError, match="is longer") as raised:
        Recipients(["x" * 10_000])
    assert len(str(raised.value)) < SHOWN_CHARACTERS + 150


def test_a_list_of_addresses_that_were_parsed_before() -> None:
    from eximacl.mail.address import Address

    found = Recipients.of(Address("a b:*", "example.org"), Address("JOE", ""), Address("", "example.net"))
    assert found.filled
    assert found.match("A b:*", "example.org")
    assert found.match("joe", "example.com")
    assert found.match("x", "example.net")
    assert not Recipients.of().filled


def test_texts() -> None:
    assert unfit("steve") == unfit("müller 👍🏽 a") == ""
    assert is_text("a\udcff")
    assert not is_text("a\x07")
