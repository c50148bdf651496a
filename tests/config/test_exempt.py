"""Exempting mail that was refused by mistake: the right list, the right entry, and never a broken policy."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from eximacl.config import exempt as exempt_module
from eximacl.config import load
from eximacl.config.exempt import Exempter, Exemption, ExemptionPlan, ExemptKind, RefusedMail
from eximacl.config.exempt_change import Change, ExemptError
from eximacl.config.sources import SOURCE_BYTES_MAX
from tests.config.loads import loads_counted
from tests.lab.namespace import UNSHARE
from tests.state.forks import Tell, children

POLICY = (
    '# ours\n[policy]\ndomains = ["example.org", "example.com"]  # both\n'
    'order = ["rdns_tld"]\n[checks.rdns_tld]\ntlds = ["net"]\n'
)
SUBDOMAINS = POLICY.replace('"example.com"]', '"example.com", ".sub.example"]')
MAIL = RefusedMail("Juha@example.org", "Ann@Example.NET", "192.0.2.7", "mx.example.net", "mx")
COMMENT = "7KQ2M9D4 released"


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    path = tmp_path / "eximacl.toml"
    path.write_text(POLICY)
    return path


def files_in(directory: Path) -> dict[str, str]:
    return {str(path.relative_to(directory)): path.read_text() for path in directory.rglob("*") if path.is_file()}


def exempt(policy: Path, mail: RefusedMail) -> bool:
    """Whether the policy passes a message before any check runs."""
    recipient = mail.query.recipient
    plan = load(policy).policy.for_domain(recipient.domain if recipient else "")
    return plan is not None and any(one.match(mail.query) for one in plan.exempt)


def plan(policy: Path, kind: ExemptKind = "sender", mail: RefusedMail = MAIL, *, everywhere: bool = False) -> Change:
    """Work out an exemption, and change nothing."""
    (found,) = Exempter(policy, kind, everywhere=everywhere).plan([mail], COMMENT)
    return found.change


def add_once(policy: Path, kind: ExemptKind, mail: RefusedMail, *, everywhere: bool = False) -> Exemption:
    exempter = Exempter(policy, kind, everywhere=everywhere)
    (done,) = exempter.add(exempter.plan([mail], COMMENT))
    return done


def add(policy: Path, kind: ExemptKind = "sender", mail: RefusedMail = MAIL, *, everywhere: bool = False) -> Exemption:
    done = add_once(policy, kind, mail, everywhere=everywhere)
    assert exempt(policy, mail)
    return done


@pytest.mark.parametrize(
    ("kind", "entry"),
    [("sender", "Ann@example.net"), ("domain", "example.net"), ("ip", "192.0.2.7"), ("host", "mx.example.net")],
)
def test_a_first_entry_gets_a_list_of_its_own(policy: Path, kind: ExemptKind, entry: str) -> None:
    change = add(policy, kind)
    key = change.key.removeprefix("exempt.")
    name = f"lists/allow-{key.replace('_', '-')}.example.org"
    assert files_in(policy.parent) == {
        "eximacl.toml": POLICY,
        "domains/example.org.toml": f'[exempt]\n{key} = "../{name}"\n',
        name: f"{entry}  # {COMMENT}\n",
    }
    assert (change.file, change.reload[:17]) == (policy.parent / name, "not in force yet:")
    assert (policy.parent / name).stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize(
    "tag", ["prvs=0787b0b1b2=", "btv1==0787b0b1b22==", "msprvs1=17683kD2qmLKR=", "PRVS=0787b0b1b2="]
)
def test_a_tagged_sender_is_exempt_by_its_address(policy: Path, tag: str) -> None:
    change = add(policy, mail=MAIL._replace(sender=f"{tag}Ann@example.net"))
    assert change.entry == "Ann@example.net"
    for sender in ("Ann@example.net", f"{tag}ann@example.net", "prvs=0788abcdef=ann@example.net"):
        assert exempt(policy, MAIL._replace(sender=sender))
    assert not exempt(policy, MAIL._replace(sender=f"{tag}bob@example.net"))


def test_a_new_file_is_as_private_as_the_policy(policy: Path) -> None:
    policy.chmod(0o640)
    change = add(policy)
    assert [path.stat().st_mode & 0o777 for path in change.changed] == [0o640, 0o640]


def test_for_one_domain_only(policy: Path) -> None:
    add(policy)
    assert not exempt(policy, MAIL._replace(recipient="juha@example.com"))


def test_everywhere(policy: Path) -> None:
    add(policy, everywhere=True)
    assert files_in(policy.parent) == {
        "eximacl.toml": f'{POLICY}\n[exempt]\nsenders = "lists/allow-senders"\n',
        "lists/allow-senders": f"Ann@example.net  # {COMMENT}\n",
    }
    assert exempt(policy, MAIL._replace(recipient="juha@example.com"))


def test_the_second_one_is_a_line_and_needs_no_reload(policy: Path) -> None:
    add(policy)
    before = files_in(policy.parent)
    change = add(policy, mail=MAIL._replace(sender="bob@example.net"))
    name = "lists/allow-senders.example.org"
    assert (change.file, change.reload) == (policy.parent / name, "")
    assert files_in(policy.parent) == {**before, name: f"{before[name]}bob@example.net  # {COMMENT}\n"}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param("bob@example.com", f"bob@example.com\nAnn@example.net  # {COMMENT}\n", id="no newline at its end"),
        pytest.param("# nobody yet\n", f"# nobody yet\nAnn@example.net  # {COMMENT}\n", id="a comment"),
        pytest.param("", f"Ann@example.net  # {COMMENT}\n", id="empty"),
    ],
)
def test_a_list_in_a_file_gets_a_line(policy: Path, before: str, after: str) -> None:
    (policy.parent / "good").write_text(before)
    (policy.parent / "good").chmod(0o640)
    policy.write_text(f'{POLICY}[exempt]\nsenders = "good"\n')
    change = add(policy, everywhere=True)
    assert (policy.parent / "good").read_text() == after
    assert (policy.parent / "good").stat().st_mode & 0o777 == 0o640
    assert policy.read_text() == f'{POLICY}[exempt]\nsenders = "good"\n'
    assert not change.reload


def test_a_link_stays_one(policy: Path) -> None:
    (policy.parent / "real").write_text("")
    (policy.parent / "good").symlink_to("real")
    policy.write_text(f'{POLICY}[exempt]\nips = "good"\n')
    add(policy, "ip", everywhere=True)
    assert (policy.parent / "good").is_symlink()
    assert (policy.parent / "real").read_text() == f"192.0.2.7  # {COMMENT}\n"


def test_a_list_in_a_directory_gets_a_file(policy: Path) -> None:
    (policy.parent / "good").mkdir()
    policy.write_text(f'{POLICY}[exempt]\nhosts = "good"\n')
    change = add(policy, "host", everywhere=True)
    assert change.file == policy.parent / "good/mx.example.net"
    assert change.file.read_bytes() == b""
    (policy.parent / "good/mx.example.net").unlink()
    policy.write_text(policy.read_text().replace("hosts", "senders"))
    with pytest.raises(ExemptError, match=r"cannot be the name of a file in .*; add it to another list by hand"):
        plan(policy, "sender", MAIL._replace(sender="a/b@example.com"), everywhere=True)
    with pytest.raises(ExemptError, match="cannot be the name of a file"):
        plan(policy, "sender", MAIL._replace(sender=f"{'a' * 241}@example.com"), everywhere=True)
    add(policy, mail=MAIL._replace(sender=f"{'a' * 228}@example.com"), everywhere=True)


def test_an_array_gets_an_entry(policy: Path) -> None:
    text = POLICY + '[exempt]\nsenders = [\n  "bob@example.com",  # Bob\n]\n'
    policy.write_text(f"\ufeff{text}")
    change = add(policy, everywhere=True)
    expected = text.removesuffix("]\n") + f'  "Ann@example.net", # {COMMENT}\n]\n'
    assert policy.read_text() == f"\ufeff{expected}"
    assert (change.file, change.key, change.reload != "") == (policy, "exempt.senders", True)


def test_a_domain_file_under_another_spelling(policy: Path) -> None:
    (policy.parent / "domains").mkdir()
    toml = policy.parent / "domains/Example.ORG.toml"
    toml.write_text('[checks.rdns_tld]\naction = "defer"\n')
    add(policy, "ip")
    assert toml.read_text() == (
        '[checks.rdns_tld]\naction = "defer"\n\n[exempt]\nips = "../lists/allow-ips.example.org"\n'
    )


@pytest.mark.parametrize("everywhere", [True, False])
def test_what_is_exempt_already(policy: Path, everywhere: bool) -> None:
    """By the same list, in the same scope or that of all."""
    first = add(policy, everywhere=everywhere)
    before = files_in(policy.parent)
    done = add(policy)
    assert (done.already, done.changed, done.reload) == ("senders: ann@example.net", (), "")
    assert (done.file, done.key) == (first.file, "exempt.senders")
    assert files_in(policy.parent) == before


def test_what_an_array_exempts_already(policy: Path) -> None:
    policy.write_text(f'{POLICY}[exempt]\nips = ["192.0.2.0/24"]\n')
    change = plan(policy, "ip", MAIL)
    assert (change.already, change.file, change.key) == ("ips: 192.0.2.7", policy, "exempt.ips")


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param(("sender", False), ("domain", False), id="a wider kind"),
        pytest.param(("ip", False), ("host", False), id="another kind"),
        pytest.param(("sender", False), ("sender", True), id="a wider scope"),
        pytest.param(("domain", True), ("sender", False), id="a narrower kind"),
    ],
)
def test_what_another_entry_exempts_can_be_added(
    policy: Path, first: tuple[ExemptKind, bool], second: tuple[ExemptKind, bool]
) -> None:
    add(policy, first[0], everywhere=first[1])
    change = add(policy, second[0], everywhere=second[1])
    assert (change.already, bool(change.changed)) == ("", True)


def test_a_refusal_before_there_was_a_recipient(policy: Path) -> None:
    """No domain's list can have its exemption, but that for all can."""
    mail = MAIL._replace(recipient="")
    with pytest.raises(ExemptError, match=r"it was refused before there was a recipient, .*; exempt it everywhere"):
        plan(policy, "ip", mail)
    change = add_once(policy, "ip", mail, everywhere=True)
    assert change.key == "exempt.ips"
    assert exempt(policy, MAIL)


