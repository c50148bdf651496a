"""The syntax, signature and calendar of disposable addresses."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from eximacl.mail.disposable import Disposable, Malformed, Rules, begins, mint, parse, sign, standing, verify
from eximacl.mail.lists import Secrets
from tests.asking import NOW

MACROS = Path(__file__).parents[2] / "exim-snippets" / "macros"
OLD, NEW = "an old secret, sixteen", "a new secret, sixteen or more"
PLAIN = Rules(timezone=ZoneInfo("UTC"))
SIGNED = replace(PLAIN, sign=True, secrets=Secrets([NEW, OLD]))
# printf steve.3.count@example.org | openssl dgst -sha256 -hmac "a new secret, sixteen or more" -binary | base32
BY_NEW, BY_OLD = "3psfguup", "lxmkehqj"


def counted(name: str, limit: int) -> Disposable:
    return Disposable(name, f"{name.lower()}.{limit}.count", limit, None)


def dated(name: str, year: int, month: int, day: int) -> Disposable:
    return Disposable(name, f"{name.lower()}.date.{day:02}-{month:02}-{year}", 0, date(year, month, day))


READ: dict[str, Disposable | str | None] = {
    # counted
    "steve.3.count": counted("steve", 3),
    "steve.1.count": counted("steve", 1),
    "steve.100.count": counted("steve", 100),
    "Steve.3.COUNT": counted("Steve", 3),
    "steve.x7k2m9qa.3.count": counted("steve.x7k2m9qa", 3),
    "first.last.3.count": counted("first.last", 3),
    "steve+shop.3.count": counted("steve+shop", 3),
    "steve\n.3.count": counted("steve\n", 3),
    "\udce9.3.count": counted("\udce9", 3),
    "..3.count": counted(".", 3),
    "steve.3.count.x7k2m3qa": counted("steve", 3),
    "steve.3.count.X7K2M3QA": counted("steve", 3),
    "steve.0.count": "counted-invalid",
    "steve.00.count": "counted-invalid",
    "steve.03.count": "counted-invalid",
    "steve.101.count": "counted-invalid",
    "steve.1000.count": "counted-invalid",
    f"steve.{'9' * 1000}.count": "counted-invalid",
    f"steve.{'9' * 10000}.count": "counted-invalid",
    "steve.٣.count": "counted-invalid",
    "steve.3٣.count": "counted-invalid",
    "steve.３.count": "counted-invalid",
    "steve.3.count.": "signature-bad",
    "steve.3.count.x7k2m9qa": "signature-bad",  # base32 has no 9
    "steve.3.count.x7k2m3q": "signature-bad",
    "steve.3.count.x7k2m3qaa": "signature-bad",
    "steve.3.count.x7k2m3qa\n": "signature-bad",
    "steve.3.count.ſ7k2m3qa": "signature-bad",
    "steve.3.count.date": "signature-bad",
    ".3.count": "disposable-nameless",
    "3.count": "disposable-nameless",
    "steve.3.count.5.count": "disposable-nested",
    "steve.0.count.5.count": "disposable-nested",
    "steve.date.20-10-2026.5.count": "disposable-nested",
    "steve.3.count.x7k2m3qa.5.count": "disposable-nested",
    "prvs=07875fda59=steve.3.count": "disposable-nested",
    # dated
    "steve.date.20-10-2026": dated("steve", 2026, 10, 20),
    "steve.DATE.20-10-2026": dated("steve", 2026, 10, 20),
    "first.last.date.29-02-2028": dated("first.last", 2028, 2, 29),
    "steve.date.20-10-2026.x7k2m3qa": dated("steve", 2026, 10, 20),
    "steve.date.31-12-9999": dated("steve", 9999, 12, 31),
    "steve.date.01-01-0001": Disposable("steve", "steve.date.01-01-0001", 0, date(1, 1, 1)),
    "steve.date.29-02-2027": "dated-invalid",
    "steve.date.31-04-2027": "dated-invalid",
    "steve.date.00-01-2027": "dated-invalid",
    "steve.date.01-13-2027": "dated-invalid",
    "steve.date.01-01-0000": "dated-invalid",
    "steve.date.2027-01-01.x7k2m3qa": dated("steve", 2027, 1, 1),
    "steve.date.2027-01-01": dated("steve", 2027, 1, 1),
    "steve.date.2028-02-29": dated("steve", 2028, 2, 29),
    "steve.date.2027-02-29": "dated-invalid",
    "steve.date.2027-13-01": "dated-invalid",
    "steve.date.2027-1-01": "dated-invalid",
    "steve.date.0000-01-01": "dated-invalid",
    "steve.date.12027-01-01": "dated-invalid",
    "steve.date.2027-0101": "dated-invalid",
    "steve.date.2027-01-2027": "dated-invalid",
    "steve.date.01-01-01": "dated-invalid",
    "steve.date.1-1-2027": "dated-invalid",
    "steve.date.01-01-27": "dated-invalid",
    "steve.date.01-01-20270": "dated-invalid",
    "steve.date.01012027": "dated-invalid",
    "steve.date.0101-2-027": "dated-invalid",
    "steve.date.2": "dated-invalid",
    "steve.date.01-01-٢٠٢٧": "dated-invalid",
    f"steve.date.01-01-{'9' * 10000}": "dated-invalid",
    f"steve.date.{'9' * 10000}": "dated-invalid",
    "steve.date.20-10-2026.": "signature-bad",
    "steve.date.20-10-2026.later": "signature-bad",
    ".date.20-10-2026": "disposable-nameless",
    "date.20-10-2026": "disposable-nameless",
    "steve.3.count.date.20-10-2026": "disposable-nested",
    "steve.date.20-10-2026.date.20-10-2027": "disposable-nested",
    # the other order: another spelling of the same address
    "steve.count.3": counted("steve", 3),
    "Steve.Count.3": counted("Steve", 3),
    "steve.count.100": counted("steve", 100),
    "steve.count.3.x7k2m3qa": counted("steve", 3),
    "first.last.count.3": counted("first.last", 3),
    "steve.count.0": "counted-invalid",
    "steve.count.03": "counted-invalid",
    "steve.count.101": "counted-invalid",
    "steve.count.22222222": "counted-invalid",
    "steve.count.٣": "counted-invalid",
    "steve.count.3.": "signature-bad",
    "steve.count.3.more": "signature-bad",
    ".count.3": "disposable-nameless",
    "count.3": "disposable-nameless",
    "steve.3.count.count.5": "disposable-nested",
    "steve.count.3.count.5": "signature-bad",
    "steve.count.3.5.count": "disposable-nested",
    # What ends in N.count and one more piece was never an owner's name, and is none now.
    "steve.3.count.5": "signature-bad",
    "steve.count.5.count": counted("steve.count", 5),
    # ordinary
    "": None,
    "steve": None,
    "count": None,
    "steve.count": None,
    "steve.3": None,
    "steve.three.count": None,
    "steve.-3.count": None,
    "steve.+3.count": None,
    "steve.3 .count": None,
    "steve.².count": None,
    "steve.3.counts": None,
    "steve.3.recount": None,
    "steve3.count": None,
    "steve.3.count.x7k2m3qa.x7k2m3qa": None,
    "steve-3-count": None,
    "steve.date": None,
    "steve.date.": None,
    "steve.date.tomorrow": None,
    "steve.update.20-10-2026": None,
    "steve.date.20/10/2026": None,
}


@pytest.mark.parametrize("localpart", READ, ids=lambda text: ascii(text[:40]))
def test_parse(localpart: str) -> None:
    expected = READ[localpart]
    found = parse(PLAIN, localpart, "example.org")
    if isinstance(expected, str):
        assert isinstance(found, Malformed)
        assert found.reason == expected
        assert len(found.detail) <= 40
    else:
        assert found == expected


DEFAULT: dict[str, Disposable | str | None] = {
    "steve.count": Disposable("steve", "steve.count", 7, None),
    "Steve.COUNT": Disposable("Steve", "steve.count", 7, None),
    "steve.count.x7k2m3qa": Disposable("steve", "steve.count", 7, None),
    "steve.count.22222222": Disposable("steve", "steve.count", 7, None),
    "steve.count.3": counted("steve", 3),
    "steve.3.count": counted("steve", 3),
    "steve.3.count.5": "signature-bad",
    "steve.count.shop": None,
    "steve.counts": None,
    "steve.recount": None,
    "count": None,
    ".count": "disposable-nameless",
    "steve.count.5.count": "disposable-nested",
    "steve.3.count.count": "signature-bad",
    "steve.count.count": "disposable-nested",
}


@pytest.mark.parametrize("localpart", DEFAULT)
def test_a_count_may_be_left_out(localpart: str) -> None:
    found = parse(replace(PLAIN, default_count=7), localpart, "example.org")
    assert (found.reason if isinstance(found, Malformed) else found) == DEFAULT[localpart]
    by_default = parse(PLAIN, localpart, "example.org")
    assert not isinstance(by_default, Disposable) or by_default == found or localpart == "steve.count.5.count"


def test_every_spelling_of_an_address_has_the_same_signature() -> None:
    for localpart in (f"steve.3.count.{BY_NEW}", f"steve.count.3.{BY_NEW}", f"STEVE.Count.3.{BY_NEW.upper()}"):
        found = parse(SIGNED, localpart, "example.org")
        assert isinstance(found, Disposable)
        assert found.unsigned == "steve.3.count"
    day = mint(SIGNED, "steve", "example.org", NOW, until=date(2027, 2, 1)).partition("@")[0]
    iso = day.replace("01-02-2027", "2027-02-01")
    assert iso != day
    assert parse(SIGNED, iso, "example.org") == parse(SIGNED, day, "example.org")


@pytest.mark.parametrize(
    ("localpart", "last"),
    [
        ("steve.date.01-03-2028", date(2028, 2, 29)),
        ("steve.date.2027-01-01", date(2026, 12, 31)),
        ("steve.date.01-01-0001", None),
        ("steve.3.count", None),
    ],
)
def test_the_last_day(localpart: str, last: date | None) -> None:
    found = parse(PLAIN, localpart, "example.org")
    assert isinstance(found, Disposable)
    assert found.last_day == last


SPELLINGS: list[tuple[dict[str, Any], str, str]] = [
    ({"separator": "-"}, "steve-3-count", "steve-3-count"),
    ({"separator": "-"}, "steve-date-20-10-2026", "steve-date-20-10-2026"),
    ({"separator": "-"}, "steve-date-20-10-2026-22222222", "steve-date-20-10-2026"),
    ({"separator": "-"}, "steve-date-20-10-2026-abcdefgh", "steve-date-20-10-2026"),
    ({"separator": "+"}, "steve+3+count", "steve+3+count"),
    ({"separator": "-"}, "steve-count-3", "steve-3-count"),
    ({"separator": "-"}, "steve-date-2026-10-20", "steve-date-20-10-2026"),
    ({"separator": "-"}, "steve-date-2026-10-20-22222222", "steve-date-20-10-2026"),
    ({"separator": "-", "default_count": 3}, "steve-count", "steve-count"),
    ({"separator": "--"}, "first-last--3--count--abcdefgh", "first-last--3--count"),
    ({"count_keyword": "MAL", "date_keyword": "Bis"}, "steve.3.mal", "steve.3.mal"),
    ({"count_keyword": "MAL", "date_keyword": "Bis"}, "steve.bis.20-10-2026", "steve.bis.20-10-2026"),
    # ſ and K are s and k to a regular expression that ignores case; the count must be the same one.
    ({"count_keyword": "daysk"}, "steve.3.day\u017f\u212a", "steve.3.daysk"),
]


@pytest.mark.parametrize(("changes", "localpart", "unsigned"), SPELLINGS)
def test_other_spellings(changes: dict[str, Any], localpart: str, unsigned: str) -> None:
    found = parse(replace(PLAIN, **changes), localpart, "example.org")
    assert isinstance(found, Disposable)
    assert found.unsigned == unsigned


@pytest.mark.parametrize(
    ("changes", "localpart"),
    [
        ({"separator": "-"}, "steve.3.count"),
        ({"separator": "+"}, "steve.3.count"),
        ({"count_keyword": "x"}, "a.3.count"),
    ],
)
def test_other_spellings_replace_the_default(changes: dict[str, Any], localpart: str) -> None:
    assert parse(replace(PLAIN, **changes), localpart, "example.org") is None


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"separator": ""}, "separator: '' must be"),
        ({"separator": "x"}, "separator: 'x' must be"),
        ({"separator": "2"}, "separator: '2' must be"),
        ({"separator": "@"}, "separator: '@' must be"),
        ({"separator": " "}, "separator: ' ' must be"),
        ({"count_keyword": ""}, "count_keyword: '' must be"),
        ({"count_keyword": "a.b"}, "count_keyword: 'a.b' must be"),
        ({"date_keyword": "22"}, "date_keyword: '22' must be"),
        ({"date_keyword": "Count"}, "date_keyword: 'Count' must differ from count_keyword"),
        ({"default_count": 101}, "default_count: 101 is more than largest_count (100)"),
        ({"sign": True}, "secrets: sign = true needs a file"),
        ({"sign": True, "secrets": Secrets()}, "secrets: sign = true needs a file"),
    ],
)
def test_rules_that_cannot_be(changes: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(text)}"):
        replace(PLAIN, **changes)


# --- signatures


@pytest.mark.parametrize(("secret", "signature"), [(NEW, BY_NEW), (OLD, BY_OLD)])
def test_a_signature_is_eight_letters_of_hmac_sha256(secret: str, signature: str) -> None:
    assert sign(secret.encode(), "steve.3.count@example.org") == signature


@pytest.mark.parametrize(
    ("localpart", "domain", "reason"),
    [
        (f"steve.3.count.{BY_NEW}", "example.org", ""),
        (f"steve.3.count.{BY_OLD}", "example.org", ""),
        (f"STEVE.3.Count.{BY_NEW.upper()}", "example.org", ""),
        ("steve.3.count", "example.org", "signature-missing"),
        ("steve.date.20-10-2026", "example.org", "signature-missing"),
        ("steve.3.count.aaaaaaaa", "example.org", "signature-bad"),
        (f"steve.4.count.{BY_NEW}", "example.org", "signature-bad"),
        (f"stevie.3.count.{BY_NEW}", "example.org", "signature-bad"),
        (f"steve.3.count.{BY_NEW}", "example.net", "signature-bad"),
        (f"steve.date.20-10-2026.{BY_NEW}", "example.org", "signature-bad"),
    ],
)
def test_signed(localpart: str, domain: str, reason: str) -> None:
    found = parse(SIGNED, localpart, domain)
    assert (found.reason if isinstance(found, Malformed) else "") == reason


def test_a_secret_that_is_no_longer_listed_verifies_nothing() -> None:
    rules = replace(SIGNED, secrets=Secrets([NEW]))
    assert isinstance(parse(rules, f"steve.3.count.{BY_NEW}", "example.org"), Disposable)
    assert isinstance(parse(rules, f"steve.3.count.{BY_OLD}", "example.org"), Malformed)


@pytest.mark.parametrize("signature", ["", "é", "\udce9\udcff", BY_NEW.upper(), BY_NEW[:-1]])
def test_what_is_no_signature_does_not_verify(signature: str) -> None:
    assert not verify(SIGNED.secrets, "steve.3.count@example.org", signature)


# --- the calendar


def at(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


@pytest.mark.parametrize(
    ("day", "zone", "begin"),
    [
        ("2026-10-20", "UTC", "2026-10-20T00:00+00:00"),
        ("2026-10-20", "Europe/Helsinki", "2026-10-20T00:00+03:00"),
        ("2026-12-31", "Europe/Helsinki", "2026-12-31T00:00+02:00"),
        ("2026-10-20", "Pacific/Kiritimati", "2026-10-20T00:00+14:00"),
        ("2026-10-20", "Pacific/Pago_Pago", "2026-10-20T00:00-11:00"),
        # the day of the change, and the one after: 23 and 25 hours
        ("2026-03-29", "Europe/Berlin", "2026-03-29T00:00+01:00"),
        ("2026-03-30", "Europe/Berlin", "2026-03-30T00:00+02:00"),
        ("2026-10-26", "Europe/Berlin", "2026-10-26T00:00+01:00"),
        # no midnight: the clock goes from 23:59:59 to 01:00:00
        ("2024-03-31", "Asia/Beirut", "2024-03-31T01:00+03:00"),
        # two midnights: the clock goes from 00:59:59 back to 00:00:00
        ("2024-11-03", "America/Havana", "2024-11-03T00:00-04:00"),
        # the clock went from 00:00:59 back to 23:01:00 of the day before: what has begun has begun
        ("2006-10-29", "America/St_Johns", "2006-10-29T00:00-02:30"),
        # no such day at all: Samoa crossed the date line
        ("2011-12-30", "Pacific/Apia", "2011-12-31T00:00+14:00"),
    ],
)
def test_a_day_begins_when_its_zone_says(day: str, zone: str, begin: str) -> None:
    rules = replace(PLAIN, timezone=ZoneInfo(zone))
    until = date.fromisoformat(day)
    assert begins(until, rules.timezone) == at(begin)
    assert standing(rules, until, at(begin) - 0.001) == "open"
    assert standing(rules, until, at(begin)) == "begun"
    assert standing(rules, until, at(begin) + 1800) == "begun"
    assert standing(rules, until, at(begin) + 86400 * 400) == "begun"


@pytest.mark.parametrize(
    ("until", "expected"),
    [
        (date(1, 1, 1), "begun"),
        (date(2027, 1, 15), "begun"),
        (date(2027, 1, 16), "open"),
        (date(2027, 1, 25), "open"),
        (date(2027, 1, 26), "too-far"),
        (date(9999, 12, 31), "too-far"),
    ],
)
def test_standing(until: date, expected: str) -> None:
    assert datetime.fromtimestamp(NOW, UTC).date() == date(2027, 1, 15)
    assert standing(replace(PLAIN, farthest_days=10), until, NOW) == expected


# --- minting


@pytest.mark.parametrize(
    ("rules", "name", "domain", "given", "address"),
    [
        (PLAIN, "steve", "example.org", {"count": 3}, "steve.3.count@example.org"),
        (PLAIN, "Steve", "Example.ORG.", {"count": 100}, "steve.100.count@example.org"),
        (PLAIN, "steve", "bücher.example", {"count": 1}, "steve.1.count@xn--bcher-kva.example"),
        (PLAIN, "jürgen", "example.org", {"count": 1}, "jürgen.1.count@example.org"),
        (PLAIN, "steve", "example.org", {"until": date(2027, 2, 1)}, "steve.date.01-02-2027@example.org"),
        (SIGNED, "steve", "example.org", {"count": 3}, f"steve.3.count.{BY_NEW}@example.org"),
        (SIGNED, "STEVE", "EXAMPLE.org", {"count": 3}, f"steve.3.count.{BY_NEW}@example.org"),
        (replace(PLAIN, separator="-"), "a-b", "example.org", {"count": 3}, "a-b-3-count@example.org"),
    ],
)
def test_mint(rules: Rules, name: str, domain: str, given: dict[str, Any], address: str) -> None:
    assert mint(rules, name, domain, NOW, **given) == address


@pytest.mark.parametrize(
    ("name", "given", "text"),
    [
        ("steve", {}, "give either a count or a date"),
        ("steve", {"count": 3, "until": date(2027, 2, 1)}, "give either a count or a date"),
        ("steve", {"count": 0}, "the count 0 is not between 1 and 100"),
        ("steve", {"count": -1}, "the count -1 is not between"),
        ("steve", {"count": 101}, "the count 101 is not between"),
        ("steve", {"until": date(2027, 1, 15)}, "2027-01-15 has already begun in time zone UTC"),
        ("steve", {"until": date(1, 1, 1)}, "has already begun"),
        ("steve", {"until": date(9999, 1, 1)}, "9999-01-01 is more than 732 days away"),
        ("", {"count": 3}, "'' is not a localpart"),
        (".steve", {"count": 3}, "'.steve' is not a localpart"),
        ("steve.", {"count": 3}, "'steve.' is not a localpart"),
        ("ste..ve", {"count": 3}, "'ste..ve' is not a localpart"),
        ("steve smith", {"count": 3}, "is not a localpart that can be written without quotes"),
        ("steve@example.org", {"count": 3}, "is not a localpart"),
        ("steve\n", {"count": 3}, "is not a localpart"),
        ("\udce9", {"count": 3}, "is not a localpart"),
        ("steve.3.count", {"count": 3}, "is itself a disposable address; give its owner's name"),
        ("steve.date.20-10-2026", {"until": date(2027, 2, 1)}, "is itself a disposable address"),
        ("steve.0.count", {"count": 3}, "is itself a disposable address"),
        ("x" * 57, {"count": 3}, "is longer than 64 octets"),
        ("ü" * 29, {"count": 3}, "is longer than 64 octets"),
    ],
)
def test_mint_refuses_what_would_not_work(name: str, given: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=re.escape(text)):
        mint(PLAIN, name, "example.org", NOW, **given)


# --- anything at all

PIECES = st.sampled_from(
    ["steve", "3", "0", "count", "COUNT", "date", "20-10-2026", "31-02-2026", "x7k2m3qa", ".", "-", "٣", "", "é", "\n"]
)
LOCALPARTS = st.one_of(
    st.text(),
    st.text(st.characters()),
    st.lists(PIECES, max_size=9).map(".".join),
    st.lists(PIECES, max_size=9).map("".join),
    st.binary().map(lambda data: data.decode("utf-8", "surrogateescape")),
)
ALL_RULES = st.sampled_from([PLAIN, SIGNED, replace(PLAIN, separator="-"), replace(SIGNED, separator="--")])


@given(rules=ALL_RULES, localpart=LOCALPARTS, domain=st.text())
@example(PLAIN, ".1" * 30_000 + ".count", "example.org")
@example(PLAIN, "1" * 60_000 + ".count", "example.org")
@example(PLAIN, "a.date." + "1-" * 30_000, "example.org")
def test_any_text_is_read_or_refused(rules: Rules, localpart: str, domain: str) -> None:
    found = parse(rules, localpart, domain)
    if isinstance(found, Disposable):
        again = parse(replace(rules, sign=False), found.unsigned, domain)
        assert again == found._replace(name=found.name.lower())
        assert parse(rules, found.name, domain) is None


@given(
    rules=ALL_RULES,
    name=st.text(min_size=1, max_size=12),
    choice=st.one_of(st.integers(-1, 102), st.dates(date(2026, 1, 1), date(2030, 1, 1))),
)
def test_what_is_minted_is_read_back(rules: Rules, name: str, choice: int | date) -> None:
    wanted: dict[str, Any] = {"count": choice} if isinstance(choice, int) else {"until": choice}
    try:
        address = mint(rules, name, "example.org", NOW, **wanted)
    except ValueError:
        return
    localpart, _, domain = address.rpartition("@")
    found = parse(rules, localpart, domain)
    assert isinstance(found, Disposable)
    assert found.name == name.lower()
    assert (found.limit or found.until) == choice
    assert found.until is None or standing(rules, found.until, NOW) == "open"


def routed() -> list[re.Pattern[str]]:
    """Return the patterns by which Exim's router takes an address for a disposable one."""
    found = re.findall(r"^EXIMACL_PATTERN_(?:COUNTED|DATED) = \\N(.+)\\N$", MACROS.read_text(), re.MULTILINE)
    assert len(found) == 2
    return [re.compile(pattern) for pattern in found]


