"""The sample loads as it is and names every option; what is in force shows no secret; everything can be explained."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest

from eximacl.check import Check, NoOptions, Option, options_of
from eximacl.config import describe, explain, find_checks, load, sample, show, show_toml, write_sample
from eximacl.config.render import (
    COMMENT_COLUMNS,
    NAMED_INDENT,
    TEXT_COLUMNS,
    all_tables,
    in_order,
    option_default,
    option_help,
    option_word,
)
from eximacl.config.settings import COMMON_TABLE, DEFAULT_ORDER, EXEMPT_TABLE, SETTINGS_TABLES, check_table
from eximacl.mail.lists import Suffixes
from eximacl.mail.patterns import Patterns
from tests.config.world import loaded_from, option_of, word

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
    assert text == "# Who is refused. Each entry is a domain: itself and all below it.\n# One entry per line.\n"


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


PLUGIN = '''
from dataclasses import dataclass
from eximacl.check import Ask, Outcome, Query, Secrets, check, option

@dataclass(frozen=True, kw_only=True)
class Options:
    secrets: Secrets = option("", "The secrets.")

@check("signed", stages={"rcpt"}, options=Options)
async def signed(query: Query, options: Options, ask: Ask) -> Outcome:
    """Object to nothing."""
'''
FILES = {
    "eximacl.toml": """
        [policy]
        domains = ["example.org", "example.net"]
        order = ["signed", "sender_domain", "rdns_tld"]
        checks_dir = "checks"
        [checks.signed]
        secrets = "secret"
        [checks.rdns_tld]
        exempt = { ips = ["192.0.2.7"] }
        [checks.sender_domain]
        domains = ["spam.example"]
    """,
    "domains/example.org.toml": """
        [exempt]
        hosts = ["lists.example"]
        [checks.rdns_tld]
        action = "off"
        exempt = { senders = ["a"] }
    """,
    "lists/tld": "sa\nvn\n",
    "checks/signed.py": PLUGIN,
}
SECRET = "a-long-enough-secret"


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "secret").write_text(f"{SECRET}\n")
    (tmp_path / "secret").chmod(0o600)
    return tmp_path


def test_what_is_in_force_for_all(files: Path) -> None:
    shown = show(loaded_from(files, FILES))
    assert shown["server"]["mode"] == "0660"
    assert shown["policy"]["domains"] == ["example.org", "example.net"]
    assert shown["domain_files"] == ["example.org"]
    assert shown["exempt"]["recipients"] == ["postmaster", "abuse"]
    assert list(shown["checks"]) == ["signed", "sender_domain", "rdns_tld"]
    assert shown["checks"]["rdns_tld"]["tlds"] == {"path": "lists/tld", "entries": 2}
    assert shown["checks"]["sender_domain"]["domains"] == ["spam.example"]
    assert "exempt_here" not in shown


def test_what_is_in_force_for_one_domain(files: Path) -> None:
    shown = show(loaded_from(files, FILES), "example.org")
    assert "server" not in shown
    assert shown["exempt_here"] == {"hosts": ["lists.example"]}
    rdns_tld = shown["checks"]["rdns_tld"]
    assert rdns_tld["action"] == "off"
    assert (rdns_tld["exempt"], rdns_tld["exempt_here"]) == ({"ips": ["192.0.2.7"]}, {"senders": ["a"]})


def test_a_domain_may_have_other_separators(tmp_path: Path) -> None:
    main = '[policy]\ndomains = ["example.org", "example.net"]\norder = []\n'
    here = '[policy]\nseparators = "-"\n'
    loaded = loaded_from(tmp_path, {"eximacl.toml": main, "domains/example.org.toml": here})
    assert show(loaded, "example.org")["policy"] == {"separators": "-"}
    assert show(loaded, "example.net")["policy"] == {"separators": "+"}
    assert show(loaded)["policy"]["separators"] == "+"


def test_what_is_in_force_for_a_domain_without_a_file(files: Path) -> None:
    loaded = loaded_from(files, FILES)
    assert show(loaded, "example.net")["checks"] == show(loaded)["checks"]


def test_what_is_in_force_for_a_domain_that_is_not_judged(files: Path) -> None:
    with pytest.raises(LookupError, match=r"policy.domains does not list example.com"):
        show(loaded_from(files, FILES), "example.com")


@pytest.mark.parametrize("domain", [None, "example.org"])
def test_what_is_in_force_reads_as_toml_and_json_and_shows_no_secret(files: Path, domain: str | None) -> None:
    shown = show(loaded_from(files, FILES), domain)
    text = show_toml(shown)
    assert tomllib.loads(text) == json.loads(json.dumps(shown))
    assert shown["checks"]["signed"]["secrets"] == {"path": "secret", "entries": 1}
    assert SECRET not in text


LISTS = """
    [policy]
    domains = ["example.org"]
    order = ["dnsbl", "dnswl"]
    [checks.dnswl]
    zones = ["wl.example.net"]
    [checks.dnsbl.zones."{key}.bl.example.net"]
    key = "key"
    weight = 2
    codes = ["127.0.0.2"]
    [checks.dnsbl.zones."other.example.net"]
