"""An exemption spares from the verdict, never from understanding: check × way of being spared × kind of name.

Each row is a policy whose last check objects to everybody but `steve`, and two messages to one name. Their verdicts say
what the name was understood as, and whether it was counted.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from pathlib import Path

import pytest

from eximacl.config import load
from eximacl.daemon.answers import Answers
from eximacl.mail import batv
from eximacl.policy.drive import drive_now
from eximacl.policy.engine import decide
from eximacl.policy.outcome import Decision
from eximacl.policy.plan import Policy
from eximacl.state import MemoryState
from eximacl.testing import NOW, Dns, query

KEY = "a key that is long enough"
GOOD = batv.sign("steve@example.org", KEY.encode(), NOW)
FORGED = batv.sign("steve@example.org", b"another host's key", NOW)
OVER = batv.sign("steve@example.org", KEY.encode(), NOW - 9 * batv.DAY_SECONDS)
NOBODY = FORGED.replace("steve", "nobody")

POLICY = """
[policy]
domains = ["example.org", "example.com"]
order = [{order}]

[checks.valid_recipient]
recipients = ["steve"]

[checks.bounce_tag]
recipients = ["steve"]
keys = "keys"
{bounce_tag}

[checks.disposable]
timezone = "UTC"
{disposable}
"""
VOUCHED = '\n[checks.dnswl]\nzones = ["wl.example"]\n'
ORDER = ("bounce_tag", "disposable", "valid_recipient")
EXEMPTIONS = {
    "hosts": 'exempt = { hosts = ["mx.example.net"] }',
    "ips": 'exempt = { ips = ["192.0.2.0/24"] }',
    "sender": 'exempt = { senders = ["a@example.net"] }',
    "sender's domain": 'exempt = { sender_domains = ["example.net"] }',
    "recipients, as they are written": 'exempt = { recipients = ["@example.org"] }',
}
ACTIONS = {"observed": 'action = "observe"', "off in one domain": 'action = "off"'}


def policy_of(
    directory: Path, check: str, text: str, *, in_domain: bool = False, order: tuple[str, ...] = ORDER
) -> Policy:
    """Write a policy in which `check` has the options `text`, for all domains or for example.org alone."""
    tables = {name: text if name == check and not in_domain else "" for name in ORDER}
    main = POLICY.format(order=", ".join(f'"{name}"' for name in order), **tables)
    (directory / "eximacl.toml").write_text(main + (VOUCHED if "dnswl" in order else ""))
    (directory / "keys").write_text(f"{KEY}\n")
    (directory / "keys").chmod(0o600)
    if in_domain:
        (directory / "domains").mkdir()
        (directory / "domains" / "example.org.toml").write_text(f"[checks.{check}]\n{text}\n")
    return load(directory / "eximacl.toml").policy


class World:
    """One policy, and what is counted."""

    def __init__(self, policy: Policy, records: Mapping[tuple[str, str], list[str]] | None = None) -> None:
        self.policy = policy
        self.state = MemoryState()
        self.names = Dns(records or {})
        self.number = 0

    def sent(self, rcpt: str, sender: str = "a@example.net") -> Decision:
        """Judge one message, and count it as accepted where it is."""
        self.number += 1
        transaction = str(self.number)
        asked = query(rcpt=rcpt, from_=sender, host="mx.example.net", tx=transaction)
        decision = drive_now(decide(self.policy, asked), Answers(self.state, self.names, asked))
        if "end" in decision.want:
            self.state.commit(transaction, NOW)
        return decision

    def verdicts(self, rcpt: str, sender: str = "a@example.net") -> list[str]:
        """Return the verdicts of two such messages: `accept`, or who objected."""
        return [self.sent(rcpt, sender).check or "accept" for _ in range(2)]


def judged(policy: Policy, rcpt: str, sender: str = "a@example.net") -> list[str]:
    return World(policy).verdicts(rcpt, sender)


TAKEN, REFUSED = ["accept", "accept"], ["valid_recipient", "valid_recipient"]
# The name, and what its mail gets where `disposable` may not object.
NAMES = {
    "ordinary": ("steve@example.org", TAKEN),
    "unknown": ("nobody@example.org", REFUSED),
    "counted": ("steve.1.count@example.org", TAKEN),
    "counted, unknown owner": ("nobody.1.count@example.org", REFUSED),
    "dated": ("steve.date.01-06-2027@example.org", TAKEN),
    "dated, over": ("steve.date.01-01-2020@example.org", TAKEN),
    "dated, over, unknown owner": ("nobody.date.01-01-2020@example.org", REFUSED),
    "dated, too far": ("steve.date.01-01-2099@example.org", TAKEN),
    "no such count": ("steve.0.count@example.org", TAKEN),
    "no such day": ("steve.date.31-02-2027@example.org", TAKEN),
    "no signature": ("steve.1.count.what@example.org", TAKEN),
    "nobody's": (".1.count@example.org", REFUSED),
    "one in another": ("steve.1.count.1.count@example.org", REFUSED),
    "one in another, no such count": ("steve.1.count.0.count@example.org", REFUSED),
    "tagged and counted": ("prvs=0840abcdef=steve.1.count@example.org", TAKEN),
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("way", EXEMPTIONS)
def test_disposable_resolves_for_those_whom_it_exempts_and_counts_nothing(tmp_path: Path, way: str, name: str) -> None:
    rcpt, expected = NAMES[name]
    assert judged(policy_of(tmp_path, "disposable", EXEMPTIONS[way]), rcpt) == expected


@pytest.mark.parametrize("name", NAMES)
def test_disposable_resolves_where_it_is_off_and_counts_nothing(tmp_path: Path, name: str) -> None:
    rcpt, expected = NAMES[name]
    assert judged(policy_of(tmp_path, "disposable", 'action = "off"', in_domain=True), rcpt) == expected


@pytest.mark.parametrize("name", NAMES)
def test_disposable_resolves_where_it_is_observed_and_counts_all_the_same(tmp_path: Path, name: str) -> None:
    rcpt, expected = NAMES[name]
    world = World(policy_of(tmp_path, "disposable", 'action = "observe"'))
    assert world.verdicts(rcpt) == expected
    objections = [line.reason for line in world.sent(rcpt).trace if line.result == "observe"]
    # `used-up` for a count, and else what it would have refused.
    assert objections == {
        "counted": ["counted-used-up"],
        "tagged and counted": ["counted-used-up"],
        "dated, over": ["dated-expired"],
        "dated, over, unknown owner": ["dated-expired"],
        "dated, too far": ["dated-too-far"],
        "no such count": ["counted-invalid"],
        "no such day": ["dated-invalid"],
        "no signature": ["signature-bad"],
        "nobody's": ["disposable-nameless"],
        "one in another": ["disposable-nested"],
        "one in another, no such count": ["disposable-nested"],
    }.get(name, [])


@pytest.mark.parametrize("name", NAMES)
def test_nobody_vouches_for_the_count_of_an_address(tmp_path: Path, name: str) -> None:
    """A client that is vouched for gets the verdicts of any other, whether `dnswl` or `disposable` comes first."""
    rcpt, _ = NAMES[name]
    (tmp_path / "first").mkdir()
    (tmp_path / "alone").mkdir()
    listed = {("7.2.0.192.wl.example", "A"): ["127.0.5.2"]}
    world = World(policy_of(tmp_path / "first", "", "", order=("dnswl", *ORDER)), listed)
    # What comes after them has no say, though.
    plain = World(policy_of(tmp_path / "alone", "", "", order=(*ORDER[:2], "dnswl", ORDER[2])), listed)
    assert world.verdicts(rcpt) == plain.verdicts(rcpt)


# A tagged name, and what a bounce to it gets where `bounce_tag` may not object.
TAGS = {
    "no tag": ("steve@example.org", TAKEN),
    "no tag, unknown": ("nobody@example.org", REFUSED),
    "good": (GOOD, TAKEN),
    "forged": (FORGED, TAKEN),
    "over": (OVER, TAKEN),
    "forged, unknown": (NOBODY, REFUSED),
    "two": (batv.sign(GOOD, KEY.encode(), NOW), TAKEN),
    "a subaddress": (FORGED.replace("steve@", "steve+shop@"), TAKEN),
}
WAYS = [*EXEMPTIONS, *ACTIONS]


@pytest.mark.parametrize(("way", "name", "sender"), list(product(WAYS, TAGS, ("", "a@example.net"))))
def test_bounce_tag_resolves_however_it_is_spared(tmp_path: Path, way: str, name: str, sender: str) -> None:
    rcpt, expected = TAGS[name]
    if not sender and "sender" in way:
        expected = ["bounce_tag"] * 2 if name not in ("good", "no tag, unknown", "forged, unknown", "two") else expected
    text = EXEMPTIONS.get(way) or ACTIONS[way]
    policy = policy_of(tmp_path, "bounce_tag", text, in_domain=way == "off in one domain")
    assert judged(policy, rcpt, sender) == expected


@pytest.mark.parametrize(("name", "sender"), list(product(TAGS, ("", "a@example.net"))))
def test_bounce_tag_resolves_for_those_whom_a_list_vouches_for(tmp_path: Path, name: str, sender: str) -> None:
    rcpt, _ = TAGS[name]
    listed = {("7.2.0.192.wl.example", "A"): ["127.0.5.2"]}
    world = World(policy_of(tmp_path, "", "", order=("dnswl", *ORDER)), listed)
    assert world.verdicts(rcpt, sender) == TAKEN
    counted = rcpt.replace("steve", "steve.1.count")
    if counted != rcpt and name != "a subaddress":
        assert world.verdicts(counted, sender) == ["accept", "disposable"]


def test_an_exempt_recipient_is_exempt_under_its_tag_too(tmp_path: Path) -> None:
    """Among them postmaster and abuse, which need no entry in a list of recipients."""
    policy = policy_of(tmp_path, "", "")
    for rcpt in (
        "postmaster@example.org",
        "prvs=0840abcdef=postmaster@example.org",
        "PRVS=0840ABCDEF=Abuse@example.org",
    ):
        decision = World(policy).sent(rcpt, "")
        assert (decision.word, decision.trace[-1].result) == ("accept", "exempt")


def test_an_exempt_recipients_counted_addresses_are_counted(tmp_path: Path) -> None:
    """The limit is the owner's own; what is exempt is the owner's mail, not that address."""
    assert judged(policy_of(tmp_path, "", ""), "abuse.1.count@example.org") == ["accept", "disposable"]


def test_the_trace_says_that_it_was_exempt_and_whom_it_stands_for(tmp_path: Path) -> None:
    decision = World(policy_of(tmp_path, "disposable", EXEMPTIONS["sender"])).sent("steve.1.count@example.org")
    assert [line[:4] for line in decision.trace[1:]] == [
        ("disposable", "exempt", "exempt", "senders: a@example.net"),
        ("disposable", "alias", "alias", "steve"),
        ("valid_recipient", "pass", "", ""),
    ]


def test_a_check_that_is_off_everywhere_is_not_run(tmp_path: Path) -> None:
    policy = policy_of(tmp_path, "disposable", 'action = "off"')
    assert judged(policy, "steve.1.count@example.org") == REFUSED
    assert [step.name for step, _, _ in policy.base.stages["rcpt"].turns] == ["bounce_tag", "valid_recipient"]


def test_a_check_that_only_resolves_is_not_run_where_nobody_comes_after_it(tmp_path: Path) -> None:
    (tmp_path / "domains").mkdir()
    (tmp_path / "domains" / "example.org.toml").write_text('[checks.disposable]\naction = "off"\n')
    main = '[policy]\ndomains = ["example.org", "example.com"]\norder = ["valid_recipient", "disposable"]\n'
    (tmp_path / "eximacl.toml").write_text(main)
    policy = load(tmp_path / "eximacl.toml").policy
    assert [step.name for step, _, _ in policy.overlays["example.org"].stages["rcpt"].turns] == ["valid_recipient"]


def test_a_mailbox_that_looks_disposable_exists_where_disposable_is_off(tmp_path: Path) -> None:
    policy = policy_of(tmp_path, "disposable", 'action = "off"', in_domain=True)
    listed = tmp_path / "domains" / "example.org.toml"
    listed.write_text(listed.read_text() + '[checks.valid_recipient]\nrecipients = ["room.3.count"]\n')
    policy = load(tmp_path / "eximacl.toml").policy
    assert judged(policy, "room.3.count@example.org") == TAKEN


DATA = """
from eximacl.check import Hit, check