@given(localpart=LOCALPARTS)
@example("steve.3.count")
@example("steve.count.3")
@example("steve.3.count.5")
@example("steve.99999999999999999999.count.aaaaaaaa")
@example("steve.date.9-9-9")
def test_exim_delivers_nothing_as_disposable_that_is_not_judged_as_such(localpart: str) -> None:
    if any(pattern.search(localpart.lower()) for pattern in routed()):
        assert parse(PLAIN, localpart, "example.org") is not None


@pytest.mark.parametrize("default_count", [0, 7])
def test_exim_hands_each_address_to_the_owner_that_is_judged(default_count: int) -> None:
    """Also with the pattern that the page gives for `default_count`."""
    counted, dated = routed()
    if default_count:
        page = (MACROS.parents[1] / "docs" / "checks" / "disposable.md").read_text(encoding="utf-8")
        counted = re.compile(re.findall(r"EXIMACL_PATTERN_COUNTED = \\N(.+)\\N$", page, re.MULTILINE)[0])
    rules = replace(PLAIN, default_count=default_count)
    for localpart in (*READ, *DEFAULT):
        found = parse(rules, localpart, "example.org")
        if isinstance(found, Disposable) and "\n" not in localpart:
            match = counted.search(localpart.lower()) or dated.search(localpart.lower())
            assert match, localpart
            assert match[1] == found.name.lower()
