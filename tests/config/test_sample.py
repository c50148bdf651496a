"""The sample configuration: it loads as it is, names every option, and changes no default."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from eximacl.check import Check, NoOptions, Option, options_of
from eximacl.config import find_checks, load, sample, write_sample
from eximacl.config.sample import COMMENT_COLUMNS, NAMED_INDENT, in_order, option_default, option_help, option_word
from eximacl.config.settings import COMMON_TABLE, DEFAULT_ORDER, EXEMPT_TABLE, SETTINGS_TABLES, check_table
from eximacl.mail.lists import Patterns, Suffixes
from tests.config.world import option_of, word

CHECKS = find_checks()
SETTING = re.compile(r"^#([a-z_]+ = )", re.MULTILINE)


def test_the_sample_loads_and_is_the_default(tmp_path: Path) -> None:
    write_sample(tmp_path, CHECKS.values())
    loaded = load(tmp_path / "eximacl.toml")
    (tmp_path / "eximacl.toml").write_text('[policy]\ndomains = ["example.org"]\n')
    plain = load(tmp_path / "eximacl.toml")
    settings = [
        (s.server, s.state, s.log, s.journal, s.archive, s.policy.order) for s in (loaded.settings, plain.settings)
    ]
    assert settings[0] == settings[1]
    raws = [
        {key: {n: v.raw for n, v in values.items()} for key, values in one.tables.items()} for one in (loaded, plain)
    ]
    assert raws[0] == raws[1]


def test_the_sample_loads_with_every_setting_taken_in(tmp_path: Path) -> None:
    write_sample(tmp_path, CHECKS.values())
    path = tmp_path / "eximacl.toml"
    path.write_text(SETTING.sub(r"\1", path.read_text()))
    assert load(path).settings.policy.order == tuple(name for name in DEFAULT_ORDER if name in CHECKS)


def test_the_sample_loads_with_every_table_that_has_a_name_taken_in(tmp_path: Path) -> None:
    write_sample(tmp_path, CHECKS.values())
    path = tmp_path / "eximacl.toml"
    path.write_text(re.sub(f"^{NAMED_INDENT}", "", path.read_text(), flags=re.MULTILINE))
    loaded = load(path)
    for check in ("dnsbl", "dnswl", "rhsbl"):
        (zone,) = loaded.tables[f"checks.{check}"]["zones"].value
        assert zone.name == "name.example"
        assert loaded.tables[f"checks.{check}"]["zones"].raw[zone.name].keys() == {
            one.name for one in options_of("", type(zone))
        }
    assert "\n# [checks.dnsbl.zones.NAME.codes.NAME]: " in path.read_text()


def test_the_sample_names_every_option() -> None:
    text = sample(CHECKS.values())
    tables = [*SETTINGS_TABLES.values(), EXEMPT_TABLE, *(check_table(check) for check in in_order(CHECKS.values()))]
    for table in tables:
        assert f"\n[{table.key}]\n" in text
    sections = dict(re.findall(r"^\[(\S+)\]\n(.*?)(?=^\[|\Z)", text, re.MULTILINE | re.DOTALL))
    common = {option.name for option in COMMON_TABLE.options}
    for table in tables:
        for option in table.options:
            if option.name not in common:
                assert re.search(rf"^#?{option.name} = ", sections[table.key], re.MULTILINE), option.name
    for name in common:
        assert f"\n# {name} (" in text


def test_comments_are_wrapped() -> None:
    assert max(len(line) for line in sample(CHECKS.values()).splitlines() if line.startswith("# ")) <= COMMENT_COLUMNS


def test_the_sample_policy_refuses_what_its_lists_name(tmp_path: Path) -> None:
    write_sample(tmp_path, CHECKS.values())
    loaded = load(tmp_path / "eximacl.toml")
    verdicts = {
        "steve@example.org": "accept",
        "steve1@example.org": "reject",
        "a,b@example.org": "reject",
        "a|b@example.org": "reject",
        'a"b@example.org': "reject",
        "o'brien@example.org": "reject",
        "-steve@example.org": "reject",
        "ärla@example.org": "accept",
        "steve2b@example.org": "accept",
    }
    assert {rcpt: word(loaded, rcpt, host="mail.example.net") for rcpt in verdicts} == verdicts
    assert word(loaded, "steve@example.org", host="mail.example.SA.") == "reject"
    assert word(loaded, "steve@example.org", host="mail.visa.example") == "accept"


def test_lists_that_exist_are_left_alone_and_a_policy_file_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists/tld").write_text("mine\n")
    written = write_sample(tmp_path, CHECKS.values())
    assert tmp_path / "eximacl.toml" in written
    assert tmp_path / "lists/tld" not in written
    assert (tmp_path / "lists/tld").read_text() == "mine\n"
    with pytest.raises(FileExistsError):
        write_sample(tmp_path, CHECKS.values())


def test_a_list_that_is_not_shipped_says_what_goes_in(tmp_path: Path) -> None:
    option = Option("names", Suffixes, "lists/of-nothing-shipped", "Who is refused.")

    async def run(*_: object) -> None: ...

    stages = frozenset({"rcpt"})
    check = Check("disposable", run, stages, NoOptions, (option,), "reject", "accept", "Doc.", "Doc.")  # type: ignore[arg-type]
    write_sample(tmp_path, [check])
    text = (tmp_path / "lists/of-nothing-shipped").read_text()
    assert text == "# Who is refused. Each entry is a domain: itself and all below it.\n# One entry a line.\n"


@pytest.mark.parametrize(
    ("option", "word_", "default", "help_"),
    [
        (option_of(int, 3, minimum=1), "whole number, at least 1", "3", "Help."),
        (option_of(float, 1.5, minimum=1, maximum=2), "number, at least 1, at most 2", "1.5", "Help."),
        (option_of(str), "string", "", "Help."),
        (option_of(Patterns, []), "list of patterns", "[]", f"Help. Each entry is {Patterns.entry_help}."),
    ],
)
def test_how_an_option_is_described(option: Option, word_: str, default: str, help_: str) -> None:
    assert (option_word(option), option_default(option), option_help(option)) == (word_, default, help_)
