"""Lists in DNS: which answers are listings, how they are weighed, what is asked, and that a key stays secret."""

from __future__ import annotations

from typing import Any

import pytest

from eximacl.check import ListProbe, Tables, Unknown
from eximacl.checks._dns_lists import (
    ListAnswer,
    Listings,
    ListQuestion,
    address_questions,
    consult,
    detail_of,
    read_answer,
    reply_text,
)
from eximacl.checks._list_zones import (
    AddressZone,
    Code,
    ListOptions,
    ListZone,
    ReplyText,
    TextCode,
    ZoneKey,
    list_probes,
    name_probe,
)
from eximacl.policy.drive import drive_now
from eximacl.testing import SERVFAIL, Dns
from tests.asking import ASK, NOW, answers, query

SECRET = "Geheim7Key"


def codes(*names: str, **weights: float) -> Tables[Code]:
    return Tables(Code(name=name, weight=weights.get(f"w{number}", 1)) for number, name in enumerate(names))


def zone(name: str = "bl.example.net", *masks: str, **keys: Any) -> AddressZone:
    given: dict[str, Any] = {"weight": 1, "key": ZoneKey(), "probe": False, "ipv4": True, "ipv6": True}
    given.update({"count": "heaviest", "private": False, **keys})
    given.setdefault("codes", codes(*(masks or ("127.0.0.2-127.0.0.11",))))
    return AddressZone(name=name, **given)


def entry(of: AddressZone) -> ListQuestion[AddressZone]:
    return ListQuestion(of, "192.0.2.7", "7.2.0.192")


def odd(answer: str) -> str:
    return f"its answer {answer} is none of its codes"


# masks, their weights, the answer; the listed codes and the weight, or what is said to be unknown
ANSWERS: list[tuple[str, list[str], dict[str, float], Any, tuple[str, ...], float, str]] = [
    ("absent", ["127.0.0.2"], {}, (), (), 0, ""),
    ("in the mask", ["127.0.0.2"], {}, ("127.0.0.2",), ("127.0.0.2",), 1, ""),
    ("outside", ["127.0.0.2"], {}, ("127.0.0.3",), (), 0, odd("127.0.0.3")),
    ("an error", ["127.0.0.0/8"], {}, ("127.255.255.254",), (), 0, odd("127.255.255.254")),
    ("a sold domain", ["127.0.0.0/8"], {}, ("192.0.2.1",), (), 0, odd("192.0.2.1")),
    ("a listing beside an odd one", ["127.0.0.2"], {}, ("192.0.2.1", "127.0.0.2"), ("127.0.0.2",), 1, ""),
    ("two odd ones", ["127.0.0.2"], {}, ("127.0.0.1", "10.0.0.1"), (), 0, odd("127.0.0.1 10.0.0.1")),
    ("one without weight", ["127.0.0.2", "127.0.0.3"], {"w0": 0}, ("127.0.0.2", "127.0.0.3"), ("127.0.0.3",), 1, ""),
    ("heaviest", ["127.0.0.2", "127.0.0.3"], {"w1": 2}, ("127.0.0.2", "127.0.0.3"), ("127.0.0.3", "127.0.0.2"), 2, ""),
    ("the first entry counts", ["127.0.0.2", "127.0.0.0/24"], {"w1": 5}, ("127.0.0.2",), ("127.0.0.2",), 1, ""),
    ("known, but no listing", ["127.0.0.2"], {"w0": 0}, ("127.0.0.2",), (), 0, ""),
    ("known, beside an odd one", ["127.0.0.2"], {"w0": 0}, ("127.0.0.2", "127.0.0.9"), (), 0, odd("127.0.0.9")),
    ("no codes at all", [], {}, ("127.0.0.2",), (), 0, odd("127.0.0.2")),
    ("no answer", ["127.0.0.2"], {}, SERVFAIL, (), 0, SERVFAIL.detail),
]  # fmt: skip


@pytest.mark.parametrize(
    ("masks", "weights", "answer", "listed", "weight", "unknown"),
    [row[1:] for row in ANSWERS],
    ids=[row[0] for row in ANSWERS],
)
def test_what_an_answer_says(
    masks: list[str], weights: dict[str, float], answer: Any, listed: tuple[str, ...], weight: float, unknown: str
) -> None:
    asked = entry(zone(codes=codes(*masks, **weights)))
    assert read_answer(asked, answer) == ListAnswer(asked, listed, weight, unknown)


