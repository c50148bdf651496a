"""Settings that can never have the effect that they name are noted, and the same ones that can have it are not."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.config.world import loaded_from

ATTACK = """
[policy]
domains = ["example.org"]
[checks.valid_recipient]
recipients = ["steve"]
{valid}
[checks.dictionary_attack]
limit = 20
{attack}
"""
OBSERVE = 'action = "observe"'
NOTHING_COUNTED = (
    "eximacl.toml: checks.dictionary_attack: it counts the refusals of valid_recipient, which only observes: "
    "so it never objects"
)


@pytest.mark.parametrize(
    ("valid", "attack", "domain", "notes"),
    [
        (OBSERVE, "", "", [NOTHING_COUNTED]),
        ("", "", "", []),
        (OBSERVE, OBSERVE, "", []),
        (OBSERVE, "", '[checks.valid_recipient]\naction = "reject"', []),
        (OBSERVE, OBSERVE, '[checks.dictionary_attack]\naction = "defer"', [NOTHING_COUNTED]),
    ],
)
def test_a_check_that_counts_nothing_is_noted(
    tmp_path: Path, valid: str, attack: str, domain: str, notes: list[str]
) -> None:
    files = {"eximacl.toml": ATTACK.format(valid=valid, attack=attack)}
    if domain:
        files["domains/example.org.toml"] = domain
    loaded = loaded_from(tmp_path, files)
    assert [str(note) for note in loaded.notes() if "dictionary_attack" in str(note)] == notes


EXCLUSIVE = (
    'eximacl.toml: checks.disposable: exclusive = "{}" without sign keeps out nobody who guesses an address and writes '
    "to it first; set sign = true, too"
)


@pytest.mark.parametrize(
    ("text", "noted"),
    [
        ('exclusive = "sender"', [EXCLUSIVE.format("sender")]),
        ('exclusive = "domain"', [EXCLUSIVE.format("domain")]),
        ('exclusive = "no"', []),
        ("", []),
        ('exclusive = "domain"\nsign = true\nsecrets = "secrets"', []),
        ('exclusive = "domain"\naction = "off"', []),
    ],
)
def test_an_address_for_one_sender_that_anybody_can_make_up_is_noted(
    tmp_path: Path, text: str, noted: list[str]
) -> None:
    (tmp_path / "secrets").write_text("a secret of sixteen letters\n")
    (tmp_path / "secrets").chmod(0o600)
    policy = f'[policy]\ndomains = ["example.org"]\n[checks.disposable]\n{text}\n'
    loaded = loaded_from(tmp_path, {"eximacl.toml": policy})
    assert [str(note) for note in loaded.notes() if "checks.disposable" in str(note)] == noted


LATER = "eximacl.toml: checks.{0}.action: {1} does the same as defer, since {0} never refuses for good"
UNREACHED = "eximacl.toml: checks.{}: {} is never reached: its lists count {} together at most"
UNHEARD = (
    'eximacl.toml: checks.greylist: it waits for observed hits of {}, without action = "observe" there: '
    "so it never objects"
)
SUSPICIOUS = '[checks.greylist]\naction = "defer"\nwhen = "suspicious"\nno_retry = []\nsuspicious = ["{}"]\n'
ACTING = '[checks.{0}]\naction = "{1}"\n{2}'
LIMITS = "windows.hour = {client = 3}"

NOTED = [
    (
        "an action that is never taken",
        ACTING.format("greylist", "drop", "no_retry = []"),
        [LATER.format("greylist", "drop")],
    ),
    ("rejected later", ACTING.format("greylist", "reject", "no_retry = []"), [LATER.format("greylist", "reject")]),
    ("deferred", ACTING.format("greylist", "defer", "no_retry = []"), []),
    ("observed", ACTING.format("greylist", "observe", "no_retry = []"), []),
    ("off", ACTING.format("greylist", "off", "delay_minutes = 0"), []),
    ("a rate rejects", ACTING.format("rate", "reject", LIMITS), [LATER.format("rate", "reject")]),
    ("a rate without limits", ACTING.format("rate", "reject", ""), []),
    (
        "nobody waits",
        ACTING.format("greylist", "defer", "no_retry = []\ndelay_minutes = 0"),
        ["eximacl.toml: checks.greylist: delay_minutes = 0 delays nobody"],
    ),
    (
        "one list, 20 wanted",
        "[checks.dnsbl]\nthreshold = 20\nzones = ['b.example']",
        [UNREACHED.format("dnsbl", "threshold = 20", 1)],
    ),
    ("two lists, 2 wanted", "[checks.dnsbl]\nthreshold = 2\nzones = ['b.example', 'c.example']", []),
    (
        "tenths",
        "[checks.dnsbl]\nthreshold = 0.3\n[checks.dnsbl.zones]\n"
        + "".join(f"'{a}.example' = {{weight = 0.1}}\n" for a in "abc"),
        [],
    ),
    (
        "a list for each version of IP",
        "[checks.dnsbl]\nthreshold = 2\nzones = {'b.example' = {ipv4 = false}, 'c.example' = {ipv6 = false}}",
        [UNREACHED.format("dnsbl", "threshold = 2", 1)],
    ),
    (
        "the sum of its codes",
        "[checks.dnsbl]\nthreshold = 2\nzones.'b.example' = {count = 'sum', codes = ['127.0.0.2', '127.0.0.3']}",
        [],
    ),
    (
        "a list of good ones only",
        "[checks.dnsbl.zones]\n'b.example' = {weight = -1}",
        [UNREACHED.format("dnsbl", "threshold = 1", 0)],
    ),
    (
        "a heavy code",
        "[checks.rhsbl]\nthreshold = 9\n[checks.rhsbl.zones.'b.example'.codes.'127.0.1.2']\nweight = 9",
        [],
    ),
    (
        "lists of names",
        "[checks.rhsbl]\nthreshold = 3\nlower_threshold = 1\nzones = ['b.example']",
        [UNREACHED.format("rhsbl", "threshold = 3", 1)],
    ),
    (
        "lists of good ones",
        "[checks.dnswl]\nthreshold = 2\nzones = ['b.example']",
        [UNREACHED.format("dnswl", "threshold = 2", 1)],
    ),
    (
        "a list that is never asked",
        "[checks.dnsbl.zones]\n'b.example' = {ipv4 = false, ipv6 = false}\n'c.example' = {}",
        ["eximacl.toml: checks.dnsbl: zones: b.example is never asked, since nothing is left that it is asked about"],
    ),
    ("no list", "[checks.dnsbl]\nthreshold = 20", []),
    (
        "what refuses is not heard",
        SUSPICIOUS.format("rdns") + "[checks.rdns]\nmissing = 'reject'",
        [UNHEARD.format("rdns")],
    ),
    ("what observes is", SUSPICIOUS.format("rdns") + "[checks.rdns]\naction = 'observe'\nmissing = 'reject'", []),
    (
        "what observes in part, too",
        SUSPICIOUS.format("rdns") + "[checks.rdns]\nmissing = 'reject'\ngeneric = 'observe'",
        [],
    ),
]


@pytest.mark.parametrize(("tables", "notes"), [row[1:] for row in NOTED], ids=[row[0] for row in NOTED])
def test_what_can_never_have_its_effect_is_noted(tmp_path: Path, tables: str, notes: list[str]) -> None:
    order = '["dnswl", "rdns", "dnsbl", "rhsbl", "greylist", "rate"]'
    text = f'[policy]\ndomains = ["example.org"]\norder = {order}\n{tables}\n'
    assert [str(note) for note in loaded_from(tmp_path, {"eximacl.toml": text}).notes()] == notes


def test_a_note_names_the_domain_s_file(tmp_path: Path) -> None:
    files = {
        "eximacl.toml": '[policy]\ndomains = ["example.org"]\norder = ["dnsbl"]\n[checks.dnsbl]\nzones = ["b.example"]',
        "domains/example.org.toml": "[checks.dnsbl]\nthreshold = 2",
    }
    unreached = UNREACHED.format("dnsbl", "threshold = 2", 1).replace("eximacl.toml", "domains/example.org.toml")
    assert [str(note) for note in loaded_from(tmp_path, files).notes()] == [unreached]
