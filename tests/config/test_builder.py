"""What the tables of checks and domains make of a policy: options, exemptions, overlays, and the early plan."""

from __future__ import annotations

from pathlib import Path

import pytest

from eximacl.config.load import Loaded
from eximacl.policy.query import Stage
from tests.config.world import SENDER_DOMAIN, decision, loaded_from, problems_of, word

SPAM = SENDER_DOMAIN + '[checks.sender_domain]\ndomains = ["spam.example"]\n'


@pytest.mark.parametrize(
    ("extra", "verdict"),
    [
        ('action = "off"', "accept"),
        ('action = "observe"', "accept"),
        ('action = "defer"', "defer"),
        ('exempt = { senders = ["a@spam.example"] }', "accept"),
        ('exempt = { senders = ["b@spam.example"] }', "reject"),
        ('exempt = { sender_domains = ["spam.example"] }', "accept"),
        ('exempt = { recipients = ["steve"] }', "accept"),
        ('exempt = { ips = ["192.0.2.0/24"] }', "accept"),
        ('exempt = { hosts = "hosts" }', "accept"),
        ("exempt = {}", "reject"),
        ('[exempt]\nsenders = ["a"]', "accept"),
        ("[exempt]\nrecipients = []", "reject"),
    ],
)
def test_common_options_and_exemptions(tmp_path: Path, extra: str, verdict: str) -> None:
    loaded = loaded_from(tmp_path, {"eximacl.toml": f"{SPAM}{extra}\n", "hosts": "lists.example\n"})
    assert word(loaded, "steve@example.org", host="mx.lists.example") == verdict


def test_a_message_of_one_s_own(tmp_path: Path) -> None:
    loaded = loaded_from(tmp_path, {"eximacl.toml": SPAM + 'message = "{{{detail}}}: not for {recipient}"\n'})
    found = decision(loaded, sender="a@spam.example", rcpt="steve@example.org")
    assert found.text == "{spam.example}: not for steve@example.org"


OVERLAYS = [
    pytest.param("", "reject", id="empty-file"),
    pytest.param('[checks.sender_domain]\naction = "off"', "accept", id="action"),
    pytest.param("[checks.sender_domain]\ndomains = []", "accept", id="option"),
    pytest.param('[checks.sender_domain]\ndomains = "ours"', "reject", id="list-beside-the-domain-file"),
    pytest.param('[checks.sender_domain]\ndomains = "../ours"', "accept", id="list-beside-the-main-file"),
    pytest.param('[checks.sender_domain]\nexempt = { senders = ["a"] }', "accept", id="exemption-of-a-check"),
    pytest.param('[checks.sender_domain]\nexempt = { senders = ["b"] }', "reject", id="exemption-of-another"),
    pytest.param('[exempt]\nsenders = ["a"]', "accept", id="exemption"),
    pytest.param("[checks]", "reject", id="empty-table"),
]


@pytest.mark.parametrize(("overlay", "verdict"), OVERLAYS)
def test_a_domain_s_own_file(tmp_path: Path, overlay: str, verdict: str) -> None:
    files = {
        "eximacl.toml": SPAM,
        "domains/example.org.toml": overlay,
        "domains/ours": "spam.example\n",
        "domains/notes.txt": "not a policy",
        "domains/.#example.net.toml": "not a policy",
        "ours": "else.example\n",
    }
    loaded = loaded_from(tmp_path, files)
    assert word(loaded, "steve@example.org") == verdict
    assert word(loaded, "steve@other.example.net") == "reject"


def test_a_domain_s_file_adds_to_the_exemptions_of_a_check(tmp_path: Path) -> None:
    base = SPAM + 'exempt = { senders = ["a"] }\n'
    overlay = '[checks.sender_domain]\nexempt = { senders = ["b"] }\n'
    loaded = loaded_from(tmp_path, {"eximacl.toml": base, "domains/example.org.toml": overlay})
    assert [word(loaded, "steve@example.org", f"{who}@spam.example") for who in "abc"] == ["accept", "accept", "reject"]


def test_domains_without_a_file_share_one_plan(tmp_path: Path) -> None:
    loaded = loaded_from(tmp_path, {"eximacl.toml": SPAM, "domains/example.org.toml": ""})
    plans = [loaded.policy.for_domain(domain) for domain in ("a.example.net", "b.example.net", "example.org")]
    assert plans[0] is plans[1] is loaded.policy.base
    assert plans[2] is not plans[0]