LISTS = [
    zone("a.example.net", probe=True),
    zone("b.example.net", weight=0.5, probe=True),
    zone("c.example.net", weight=0.5),
    zone("d.example.net", weight=0),
]
SUMS: list[tuple[str, list[str], dict[str, float], tuple[str, ...], tuple[str, ...], float]] = [
    ("two codes", ["127.0.0.2", "127.0.0.3"], {"w1": 2}, ("127.0.0.2", "127.0.0.3"), ("127.0.0.3", "127.0.0.2"), 3),
    ("one code, two answers", ["127.0.0.2-127.0.0.9"], {}, ("127.0.0.2", "127.0.0.3"), ("127.0.0.2", "127.0.0.3"), 1),
    ("one against", ["127.0.0.2", "127.0.0.3"], {"w1": -3}, ("127.0.0.2", "127.0.0.3"), ("127.0.0.3", "127.0.0.2"), -2),
    ("even", ["127.0.0.2", "127.0.0.3"], {"w1": -1}, ("127.0.0.2", "127.0.0.3"), ("127.0.0.2", "127.0.0.3"), 0),
    ("one odd", ["127.0.0.2", "127.0.0.3"], {}, ("127.0.0.2", "127.0.0.9"), ("127.0.0.2",), 1),
]


@pytest.mark.parametrize(
    ("masks", "weights", "answer", "listed", "weight"), [row[1:] for row in SUMS], ids=[row[0] for row in SUMS]
)
def test_the_codes_of_an_answer_may_add_up(
    masks: list[str], weights: dict[str, float], answer: Any, listed: tuple[str, ...], weight: float
) -> None:
    asked = entry(zone(codes=codes(*masks, **weights), count="sum"))
    assert read_answer(asked, answer) == ListAnswer(asked, listed, weight)


def test_of_several_codes_the_heaviest_counts_whichever_way() -> None:
    asked = entry(zone(codes=codes("127.0.0.2", "127.0.0.3", w1=-3)))
    assert read_answer(asked, ("127.0.0.2", "127.0.0.3")).weight == -3


HIT = ["127.0.0.2"]
ODD = ["127.255.255.255"]
# what each list says, lists at fault, threshold; the listing zones, Unknown's text, or None
VOTES: list[tuple[str, dict[str, Any], set[str], float, Any]] = [
    ("none", {}, set(), 1, None),
    ("one is enough", {"a": HIT}, set(), 1, ["a"]),
    ("half is not", {"b": HIT}, set(), 1, None),
    ("two halves are", {"b": HIT, "c": HIT}, set(), 1, ["b", "c"]),
    ("the heaviest first", {"b": HIT, "a": HIT}, set(), 1, ["a", "b"]),
    ("just reached", {"a": HIT, "b": HIT}, set(), 1.5, ["a", "b"]),
    ("just missed", {"a": HIT, "b": HIT}, set(), 1.51, None),
    ("never reached", {"a": HIT, "b": HIT, "c": SERVFAIL}, set(), 3, None),
    ("decided by the others", {"a": HIT, "b": SERVFAIL, "c": ODD}, set(), 1, ["a"]),
    ("an unknown one might decide", {"a": SERVFAIL, "b": HIT}, set(), 1, f"a.example.net: {SERVFAIL.detail}"),
    ("an unknown one might not", {"b": SERVFAIL}, set(), 1, None),
    ("an odd answer might", {"a": ODD}, set(), 1, "a.example.net: its answer 127.255.255.255 is none of its codes"),
    (
        "two unknown halves might",
        {"b": SERVFAIL, "c": ODD},
        set(),
        1,
        f"b.example.net: {SERVFAIL.detail}; c.example.net: its answer 127.255.255.255 is none of its codes",
    ),
    ("an unknown half and a listed one", {"b": HIT, "c": SERVFAIL}, set(), 1, f"c.example.net: {SERVFAIL.detail}"),
    ("no weight, no say", {"d": HIT}, set(), 1, None),
    ("at fault: not believed", {"a": HIT}, {"a"}, 1, "a.example.net: it lists everybody"),
    ("at fault, but others decide", {"a": HIT, "b": HIT, "c": HIT}, {"a"}, 1, ["b", "c"]),
    ("without a probe no fault", {"c": HIT, "b": HIT}, {"c"}, 1, ["b", "c"]),
]


