"""`greylist`: the delay, the windows, who counts as one client, who is known; and bounces at DATA."""

from __future__ import annotations

import random
from importlib import resources
from typing import Any

import pytest

from eximacl.check import AtData, Clients, Delayed, Hit, Outcome, Recipients, Unknown, declared
from eximacl.checks.greylist import NEW_MAX, Options, greylist
from eximacl.policy.drive import drive_now
from eximacl.policy.questions import AnyRequest, Remember
from eximacl.state import MemoryState
from tests.asking import ASK, NOW, Dead, answers, judge, query
from tests.checks.running import documented_defaults

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
DEFAULTS: dict[str, Any] = {
    "when": "always",
    "suspicious": (),
    "recipients": Recipients(),
    "no_retry": Clients(),
    "delay_minutes": 5,
    "retry_hours": 48,
    "lifetime_days": 36,
    "known_after": 3,
    "pool": True,
    "network4": 24,
    "network6": 64,
}
LATER, PASS = "greylisted", "None"


def options(**given: Any) -> Options:
    return Options(**{**DEFAULTS, **given})


def asked(state: MemoryState, seconds: float, given: Options | None = None, stage: Any = "rcpt", **values: str) -> str:
    """Send a message at that time from NOW, and return what it came to."""
    outcome = judge(greylist, query(stage, **values), given or options(), state=state, now=NOW + seconds)
    return outcome.reason if isinstance(outcome, Hit) else PASS if isinstance(outcome, Delayed) else str(outcome)


def fates(steps: list[tuple[float, dict[str, str]]], **given: Any) -> list[str]:
    state = MemoryState()
    return [asked(state, seconds, options(**given), **values) for seconds, values in steps]


PROVIDERS = {
    "Outlook": (
        "mail-oln040092065104.outbound.protection.outlook.com 40.92.65.104",
        "mail-mw2nam10on2081.outbound.protection.outlook.com 40.107.94.81",
    ),
    "Gmail": ("mail-oo1-f71.google.com 209.85.161.71", "mail-sor-f41.google.com 209.85.220.41"),
    "SES": ("a11-10.smtp-out.amazonses.com 54.240.11.10", "b224-13.smtp-out.eu-central-1.amazonses.com 69.169.224.13"),
    "Facebook": (
        "66-220-155-156.mail-mail.facebook.com 66.220.155.156",
        "69-171-232-146.mail-mail.facebook.com 69.171.232.146",
    ),
    "SendGrid": (
        "o167-89-29-103.outbound-mail.sendgrid.net 167.89.29.103",
        "s.wrqvtbkv.outbound-mail.sendgrid.net 149.72.123.24",
    ),
    "OVH": ("6.mo582.mail-out.ovh.net 87.98.177.69", "smtpout1.mo529.mail-out.ovh.net 178.32.125.2"),
}

