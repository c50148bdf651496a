"""`bounce_tag`: which bounces need a tag, which tags are good, and that no tag hides a recipient from other checks."""

from __future__ import annotations

import hmac
from pathlib import Path
from typing import Any

import pytest

from eximacl.check import Alias, Hit, Recipients, Secrets, declared
from eximacl.checks.bounce_tag import Options, bounce_tag
from eximacl.config import load
from eximacl.daemon.answers import Answers, NoNetwork
from eximacl.mail import batv as prvs
from eximacl.policy.drive import drive_now
from eximacl.policy.engine import decide
from eximacl.policy.outcome import Decision, Outcome
from eximacl.policy.plan import Policy
from eximacl.state import MemoryState
from tests.asking import NOW, judge, query

KEY, OLD, OTHER = "a key that is long enough", "the key of last year", "another host's key"
DAY = prvs.DAY_SECONDS


def tag(address: str = "steve@example.org", key: str = KEY, made: float = NOW) -> str:
    return prvs.sign(address, key.encode(), made)


def options(
    recipients: tuple[str, ...] = ("steve",), keys: tuple[str, ...] = (KEY, OLD), secrets: tuple[str, ...] = ()
) -> Options:
    return Options(recipients=Recipients(recipients), keys=Secrets(keys), srs_secrets=Secrets(secrets))


NO_KEYS = options((), ())
UNTAGGED, BAD, OVER = "bounce-untagged", "bounce-tag-bad", "bounce-tag-over"
STEVE = Alias("steve")
# The recipient, the sender, what comes of it.
ROWS: dict[str, tuple[str, str, Any]] = {
    "no tag": ("steve@example.org", "", UNTAGGED),
    "no tag, another spelling": ("STEVE@Example.ORG", "", UNTAGGED),
    "no tag, not listed": ("juha@example.org", "", None),
    "no tag, a subaddress": ("steve+shop@example.org", "", UNTAGGED),
    "no tag, another separator": ("steve-shop@example.org", "", None),
    "a good tag, a subaddress": (tag("steve+shop@example.org"), "", Alias("steve+shop")),
    "a bad tag, a subaddress": (tag("steve+shop@example.org", OTHER), "", BAD),
    "no tag, no bounce": ("steve@example.org", "a@example.net", None),
    "a good tag": (tag(), "", STEVE),
    "of an old key": (tag(key=OLD), "", STEVE),
    "of nobody's key": (tag(key=OTHER), "", BAD),
    "of another's address": (tag("juha@example.org").replace("juha", "steve"), "", BAD),
    "of the same name elsewhere": (tag("steve@example.com").replace(".com", ".org"), "", BAD),
    "in another spelling": (tag().replace("steve", "Steve"), "", BAD),
    "spelt so when it was made": (tag("Steve@example.org"), "", Alias("Steve")),
    "a tag in capitals": (tag().replace("prvs=", "PRVS="), "", STEVE),
    "on its last day": (tag(made=NOW - 7 * DAY), "", STEVE),
    "over": (tag(made=NOW - 8 * DAY), "", OVER),
    "over and of nobody's key": (tag(key=OTHER, made=NOW - 8 * DAY), "", BAD),
    "not listed, a good tag": (tag("juha@example.org"), "", Alias("juha")),
    "not listed, a bad tag": (tag("juha@example.org", OTHER), "", Alias("juha")),
    "no bounce, a bad tag": (tag(key=OTHER), "a@example.net", STEVE),
    "no bounce, over": (tag(made=NOW - 8 * DAY), "a@example.net", STEVE),
    "a tag in a tag": (tag(tag()), "", STEVE),
    "a good tag in a bad one": (tag(tag(), OTHER), "", BAD),
    "three tags, no bounce": (tag(tag(tag(key=OTHER))), "a@example.net", STEVE),
    "Barracuda's tag, which nobody here can verify": ("btv1==0787b0b1b22==steve@example.org", "", UNTAGGED),
    "Barracuda's tag, not listed": ("btv1==0787b0b1b22==juha@example.org", "", Alias("juha")),
    "Barracuda's tag, no bounce": ("BTV1==0787B0B1B22==steve@example.org", "a@example.net", STEVE),
    "Barracuda's tag on ours": (f"btv1==0787b0b1b22=={tag()}", "", UNTAGGED),
    "nearly Barracuda's tag": ("btv1=0787b0b1b22=juha@example.org", "", None),
    "nobody behind the tag": ("prvs=0840abcdef=@example.org", "", None),
    "nearly a tag": ("prvs=0840abcde=steve@example.org", "", None),
    "hostile bytes behind the tag": ("prvs=0840abcdef=\udcff\x00@example.org", "", Alias("\udcff\x00")),
    "hostile bytes behind a listed name": ("prvs=0840abcdef=steve+\udcff\x00@example.org", "", BAD),
    "hostile bytes behind a good tag": (tag("\udcff\x7f\n@example.org"), "", Alias("\udcff\x7f\n")),
    "hostile bytes": ("\udcff\udcfe@example.org", "", None),
    "other digits": ("prvs=٠840abcdef=steve@example.org", "", None),
    "no domain": ("steve", "", UNTAGGED),
    "an address literal": ("steve@[192.0.2.7]", "", UNTAGGED),
}