@pytest.mark.parametrize(
    ("said", "faults", "threshold", "expected"), [row[1:] for row in VOTES], ids=[row[0] for row in VOTES]
)
def test_lists_are_weighed(said: dict[str, Any], faults: set[str], threshold: float, expected: Any) -> None:
    names = Dns(
        {(f"7.2.0.192.{name}.example.net", "A"): answer for name, answer in said.items()},
        {f"{name}.example.net": "it lists everybody" for name in faults},
    )
    entries = address_questions(LISTS, query(ip="192.0.2.7"))
    found = drive_now(consult(entries, threshold, ASK), answers(None, NOW, names=names))
    if isinstance(expected, str):
        assert found == Unknown(expected)
    elif expected is None:
        assert found is None
    else:
        assert isinstance(found, Listings)
        assert [one.zone.name for one in found.found] == [f"{name}.example.net" for name in expected]
    not_asked = {f"7.2.0.192.{name}.example.net" for name in faults if name == "a"}
    assert not_asked.isdisjoint(name for name, _ in names.asked)


GOOD = zone("good.example.net", weight=-1)
MANY = [zone("a.example.net"), zone("b.example.net"), zone("c.example.net"), GOOD]
# What each list says; then `listed`, `lower`, None, or the lists that are unknown. The thresholds are 2 and 1.
THRESHOLDS: list[tuple[str, dict[str, Any], str | None]] = [
    ("nothing", {}, None),
    ("one", {"a": HIT}, "lower"),
    ("two", {"a": HIT, "b": HIT}, "listed"),
    ("one, and a good one", {"a": HIT, "good": HIT}, None),
    ("two, and a good one", {"a": HIT, "b": HIT, "good": HIT}, "lower"),
    ("three, and a good one", {"a": HIT, "b": HIT, "c": HIT, "good": HIT}, "listed"),
    ("a good one", {"good": HIT}, None),
    ("one, and one that fails", {"a": HIT, "b": SERVFAIL}, "lower"),
    ("one that fails", {"a": SERVFAIL}, "a"),
    ("one that fails, and a good one", {"a": SERVFAIL, "good": HIT}, None),
    ("two, and a good one that fails", {"a": HIT, "b": HIT, "good": SERVFAIL}, "lower"),
    ("one, and a good one that fails", {"a": HIT, "good": SERVFAIL}, "good"),
    ("one, one that fails, and a good one that fails", {"a": HIT, "b": SERVFAIL, "good": SERVFAIL}, "b good"),
    ("three, and a good one that fails", {"a": HIT, "b": HIT, "c": HIT, "good": SERVFAIL}, "listed"),
]


@pytest.mark.parametrize(("said", "expected"), [row[1:] for row in THRESHOLDS], ids=[row[0] for row in THRESHOLDS])
def test_two_thresholds_and_lists_of_good_ones(said: dict[str, Any], expected: str | None) -> None:
    """What is certain counts, whatever a list that fails might have said."""
    names = Dns({(f"7.2.0.192.{name}.example.net", "A"): answer for name, answer in said.items()})
    entries = address_questions(MANY, query(ip="192.0.2.7"))
    found = drive_now(consult(entries, 2, ASK, 1), answers(None, NOW, names=names))
    if isinstance(found, Unknown):
        assert " ".join(one.partition(".")[0] for one in found.detail.split("; ")) == expected
    else:
        assert (found and ("lower" if found.is_lower else "listed")) == expected


def test_what_counts_against_the_others_is_shown_so() -> None:
    names = Dns({(f"7.2.0.192.{name}.example.net", "A"): HIT for name in ("a", "b", "c", "good")})
    found = drive_now(consult(address_questions(MANY, query(ip="192.0.2.7")), 2, ASK), answers(None, NOW, names=names))
    assert isinstance(found, Listings)
    assert detail_of(found.found).endswith("c.example.net 127.0.0.2, good.example.net 127.0.0.2 (-1)")