def test_a_recipient_in_quotes(policy: Path) -> None:
    assert MAIL._replace(recipient='"a b"@example.org').query.mailbox == "a b"


def test_two_at_once_are_both_added(policy: Path) -> None:
    """Each reads the list as the other has left it."""
    (policy.parent / "good").write_text("")
    policy.write_text(f'{POLICY}[exempt]\nsenders = "good"\n')

    def work(tell: Tell) -> None:
        for number in range(10):
            mail = MAIL._replace(sender=f"{number}.{os.getpid()}@example.net")
            add_once(policy, "sender", mail, everywhere=True)

    with children(work, 3) as started:
        assert [child.wait() for child in started] == [0] * 3
    assert len((policy.parent / "good").read_text().splitlines()) == 30


@pytest.mark.parametrize(
    ("kind", "changed", "words"),
    [
        pytest.param("sender", {"sender": ""}, "the null sender of a bounce cannot be exempted", id="null sender"),
        pytest.param("domain", {"sender": "ann"}, "the null sender", id="no domain"),
        pytest.param("host", {"host": ""}, r"has no reverse name; exempt its ip", id="no host"),
        pytest.param("sender", {"sender": "a #b@example.net"}, "cannot be an entry of a list", id="comment"),
        pytest.param("sender", {"sender": "a\x1b[1m@example.net"}, "cannot be an entry of a list", id="controls"),
        pytest.param("sender", {"sender": "a\u202eb@example.net"}, "cannot be an entry of a list", id="direction"),
        pytest.param("sender", {"sender": "a\udcffb@example.net"}, "cannot be an entry of a list", id="no UTF-8"),
        pytest.param("sender", {"sender": '""@example.net'}, "means more than this sender", id="no localpart"),
        pytest.param("sender", {"sender": '"@a"@example.net'}, "means more than this sender", id="like a domain"),
        pytest.param("domain", {"sender": "ann@co.uk"}, "anyone can have a name below co.uk", id="a public suffix"),
        pytest.param("host", {"host": "com.br"}, "anyone can have a name below com.br", id="a host's public suffix"),
        pytest.param("domain", {"sender": "ann@github.io"}, "name below github.io", id="a provider's suffix"),
        pytest.param("domain", {"sender": "ann@com"}, "anyone can have a name below com", id="a top-level domain"),
        pytest.param(
            "host", {"host": "br"}, "anyone can have a name below br; exempt something else", id="a host likewise"
        ),
        pytest.param("host", {"host": "*.example"}, r"is not a domain name: .*; exempt something else", id="no name"),
        pytest.param(
            "host", {"host": "/^m.example/"}, r"is not a domain name.*; exempt something else", id="a pattern"
        ),
        pytest.param("ip", {"ip": "192.0.2"}, "is not an IP address", id="no address"),
        pytest.param("sender", {"recipient": "joe@.x.sub.example"}, "cannot be the name of a file", id="a dot first"),
        pytest.param("sender", {"recipient": "joe@\udcff.sub.example"}, "cannot be the name", id="no UTF-8 domain"),
        *(
            pytest.param("sender", {"sender": sender}, "the next one will have another.*; exempt domain", id=sender)
            for sender in (
                "bounce-1-2345@list.example.net",
                "bounce-17-joe=example.org@list.example.net",
                "SRS0=277b=jr=example.net=ann@forwarder.example",
                "prvs=0787b0b1b2=SRS0=277b=jr=example.net=ann@forwarder.example",
            )
        ),
        pytest.param("ip", {"recipient": "joe@example.net"}, "policy.domains does not list", id="not our domain"),
    ],
)
def test_what_cannot_be_exempted(policy: Path, kind: ExemptKind, changed: dict[str, str], words: str) -> None:
    policy.write_text(SUBDOMAINS)
    with pytest.raises(ExemptError, match=words):
        plan(policy, kind, MAIL._replace(**changed))
    assert files_in(policy.parent) == {"eximacl.toml": SUBDOMAINS}