def shown(outcome: Outcome) -> Any:
    return outcome.reason if isinstance(outcome, Hit) else outcome


@pytest.mark.parametrize(("rcpt", "sender", "expected"), ROWS.values(), ids=ROWS)
def test_bounce_tag(rcpt: str, sender: str, expected: Any) -> None:
    assert shown(judge(bounce_tag, query(rcpt=rcpt, from_=sender), options())) == expected


@pytest.mark.parametrize("sender", ["", "a@example.net"])
@pytest.mark.parametrize("rcpt", [tag(), tag(key=OTHER), tag(made=NOW - 300 * DAY)])
def test_without_keys_a_tag_hides_nobody_and_is_not_judged(rcpt: str, sender: str) -> None:
    assert judge(bounce_tag, query(rcpt=rcpt, from_=sender), NO_KEYS) == STEVE


def test_without_keys_nothing_is_refused() -> None:
    assert judge(bounce_tag, query(from_=""), NO_KEYS) is None


def test_what_the_client_and_the_log_are_told() -> None:
    hit = judge(bounce_tag, query(rcpt=tag(made=NOW - 8 * DAY), from_=""), options())
    assert isinstance(hit, Hit)
    assert (hit.text, hit.detail) == ("steve did not send the original message", "832")
    assert hit.sentence == "Bounce for steve not accepted at example.org: 832"


@pytest.mark.parametrize("stage", ["mail", "connect"])
def test_before_a_recipient_is_known(stage: Any) -> None:
    assert judge(bounce_tag, query(stage), options()) is None


def test_before_a_sender_is_known() -> None:
    asked = query(from_="")
    asked = asked._replace(sender=None)
    assert judge(bounce_tag, asked, options()) is None


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"keys": ()}, "keys: recipients needs a file with at least one key"),
        ({"keys": ("k" * 65,)}, "keys: a key is longer than 64 bytes, which Exim cannot use"),
        ({"keys": ("ä" * 33,)}, "keys: a key is longer than 64 bytes, which Exim cannot use"),
    ],
)
def test_options_that_cannot_work(given: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=f"^{problem}$"):
        options(**given)


def test_the_longest_key_that_exim_can_use() -> None:
    longest = "k" * 64
    asked = query(rcpt=tag(key=longest), from_="")
    assert judge(bounce_tag, asked, options(keys=(longest,))) == STEVE


def test_declaration() -> None:
    declaration = declared(bounce_tag)
    assert declaration is not None
    assert declaration.stages == {"rcpt"}
    assert (declaration.action, declaration.on_unknown) == ("reject", "accept")


def forwarded(secret: str = KEY, made: float = NOW, address: str = "joe@example.net") -> str:
    """Return the localpart that Exim's ${srs_encode} makes; tests/mail/test_srs.py asks Exim itself."""
    day = int(made) // DAY & 1023
    letters = "abcdefghijklmnopqrstuvwxyz234567"
    digest = hmac.new(secret.encode(), address.lower().encode(), "md5").hexdigest()[:4]
    name, _, domain = address.partition("@")
    return f"SRS0={digest}={letters[day >> 5]}{letters[day & 31]}={domain}={name}"


JOE = Alias("", address="joe@example.net")
# A localpart, what comes of a bounce to it without secrets, of other mail, and of either with secrets.
FORWARDED: dict[str, tuple[str, Any, Any, Any]] = {
    "Exim's": (forwarded(), JOE, None, JOE),
    "of an old secret": (forwarded(OLD), JOE, None, JOE),
    "on its last day": (forwarded(made=NOW - 10 * DAY), JOE, None, JOE),
    "over": (forwarded(made=NOW - 11 * DAY), JOE, None, "srs-over"),
    "of a day to come": (forwarded(made=NOW + 2 * DAY), JOE, None, "srs-over"),
    "forged": (forwarded(OTHER), JOE, None, "srs-bad"),
    "of another address": (forwarded().replace("joe", "ann"), Alias("", address="ann@example.net"), None, "srs-bad"),
    "in lower case": (forwarded().lower(), JOE, None, JOE),
    "of another forwarder": (
        "SRS1=AAAA=first.example==abcd=jr=example.net=joe",
        Alias("", address="SRS0=abcd=jr=example.net=joe@first.example"),
        None,
        "srs-bad",
    ),
    "tagged, too": (f"prvs=0840abcdef={forwarded()}", JOE, Alias(forwarded()), JOE),
    "a gateway's tag, too": (f"btv1==0787b0b1b22=={forwarded()}", JOE, Alias(forwarded()), JOE),
    "nearly": ("SRS0=abcd=joe", None, None, None),
}