STEPS: list[tuple[str, dict[str, Any], list[tuple[float, dict[str, str]]], list[str]]] = [
    ("too early, then in time", {}, [(0, {}), (299, {}), (300, {}), (301, {})], [LATER, LATER, PASS, PASS]),
    ("early tries do not prolong the delay", {}, [(0, {}), (200, {}), (300, {})], [LATER, LATER, PASS]),
    ("at the end of the retry window", {}, [(0, {}), (48 * HOUR - 1, {})], [LATER, PASS]),
    ("after the retry window", {}, [(0, {}), (48 * HOUR, {})], [LATER, LATER]),
    ("remembered", {}, [(0, {}), (300, {}), (300 + 36 * DAY - 1, {})], [LATER, PASS, PASS]),
    ("forgotten", {}, [(0, {}), (300, {}), (300 + 36 * DAY, {})], [LATER, PASS, LATER]),
    ("each mail prolongs it", {}, [(0, {}), (300, {}), (30 * DAY, {}), (60 * DAY, {})], [LATER, PASS, PASS, PASS]),
    ("another sender", {}, [(0, {}), (300, {"from_": "b@example.net"})], [LATER, LATER]),
    ("another recipient", {}, [(0, {}), (300, {"rcpt": "ann@example.org"})], [LATER, LATER]),
    ("another case", {}, [(0, {}), (300, {"from_": "SENDER@Example.net", "rcpt": "STEVE@example.org"})], [LATER, PASS]),
    (
        "the same network",
        {},
        [(0, {"host": ""}), (300, {"host": "", "ip": "192.0.2.254"})],
        [LATER, PASS],
    ),
    ("another network", {}, [(0, {"host": ""}), (300, {"host": "", "ip": "192.0.3.7"})], [LATER, LATER]),
    (
        "a narrower network",
        {"network4": 32},
        [(0, {"host": ""}), (300, {"host": "", "ip": "192.0.2.8"})],
        [LATER, LATER],
    ),
    (
        "IPv6, the same network",
        {},
        [(0, {"host": "", "ip": "2001:db8::7"}), (300, {"host": "", "ip": "2001:db8::ffff:1"})],
        [LATER, PASS],
    ),
    (
        "IPv6, another network",
        {},
        [(0, {"host": "", "ip": "2001:db8::7"}), (300, {"host": "", "ip": "2001:db8:0:1::7"})],
        [LATER, LATER],
    ),
    (
        "IPv4 in IPv6",
        {},
        [(0, {"host": "", "ip": "::ffff:192.0.2.7"}), (300, {"host": "", "ip": "192.0.2.8"})],
        [LATER, PASS],
    ),
    (
        "a pool",
        {},
        [(0, {"host": "a.example.net"}), (300, {"host": "B9.out.Example.net.", "ip": "203.0.113.9"})],
        [LATER, PASS],
    ),
    (
        "a pool, but not wanted",
        {"pool": False},
        [(0, {"host": "a.example.net"}), (300, {"host": "b.example.net", "ip": "203.0.113.9"})],
        [LATER, LATER],
    ),
    (
        "two lines of one provider",
        {},
        [
            (0, {"host": "c-24-18-98-14.hsd1.wa.comcast.net", "ip": "24.18.98.14"}),
            (300, {"host": "c-24-18-98-15.hsd1.wa.comcast.net", "ip": "24.18.98.15"}),
        ],
        [LATER, LATER],
    ),
    (
        "one line of a provider",
        {},
        [
            (0, {"host": "c-24-18-98-14.hsd1.wa.comcast.net", "ip": "24.18.98.14"}),
            (300, {"host": "c-24-18-98-14.hsd1.wa.comcast.net", "ip": "24.18.98.14"}),
        ],
        [LATER, PASS],
    ),
    (
        "a line and its provider's mail host",
        {},
        [
            (0, {"host": "c-24-18-98-14.hsd1.wa.comcast.net", "ip": "24.18.98.14"}),
            (300, {"host": "resqmta-po-08v.sys.comcast.net", "ip": "96.114.154.167"}),
        ],
        [LATER, LATER],
    ),
    (
        "two hosts that a hoster lets",
        {},
        [
            (0, {"host": "vmi1152785.contaboserver.net", "ip": "149.102.147.245"}),
            (300, {"host": "vmi1158185.contaboserver.net", "ip": "149.102.147.14"}),
        ],
        [LATER, LATER],
    ),
    (
        "an IPv6 line keeps its network",
        {},
        [
            (
                0,
                {
                    "host": "p200300ec2f0f5e00e15a1b2e1d2ace20.dip0.t-ipconnect.de",
                    "ip": "2003:ec:2f0f:5e00:e15a:1b2e:1d2a:ce20",
                },
            ),
            (300, {"host": "p200300ec2f0f5e000000000000000001.dip0.t-ipconnect.de", "ip": "2003:ec:2f0f:5e00::1"}),
        ],
        [LATER, PASS],
    ),
    (
        "names in one public suffix are not a pool",
        {},
        [(0, {"host": "a.co.uk"}), (300, {"host": "b.co.uk", "ip": "203.0.113.9"})],
        [LATER, LATER],
    ),
    (
        "a sender with a new tag each time",
        {},
        [(0, {"from_": "prvs=0787b0b1b2=b@example.net"}), (300, {"from_": "prvs=0788c1c1c1=b@example.net"})],
        [LATER, PASS],
    ),
    (
        "a sender that a host forwards with a new key each time",
        {},
        [
            (0, {"from_": "SRS0=HHH0=TT=partner.example=ann@fwd.example"}),
            (300, {"from_": "SRS0=GGG0=TT=partner.example=ann@fwd.example"}),
        ],
        [LATER, PASS],
    ),
    (
        "a list's message numbers",
        {},
        [(0, {"from_": "n-return-1-a=b.example@example.net"}), (300, {"from_": "n-return-2-a=b.example@example.net"})],
        [LATER, PASS],
    ),
    ("no delay", {"delay_minutes": 0}, [(0, {})], [PASS]),
]