def test_tenths_add_up() -> None:
    tenths = [zone(f"z{number}.example.net", weight=0.1) for number in range(10)]
    names = Dns({(f"7.2.0.192.{one.name}", "A"): HIT for one in tenths})
    entries = address_questions(tenths, query(ip="192.0.2.7"))
    found = drive_now(consult(entries, 1, ASK), answers(None, NOW, names=names))
    assert isinstance(found, Listings)
    assert len(found.found) == len(tenths)


def test_all_lists_are_asked_in_one_question() -> None:
    source = answers(None, NOW, names=Dns())
    drive_now(consult(address_questions(LISTS, query(ip="192.0.2.7")), 1, ASK), source)
    asked = [one.as_list() for one in source.asked]
    assert [one[1] for one in asked] == ["lookup"]


def test_one_list_counts_once_however_many_names_it_lists() -> None:
    half = zone("half.example.net", weight=0.5)
    entries = [ListQuestion(half, name, name) for name in ("a.example", "b.example")]
    names = Dns({(f"{name}.example.half.example.net", "A"): HIT for name in "ab"})
    assert drive_now(consult(entries, 1, ASK), answers(None, NOW, names=names)) is None
    found = drive_now(consult(entries, 0.5, ASK), answers(None, NOW, names=names))
    assert isinstance(found, Listings)
    assert [one.question.what for one in found.found] == ["a.example", "b.example"]
    assert detail_of(found.found) == "half.example.net 127.0.0.2, half.example.net 127.0.0.2"


NIBBLES = "7.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2"


@pytest.mark.parametrize(
    ("address", "v4", "v6", "asked"),
    [
        ("192.0.2.7", True, True, ["7.2.0.192.bl.example.net"]),
        ("192.0.2.7", True, False, ["7.2.0.192.bl.example.net"]),
        ("192.0.2.7", False, True, []),
        ("2001:db8::7", True, True, [f"{NIBBLES}.bl.example.net"]),
        ("2001:db8::7", True, False, []),
        ("2001:db8::7", False, True, [f"{NIBBLES}.bl.example.net"]),
        ("127.0.0.2", True, True, []),
        ("127.0.0.1", True, True, []),
        ("::ffff:127.0.0.2", True, True, []),
        ("::1", True, True, []),
        ("10.1.2.3", True, True, []),
        ("::ffff:10.1.2.3", True, True, []),
        ("172.31.255.255", True, True, []),
        ("172.32.0.0", True, True, ["0.0.32.172.bl.example.net"]),
        ("192.168.0.1", True, True, []),
        ("169.254.1.2", True, True, []),
        ("100.64.0.1", True, True, []),
        ("100.128.0.1", True, True, ["1.0.128.100.bl.example.net"]),
        ("0.0.0.0", True, True, []),
        ("fd00::7", True, True, []),
        ("fe80::7", True, True, []),
        ("fe80::7%eth0", True, True, []),
        ("", True, True, []),
    ],
)
def test_what_is_asked_about_an_address(address: str, v4: bool, v6: bool, asked: list[str]) -> None:
    entries = address_questions([zone(ipv4=v4, ipv6=v6)], query(ip=address))
    assert [one.zone.name_for(one.labels) for one in entries] == asked


OWN: list[tuple[str, str, list[str]]] = [
    ("10.1.2.3", "0", ["3.2.1.10.own.example.net"]),
    ("10.1.2.3", "1", ["3.2.1.10.own.example.net"]),
    ("192.0.2.7", "0", ["7.2.0.192.bl.example.net", "7.2.0.192.own.example.net"]),
    ("127.0.0.1", "0", []),
    ("127.0.0.1", "1", []),
    ("127.0.0.2", "0", []),
    ("127.0.0.2", "1", ["2.0.0.127.bl.example.net", "2.0.0.127.own.example.net"]),
]


@pytest.mark.parametrize(("address", "dry", "asked"), OWN)
def test_a_list_of_our_own_is_asked_about_private_clients(address: str, dry: str, asked: list[str]) -> None:
    """And `eximacl check` may ask what each list has."""
    entries = address_questions([zone(), zone("own.example.net", private=True)], query(ip=address, dry=dry))
    assert [one.zone.name_for(one.labels) for one in entries] == asked