@pytest.mark.parametrize(("localpart", "bounce", "mail", "by_secret"), FORWARDED.values(), ids=FORWARDED)
def test_addresses_of_forwarded_mail(localpart: str, bounce: Any, mail: Any, by_secret: Any) -> None:
    for sender, by_form in (("", bounce), ("a@example.net", mail)):
        asked = query(rcpt=f"{localpart}@example.org", from_=sender)
        assert shown(judge(bounce_tag, asked, options())) == by_form
        assert shown(judge(bounce_tag, asked, options(secrets=(KEY, OLD)))) == by_secret


@pytest.mark.parametrize(("tag", "stands_for"), [("", None), ("prvs=0840abcdef=", Alias(forwarded(OTHER)))])
def test_a_forged_address_of_forwarded_mail_is_an_unknown_recipient(tag: str, stands_for: Alias | None) -> None:
    hit = judge(bounce_tag, query(rcpt=f"{tag}{forwarded(OTHER)}@example.org"), options(secrets=(KEY,)))
    assert isinstance(hit, Hit)
    assert (hit.text, hit.status) == (f"mail to {tag}{forwarded(OTHER)} not accepted here", "1.1")
    assert hit.stands_for == stands_for


# Each in its place in the usual order, with a recipient that it objects to and one that it does not.
OTHERS = """
[policy]
domains = ["example.org"]
[checks.bad_recipient]
recipients = ["sales"]
[checks.valid_recipient]
recipients = ["sales", "steve", "steve9", "blocked", "stormy"]
[checks.localpart_pattern]
patterns = ["[0-9]$"]
[checks.bounce_storm]
limit = 1
[checks.disposable]
timezone = "UTC"
"""


@pytest.fixture
def policy(tmp_path: Path) -> Policy:
    (tmp_path / "eximacl.toml").write_text(OTHERS)
    return load(tmp_path / "eximacl.toml").policy


def decided(policy: Policy, rcpt: str, state: MemoryState, sender: str = "a@example.net", tx: str = "1") -> Decision:
    asked = query(rcpt=rcpt, from_=sender, tx=tx)
    return drive_now(decide(policy, asked), Answers(state, NoNetwork(), asked))


FORWARDS = """
[policy]
domains = ["example.org"]
[checks.bounce_tag]
recipients = ["@example.org"]
keys = "keys"
{secrets}
[checks.bounce]
recipients = ["@example.org"]
[checks.valid_recipient]
recipients = ["steve"]
[checks.localpart_pattern]
patterns = ["=", "[0-9]$"]
[checks.bounce_storm]
limit = 1
[checks.rate.windows.hour]
minutes = 60
recipient = 1
[checks.disposable]
timezone = "UTC"
"""


@pytest.mark.parametrize(
    ("localpart", "by_form", "by_secret"),
    [
        (forwarded(), "", ""),
        (forwarded(address="x.3.count@example.net"), "", ""),
        (forwarded(address="joe9@example.net"), "", ""),
        (forwarded(OTHER), "", "bounce_tag"),
        (forwarded(made=NOW - 30 * DAY), "", "bounce_tag"),
        ("SRS1=AAAA=first.example==abcd=jr=example.net=joe", "", "bounce_tag"),
        ("SRS0=abcd=joe", "bounce_tag", "bounce_tag"),
    ],
)
def test_bounces_to_forwarded_mail_are_no_mailboxs_business(
    tmp_path: Path, localpart: str, by_form: str, by_secret: str
) -> None:
    """No check of our mailboxes objects: none of them is named by such an address."""
    for name in ("keys", "secrets"):
        (tmp_path / name).write_text(f"{KEY}\n")
        (tmp_path / name).chmod(0o600)
    for secrets, check in (("", by_form), ('srs_secrets = "secrets"', by_secret)):
        (tmp_path / "eximacl.toml").write_text(FORWARDS.format(secrets=secrets))
        policy, state = load(tmp_path / "eximacl.toml").policy, MemoryState()
        for number in range(3):
            decision = decided(policy, f"{localpart}@example.org", state, "", str(number))
            assert (decision.check, decision.word) == (check, "reject" if check else "accept")


