"""What is in force: for all, and for one domain; it reads as a policy file, and shows no secret."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

from eximacl.config import show, show_toml
from tests.config.world import loaded_from

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


def test_for_all(files: Path) -> None:
    shown = show(loaded_from(files, FILES))
    assert shown["server"]["mode"] == "0660"
    assert shown["policy"]["domains"] == ["example.org", "example.net"]
    assert shown["domain_files"] == ["example.org"]
    assert shown["exempt"]["recipients"] == ["postmaster", "abuse"]
    assert list(shown["checks"]) == ["signed", "sender_domain", "rdns_tld"]
    assert shown["checks"]["rdns_tld"]["tlds"] == {"path": "lists/tld", "entries": 2}
    assert shown["checks"]["sender_domain"]["domains"] == ["spam.example"]
    assert "exempt_here" not in shown


def test_for_one_domain(files: Path) -> None:
    shown = show(loaded_from(files, FILES), "example.org")
    assert "server" not in shown
    assert shown["exempt_here"] == {"hosts": ["lists.example"]}
    rdns_tld = shown["checks"]["rdns_tld"]
    assert rdns_tld["action"] == "off"
    assert (rdns_tld["exempt"], rdns_tld["exempt_here"]) == ({"ips": ["192.0.2.7"]}, {"senders": ["a"]})


def test_for_a_domain_without_a_file(files: Path) -> None:
    loaded = loaded_from(files, FILES)
    assert show(loaded, "example.net")["checks"] == show(loaded)["checks"]


def test_for_a_domain_that_is_not_judged(files: Path) -> None:
    with pytest.raises(LookupError, match=r"policy.domains does not list example.com"):
        show(loaded_from(files, FILES), "example.com")


@pytest.mark.parametrize("domain", [None, "example.org"])
def test_it_reads_as_toml_and_json_and_shows_no_secret(files: Path, domain: str | None) -> None:
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