@pytest.mark.parametrize(
    ("files", "early"),
    [
        pytest.param({}, "reject", id="base"),
        pytest.param({"domains/example.org.toml": ""}, "reject", id="domain-that-touches-nothing"),
        pytest.param({"domains/example.org.toml": '[checks.sender_domain]\naction = "off"'}, "accept", id="touched"),
        pytest.param({"domains/example.org.toml": '[exempt]\nips = ["203.0.113.1"]'}, "accept", id="domain-exempts"),
    ],
)
def test_early_stages_leave_out_what_a_domain_might_not_want(tmp_path: Path, files: dict[str, str], early: str) -> None:
    loaded = loaded_from(tmp_path, {"eximacl.toml": SPAM, **files})
    assert decision(loaded, "mail", sender="a@spam.example").word == early
    assert word(loaded, "steve@other.example.net") == "reject"


@pytest.mark.parametrize(
    ("extra", "early"),
    [
        ('exempt = { recipients = ["steve"] }', "accept"),
        ('exempt = { senders = ["steve: a@spam.example"] }', "accept"),
        ('exempt = { senders = ["steve: b@spam.example"] }', "accept"),
        ('exempt = { senders = ["b@spam.example"] }', "reject"),
        ('exempt = { ips = ["203.0.113.1"] }', "reject"),
        ('exempt = { ips = ["192.0.2.7"] }', "accept"),
        ('[exempt]\nips = ["192.0.2.7"]', "accept"),
    ],
)
def test_early_stages_and_exemptions(tmp_path: Path, extra: str, early: str) -> None:
    loaded = loaded_from(tmp_path, {"eximacl.toml": f"{SPAM}{extra}\n"})
    assert decision(loaded, "mail", sender="a@spam.example").word == early


RDNS = """[policy]
domains = [".example.net", "example.org"]
order = ["dnswl", "rdns_tld"]
[checks.dnswl]
zones = ["wl.example"]
[checks.rdns_tld]
tlds = ["br"]
"""


@pytest.mark.parametrize(
    ("extra", "stages"),
    [
        pytest.param("", ["connect", "helo", "mail"], id="no exemption"),
        pytest.param('exempt = { ips = ["203.0.113.1"] }', ["connect", "helo", "mail"], id="address"),
        pytest.param('exempt = { hosts = "none" }', ["connect", "helo", "mail"], id="reverse name"),
        pytest.param('exempt = { clients = ["203.0.113"] }', ["connect", "helo", "mail"], id="client"),
        pytest.param('exempt = { greetings = ["g.example"] }', ["helo", "mail"], id="greeting"),
        pytest.param('exempt = { senders = ["a@example.net"] }', ["mail"], id="sender"),
        pytest.param('exempt = { senders = ["/^a@/"] }', ["mail"], id="pattern of a sender"),
        pytest.param('exempt = { sender_domains = "none" }', ["mail"], id="a file that is empty so far"),
        pytest.param('exempt = { senders = ["joe: a@example.net"] }', [], id="sender for one recipient"),
        pytest.param('exempt = { recipients = "none" }', [], id="a file of recipients that is empty so far"),
        pytest.param("spare_known = true", [], id="known senders"),
        pytest.param('[exempt]\nsenders = ["a@example.net"]', ["mail"], id="sender, for all checks"),
        pytest.param('[exempt]\ngreetings = ["g.example"]', ["helo", "mail"], id="greeting, for all checks"),
        pytest.param('[exempt]\nsenders = ["joe: a@example.net"]', [], id="sender for one recipient, for all checks"),
        pytest.param('[exempt]\nrecipients = ["joe"]', ["connect", "helo", "mail"], id="recipient, for all checks"),
    ],
)
def test_no_stage_refuses_what_is_exempt_later(tmp_path: Path, extra: str, stages: list[str]) -> None:
    loaded = loaded_from(tmp_path, {"eximacl.toml": f"{RDNS}{extra}\n", "none": ""})
    assert objecting(loaded, "rdns_tld") == stages