def test_a_policy_that_would_become_too_long_stays_as_it_is(policy: Path) -> None:
    text = f'{POLICY}[exempt]\nsenders = ["x@example.com"]\n#'
    policy.write_text(text + "x" * (SOURCE_BYTES_MAX - len(text)))
    before = policy.read_bytes()
    with pytest.raises(ExemptError, match=r"eximacl.toml would be longer than 4096 KiB; move its longest array"):
        plan(policy, everywhere=True)
    assert policy.read_bytes() == before
    load(policy)


def test_a_hostile_sender_is_one_harmless_entry(policy: Path) -> None:
    policy.write_text(f'{POLICY}[exempt]\nsenders = ["x@example.com"]\n')
    mail = MAIL._replace(sender='"]\\[policy]@example.net')
    add(policy, mail=mail, everywhere=True)
    assert list(load(policy).settings.policy.domains) == ["example.com", "example.org"]
    assert exempt(policy, mail)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param(
            "[policy", "the configuration is wrong, mend it first: eximacl.toml: is not TOML", id="wrong already"
        ),
    ],
)
def test_a_policy_that_only_people_can_change(policy: Path, text: str, words: str) -> None:
    policy.write_text(text)
    with pytest.raises(ExemptError, match=words):
        plan(policy, "sender", MAIL, everywhere=True)
    assert files_in(policy.parent) == {"eximacl.toml": text}


