"""What a list has lost: entries are compared in the form in which they are looked up."""

from __future__ import annotations

import pytest

from eximacl.mail.entry_list import CHUNK_ENTRIES, EntryList
from eximacl.mail.host_lists import Clients, Hosts
from eximacl.mail.lists import Domains, Messages, Names, Networks, Recipients, Secrets, Senders, Suffixes
from eximacl.mail.patterns import Patterns
from eximacl.mail.providers import Providers
from eximacl.mail.sender_lists import SenderRules, SenderTexts

SECRET = "a-long-enough-secret"


@pytest.mark.parametrize(
    ("kind", "before", "after", "missing"),
    [
        (Names, ["joe", "ann"], ["ANN", "steve"], 1),
        (Suffixes, ["sa", "com.br"], ["br", "SA"], 1),
        (Domains, ["example.org", ".example.org"], ["example.org", "example.net"], 1),
        (Recipients, ["joe", "joe@example.org", "@example.org"], ["joe@Example.org", "Joe"], 1),
        (Recipients, ["joe", "ann"], ["joe@example.org", "ann@example.org"], 2),
        (Senders, ["prvs=1234567890=joe@example.net", "ann@example.net"], ["joe@example.net"], 1),
        (Messages, ["joe Gone.", "ann Gone."], ["joe Gone for good."], 1),
        (Networks, ["192.0.2.7", "192.0.2.0/24", "2001:db8::/32"], ["192.0.2.7/32", "2001:db8::1"], 2),
        (Secrets, [SECRET, f"{SECRET}-old"], [f"{SECRET}-new", SECRET], 1),
        (Patterns, ["^a", "b$"], ["b$", "c"], 1),
        (Providers, ["gmail.com google.com", "example.net"], ["gmail.com", "example.com"], 1),
        (Hosts, ["example.net", r"/\.dyn\.example\.com$/", "/^mx/"], ["*.example.net", "/^mx/"], 1),
        (Clients, ["192.0.2", "example.net", "/^mx/"], ["192.0.2.0/24", "example.com"], 2),
        (SenderRules, ["joe@example.net", "@.example.net", "/^mx/", "ann: joe@example.net"], ["joe@example.net"], 3),
        (SenderTexts, ["@shop.example Stop.", "ann: @shop.example"], ["@shop.example Please stop."], 1),
    ],
)
def test_missing_entries(kind: type[EntryList], before: list[str], after: list[str], missing: int) -> None:
    old = kind(before)
    assert old.missing_in(kind(after)) == missing
    assert old.missing_in(old) == 0
    assert kind().missing_in(old) == 0
    assert old.missing_in(kind()) == len(old)


def test_a_long_list() -> None:
    old = Names(f"user{number}" for number in range(3 * CHUNK_ENTRIES + 1))
    assert old.missing_in(Names(f"user{number}" for number in range(CHUNK_ENTRIES, 9 * CHUNK_ENTRIES))) == CHUNK_ENTRIES