@pytest.mark.parametrize(
    ("domain", "stages"),
    [
        ('[checks.dnswl]\nzones = ["other.example"]', []),
        ('[checks.dnswl]\naction = "off"', []),
        ('[checks.rdns_tld]\naction = "off"', []),
        ("", ["connect", "helo", "mail"]),
    ],
)
def test_no_stage_refuses_what_may_be_allowed_later(tmp_path: Path, domain: str, stages: list[str]) -> None:
    loaded = loaded_from(tmp_path, {"eximacl.toml": RDNS, "domains/example.org.toml": domain})
    assert objecting(loaded, "rdns_tld") == stages


def objecting(loaded: Loaded, check: str) -> list[str]:
    """Return the stages before RCPT at which a check may object."""
    early: tuple[Stage, ...] = ("connect", "helo", "mail")
    return [stage for stage in early if any(step.name == check for step in loaded.policy.early.steps(stage))]


def test_an_exemption_that_is_empty_at_first_counts_once_its_file_has_entries(tmp_path: Path) -> None:
    text = SPAM + 'exempt = { senders = "friends" }\n'
    loaded = loaded_from(tmp_path, {"eximacl.toml": text, "friends": ""})
    assert word(loaded, "steve@example.org") == "reject"
    (tmp_path / "friends").write_text("a@spam.example\n")
    loaded.sources.refresh()
    loaded.sources.refresh()
    assert word(loaded, "steve@example.org") == "accept"


@pytest.mark.parametrize(
    ("tables", "problem"),
    [
        ("checks = 1", "checks: expected tables such as [checks.rdns_tld]"),
        ("[checks.rdns_tdl]", "checks.rdns_tdl: unknown check; did you mean rdns_tld?"),
        (
            "[checks.rdns_tld]",
            "checks.rdns_tld: rdns_tld is not in policy.order, so it never runs; add it there, or take its table away",
        ),
        (
            '[checks.sender_domain]\naction = "hold"',
            "checks.sender_domain.action: hold needs the archive: set archive.dir, or use another action",
        ),
    ],
)
@pytest.mark.parametrize("file", ["eximacl.toml", "domains/example.org.toml"])
def test_wrong_tables_of_checks(tmp_path: Path, file: str, tables: str, problem: str) -> None:
    files = {"eximacl.toml": SENDER_DOMAIN, "domains/example.org.toml": ""}
    files[file] = f"{tables}\n{files[file]}"
    assert problems_of(tmp_path, files) == [f"{file}: {problem}"]


def test_options_that_do_not_go_together_are_found_for_a_domain_too(tmp_path: Path) -> None:
    source = '''
from dataclasses import dataclass
from eximacl.check import check, option

@dataclass(frozen=True, kw_only=True)
class Options:
    low: int = option(1, "The lowest.")
    high: int = option(9, "The highest.")

    def __post_init__(self):
        if self.low > self.high:
            raise ValueError("low is above high")

@check("ranged", stages={"rcpt"}, options=Options)
async def ranged(query, options, ask):
    """Object to nothing."""
'''
    files = {
        "eximacl.toml": '[policy]\ndomains = ["example.org"]\norder = ["ranged"]\nchecks_dir = "checks"\n',
        "domains/example.org.toml": "[checks.ranged]\nlow = 10\n",
        "checks/ranged.py": source,
    }
    assert problems_of(tmp_path, files) == ["domains/example.org.toml: checks.ranged: low is above high"]


PROBED = """
[policy]
domains = ["example.org"]
order = ["dnsbl", "rhsbl"]
[checks.rhsbl]
action = "off"
zones = ["dbl.example.net"]
[checks.dnsbl.zones."bl.example.net"]
[checks.dnsbl.zones."quiet.example.net"]
probe = false
"""


def test_the_lists_of_checks_that_run_are_probed_a_domain_s_own_too(tmp_path: Path) -> None:
    overlay = '[checks.dnsbl]\nzones = ["bl.example.net", "more.example.net"]\n'
    loaded = loaded_from(tmp_path, {"eximacl.toml": PROBED, "domains/example.org.toml": overlay})
    expected = [f"{zone}.example.net{part}" for zone in ("bl", "more") for part in ("", " (IPv6)")]
    assert [probe.name for probe in loaded.policy.probes] == expected
    step = loaded.policy.for_domain("example.org").steps("rcpt")[0]  # type: ignore[union-attr]
    assert [zone.name for zone in step.options.zones] == ["bl.example.net", "more.example.net"]