POINTS = ("2.0.0.127.bl.example.net", "1.0.0.127.bl.example.net")
POINTS_6 = tuple(f"{last}.0.0.0.0.0.f.7.f.f.f.f.{'0.' * 20}bl.example.net" for last in (2, 1))


@pytest.mark.parametrize(
    ("v4", "v6", "probe", "expected"),
    [
        (True, True, True, {"bl.example.net": POINTS, "bl.example.net (IPv6)": POINTS_6[1:]}),
        (True, False, True, {"bl.example.net": POINTS}),
        (False, True, True, {"bl.example.net (IPv6 only)": POINTS_6}),
        (False, False, True, {}),
        (True, True, False, {}),
    ],
)
def test_the_test_points(v4: bool, v6: bool, probe: bool, expected: dict[str, tuple[str, ...]]) -> None:
    listed = zone(ipv4=v4, ipv6=v6, probe=probe)
    assert {one.name: tuple(dict(one.question().names())) for one in listed.list_probes} == expected
    asked = [
        one.probe for address in ("192.0.2.7", "2001:db8::7") for one in address_questions([listed], query(ip=address))
    ]
    assert asked == (list(expected) if probe else [""] * (v4 + v6)), "each client's version has its own"


def test_a_list_of_names_and_one_of_addresses_may_share_a_zone() -> None:
    shared = zone()
    made = [*zone(probe=True).list_probes, name_probe(shared, "test", "invalid"), name_probe(shared, "x", "y")]
    assert len({one.name for one in made}) == len(made)
    assert made[-1] == ListProbe("bl.example.net", "x.bl.example.net", "y.bl.example.net", shared.key, "x, y")


def test_the_test_points_of_a_list_with_a_key() -> None:
    key = ZoneKey([SECRET])
    (made,) = zone("{key}.bl.example.net", key=key, probe=True, ipv6=False).list_probes
    assert made == ListProbe("bl.example.net", "2.0.0.127.{key}.bl.example.net", "1.0.0.127.{key}.bl.example.net", key)
    assert [name for name, _ in made.question().names()] == [
        f"2.0.0.127.{SECRET}.bl.example.net",
        f"1.0.0.127.{SECRET}.bl.example.net",
    ]
    key.replace(["other"])
    assert made.question().names()[0][0] == "2.0.0.127.other.bl.example.net"
    assert SECRET not in repr(made)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("bl.example.net", "bl.example.net"),
        ("BL.Example.NET.", "bl.example.net"),
        ("{key}.bl.example.net", "bl.example.net"),
        ("x.{key}.example.net", "x.example.net"),
        (f"{'a' * 63}.{'b' * 44}.example.net", f"{'a' * 63}.{'b' * 44}.example.net"),
    ],
)
def test_names_of_lists(name: str, shown: str) -> None:
    assert zone(name, key=ZoneKey(["k"] if "{" in name else [])).shown == shown


@pytest.mark.parametrize(
    ("name", "key", "message"),
    [
        ("", [], "'' is not the name of a zone in DNS"),
        ("localhost", [], "'localhost' is not the name"),
        ("bl example.net", [], "'bl example.net' is not the name"),
        ("bl..net", [], "'bl..net' is not the name"),
        ("192.0.2.7", [], "'192.0.2.7' is not the name"),
        (f"{'a' * 63}.{'b' * 46}.example.net", [], "is not the name"),
        ("{kex}.example.net", [], "'{kex}.example.net' is not the name"),
        ("{key}.{key}.example.net", ["k"], "is not the name"),
        ("{key}.example.net", [], "key: the zone's name contains {key}, so key must name a file with a key in it"),
        ("example.net", ["k"], "key: the zone's name does not say where the key goes; write it as {key}.example.net"),
    ],
)
def test_what_is_no_list(name: str, key: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message.replace("{", r"\{")):
        zone(name, key=ZoneKey(key))


def test_no_list_is_asked_twice() -> None:
    options = ListOptions(zones=Tables([zone("a.example.net", probe=True), zone("b.example.net")]), threshold=1)
    assert len(list_probes(options)) == 2
    with pytest.raises(ValueError, match=r"zones: a.example.net is there twice; a list is asked once"):
        ListOptions(zones=Tables([zone("a.example.net"), zone("A.example.net.")]), threshold=1)