WAYS = ['action = "observe"', 'action = "off"', 'exempt = { hosts = ["mx.example.net"] }']


@pytest.mark.parametrize("sender", ["", "a@example.net"])
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("tags", ["", "prvs=0840abcdef="])
def test_where_a_forged_one_is_not_refused_it_is_a_name(tmp_path: Path, way: str, sender: str, tags: str) -> None:
    """Anybody can write one: it does not lead past the list of recipients."""
    localparts = {forwarded(OTHER): "reject", forwarded(made=NOW - 30 * DAY): "reject", forwarded(): "accept"}
    for localpart, word in localparts.items():
        assert overlaid(tmp_path, way, f"{tags}{localpart}@example.org", sender) == word


@pytest.mark.parametrize("way", ["", *WAYS])
def test_without_secrets_only_a_bounce_gets_past_the_list(tmp_path: Path, way: str) -> None:
    rcpt = f"{forwarded()}@example.org"
    found = [overlaid(tmp_path, way, rcpt, sender, secrets="") for sender in ("", "a@example.net")]
    assert found == ["accept", "reject"]


def overlaid(tmp_path: Path, way: str, rcpt: str, sender: str, secrets: str = 'srs_secrets = "secrets"') -> str:
    """Return the verdict where the check is set this way in the recipient's domain, and left alone in another."""
    (tmp_path / "secrets").write_text(f"{KEY}\n")
    (tmp_path / "secrets").chmod(0o600)
    (tmp_path / "domains").mkdir(exist_ok=True)
    (tmp_path / "domains" / "example.org.toml").write_text(f"[checks.bounce_tag]\n{way}\n")
    text = f'[checks.bounce_tag]\n{secrets}\n[checks.valid_recipient]\nrecipients = ["steve"]\n'
    (tmp_path / "eximacl.toml").write_text(f'[policy]\ndomains = ["example.org", "example.com"]\n{text}')
    asked = query(rcpt=rcpt, from_=sender, host="mx.example.net")
    policy = load(tmp_path / "eximacl.toml").policy
    return drive_now(decide(policy, asked), Answers(MemoryState(), NoNetwork(), asked)).word


TAGS = {
    "none": "",
    "gateway": "btv1==0787b0b1b22==",
    "one": "prvs=0840abcdef=",
    "capitals": "PRVS=0840ABCDEF=",
    "two": "prvs=0840abcdef=" * 2,
}


@pytest.mark.parametrize("tags", TAGS.values(), ids=TAGS)
@pytest.mark.parametrize(
    ("localpart", "check"),
    [
        ("sales", "bad_recipient"),
        ("sales+x", "bad_recipient"),
        ("nobody", "valid_recipient"),
        ("steve9", "localpart_pattern"),
        ("blocked", "blocked_recipient"),
        ("steve.0.count", "disposable"),
        ("steve.date.01-01-2027", "disposable"),
        ("sales.3.count", "bad_recipient"),
        ("steve", ""),
        ("steve.3.count", ""),
    ],
)
def test_no_tag_hides_a_recipient_from_the_other_checks(policy: Policy, localpart: str, check: str, tags: str) -> None:
    state = MemoryState()
    state.block("all:blocked@example.org", NOW, NOW + 60, "by hand")
    decision = decided(policy, f"{tags}{localpart}@example.org", state)
    assert (decision.check, decision.word) == (check, "reject" if check else "accept")


def test_tagged_bounces_count_as_their_owners_storm(policy: Policy) -> None:
    state = MemoryState()
    words = [decided(policy, f"{tags}stormy@example.org", state, "").check for tags in TAGS.values()]
    assert words == ["", *["bounce_storm"] * (len(TAGS) - 1)]


def test_tagged_mail_uses_up_the_same_count(policy: Policy) -> None:
    state = MemoryState()
    for number, (tags, word) in enumerate(zip(TAGS.values(), ("accept", *["reject"] * (len(TAGS) - 1)), strict=True)):
        transaction = str(number)
        decision = decided(policy, f"{tags}steve.1.count@example.org", state, tx=transaction)
        assert decision.word == word
        state.commit(transaction, NOW)


def test_behind_disposable_in_the_order_a_tagged_count_is_refused(tmp_path: Path) -> None:
    """Otherwise each new tag would start another count."""
    text = '[policy]\ndomains = ["example.org"]\norder = ["disposable", "bounce_tag"]\n'
    (tmp_path / "eximacl.toml").write_text(text)
    wrong = load(tmp_path / "eximacl.toml").policy
    decision = decided(wrong, "prvs=0840abcdef=steve.3.count@example.org", MemoryState())
    assert (decision.check, decision.reason) == ("disposable", "disposable-nested")