"""


def test_tables_with_names_show_all_their_keys_and_no_secret(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("geheim\n")
    (tmp_path / "key").chmod(0o640)
    shown = show(loaded_from(tmp_path, {"eximacl.toml": LISTS}))
    zones = shown["checks"]["dnsbl"]["zones"]
    assert list(zones) == ["{key}.bl.example.net", "other.example.net"]
    assert zones["{key}.bl.example.net"]["key"] == {"path": "key", "entries": 1}
    assert zones["{key}.bl.example.net"]["weight"] == 2
    assert zones["{key}.bl.example.net"]["codes"] == {"127.0.0.2": {"weight": 1, "text": ""}}
    assert zones["other.example.net"]["text"] == "{ip} is listed by {zone}"
    assert zones["other.example.net"]["codes"] == {"127.0.0.2-127.0.0.254": {"weight": 1, "text": ""}}
    assert shown["checks"]["dnswl"]["zones"]["wl.example.net"]["codes"]["127.0.*.0"] == {"weight": 0}
    text = show_toml(shown)
    assert tomllib.loads(text) == json.loads(json.dumps(shown))
    assert '\n[checks.dnsbl.zones."{key}.bl.example.net"]\ncodes = ' in text
    assert "geheim" not in text


def test_what_is_shown_of_tables_with_names_loads_again(tmp_path: Path) -> None:
    text = LISTS.replace("{key}.", "").replace('key = "key"', "")
    shown = show(loaded_from(tmp_path, {"eximacl.toml": text}))
    del shown["domain_files"]
    again = loaded_from(tmp_path, {"eximacl.toml": show_toml(shown)})
    assert show(again)["checks"] == shown["checks"]


NAMES = [
    name for key, table in all_tables(CHECKS).items() for name in (key, *(f"{key}.{o.name}" for o in table.options))
]


@pytest.mark.parametrize("name", NAMES)
def test_everything_can_be_explained(name: str) -> None:
    assert (
        max(map(len, explain(name, CHECKS).splitlines())) <= TEXT_COLUMNS + 2
    )  # options are indented below their table
    json.dumps(describe(name, CHECKS))


def test_a_check_explained() -> None:
    text = explain("checks.rdns_tld", CHECKS)
    assert text == explain("rdns_tld", CHECKS)
    assert text.startswith("[checks.rdns_tld]\n  Refuse clients")
    assert "\n  Looks at: connect, helo, mail, rcpt.\n" in text
    assert '\n  tlds (list of domains; default "lists/tld")\n' in text
    assert '\n  on_unknown ("accept" or "defer"; default "accept")\n' in text


def test_an_option_explained() -> None:
    assert explain("journal.keep_days", CHECKS) == (
        "journal.keep_days (whole number, at least 0; default 30)\n"
        "  Daily files older than this many days are deleted; 0: kept for ever."
    )
    assert explain("policy.domains", CHECKS).startswith("policy.domains (list of recipient domains; must be set)")


def test_the_tables_of_an_option_explained() -> None:
    text = explain("dnsbl.zones", CHECKS)
    assert text.startswith("[checks.dnsbl.zones.NAME]\n  One list.")
    assert "\n  ipv6 (true or false; default true)\n" in text
    assert "Looks at" not in text
    assert explain("dnsbl.zones.weight", CHECKS).startswith("checks.dnsbl.zones.NAME.weight (number, at least -1000,")
    assert explain("checks.dnsbl.zones.codes", CHECKS).startswith("[checks.dnsbl.zones.NAME.codes.NAME]\n")
    assert explain("dnsbl.zones.codes.text", CHECKS).startswith("checks.dnsbl.zones.NAME.codes.NAME.text (template of ")
    assert describe("dnsbl.zones", CHECKS)["options"][0]["key"] == "checks.dnsbl.zones.NAME.codes"


def test_what_is_described_as_values() -> None:
    assert describe("policy.order", CHECKS)["default"][-1] == "rate"
    assert describe("checks.rdns_tld.tlds", CHECKS)["key"] == "checks.rdns_tld.tlds"
    assert describe("state", CHECKS)["options"][0]["default"] == "sqlite:/var/lib/eximacl/state.db"


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("rdns_tdl", "rdns_tdl: unknown name; did you mean rdns_tld?"),
        ("server.sokcet", "server.sokcet: unknown option; did you mean socket?"),
        (
            "checks.rdns_tld.xyzzy",
            "checks.rdns_tld.xyzzy: unknown option; "
            "known: tlds, names, action, on_unknown, exempt, spare_known, message",
        ),
        ("dnsbl.zoens", "dnsbl.zoens: unknown option; did you mean zones?"),
        ("dnsbl.zones.wieght", "dnsbl.zones.wieght: unknown option; did you mean weight?"),
        ("", ": unknown name; known: server, state,"),
    ],
)
def test_unknown_names_get_a_hint(name: str, hint: str) -> None:
    with pytest.raises(LookupError) as raised:
        explain(name, CHECKS)
    assert str(raised.value).startswith(hint)