@pytest.mark.parametrize("entries", [["a b"], [""], ["-"], ["a" * 64], ["a.b"], ["ä"], ["{key}"], ["one1", "two2"]])
def test_what_is_no_key_is_not_shown(entries: list[str]) -> None:
    with pytest.raises(ValueError, match="key") as raised:
        ZoneKey(entries)
    assert not any(one and one in str(raised.value) for one in entries if len(one) > 2 and one != "{key}")


def test_a_key_is_kept_when_its_file_is_emptied() -> None:
    key = ZoneKey()
    assert (len(key), list(key), key.filled) == (0, [], False)
    key.replace([SECRET, SECRET])
    assert (len(key), list(key), key.filled) == (1, [SECRET], True)
    with pytest.raises(ValueError, match="expected exactly one key, found 0"):
        key.replace([])
    assert list(key) == [SECRET]


def test_a_key_goes_to_the_name_servers_and_nowhere_else() -> None:
    keyed = zone("{key}.bl.example.net", key=ZoneKey([SECRET]))
    plain = zone("plain.example.net")
    names = Dns(
        {
            (f"7.2.0.192.{SECRET}.bl.example.net".lower(), "A"): Unknown(f"nothing from 7.2.0.192.{SECRET.lower()}"),
            ("7.2.0.192.plain.example.net", "A"): [],
        }
    )
    source = answers(None, NOW, names=names)
    entries = address_questions([keyed, plain], query(ip="192.0.2.7"))
    found = drive_now(consult(entries, 1, ASK), source)
    assert found == Unknown("bl.example.net: nothing from 7.2.0.192.{key}")
    assert names.asked[0][0] == f"7.2.0.192.{SECRET}.bl.example.net"
    recorded = repr([one.as_list() for one in source.asked])
    assert "7.2.0.192.{key}.bl.example.net" in recorded
    for text in (recorded, repr(source.asked), repr(found), repr(keyed)):
        assert SECRET.lower() not in text.lower()


def said_by(of: ListZone) -> ListAnswer[ListZone]:
    return ListAnswer(ListQuestion(of, "192.0.2.7", "7.2.0.192"), ("127.0.0.2",), 1)


TEXTS = [
    ("{ip} is listed by {zone}", "", [], "192.0.2.7 is listed by bl.example.net"),
    ("{name}: {ip}", "", [], "192.0.2.7: 192.0.2.7"),
    ("see {txt}", "", ["https://bl.example.net/7", "more"], "see https://bl.example.net/7"),
    ("see {txt}", "", [], "see"),
    ("see {txt}", "", SERVFAIL, "see"),
    ("see {txt}", "", ["x" * 300], f"see {'x' * 200}"),
    ("see {txt}", "", ["{ip} {0} {{"], "see {ip} {0} {{"),
    ("the zone's", "{zone}: the code's", [], "bl.example.net: the code's"),
]


@pytest.mark.parametrize(("text", "code", "txt", "expected"), TEXTS)
def test_texts(text: str, code: str, txt: Any, expected: str) -> None:
    names = Dns({("7.2.0.192.bl.example.net", "TXT"): txt})
    table = Tables([TextCode(name="127.0.0.2", weight=1, text=ReplyText(code))])
    asking = reply_text(said_by(zone()), text, table, "192.0.2.7", ASK)
    assert drive_now(asking, answers(None, NOW, names=names)) == expected
    assert len(names.asked) == ("{txt}" in (code or text))


def test_a_text_that_repeats_the_key_is_cleaned() -> None:
    names = Dns({(f"7.2.0.192.{SECRET}.bl.example.net", "TXT"): [f"see https://{SECRET.upper()}.example.net"]})
    names.records = {(name.lower(), kind): found for (name, kind), found in names.records.items()}
    keyed = zone("{key}.bl.example.net", key=ZoneKey([SECRET]))
    asking = reply_text(said_by(keyed), "{txt}", Tables(), "192.0.2.7", ASK)
    assert drive_now(asking, answers(None, NOW, names=names)) == "see https://{key}.example.net"
