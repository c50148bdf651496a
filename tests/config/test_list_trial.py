"""One list alone: its kind is known by an option or by the list that it replaces; the daemon's rules apply."""

from __future__ import annotations

from pathlib import Path

import pytest

from eximacl.config.list_trial import UnknownList, try_list
from tests.config.world import write

POLICY = """
[policy]
domains = ["example.org"]
order = ["valid_recipient", "rdns_tld"]
[checks.valid_recipient]
recipients = "lists/valid"
"""
DOMAIN = '[exempt]\nips = "friends"\n'


def people(count: int) -> str:
    return "".join(f"user{number}\n" for number in range(count))


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    files = {
        "eximacl.toml": POLICY,
        "lists/valid": people(100),
        "lists/tld": "sa\n",
        "domains/example.org.toml": DOMAIN,
        "domains/friends": "192.0.2.7\n",
    }
    return write(tmp_path, files)


@pytest.mark.parametrize(
    ("instead_of", "kind", "before"),
    [
        ("checks.valid_recipient.recipients", "list of recipients", 100),
        ("lists/valid", "list of recipients", 100),
        ("{home}/lists/../lists/valid", "list of recipients", 100),
        ("checks.bad_recipient.recipients", "list of recipients with texts", None),
        ("checks.rdns_tld.tlds", "list of domains", 1),
        ("policy.domains", "list of recipient domains", None),
        ("exempt.senders", "list of senders", None),
        ("checks.valid_recipient.exempt.recipients", "list of recipients", None),
    ],
)
@pytest.mark.parametrize("broken", [False, True])
def test_the_kind_is_known_by_the_option_or_by_the_list(
    config: Path, instead_of: str, kind: str, before: int | None, broken: bool
) -> None:
    (config.parent / "new").write_text("example.org\n" if "senders" not in instead_of else "@example.org\n")
    if broken:
        (config.parent / "lists/tld").write_text("a b\n")
    found = try_list(Path("new"), instead_of.format(home=config.parent), config, accept=True)
    assert (found.kind, found.entries, found.problems) == (kind, 1, ())
    by_path = "/" in instead_of
    assert found.before == (before if by_path or not broken else None)


def test_a_list_of_one_domains_file(config: Path) -> None:
    assert try_list(Path("domains/friends"), "", config, accept=False).kind == "list of networks"


@pytest.mark.parametrize(
    ("content", "accept", "problem", "note"),
    [
        (people(100), False, "", ""),
        (people(95), False, "", ""),
        (people(50), False, "", "50 entries and had 100, which stay in force until it has rested in place for"),
        (people(50), True, "", ""),
        (
            people(5),
            False,
            "5 entries and had 100, which stay in force; if so few are meant: test it with --accept, move it",
            "",
        ),
        (people(5), True, "", ""),
        ("", False, "0 entries and had 100", ""),
        ("steve\nsteve: smiller\n", True, "new line 2: 'steve: smiller' is not a localpart", ""),
    ],
)
def test_what_the_daemon_would_say(config: Path, content: str, accept: bool, problem: str, note: str) -> None:
    (config.parent / "new").write_text(content)
    found = try_list(Path("new"), "lists/valid", config, accept=accept)
    assert problem in "".join(found.problems)
    assert note in "".join(found.notes)
    assert (len(found.problems), len(found.notes)) == (bool(problem), bool(note))


@pytest.mark.parametrize("instead_of", ["", "lists/valid", "checks.valid_recipient.recipients"])
def test_what_a_running_daemon_has_in_force_counts(config: Path, instead_of: str) -> None:
    in_force = {str(config.parent / "lists/valid"): 2000}
    found = try_list(Path("lists/valid"), instead_of, config, in_force=in_force)
    assert found.before == 2000
    advice = "test it with --accept, move it into place, then: eximacl reload" if instead_of else "eximacl reload"
    said = f"has 100 entries and had 2,000, which stay in force; if so few are meant: {advice} --accept"
    assert found.problems == (f"lists/valid {said}",)


@pytest.mark.parametrize(
    ("instead_of", "words"),
    [
        ("", "does not name new: say for which option it is, such as --as checks.valid_recipient.recipients"),
        ("lists/vaild", "lists/vaild is neither an option nor a list that"),
        ("checks.valid_recipient.recipient", "unknown option; did you mean recipients?"),
        ("checks.vaild_recipient.recipients", "did you mean checks.valid_recipient.recipients?"),
        ("checks.sender", "checks.sender is a table; did you mean checks.sender.senders?"),
        ("checks.valid_recipient", "did you mean checks.valid_recipient.recipients?"),
        ("valid_recipient", "neither an option nor a list that"),
        ("valid_recipient", "did you mean checks.valid_recipient.recipients?"),
        ("valid_recipient.recipients", "did you mean checks.valid_recipient.recipients?"),
        ("lists/recipients", "that {config} names$"),
        ("policy.order", "policy.order is not a list of entries"),
        ("state.url", "state.url is not a list of entries"),
    ],
)
def test_what_cannot_be_known(config: Path, instead_of: str, words: str) -> None:
    (config.parent / "new").write_text("steve\n")
    with pytest.raises(UnknownList, match=words.replace("?", r"\?").format(config=config)):
        try_list(Path("new"), instead_of, config, accept=False)


def test_a_list_that_is_not_there(config: Path) -> None:
    found = try_list(Path("new"), "lists/valid", config, accept=False)
    assert found.problems == ("new does not exist",)