@pytest.mark.parametrize(("given", "steps", "expected"), [s[1:] for s in STEPS], ids=[s[0] for s in STEPS])
def test_greylist(given: dict[str, Any], steps: list[tuple[float, dict[str, str]]], expected: list[str]) -> None:
    assert fates(steps, **given) == expected


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_big_provider_is_one_client(provider: str) -> None:
    state = MemoryState()
    hosts = [text.split() for text in PROVIDERS[provider]]
    assert [asked(state, n * 300, host=host, ip=ip) for n, (host, ip) in enumerate(hosts)] == [LATER, PASS]


def send(state: MemoryState, seconds: float, number: int, given: Options) -> list[str]:
    """Send one message from another sender, twice; return both results."""
    sender = f"s{number}@example.net"
    return [asked(state, seconds + wait, given, from_=sender) for wait in (0, 300)]


@pytest.mark.parametrize("known_after", [1, 3])
def test_who_has_passed_a_few_times_is_known(known_after: int) -> None:
    state, given = MemoryState(), options(known_after=known_after)
    for number in range(known_after):
        assert send(state, number * HOUR, number, given) == [LATER, PASS]
    assert send(state, DAY, 99, given) == [PASS, PASS]
    assert asked(state, DAY, given, from_="z@example.net", rcpt="ann@example.org") == PASS
    assert asked(state, DAY, given, host="mx.other.example", ip="203.0.113.9", from_="z@example.net") == LATER
    # Known as long as it writes, and a lifetime longer.
    assert send(state, 36 * DAY, 100, given) == [PASS, PASS]
    assert send(state, 36 * DAY + 300 + 36 * DAY, 101, given) == [LATER, PASS]


@pytest.mark.parametrize(
    ("gap", "expected"), [(0, LATER), (60, LATER), (HOUR / 2, LATER), (HOUR - 1, LATER), (HOUR, PASS), (DAY, PASS)]
)
def test_deliveries_count_once_an_hour(gap: float, expected: str) -> None:
    """Three senders, each of whom tries twice; what is queued at once comes back at once."""
    state = MemoryState()
    for number in range(3):
        assert send(state, number * gap, number, options()) == [LATER, PASS]
    assert asked(state, 3 * gap + 301, from_="other@example.net") == expected


def test_one_sender_becomes_known_by_its_deliveries() -> None:
    state = MemoryState()
    fate = [asked(state, seconds) for seconds in (0, 300, 2 * HOUR, 4 * HOUR)]
    assert fate == [LATER, PASS, PASS, PASS]
    assert asked(state, 4 * HOUR, from_="other@example.net", rcpt="ann@example.org") == PASS


def test_nobody_is_known_if_so_configured() -> None:
    state, given = MemoryState(), options(known_after=0)
    for number in range(9):
        assert send(state, number * HOUR, number, given) == [LATER, PASS]


def test_one_message_with_many_recipients_makes_nobody_known() -> None:
    state = MemoryState()
    for wait in (0, 300):
        for number in range(9):
            asked(state, wait + number / 1000, rcpt=f"r{number}@example.org")
    assert asked(state, 301, from_="other@example.net") == LATER


def test_a_provider_that_never_retries_from_the_same_host() -> None:
    """200 hosts of one provider, each attempt from another one: each message is deferred once at most."""
    dice, state = random.Random(7), MemoryState()
    hosts = [(f"198.51.{n}.{n}", f"out{n}.mail.example.com") for n in range(200)]
    dice.shuffle(hosts)
    deferred = []
    for message in range(60):
        tries = 0
        while True:
            ip, host = hosts[(message * 3 + tries) % 200]
            at = message * HOUR + tries * 10 * MINUTE
            if asked(state, at, ip=ip, host=host, from_=f"s{message}@example.com") == PASS:
                break
            tries += 1
        deferred.append(tries)
    assert max(deferred) == 1
    assert deferred[3:] == [0] * 57