def test_an_edit_that_would_break_the_file_is_not_made(policy: Path) -> None:
    text = f"{POLICY}[exempt]\nsenders = [\n]\n"
    policy.write_text(text)
    with pytest.raises(ExemptError, match=r'^eximacl\.toml: add "Ann@example\.net" to exempt\.senders by hand'):
        Exempter(policy, "sender", everywhere=True).plan([MAIL], "two\nlines")
    assert files_in(policy.parent) == {"eximacl.toml": text}


def test_a_list_left_over_from_before_is_taken_up(policy: Path) -> None:
    (policy.parent / "lists").mkdir()
    (policy.parent / "lists/allow-senders").write_text("bob@example.com\n")
    add(policy, everywhere=True)
    assert (policy.parent / "lists/allow-senders").read_text().startswith("bob@example.com\nAnn@example.net  #")


def test_a_left_over_list_that_is_wrong(policy: Path) -> None:
    (policy.parent / "lists").mkdir()
    (policy.parent / "lists/allow-ips").write_text("no address\n")
    with pytest.raises(ExemptError, match=r"allow-ips line 1: .*; mend the list first"):
        plan(policy, "ip", MAIL, everywhere=True)


@pytest.fixture
def planned(policy: Path) -> tuple[Exempter, list[ExemptionPlan]]:
    """An exemption that was planned for a list in a file."""
    (policy.parent / "good").write_text("192.0.2.9\n")
    policy.write_text(f'{POLICY}[exempt]\nips = "good"\n')
    exempter = Exempter(policy, "ip", everywhere=True)
    return exempter, exempter.plan([MAIL], COMMENT)


