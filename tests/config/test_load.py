"""Good configurations: what they mean for settings and verdicts, and that loading one leaves others alone."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from eximacl.config import ConfigError, Loaded, find_checks, load
from eximacl.config.settings import DEFAULT_ORDER
from eximacl.config.sources import SOURCE_BYTES_MAX
from tests.config.world import SENDER_DOMAIN, loaded_from, problems_of, word, write

SPAM = SENDER_DOMAIN + '[checks.sender_domain]\ndomains = ["spam.example"]\n'


def test_defaults(tmp_path: Path) -> None:
    settings = loaded_from(tmp_path, {"eximacl.toml": SENDER_DOMAIN}).settings
    assert settings.server.socket == Path("/run/eximacl/eximacl.sock")
    assert settings.server.mode == 0o660
    assert settings.server.group == "auto"
    assert settings.state.url == "sqlite:/var/lib/eximacl/state.db"
    assert settings.log.rejections == Path("/var/log/eximacl/rejections.jsonl")
    assert settings.journal.dir == Path("/var/lib/eximacl/journal")
    assert settings.journal.keep_days == 30
    archive = settings.archive
    assert (archive.dir, archive.group, archive.keep_days, archive.keep_mb) == (None, "", 30, 1000)
    assert archive.redact == ()
    assert settings.policy.checks_dir is None


def test_settings_that_are_given(tmp_path: Path) -> None:
    text = """
        [server]
        socket = "run/sock"
        mode = "0600"
        group = "mail"
        connections = 7
        [state]
        url = "memory:"
        [log]
        rejections = ""
        [journal]
        dir = ""
        keep_days = 0
        [archive]
        dir = "archive"
        group = "adm"
        keep_days = 7
        keep_mb = 0
        redact = ["subject"]
        [policy]
        domains = "domains.list"
        order = []
    """
    settings = loaded_from(tmp_path, {"eximacl.toml": text, "domains.list": "example.org\n"}).settings
    assert settings.server.socket == tmp_path / "run/sock"
    assert (settings.server.mode, settings.server.group, settings.server.connections) == (0o600, "mail", 7)
    assert settings.state.url == "memory:"
    assert settings.log.rejections is settings.journal.dir is None
    assert settings.journal.keep_days == 0
    archive = settings.archive
    assert (archive.dir, archive.group, archive.keep_days, archive.keep_mb) == (tmp_path / "archive", "adm", 7, 0)
    assert archive.redact == ("subject",)
    assert "example.org" in settings.policy.domains
    assert settings.policy.order == ()


def test_a_policy_file_may_start_with_a_byte_order_mark(tmp_path: Path) -> None:
    assert loaded_from(tmp_path, {"eximacl.toml": "\ufeff" + SENDER_DOMAIN}).settings.policy.order == ("sender_domain",)


def test_the_default_order_is_the_declared_one_as_far_as_it_is_installed(tmp_path: Path) -> None:
    files = {"eximacl.toml": '[policy]\ndomains = ["example.org"]\n', "lists/tld": "sa\n", "lists/patterns": ",\n"}
    loaded = loaded_from(tmp_path, files)
    assert loaded.settings.policy.order == tuple(name for name in DEFAULT_ORDER if name in loaded.checks)
    assert loaded.settings.policy.order[0] == "dictionary_attack"


@pytest.mark.parametrize(
    ("rcpt", "sender", "verdict"),
    [
        ("steve@example.org", "a@spam.example", "reject"),
        ("steve@example.org", "a@ham.example", "accept"),
        ("steve@below.example.net", "a@spam.example", "reject"),
        ("steve@example.net", "a@spam.example", "accept"),
        ("steve@example.com", "a@spam.example", "accept"),
        ("postmaster@example.org", "a@spam.example", "accept"),
        ("Abuse@example.org", "a@spam.example", "accept"),
    ],
)
def test_who_is_judged(tmp_path: Path, rcpt: str, sender: str, verdict: str) -> None:
    assert word(loaded_from(tmp_path, {"eximacl.toml": SPAM}), rcpt, sender) == verdict


def test_a_domain_s_file_is_named_in_any_spelling_of_the_domain(tmp_path: Path) -> None:
    text = '[policy]\ndomains = ["müller.example"]\norder = []\n'
    loaded = loaded_from(tmp_path, {"eximacl.toml": text, "domains/Müller.example.toml": "[checks]\n"})
    assert list(loaded.overlays) == ["xn--mller-kva.example"]
    assert loaded.policy.for_domain("xn--mller-kva.example") is not loaded.policy.base


def test_lists_stay_live(tmp_path: Path) -> None:
    text = '[policy]\ndomains = "domains.d"\norder = ["sender_domain"]\n[checks.sender_domain]\ndomains = "spam.d"\n'
    loaded = loaded_from(tmp_path, {"eximacl.toml": text, "domains.d/example.org": "", "spam.d/spam.example": ""})

    def verdicts() -> list[str]:
        loaded.sources.refresh()
        loaded.sources.refresh()
        return [word(loaded, f"steve@{domain}") for domain in ("example.org", "example.com")]

    assert verdicts() == ["reject", "accept"]
    (tmp_path / "domains.d/example.com").touch()
    assert verdicts() == ["reject", "reject"]
    (tmp_path / "spam.d/spam.example").unlink()
    assert verdicts() == ["accept", "accept"]


def test_loading_again_changes_nothing_that_runs(tmp_path: Path) -> None:
    path = write(tmp_path, {"eximacl.toml": SPAM.replace('["spam.example"]', '"spam"'), "spam": "spam.example\n"})
    running = load(path)
    (tmp_path / "spam").write_text("other.example\n")
    candidate = load(path)
    assert word(running, "steve@example.org") == "reject"
    assert word(candidate, "steve@example.org") == "accept"
    (tmp_path / "spam").write_text("not a domain\n")
    with pytest.raises(ConfigError):
        load(path)
    assert word(running, "steve@example.org") == "reject"


def test_a_loaded_configuration_is_frozen(tmp_path: Path) -> None:
    loaded = loaded_from(tmp_path, {"eximacl.toml": SENDER_DOMAIN})
    with pytest.raises(dataclasses.FrozenInstanceError):
        loaded.path = Path("x")  # type: ignore[misc]
    assert isinstance(loaded, Loaded)


@pytest.mark.parametrize(
    ("files", "problem"),
    [
        (
            {"other": ""},
            "DIR/eximacl.toml: does not exist; write one with `eximacl config sample --write DIRECTORY`, "
            "or name another with --config",
        ),
        ({"eximacl.toml/": ""}, "eximacl.toml: cannot be read: Is a directory"),
    ],
)
def test_a_policy_file_that_cannot_be_read(tmp_path: Path, files: dict[str, str], problem: str) -> None:
    assert problems_of(tmp_path, files) == [problem.replace("DIR/", f"{tmp_path}/")]


def test_a_default_list_that_is_not_there_is_empty(tmp_path: Path) -> None:
    loaded = loaded_from(tmp_path, {"eximacl.toml": '[policy]\ndomains = ["example.org"]\norder = ["rdns_tld"]\n'})
    (step,) = loaded.policy.base.steps("rcpt")
    assert len(step.options.tlds) == 0


@pytest.mark.parametrize("name", ["eximacl.toml", "domains/example.org.toml", "checks/mine.py"])
@pytest.mark.parametrize(
    ("make", "text"),
    [
        (os.mkfifo, "it is not a regular file"),
        (lambda path: path.symlink_to("/dev/zero"), "it is not a regular file"),
        (lambda path: path.write_text("#" * (SOURCE_BYTES_MAX + 1)), "it is longer than 4096 KiB"),
    ],
)
def test_what_is_no_file_of_a_policy_is_named(
    tmp_path: Path, name: str, make: Callable[[Path], None], text: str
) -> None:
    source = SENDER_DOMAIN + 'checks_dir = "checks"\n'
    path = write(tmp_path, {"eximacl.toml": source, "domains/": "", "checks/": ""})
    (tmp_path / name).unlink(missing_ok=True)
    make(tmp_path / name)
    with pytest.raises(ConfigError) as raised:
        load(path)
    assert str(raised.value) == f"{name}: cannot be read: {text}"


def test_a_relative_path_is_taken_from_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, {"eximacl.toml": SENDER_DOMAIN})
    monkeypatch.chdir(tmp_path)
    assert load(Path("eximacl.toml")).path == tmp_path / "eximacl.toml"


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"\xff", "is not UTF-8: byte 0: invalid start byte"),
        (b"x = " + b"[" * 5000, "is not TOML: arrays or tables nested too deeply"),
        (b"x", "is not TOML: Expected '=' after a key in a key/value pair (at end of document)"),
        (b"policyy = 1", "policyy: unknown key; did you mean policy?"),
    ],
)
def test_files_that_are_no_configuration(tmp_path: Path, data: bytes, problem: str) -> None:
    write(tmp_path, {"eximacl.toml": SENDER_DOMAIN, "domains/example.org.toml": ""})
    for name in ("eximacl.toml", "domains/example.org.toml"):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(ConfigError) as raised:
            load(tmp_path / name)
        assert str(raised.value.problems[0]) == f"{Path(name).name}: {problem}"


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        (
            ".example.net",
            "a domain file is for one domain; write a file for each domain below example.net that needs it",
        ),
        ("EXAMPLE.org", "domains/EXAMPLE.org.toml is for the same domain, example.org; merge the two files"),
        ("example.ogr", "policy.domains does not list example.ogr; did you mean example.org?"),
        ("elsewhere.test", "policy.domains does not list elsewhere.test"),
        ("empty.example.net", ""),
    ],
)
def test_domain_files_must_fit_the_domains(tmp_path: Path, name: str, problem: str) -> None:
    write(
        tmp_path,
        {"eximacl.toml": SENDER_DOMAIN, "domains/example.org.toml": "", f"domains/{name}.toml": "" if problem else "x"},
    )
    with pytest.raises(ConfigError) as raised:
        load(tmp_path / "eximacl.toml")
    [found] = raised.value.problems
    assert found.message.startswith(problem or "is not TOML")


@pytest.mark.parametrize("pattern", [r"/^promo-\d+@/", r"/\.example$/", r"/\u0/"])
def test_a_pattern_in_double_quotes_is_told_to_take_single_ones(tmp_path: Path, pattern: str) -> None:
    (told,) = problems_of(tmp_path, {"eximacl.toml": f'{SENDER_DOMAIN}x = ["{pattern}"]\n'})
    assert told.endswith(r"; write a pattern in single quotes, where a backslash stands for itself: '/^promo-\d+@/'")


OFF = "[checks.dictionary_attack]\nlimit = {limit}\n"


@pytest.mark.parametrize(("limit", "wrong"), [(0, False), (5, True)])
def test_a_check_that_is_off_needs_no_other_in_the_order(tmp_path: Path, limit: int, wrong: bool) -> None:
    text = '[policy]\ndomains = ["example.org"]\norder = ["dictionary_attack"]\n' + OFF.format(limit=limit)
    files = {"eximacl.toml": text}
    if not wrong:
        assert load(write(tmp_path, files)).policy.base.steps("rcpt") == ()
        return
    (told,) = problems_of(tmp_path, files)
    assert "policy.order must name valid_recipient after dictionary_attack" in told


@pytest.mark.parametrize(
    ("recipients", "lost"),
    [
        (None, ""),
        ('["postmaster", "abuse", "steve"]', ""),
        ('["@example.org", "postmaster", "abuse@example.net"]', ""),
        ('["postmaster@example.org", "abuse"]', "postmaster is"),
        ('["steve"]', "postmaster and abuse are"),
        ('["steve", "postmaster"]', "abuse is"),
        ("[]", "postmaster and abuse are"),
    ],
)
def test_that_postmaster_is_no_longer_exempt_is_noted(tmp_path: Path, recipients: str | None, lost: str) -> None:
    text = SENDER_DOMAIN + (f"[exempt]\nrecipients = {recipients}\n" if recipients else "")
    found = [str(note) for note in load(write(tmp_path, {"eximacl.toml": text})).notes() if "exempt." in str(note)]
    assert [note.startswith(f"eximacl.toml: exempt.recipients: {lost} not in it") for note in found] == (
        [True] if lost else []
    )


@pytest.mark.parametrize(
    ("order", "problems"),
    [
        ('["rdns_tdl"]', ["policy.order: rdns_tdl: unknown check; did you mean rdns_tld?"]),
        ('["sender_domain", "sender_domain"]', ["policy.order: sender_domain is listed 2 times; a check runs once"]),
        ("1", ["policy.order: expected an array of strings, got a number"]),
    ],
)
def test_wrong_orders(tmp_path: Path, order: str, problems: list[str]) -> None:
    files = {"eximacl.toml": f'[policy]\ndomains = ["example.org"]\norder = {order}\n'}
    assert problems_of(tmp_path, files) == [f"eximacl.toml: {problem}" for problem in problems]


PLUGIN = '''
from eximacl.check import check

@check("mine", stages={"rcpt"})
async def mine(query, options, ask):
    """Object to nothing."""
'''


@pytest.mark.parametrize(
    ("config", "found"),
    [
        ('[policy]\nchecks_dir = "checks"\nordr = 1\n[servr]\n', True),
        ("[policy]\nchecks_dir = 1\n", False),
        ("policy = 1\n", False),
        ("not TOML", False),
        (None, False),
    ],
)
def test_checks_are_found_however_wrong_the_file_is(tmp_path: Path, config: str | None, found: bool) -> None:
    files = {"checks/mine.py": PLUGIN, "checks/broken.py": "("}
    path = write(tmp_path, files if config is None else {**files, "eximacl.toml": config})
    assert ("mine" in find_checks(path)) is found
    assert set(find_checks()) <= set(find_checks(path))


LATE = "eximacl.toml: policy.order: {0} comes before {1}, so it judges the names that {1} would resolve; name {1} first"


LATE_VALID = [("valid_recipient", "disposable")]


@pytest.mark.parametrize(
    ("order", "tables", "notes"),
    [
        (["disposable", "bounce_tag", "valid_recipient", "localpart_pattern"], "", []),
        (["bad_recipient", "disposable"], '[checks.bad_recipient]\nrecipients = ["steve.3.count"]', []),
        (["valid_recipient", "disposable"], "", LATE_VALID),
        (["valid_recipient", "disposable"], '[checks.disposable]\naction = "off"', []),
        (["valid_recipient", "disposable"], '[checks.disposable]\naction = "observe"', LATE_VALID),
        (["valid_recipient", "disposable"], '[checks.valid_recipient]\naction = "observe"', []),
        (["localpart_pattern", "bounce_tag"], "", [("localpart_pattern", "bounce_tag")]),
        (["disposable", "valid_recipient", "bounce_tag"], "", [("valid_recipient", "bounce_tag")]),
    ],
)
def test_an_order_that_resolves_names_too_late_is_noted(
    tmp_path: Path, order: list[str], tables: str, notes: list[tuple[str, str]]
) -> None:
    text = f'[policy]\ndomains = ["example.org"]\norder = {order}\n{tables}\n'
    loaded = loaded_from(tmp_path, {"eximacl.toml": text, "lists/patterns": "x"})
    found = [str(note) for note in loaded.notes() if "policy.order" in str(note)]
    assert found == [LATE.format(*note) for note in notes]


def test_an_order_is_looked_at_in_each_domain(tmp_path: Path) -> None:
    off = 'order = ["valid_recipient", "disposable"]\n[checks.disposable]\naction = "off"\n'
    files = {
        "eximacl.toml": f'[policy]\ndomains = ["example.org"]\n{off}',
        "domains/example.org.toml": '[checks.disposable]\naction = "reject"\n',
    }
    loaded = loaded_from(tmp_path, files)
    assert [str(note) for note in loaded.notes()] == [LATE.format("valid_recipient", "disposable")]


TAKEN = "{0}: {1} is taken for a localpart; write @{1} for everyone at that domain"


@pytest.mark.parametrize(
    ("tables", "where"),
    [
        ('[checks.valid_recipient]\nrecipients = ["example.org"]', "eximacl.toml: checks.valid_recipient.recipients"),
        ('[checks.valid_recipient]\nrecipients = "names"', "eximacl.toml: checks.valid_recipient.recipients"),
        (
            '[checks.bad_recipient]\nrecipients = { "example.org" = "gone" }',
            "eximacl.toml: checks.bad_recipient.recipients",
        ),
        ('[exempt]\nrecipients = ["example.org", "postmaster", "abuse"]', "eximacl.toml: exempt.recipients"),
        (
            '[checks.bad_recipient]\nexempt = { recipients = ["Example.ORG"] }',
            "eximacl.toml: checks.bad_recipient.exempt.recipients",
        ),
        ('[checks.valid_recipient]\nrecipients = ["@example.org", "steve@example.org", "example.com", "org"]', ""),
    ],
)
def test_a_domain_without_its_at_is_noted(tmp_path: Path, tables: str, where: str) -> None:
    order = '["bad_recipient", "valid_recipient"]'
    text = f'[policy]\ndomains = ["example.org", ".example.net"]\norder = {order}\n{tables}\n'
    loaded = loaded_from(tmp_path, {"eximacl.toml": text, "names": "steve\nexample.org\n"})
    assert [str(note) for note in loaded.notes()] == ([TAKEN.format(where, "example.org")] if where else [])


def test_a_domain_without_its_at_is_noted_in_its_file(tmp_path: Path) -> None:
    files = {
        "eximacl.toml": '[policy]\ndomains = ["example.org", "example.com"]\norder = ["valid_recipient"]\n',
        "domains/example.org.toml": '[checks.valid_recipient]\nrecipients = ["example.org", "example.com"]\n',
    }
    loaded = loaded_from(tmp_path, files)
    where = "domains/example.org.toml: checks.valid_recipient.recipients"
    assert [str(note) for note in loaded.notes()] == [TAKEN.format(where, "example.org")]


NO_TLD = "checks.rdns_tld.tlds: lists/tld"
NO_RETRY = "checks.greylist.no_retry: lists/no_retry"
TLD_OFF = '[checks.rdns_tld]\naction = "off"'
TLDS = '[checks.rdns_tld]\ntlds = ["br"]'
GREYLIST = '[checks.greylist]\naction = "defer"'


@pytest.mark.parametrize(
    ("tables", "domain", "missing"),
    [
        ("", "", [NO_TLD]),
        (TLD_OFF, "", []),
        (TLD_OFF, '[checks.rdns_tld]\naction = "reject"', [NO_TLD]),
        (f"{TLDS}\n{GREYLIST}", "", [NO_RETRY]),
        (TLDS, GREYLIST, [NO_RETRY]),
        (TLDS, "", []),
    ],
)
def test_a_default_list_that_is_not_there_is_noted(
    tmp_path: Path, tables: str, domain: str, missing: list[str]
) -> None:
    text = f'[policy]\ndomains = ["example.org"]\norder = ["rdns_tld", "greylist"]\n{tables}\n'
    loaded = loaded_from(tmp_path, {"eximacl.toml": text, "domains/example.org.toml": domain})
    assert [str(note) for note in loaded.notes()] == [
        f"eximacl.toml: {one} does not exist, so this list is empty" for one in missing
    ]