# ---- floods

FLOODS: list[tuple[str, dict[str, str], dict[str, str], dict[str, str]]] = [
    ("of recipients", {"rcpt": "r{}@example.org"}, {}, {"host": "mx.other.example", "ip": "203.0.113.9"}),
    ("of senders", {"from_": "s{}x@example.net", "host": ""}, {"ip": "192.0.2.9"}, {"ip": "192.0.3.9"}),
    ("of hosts", {"host": "h{}.example.net", "ip": "203.0.113.{}"}, {}, {"host": "mx.other.example"}),
    ("of IPv6 networks", {"host": "", "ip": "2001:db8:1:{}::7"}, {}, {"ip": "2001:db8:2::7"}),
    ("of addresses elsewhere", {"rcpt": "SRS0=abcd=aa=x.example=j{}@example.org"}, {}, {"host": "mx.other.example"}),
]


def many(state: MemoryState, values: dict[str, str], most: int, seconds: float = 0) -> list[str]:
    """Send messages, each with its number in the values; of hosts and networks there are not as many as numbers."""
    found = []
    for number in range(most):
        sender = "a@example.net" if "rcpt" in values else f"s{number}x@example.net"
        sent = {name: text.format(number % 200 if name == "ip" else number) for name, text in values.items()}
        found.append(asked(state, seconds, options(), **{"from_": sender, **sent}))
    return found


@pytest.mark.parametrize(("flood", "later", "other"), [row[1:] for row in FLOODS], ids=[row[0] for row in FLOODS])
def test_a_client_that_begins_too_much_waits_as_a_whole(
    flood: dict[str, str], later: dict[str, str], other: dict[str, str]
) -> None:
    state = MemoryState()
    assert set(many(state, flood, 3 * NEW_MAX)) == {LATER}
    rows = [found.key for found in state.sightings("greylist-waiting:", NOW, None, 9 * NEW_MAX)]
    assert len(rows) == NEW_MAX + 1
    assert sum(key.endswith(" * *") for key in rows) == 1
    # Those without a row of their own wait as long as others, and are not delayed again when they come back late.
    late = {**{name: text.format(7) for name, text in flood.items()}, **later, "from_": "new@example.net"}
    assert [asked(state, seconds, options(), **late) for seconds in (299, 300, 2 * HOUR, 30 * HOUR)] == [
        LATER,
        PASS,
        PASS,
        PASS,
    ]
    assert many(state, flood, 2 * NEW_MAX, 300)[-1] == PASS
    assert not any("new@example.net" in found.key for found in state.sightings("greylist-", NOW + HOUR, None, 9999))
    # What others send waits for itself.
    assert asked(state, 300, options(), **{**late, **other}) == LATER


def test_what_waits_with_its_client_does_not_say_how_long() -> None:
    state = MemoryState()
    many(state, {"rcpt": "r{}@example.org"}, NEW_MAX + 1)
    new = query(rcpt="new@example.org")
    assert judge(greylist, new, options(), state=state, now=NOW + 400) is None


def test_a_client_may_begin_many_in_a_day() -> None:
    state = MemoryState()
    for hour in range(5):
        values = {"rcpt": f"h{hour}r{{}}@example.org", "host": "", "from_": "s@example.net"}
        assert set(many(state, values, NEW_MAX, hour * HOUR)) == {LATER}
    found = state.sightings("greylist-waiting:", NOW + 4 * HOUR, None, 9 * NEW_MAX)
    assert len(found) == 5 * NEW_MAX


def test_full_of_those_who_wait_it_goes_on() -> None:
    """Clients from everywhere fill the state: what is new waits, who waits is accepted, who has passed is known."""
    state = MemoryState(300)
    assert [asked(state, wait, from_="b@example.net") for wait in (0, 300)] == [LATER, PASS]
    for number in range(900):
        assert asked(state, 301, host="", ip=f"10.{number // 256}.{number % 256}.1") == LATER
    assert asked(state, 301, host="mx.other.example") == LATER
    assert asked(state, 601, host="mx.other.example") == PASS
    assert asked(state, 602, from_="b@example.net") == PASS


TAGS = [
    ("steve+0@example.org", "steve+1@example.org", PASS),
    ("steve+a.b@example.org", "steve@example.org", PASS),
    ("steve@example.org", "ann+steve@example.org", LATER),
    ("+steve@example.org", "+ann@example.org", LATER),
]