def test_a_policy_that_has_become_wrong_stays_as_it_is(
    policy: Path, planned: tuple[Exempter, list[ExemptionPlan]]
) -> None:
    """Somebody else breaks it between the plan and the deed."""
    policy.write_text("[policy")
    with pytest.raises(ExemptError, match="the configuration is wrong, mend it first: "):
        planned[0].add(planned[1])
    assert files_in(policy.parent) == {"eximacl.toml": "[policy", "good": "192.0.2.9\n"}


def test_a_list_that_has_changed_is_read_again(policy: Path, planned: tuple[Exempter, list[ExemptionPlan]]) -> None:
    (policy.parent / "good").write_text("192.0.2.8\n")
    planned[0].add(planned[1])
    assert (policy.parent / "good").read_text() == f"192.0.2.8\n192.0.2.7  # {COMMENT}\n"


def test_another_list_has_come_into_its_place(policy: Path, planned: tuple[Exempter, list[ExemptionPlan]]) -> None:
    policy.write_text(POLICY)
    planned[0].add(planned[1])
    assert (policy.parent / "good").read_text() == "192.0.2.9\n"
    assert exempt(policy, MAIL)


def test_two_domains_with_one_list(policy: Path) -> None:
    """The second entry is planned before the first is in the list that both have."""
    (policy.parent / "domains").mkdir()
    (policy.parent / "good").write_text("")
    for domain in ("example.org", "example.com"):
        (policy.parent / f"domains/{domain}.toml").write_text('[exempt]\nips = "../good"\n')
    exempter = Exempter(policy, "ip")
    first, second = exempter.add(exempter.plan([MAIL, MAIL._replace(recipient="joe@example.com")], COMMENT))
    assert (first.already, second.already) == ("", "ips: 192.0.2.7")
    assert (policy.parent / "good").read_text() == f"192.0.2.7  # {COMMENT}\n"


def test_the_policy_is_loaded_once(policy: Path) -> None:
    """Also for several domains, and where the TOML changes."""
    with loads_counted() as loads:
        exempter = Exempter(policy, "sender")
        exempter.add(exempter.plan([MAIL, MAIL._replace(recipient="joe@example.com")], COMMENT))
    assert loads == [policy]
    assert set(load(policy).overlays) == {"example.org", "example.com"}


READ_ONLY = """
import sys
from pathlib import Path
from eximacl.config.exempt import Exempter, ExemptError, RefusedMail
try:
    exempter = Exempter(Path(sys.argv[1]), "ip")
    exempter.add(exempter.plan([RefusedMail("juha@example.org", "", "192.0.2.7", "", "")], "why"))
except ExemptError as error:
    print(error)
"""


@pytest.mark.needs_root
def test_a_read_only_configuration(policy: Path) -> None:
    """On a real read-only mount, where root cannot write either."""
    script = (
        f'mount --bind "{policy.parent}" "{policy.parent}" && mount -o remount,ro,bind "{policy.parent}" && exec "$@"'
    )
    command = [*UNSHARE, "sh", "-c", script, "sh", sys.executable, "-c", READ_ONLY, str(policy)]
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, cwd=Path(exempt_module.__file__).parents[2]
    )
    by_hand = f"add 192.0.2.7 to exempt.ips in {policy.parent}/lists/allow-ips.example.org by hand, or run this as root"
    assert done.stdout == f"{policy.parent} cannot be written; {by_hand}\n"


@pytest.mark.needs_root
def test_no_room_on_the_disk(policy: Path) -> None:
    """The file stays whole, and nothing is left of the new one."""
    script = f"""
mount -t tmpfs -o size=64k none "{policy.parent}"
printf '%s\\n' '[policy]' 'domains = ["example.org"]' 'order = []' '[exempt]' 'ips = "good"' > "{policy}"
echo 192.0.2.9 > "{policy.parent}/good"
dd if=/dev/zero of="{policy.parent}/rest" bs=4k 2>/dev/null || true
"$@"
ls -A "{policy.parent}"; cat "{policy.parent}/good"
"""
    program = READ_ONLY.replace('"ip")', '"ip", everywhere=True)')
    command = [*UNSHARE, "sh", "-c", script, "sh", sys.executable, "-c", program, str(policy)]
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, cwd=Path(exempt_module.__file__).parents[2]
    )
    assert "No space left on device; add 192.0.2.7 to exempt.ips" in done.stdout
    assert done.stdout.endswith("\neximacl.toml\ngood\nrest\n192.0.2.9\n")