def greylisting(suspicious: str, tables: str = "", action: str = "defer") -> str:
    order = '[policy]\ndomains = ["example.org"]\norder = ["rdns", "dnsbl", "greylist", "helo"]\n'
    grey = f'[checks.greylist]\naction = "{action}"\nwhen = "suspicious"\nsuspicious = ["{suspicious}"]\n'
    return f"{order}{grey}{tables}"


NEVER = "which never runs: its action is off, or it has nothing to look for"
GOES_BY = "eximacl.toml: checks.greylist: greylist depends on the hits of"


@pytest.mark.parametrize(
    ("suspicious", "tables", "problem"),
    [
        pytest.param("dnsbI", "", f"{GOES_BY} dnsbI: unknown check; did you mean dnsbl?", id="unknown"),
        pytest.param(
            "greylist",
            "",
            "eximacl.toml: checks.greylist: greylist cannot depend on its own hits; name checks that come before it",
            id="itself",
        ),
        pytest.param("helo", "", f"{GOES_BY} helo, so policy.order must name helo before greylist", id="later"),
        pytest.param("rate", "", f"{GOES_BY} rate, so policy.order must name rate before greylist", id="not in order"),
        pytest.param("dnsbl", "", f"{GOES_BY} dnsbl, {NEVER}", id="idle"),
        pytest.param("rdns", '[checks.rdns]\naction = "off"\n', f"{GOES_BY} rdns, {NEVER}", id="off"),
    ],
)
def test_a_check_that_goes_by_the_hits_of_another(tmp_path: Path, suspicious: str, tables: str, problem: str) -> None:
    assert problems_of(tmp_path, {"eximacl.toml": greylisting(suspicious, tables)}) == [problem]


COUNTS = "eximacl.toml: checks.dictionary_attack: dictionary_attack counts the refusals of"


@pytest.mark.parametrize(
    ("unknown", "tables", "problem"),
    [
        pytest.param("valid_recipients", "", f"{COUNTS} valid_recipients: unknown check; did you mean valid_recipient?",
                     id="unknown"),
        pytest.param(
            "dictionary_attack", "",
            "eximacl.toml: checks.dictionary_attack: dictionary_attack cannot count its own refusals; name checks that "
            "come after it", id="itself",
        ),
        pytest.param("helo", "", f"{COUNTS} helo, so policy.order must name helo after dictionary_attack", id="before"),
        pytest.param("rdns", "", f"{COUNTS} rdns, so policy.order must name rdns after dictionary_attack",
                     id="not there"),
        pytest.param("dnsbl", "", f"{COUNTS} dnsbl, {NEVER}", id="idle"),
        pytest.param("rate", '[checks.rate]\naction = "off"\n', f"{COUNTS} rate, {NEVER}", id="off"),
        pytest.param("", "", "eximacl.toml: checks.dictionary_attack: unknown: name at least one check", id="none"),
    ],
)  # fmt: skip
def test_a_check_that_counts_the_refusals_of_another(tmp_path: Path, unknown: str, tables: str, problem: str) -> None:
    order = '[policy]\ndomains = ["example.org"]\norder = ["helo", "dictionary_attack", "dnsbl", "rate"]\n'
    listed = f'["{unknown}"]' if unknown else "[]"
    attack = f"[checks.dictionary_attack]\nlimit = 5\nunknown = {listed}\n"
    assert problems_of(tmp_path, {"eximacl.toml": order + attack + tables}) == [problem]


@pytest.mark.parametrize(
    "files",
    [
        pytest.param({"eximacl.toml": greylisting("rdns", '[checks.rdns]\nmissing = "observe"\n')}, id="it runs"),
        pytest.param(
            {
                "eximacl.toml": greylisting("dnsbl"),
                "domains/example.org.toml": '[checks.dnsbl]\naction = "observe"\nzones = ["bl.example.net"]\n',
            },
            id="it runs for a domain",
        ),
        pytest.param({"eximacl.toml": greylisting("dnsbl", action="off")}, id="nobody goes by it"),
    ],
)
def test_a_check_whose_hits_are_gone_by_may_run_for_one_domain(tmp_path: Path, files: dict[str, str]) -> None:
    assert loaded_from(tmp_path, files)