@pytest.mark.parametrize(("first", "second", "expected"), TAGS)
def test_a_tag_makes_no_other_recipient(first: str, second: str, expected: str) -> None:
    assert fates([(0, {"rcpt": first}), (300, {"rcpt": second})]) == [LATER, expected]


# ---- bounces


def data(state: MemoryState, seconds: float, rcpts: str = "steve@example.org", sender: str = "") -> Outcome:
    made = query("data", from_=sender, rcpts=rcpts)
    found: Outcome = None
    for recipient in made.recipients:
        found = found or judge(greylist, made.for_recipient(recipient), options(), state=state, now=NOW + seconds)
    return found


def waits(values: dict[str, str], observed: tuple[str, ...] = (), **given: Any) -> bool:
    return judge(greylist, query(**values), options(**given), observed=observed) == AtData()


def test_a_bounce_passes_at_rcpt_and_waits_at_data() -> None:
    assert waits({"from_": ""})
    assert not waits({})
    state = MemoryState()
    assert isinstance(data(state, 0), Hit)
    assert isinstance(data(state, 299), Hit)
    assert data(state, 300) == Delayed(300)
    assert data(state, 301) is None


def test_a_bounce_to_several_waits_once() -> None:
    state = MemoryState()
    rcpts = "steve@example.org, ann@example.org"
    assert isinstance(data(state, 0, rcpts), Hit)
    assert data(state, 300, rcpts) == Delayed(300)
    assert data(state, 301, rcpts) is None


def test_other_mail_is_not_judged_at_data_again() -> None:
    assert data(MemoryState(), 0, sender="a@example.net") is None


# ---- what the delivered message says


@pytest.mark.parametrize(
    ("waits", "said"),
    [
        ([0, 312], "00:05:12"),
        ([0, 100, 3725], "01:02:05"),
        ([0, 47 * HOUR], "47:00:00"),
        ([0, 299.9, 300.4], "00:05:00"),
    ],
)
def test_how_long_it_waited(waits: list[float], said: str) -> None:
    state = MemoryState()
    outcomes = [judge(greylist, query(), options(), state=state, now=NOW + seconds) for seconds in waits]
    assert str(outcomes[-1]) == said
    assert judge(greylist, query(), options(), state=state, now=NOW + waits[-1] + 1) is None


def test_what_did_not_wait_says_nothing() -> None:
    assert judge(greylist, query(), options(delay_minutes=0)) is None


# ---- who does not try again

SHIPPED = resources.files("eximacl").joinpath("sample", "lists", "no_retry").read_text()


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("mail-sor-f41.google.com", PASS),
        ("mail-oln040092065104.outbound.protection.outlook.com", PASS),
        ("OUT-19.SMTP.GitHub.com.", PASS),
        ("6.mo582.mail-out.ovh.net", PASS),
        ("vps-56e061e0.vps.ovh.net", LATER),
        ("notgoogle.com", LATER),
        ("smtp12.smtpout.orange.fr", PASS),
        ("smtp12.orange.fr.example.net", LATER),
        ("fallback17.mail.ru", PASS),
        ("", LATER),
    ],
)
def test_who_does_not_try_again_never_waits(host: str, expected: str) -> None:
    entries = [line for line in SHIPPED.splitlines() if line and not line.startswith("#")]
    given = options(no_retry=Clients(entries))
    assert asked(MemoryState(), 0, given, host=host) == expected
    assert (judge(greylist, query(host=host, from_=""), given) is None) == (expected == PASS)


@pytest.mark.parametrize(("ip", "expected"), [("198.2.130.7", PASS), ("198.3.0.1", LATER), ("205.201.131.128", PASS)])
def test_networks_that_never_wait(ip: str, expected: str) -> None:
    entries = [line for line in SHIPPED.splitlines() if line and not line.startswith("#")]
    assert asked(MemoryState(), 0, options(no_retry=Clients(entries)), ip=ip, host="") == expected


# ---- only some recipients


