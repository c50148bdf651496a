"""Address lists as standards and mail programs write them, and time that is linear in what anybody sends."""

from __future__ import annotations

import pytest

from eximacl.harvest.addresses import ADDRESS_CHARACTERS_MAX, addresses


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("steve@example.org", "steve@example.org", id="bare"),
        pytest.param("Steve <Steve@Example.ORG.>", "Steve@example.org", id="case and final dot"),
        pytest.param('"Doe, S" <a@x.org>, b@x.org (B (nested \\) c@d) e)', "a@x.org b@x.org", id="quotes, comments"),
        pytest.param("friends: a@x.org, b@x.org;, c@x.org", "a@x.org b@x.org c@x.org", id="group"),
        pytest.param("undisclosed-recipients:;", "", id="empty group"),
        pytest.param("<@a.org,@b.org:c@d.org>", "c@d.org", id="route"),
        pytest.param('"a b"@x.org, "a@b"@x.org, "q\\"q"@x.org', 'a b@x.org|a@b@x.org|q"q@x.org', id="quoted localpart"),
        pytest.param('"steve".doe@x.org', "steve.doe@x.org", id="quoted word"),
        pytest.param("steve . doe @ example . org", "steve.doe@example.org", id="obsolete gaps"),
        pytest.param("steve(x)@(y)example.org", "steve@example.org", id="comments around @"),
        pytest.param("a@x.org,\r\n\tb@x.org", "a@x.org b@x.org", id="folded"),
        pytest.param("=?UTF-8?Q?Doe,_J?= <j@x.org>", "j@x.org", id="encoded word with comma"),
        pytest.param("=?UTF-8?Q?a=40x.org?= <j@x.org>", "j@x.org", id="encoded word is not an address"),
        pytest.param('"x@example.org" <y@z.org>', "y@z.org", id="address as a name"),
        pytest.param("x@example.org <y@z.org>", "y@z.org", id="bare address as a name"),
        pytest.param("Steve Doe steve@x.org", "steve@x.org", id="name without brackets"),
        pytest.param('"unclosed <steve@x.org>, b@x.org', "steve@x.org b@x.org", id="open quote"),
        pytest.param("(unclosed <steve@x.org>", "steve@x.org", id="open comment"),
        pytest.param("<a@x.org, b@x.org", "a@x.org b@x.org", id="open bracket"),
        pytest.param("a@x.org>, b@x.org", "a@x.org b@x.org", id="closing bracket alone"),
        pytest.param("<a@x.org> <b@x.org>", "a@x.org b@x.org", id="comma forgotten"),
        pytest.param("<a@x.org> b@x.org: c", "a@x.org", id="text behind brackets"),
        pytest.param("a@x.org; b@x.org", "a@x.org b@x.org", id="semicolons"),
        pytest.param("<mailto:a@x.org>", "a@x.org", id="scheme"),
        pytest.param("a@[192.0.2.1]", "a@[192.0.2.1]", id="literal"),
        pytest.param("jörg@bücher.example", "jörg@xn--bcher-kva.example", id="SMTPUTF8"),
        pytest.param("j\udcf6rg@x.org", "j\udcf6rg@x.org", id="8 bit"),
        pytest.param('""@x.org', "@x.org", id="empty quotes"),
        pytest.param("@x.org, a@, a, <>, @, a@@", "", id="halves"),
        pytest.param("a@x.org b@x.org\tc@x.org", "a@x.org b@x.org c@x.org", id="commas forgotten"),
        pytest.param("a@x.org Bob b @ x . org Eve", "a@x.org b@x.org", id="commas forgotten, names and gaps"),
        pytest.param("a @ x.org b@x.org", "a@x.org b@x.org", id="commas forgotten, gaps around @"),
        pytest.param("<a@x.org b@x.org>", "a@x.org b@x.org", id="commas forgotten in brackets"),
        pytest.param("'steve@x.org', <'b@x.org'>", "steve@x.org b@x.org", id="Outlook's quotes"),
        pytest.param("'steve@x.org' <b@x.org>", "b@x.org", id="Outlook's quotes as a name"),
        pytest.param("“a@x.org”, ‘b@x.org’, `c@x.org'", "a@x.org b@x.org c@x.org", id="typographic quotes"),
        pytest.param("'steve@x.org, 'n'-b@x.org", "'steve@x.org 'n'-b@x.org", id="apostrophes of localparts"),
        pytest.param("x@', '@x.org', '", "", id="quotes around nothing"),
        pytest.param("a@b.org@x.org, a@b@c, b@x.org", "b@x.org", id="two @ in one word"),
        pytest.param("", "", id="nothing"),
        pytest.param(f"{'a' * ADDRESS_CHARACTERS_MAX}@x.org, b@x.org", "b@x.org", id="too long"),
    ],
)
def test_addresses(text: str, expected: str) -> None:
    assert [str(address) for address in addresses(text)] == (
        expected.split("|") if "|" in expected else expected.split()
    )


@pytest.mark.parametrize(
    "piece", ['"\\', "(", '"', "<", "@", "[ ", "(\\", "a.", "@.", "a@b", "@ ", "'@", "<a@", " \t", "[a"]
)
def test_megabytes_of_anything_take_no_time(piece: str) -> None:
    """Quadratic time would be hours."""
    assert len(list(addresses(piece * 200_000 + "@x.org"))) <= 2
