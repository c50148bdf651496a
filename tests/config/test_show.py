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
