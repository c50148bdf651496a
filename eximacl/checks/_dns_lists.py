"""Asking lists in DNS (RFC 5782) for the checks that do, and what the answers mean together.

Only a code that the policy names is a listing. Every other address in an answer, and every failure to answer, is
Unknown: a list reports its own trouble (too many queries, a wrong key, a domain that has been sold) in the same place
as its listings.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Generic, NamedTuple, TypeVar

from eximacl.check import Ask, Query, Records, Tables, Unknown
from eximacl.checks._list_zones import LISTED, WEIGHT_DIGITS, AddressZone, Code, ListZone, TextCode, farthest
from eximacl.mail.dns_lists import list_labels
from eximacl.mail.hosts import IPAddress, ip_address, is_private

# What is quoted from a list's TXT record is part of one SMTP reply line of 512 octets.
TXT_CHARACTERS_MAX = 200

Z_co = TypeVar("Z_co", bound=ListZone, covariant=True)
A = TypeVar("A", bound=AddressZone)


class ListQuestion(NamedTuple, Generic[Z_co]):
    """One question to a list: is `what` on it? labels: `what` as it stands before the zone's name.

    probe: the name of the one that says whether the answer can be trusted; empty: there is none.
    """

    zone: Z_co
    what: str
    labels: str
    probe: str = ""


class ListAnswer(NamedTuple, Generic[Z_co]):
    """What a list says. codes: the listings, the heaviest first; weight: what they count; unknown: why nobody knows."""

    question: ListQuestion[Z_co]
    codes: tuple[str, ...] = ()
    weight: float = 0
    unknown: str = ""

    @property
    def zone(self) -> Z_co:
        """The list."""
        return self.question.zone


def address_questions(zones: Iterable[A], query: Query) -> list[ListQuestion[A]]:
    """Return what to ask about a query's client.

    Nothing about ourselves (127.0.0.1, ::1): these names are test points. `eximacl check` may ask about 127.0.0.2,
    which each list has. About clients in private networks only lists that are meant for them.
    """
    address = ip_address(query.ip)
    if address is None:
        return []
    what, labels, private = _written(address)
    is_test_point = query.dry and what == LISTED
    if address.is_loopback and not is_test_point:
        return []
    version = address.version
    return [
        ListQuestion(zone, what, labels, zone.probe_names.get(version, ""))
        for zone in zones
        if zone.takes(address) and (zone.private or not private or is_test_point)
    ]


# Clients come back, and this takes 5 µs.
@lru_cache(maxsize=1024)
def _written(address: IPAddress) -> tuple[str, str, bool]:
    """Return an address, its labels in a list, and whether it means another host in each network."""
    return str(address), list_labels(address), is_private(address)


class Listings(NamedTuple, Generic[Z_co]):
    """The lists that name a client, the heaviest first. is_lower: their sum reaches the lower threshold only."""

    found: list[ListAnswer[Z_co]]
    is_lower: bool = False


async def consult(
    questions: Sequence[ListQuestion[Z_co]], threshold: float, ask: Ask, lower_threshold: float = 0
) -> Listings[Z_co] | Unknown | None:
    """Ask all lists at once. Return the listings where their weights reach a threshold. lower_threshold: 0: none.

    Whatever a list that could not answer might have said, that must be so; Unknown where it only may be so.
    """
    faults = await ask.list_faults(list(dict.fromkeys([question.probe for question in questions if question.probe])))
    sound = [question for question in questions if question.probe not in faults]
    names = [question.zone.name_for(question.labels) for question in sound]
    keys = [question.zone.secret() for question in sound]
    records = await ask.look_up_all([(name, "A") for name in names], keys, of_policy=True)
    if not faults and not any(records):  # as for nearly all mail: absent everywhere
        return None
    answers = [read_answer(question, found) for question, found in zip(sound, records, strict=True)]
    answers += [
        ListAnswer(question, unknown=faults[question.probe]) for question in questions if question.probe in faults
    ]
    return _weighed(answers, threshold, lower_threshold or threshold)


def read_answer(question: ListQuestion[Z_co], found: Records | Unknown) -> ListAnswer[Z_co]:
    """Return what the records say: a listing where one of them is a code, else Unknown if any is not a known answer."""
    if not found:
        return ListAnswer(question)
    if isinstance(found, Unknown):
        return ListAnswer(question, unknown=found.detail)
    zone = question.zone
    codes = {address: _code(zone.codes, address) for address in found}
    weights = {address: zone.weight * code.weight for address, code in codes.items() if code and code.weight}
    listed = sorted(weights, key=lambda address: -abs(weights[address]))
    if listed and zone.weight:
        once = {codes[address]: weight for address, weight in weights.items()}  # however many answers a code covers
        join = sum if zone.count == "sum" else farthest
        return ListAnswer(question, tuple(listed), join(once.values()))
    odd = [address for address, code in codes.items() if code is None]
    return ListAnswer(question, unknown=f"its answer {' '.join(odd)} is none of its codes" if odd else "")


C = TypeVar("C", bound=Code)


def _code(codes: Tables[C], answer: str) -> C | None:
    """Return the first code that covers an answer."""
    return next((code for code in codes if code.codes.covers(answer)), None)


def _weighed(
    answers: Sequence[ListAnswer[Z_co]], threshold: float, lower_threshold: float
) -> Listings[Z_co] | Unknown | None:
    """Weigh each list once, by the heaviest of what it says."""
    low, high = _sums(answers)
    if low >= lower_threshold:
        found = sorted((one for one in answers if one.codes), key=lambda one: -one.weight)
        return Listings(found, low < threshold)
    if high >= lower_threshold:
        return Unknown("; ".join(dict.fromkeys(f"{one.zone.shown}: {one.unknown}" for one in answers if one.unknown)))
    return None


def _sums(answers: Sequence[ListAnswer[ListZone]]) -> tuple[float, float]:
    """Return what the lists count together: at least, and at most, since some could not answer."""
    # A list is asked once for each name, but counts once.
    said: dict[str, float] = {}
    unsaid: dict[str, tuple[float, float]] = {}
    for one in answers:
        name = one.zone.shown
        said[name] = farthest((said.get(name, 0), one.weight))
        if one.unknown:
            unsaid[name] = one.zone.bounds
    least = [farthest((weight, *unsaid.get(name, ())[:1])) for name, weight in said.items()]
    most = [farthest((weight, *unsaid.get(name, ())[1:])) for name, weight in said.items()]
    return round(sum(least), WEIGHT_DIGITS), round(sum(most), WEIGHT_DIGITS)


def detail_of(listings: Iterable[ListAnswer[ListZone]]) -> str:
    """Return the lists with their codes, for the log: `bl.example.net 127.0.0.2, other.example.net 127.0.0.4`.

    What counts against the others has its weight behind it: `wl.example.net 127.0.5.2 (-1)`.
    """
    shown = ((one, f" ({one.weight:g})" if one.weight < 0 else "") for one in listings)
    return ", ".join(f"{one.zone.shown} {' '.join(one.codes)}{weight}" for one, weight in shown)


async def reply_text(listing: ListAnswer[ListZone], text: str, codes: Tables[TextCode], ip: str, ask: Ask) -> str:
    """Fill the text for the deciding listing. Its TXT record (RFC 5782 section 2.1) is asked for only if named."""
    code = _code(codes, listing.codes[0])
    template = (code.text if code else "") or text
    zone, what = listing.zone, listing.question.what
    txt = ""
    if "{txt}" in template:
        found = await ask.look_up(zone.name_for(listing.question.labels), "TXT", zone.secret(), of_policy=True)
        txt = "" if isinstance(found, Unknown) or not found else found[0][:TXT_CHARACTERS_MAX]
    return template.format(zone=zone.shown, ip=ip, name=what, txt=txt).strip()