@pytest.mark.parametrize(
    ("entry", "rcpt", "expected"),
    [
        ("steve", "steve@example.org", LATER),
        ("steve", "ann@example.org", PASS),
        ("@example.org", "ann@example.org", LATER),
        ("@example.com", "ann@example.org", PASS),
        ("steve@example.org", "STEVE@example.org", LATER),
    ],
)
def test_only_some_recipients_wait(entry: str, rcpt: str, expected: str) -> None:
    given = options(recipients=Recipients([entry]))
    assert asked(MemoryState(), 0, given, rcpt=rcpt) == expected
    wanted = expected == LATER
    assert (judge(greylist, query(rcpt=rcpt, from_=""), given) == AtData()) == wanted


def test_a_bounce_to_one_of_them_waits() -> None:
    given = options(recipients=Recipients(["ann"]))
    made = query("data", from_="", rcpts="steve@example.org, ann@example.org")
    for recipient in made.recipients:
        assert isinstance(judge(greylist, made.for_recipient(recipient), given, state=MemoryState()), Hit)


# ---- suspicious


@pytest.mark.parametrize(
    ("observed", "expected"), [((), PASS), (("rdns",), LATER), (("helo",), PASS), (("helo", "rdns"), LATER)]
)
def test_only_the_suspicious_are_delayed(observed: tuple[str, ...], expected: str) -> None:
    given = options(when="suspicious", suspicious=("rdns", "dnsbl"))
    outcome = judge(greylist, query(), given, observed=observed)
    assert (outcome.reason if isinstance(outcome, Hit) else str(outcome)) == expected


def test_a_bounce_of_the_unsuspicious_is_not_asked_about_again() -> None:
    given: dict[str, Any] = {"when": "suspicious", "suspicious": ("rdns",)}
    assert not waits({"from_": ""}, **given)
    assert waits({"from_": ""}, ("rdns",), **given)


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"when": "suspicious"}, "suspicious: "),
        ({"delay_minutes": 60, "retry_hours": 1}, "retry_hours: "),
    ],
)
def test_options_that_do_not_go_together(given: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        options(**given)


# ---- what is unknown


@pytest.mark.parametrize("verb", ["remember", "seen", "count", "first_seen"])
def test_a_dead_state_is_unknown(verb: str) -> None:
    assert asked(Dead(verb), 0) == str(Unknown("the disk is gone"))


def test_a_pass_that_cannot_be_noted_is_a_pass() -> None:
    state = Dead("tally")
    assert [asked(state, wait) for wait in (0, 300)] == [LATER, PASS]


@pytest.mark.parametrize("ip", ["", "\udcff", "192.0.2.256"])
def test_without_an_address_nobody_is_delayed(ip: str) -> None:
    assert asked(MemoryState(), 0, ip=ip) == PASS


@pytest.mark.parametrize("hostile", ["\udcff\udcfe@example.net", "a b@example.net", '"a\\"@b"@example.net', "x" * 300])
def test_hostile_senders_are_delayed_like_others(hostile: str) -> None:
    state = MemoryState()
    assert [asked(state, wait, from_=hostile) for wait in (0, 300)] == [LATER, PASS]


def test_dry_remembers_nothing() -> None:
    state = MemoryState()
    assert [asked(state, wait, dry="1") for wait in (0, 300)] == [LATER, LATER]
    assert asked(state, 600) == LATER


def test_one_who_is_known_costs_one_question() -> None:
    state, questions = MemoryState(), []
    state.first_seen("greylist-known:example.net", NOW, NOW + DAY)
    source = answers(state, NOW)

    def answer(request: AnyRequest) -> Any:
        questions.append(request.question)
        return source(request)

    assert drive_now(greylist(query(), options(), ASK), answer) is None
    assert questions == [Remember("greylist-known:example.net", 36 * DAY)]


def test_before_a_recipient_is_known() -> None:
    assert judge(greylist, query("mail"), options()) is None


def test_declaration() -> None:
    declaration = declared(greylist)
    assert declaration is not None
    assert declaration.stages == {"rcpt", "data"}
    assert declaration.action == "off"
    assert documented_defaults(greylist) == {
        **DEFAULTS,
        "suspicious": [],
        "recipients": [],
        "no_retry": "lists/no_retry",
    }
    assert tuple(declaration.listens_to(options(when="suspicious", suspicious=("rdns",)))) == ("rdns",)
    assert tuple(declaration.listens_to(options())) == ()