@check("only_steve", stages={"data"})
async def only_steve(query, options, ask):
    \"\"\"Object to everybody but steve.\"\"\"
    return None if query.mailbox == "steve" else Hit("not-steve", query.mailbox, "not steve")
"""


@pytest.mark.parametrize(
    ("rcpt", "word"),
    [
        ("steve@example.org", "accept"),
        ("nobody@example.org", "reject"),
        (FORGED, "accept"),
        (NOBODY, "reject"),
        ("steve.1.count@example.org", "accept"),
        ("steve.date.01-01-2020@example.org", "accept"),
        ("prvs=0840abcdef=postmaster@example.org", "accept"),
    ],
)
def test_at_data_names_are_understood_as_at_rcpt(tmp_path: Path, rcpt: str, word: str) -> None:
    (tmp_path / "checks").mkdir()
    (tmp_path / "checks" / "only_steve.py").write_text(DATA)
    order = '["bounce_tag", "disposable", "only_steve"]'
    main = f'[policy]\ndomains = ["example.org"]\nchecks_dir = "checks"\norder = {order}\n'
    (tmp_path / "eximacl.toml").write_text(main)
    asked = query("data", rcpts=rcpt, from_="")
    decision = drive_now(decide(load(tmp_path / "eximacl.toml").policy, asked), Answers(MemoryState(), Dns({}), asked))
    assert decision.word == word


LISTS = """
[policy]
domains = ["example.org", "example.com"]
order = ["bounce", "bounce_tag", "bad_recipient", "valid_recipient", "blocked_recipient"]
[exempt]
recipients = ["boss"]
[checks.bounce]
recipients = ["news"]
[checks.bounce_tag]
recipients = ["steve"]
keys = "keys"
[checks.bad_recipient]
recipients = ["joe"]
[checks.valid_recipient]
recipients = ["steve", "juha", "news", "blocked"]
exempt = { recipients = ["shop"] }
"""
HERE = """
[policy]
separators = "-"
"""


@pytest.mark.parametrize(
    ("name", "sender", "check"),
    [
        ("boss", "a@example.net", ""),
        ("shop", "a@example.net", ""),
        ("juha", "a@example.net", ""),
        ("news", "", "bounce"),
        ("steve", "", "bounce_tag"),
        ("joe", "a@example.net", "bad_recipient"),
        ("blocked", "a@example.net", "blocked_recipient"),
        ("nobody", "a@example.net", "valid_recipient"),
    ],
)
def test_each_list_of_recipients_means_their_subaddresses_too(
    tmp_path: Path, name: str, sender: str, check: str
) -> None:
    (tmp_path / "eximacl.toml").write_text(LISTS)
    (tmp_path / "keys").write_text(f"{KEY}\n")
    (tmp_path / "keys").chmod(0o600)
    (tmp_path / "domains").mkdir()
    (tmp_path / "domains" / "example.com.toml").write_text(HERE)
    world = World(load(tmp_path / "eximacl.toml").policy)
    for domain in ("example.org", "example.com"):
        world.state.block(f"all:blocked@{domain}", NOW, NOW + 60, "by hand")
    for rcpt in ("{}@example.org", "{}+x@example.org", "{}@example.com", "{}-x@example.com"):
        assert world.sent(rcpt.format(name), sender).check == check
    # What is not a tag in a domain makes another name.
    for rcpt in ("{}-x@example.org", "{}+x@example.com"):
        assert world.sent(rcpt.format(name), sender).check == "valid_recipient"
