"""Who owns a host's name, by the public suffix list."""

from __future__ import annotations

import pytest

from eximacl.mail.registrable import registrable_domain

ROWS = [
    ("mail-a1.out.example.com", "example.com"),
    ("example.com", "example.com"),
    ("mx.example.co.uk", "example.co.uk"),
    ("a.b.example.com.br", "example.com.br"),
    ("mx.xn--e1afmkfd.xn--p1ai", "xn--e1afmkfd.xn--p1ai"),
    ("ec2-7.us-east-1.compute.amazonaws.com", "ec2-7.us-east-1.compute.amazonaws.com"),
    ("co.uk", ""),
    ("com", ""),
    ("mx.example.invalid", ""),
    ("localhost", ""),
    ("", ""),
    ("\udcff.example.com", "example.com"),
    ("..", ""),
    ("a" * 300, ""),
]


@pytest.mark.parametrize(("name", "domain"), ROWS, ids=[name[:40] or "empty" for name, _ in ROWS])
def test_registrable_domain(name: str, domain: str) -> None:
    assert registrable_domain(name) == domain
