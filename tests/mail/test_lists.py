"""The lists that options hold: what each entry covers, what is refused, and that a swap is whole."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eximacl.mail.entry_list import EntryList
from eximacl.mail.lists import (
    SECRET_CHARACTERS_MIN,
    Domains,
    Messages,
    Names,
    Networks,
    Recipients,
    Secrets,
    Senders,
    Suffixes,
    pack_ip,
)
from eximacl.mail.patterns import Patterns
from eximacl.mail.providers import Providers

KINDS: list[type[EntryList]] = [Names, Suffixes, Domains, Recipients, Messages, Networks, Patterns, Providers, Secrets]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_says_what_it_is(kind: type[EntryList]) -> None:
    assert kind.kind != EntryList.kind
    assert kind.entry_help != EntryList.entry_help
    assert len(kind()) == 0
    assert not kind().filled
    assert kind(["long-enough-a-secret.example.org" if kind is not Networks else "192.0.2.7"]).filled


def test_the_base_is_no_list_of_its_own() -> None:
    with pytest.raises(NotImplementedError):
        EntryList()
    with pytest.raises(NotImplementedError):
        len(EntryList.__new__(EntryList))
    with pytest.raises(NotImplementedError):
        EntryList.__new__(EntryList).parts()


def test_names() -> None:
    names = Names(["Steve", "joe"])
    assert len(names) == 2
    assert "steve" in names
    assert "JOE" in names
    assert "jo" not in names


SUFFIXES = [
    ("the entry itself", "com.br", "com.br"),
    ("below it", "mx.example.com.br", "com.br"),
    ("whole labels only", "visa", None),
    ("whole labels only, inside", "mx.visa.example", None),
    ("case and trailing dot", "MX.Example.SA.", "sa"),
    ("the longest entry", "mx.deep.com.br", "deep.com.br"),
    ("entry in U-labels, name in A-labels", "mx.xn--p1ai", "xn--p1ai"),
    ("entry in U-labels, name too", "mx.рф", "xn--p1ai"),
    ("entry in A-labels, name in U-labels", "mx.中国", "xn--fiqs8s"),
    ("not listed", "mx.example.net", None),
    ("empty name", "", None),
    ("only dots", "...", None),
    ("a name of a megabyte", "a." * 500_000 + "sa", "sa"),
    ("a name of a megabyte, not listed", "ä." * 500_000 + "example", None),
]


@pytest.mark.parametrize(("name", "entry"), [row[1:] for row in SUFFIXES], ids=[row[0] for row in SUFFIXES])
def test_suffixes(name: str, entry: str | None) -> None:
    suffixes = Suffixes([".SA", "com.br.", "deep.com.br", "рф", "XN--FIQS8S"])
    assert suffixes.match(name) == entry
    assert Suffixes().match(name) is None
    assert list(suffixes) == ["com.br", "deep.com.br", "sa", "xn--fiqs8s", "xn--p1ai"]
    assert len(suffixes) == 5


@pytest.mark.parametrize("entry", ["", ".", "a@example.org", "two words", "a..b", "*.example.org", "..sa"])
@pytest.mark.parametrize("kind", [Suffixes, Domains])
def test_what_is_no_domain_is_refused_and_changes_nothing(kind: type[EntryList], entry: str) -> None:
    domains = kind(["example.org"])
    with pytest.raises(ValueError, match="is not a domain name") as caught:
        domains.replace(["example.net", entry])
    assert repr(entry) in str(caught.value)
    assert len(domains) == 1


DOMAINS = [
    ("exact", "example.org", True),
    ("below an exact one", "mx.example.org", False),
    ("below a dotted one", "a.b.example.net", True),
    ("the dotted one itself", "example.net", False),
    ("a stranger", "example.com", False),
    ("empty", "", False),
    ("a name of a megabyte", "a." * 500_000 + "example.net", True),
    ("no text", None, False),
]


@pytest.mark.parametrize(("domain", "inside"), [row[1:] for row in DOMAINS], ids=[row[0] for row in DOMAINS])
def test_domains(domain: object, inside: bool) -> None:
    domains = Domains(["Example.org", ".example.net"])
    assert (domain in domains) is inside
    assert (domain in Domains(["example.org"])) is (domain == "example.org")
    assert list(domains) == ["example.org", ".example.net"]
    assert len(domains) == 2


RECIPIENTS = [
    ("whole address first", "joe", "example.org", "joe@example.org"),
    ("localpart at any domain", "steve", "example.com", "steve"),
    ("every localpart of a domain", "whoever", "example.net", "@example.net"),
    ("localpart before @domain", "steve", "example.net", "steve"),
    ("case of the localpart", "JOE", "example.org", "joe@example.org"),
    ("address at another domain", "joe", "example.com", None),
    ("a longer localpart", "steves", "example.com", None),
    ("localpart that looks like a listed address", "joe@example.org", "example.com", None),
    ("localpart that looks like @domain", "@example.net", "example.com", None),
    ("localpart with an @ at a listed domain", "a@b", "example.net", "@example.net"),
    ("empty localpart", "", "example.com", None),
]


@pytest.mark.parametrize(
    ("localpart", "domain", "entry"), [row[1:] for row in RECIPIENTS], ids=[row[0] for row in RECIPIENTS]
)
def test_recipients_and_messages_cover_the_same(localpart: str, domain: str, entry: str | None) -> None:
    entries = ["Joe@Example.ORG", "Steve", "@example.net"]
    assert Recipients(entries).match(localpart, domain) == entry
    found = Messages([f"{one} a text" for one in entries]).match(localpart, domain)
    assert found == (None if entry is None else (entry, "a text"))
    assert Recipients().match(localpart, domain) is None
    assert Messages().match(localpart, domain) is None
    assert len(Recipients(entries)) == len(Messages(entries)) == 3


@pytest.mark.parametrize("entry", ["", "joe@", "@"])
@pytest.mark.parametrize("kind", [Recipients, Messages])
def test_what_is_no_recipient_is_refused(kind: type[EntryList], entry: str) -> None:
    with pytest.raises(ValueError, match="is not a localpart, an address, or @domain"):
        kind([entry])


@pytest.mark.parametrize(
    ("entry", "text"),
    [("joe", ""), ("joe  gone  fishing ", "gone  fishing"), ("joe\tgone", "gone"), ("joe@example.org gone", "gone")],
)
def test_text_of_a_message(entry: str, text: str) -> None:
    found = Messages([entry]).match("joe", "example.org")
    assert found is not None
    assert found[1] == text


NETWORKS = [
    ("an address", "192.0.2.7", True),
    ("its neighbour", "192.0.2.8", False),
    ("in a network", "198.51.100.255", True),
    ("beside it", "198.51.101.0", False),
    ("IPv6", "2001:db8:1::ffff", True),
    ("IPv6 beside it", "2001:db8:2::1", False),
    ("IPv6 in another spelling", "2001:0DB8:0001:0000::1", True),
    ("IPv4-mapped", "::ffff:192.0.2.7", True),
    ("in a mapped network", "203.0.113.9", True),
    ("mapped, in a mapped network", "::ffff:203.0.113.9", True),
    ("no address", "mx.example.org", False),
    ("empty", "", False),
    ("NUL inside", "192.0.2.7\0", False),
    ("8-bit inside", "192.0.2.\udcff", False),
    ("IPv4 bits of an IPv6 network", "32.1.13.184", False),
]


@pytest.mark.parametrize(("ip", "inside"), [row[1:] for row in NETWORKS], ids=[row[0] for row in NETWORKS])
def test_networks(ip: str, inside: bool) -> None:
    networks = Networks(["192.0.2.7", "198.51.100.0/24", "2001:db8:1::/48", "::ffff:203.0.113.0/120"])
    assert (ip in networks) is inside
    assert ip not in Networks()
    assert len(networks) == 4


@pytest.mark.parametrize("entry", ["", "mx.example.org", "192.0.2.7/24", "192.0.2.0/33", "192.0.2"])
def test_what_is_no_network_is_refused(entry: str) -> None:
    with pytest.raises(ValueError, match="is not an IP address or network"):
        Networks([entry])


def test_all_of_ipv6_holds_no_ipv4() -> None:
    assert "192.0.2.7" not in Networks(["::/0"])
    assert "2001:db8::1" in Networks(["::/0"])
    assert "192.0.2.7" in Networks(["0.0.0.0/0"])


@given(st.ip_addresses())
def test_pack_ip_is_the_librarys(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    mapped = getattr(address, "ipv4_mapped", None)
    assert pack_ip(str(address)) == (mapped or address).packed


def test_secrets() -> None:
    first, second = "a" * SECRET_CHARACTERS_MIN, "\udcff" * SECRET_CHARACTERS_MIN
    secrets = Secrets([first, second, first])
    assert list(secrets) == [first.encode(), b"\xff" * SECRET_CHARACTERS_MIN]
    assert len(secrets) == 2
    with pytest.raises(ValueError, match="shorter than") as caught:
        secrets.replace([first, "hush"])
    assert "hush" not in str(caught.value)
    with pytest.raises(ValueError, match="the last secret is gone"):
        secrets.replace([])
    assert len(secrets) == 2


def test_a_list_object_outlives_its_content() -> None:
    recipients = Recipients(["joe"])
    recipients.replace(["steve"])
    assert recipients.match("joe", "example.org") is None
    assert recipients.match("steve", "example.org") == "steve"


def test_a_million_entries() -> None:
    recipients = Recipients(f"user{number}" for number in range(1_000_000))
    assert len(recipients) == 1_000_000
    assert recipients.match("USER999999", "example.org") == "user999999"
    assert recipients.match("user1000000", "example.org") is None


@pytest.mark.parametrize("entry", ["boss@partner.example", "prvs=0787b0b1b2=Boss@partner.example", "boss"])
def test_lists_of_senders_see_through_tags(entry: str) -> None:
    listed = Senders([entry])
    for tag in ("", "prvs=0787b0b1b2=", "PRVS=1234ABCDEF=", "btv1==0787b0b1b22==", "msprvs1=17683kD2qmLKR="):
        assert listed.match(f"{tag}boss", "partner.example") == entry.rpartition("=")[2].lower()
        assert listed.match(f"{tag}joe", "partner.example") is None
    assert listed.match("SRS0=277b=jr=partner.example=boss", "forwarder.example") is None
