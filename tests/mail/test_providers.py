"""Providers: which names are theirs, and which hosts."""

from __future__ import annotations

import pytest

from eximacl.mail.providers import Providers

LISTED = Providers(["gmail.com  google.com\tgoogle.example", "example.net", "Mail.Example.NET. example.com"])


@pytest.mark.parametrize(
    ("name", "provider"),
    [
        ("gmail.com", "gmail.com"),
        ("GMAIL.com.", "gmail.com"),
        ("x.gmail.com", "gmail.com"),
        ("notgmail.com", None),
        ("google.com", None),
        ("x.mail.example.net", "mail.example.net"),
        ("x.example.net", "example.net"),
        ("", None),
        ("\udcff", None),
    ],
)
def test_provider_of(name: str, provider: str | None) -> None:
    assert LISTED.provider_of(name) == provider


@pytest.mark.parametrize(
    ("provider", "host", "is_its_own"),
    [
        ("gmail.com", "a.google.com", True),
        ("gmail.com", "A.Google.Example.", True),
        ("gmail.com", "gmail.com", False),
        ("gmail.com", "", False),
        ("example.net", "mx.example.net", True),
        ("mail.example.net", "example.com", True),
        ("mail.example.net", "mail.example.net", False),
    ],
)
def test_has_host(provider: str, host: str, is_its_own: bool) -> None:
    assert LISTED.has_host(provider, host) is is_its_own


@pytest.mark.parametrize("entry", ["a b@c", "*.example.net", "gmail.com goo*.com"])
def test_what_is_not_a_domain_is_refused(entry: str) -> None:
    with pytest.raises(ValueError, match="is not a domain name"):
        Providers([entry])


def test_a_refused_entry_changes_nothing() -> None:
    listed = Providers(["example.net"])
    with pytest.raises(ValueError, match="domain name"):
        listed.replace(["example.com", "a b@c"])
    assert (len(listed), listed.provider_of("example.net")) == (1, "example.net")
