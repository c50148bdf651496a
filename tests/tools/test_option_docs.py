"""Option tables in the docs: generated, up to date, and written anew by `make docs`."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from eximacl.config import find_checks
from eximacl.config.settings import SETTINGS_TABLES
from tests.config.world import loaded_from, problems_of, word
from tools.option_docs import block, main, outdated, render

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
CHECKS = find_checks()
PAGE = "# Page\n\n<!-- options: rdns_tld -->\nold\n<!-- end -->\n\nMore.\n"


def test_the_docs_are_up_to_date() -> None:
    assert [str(path) for path in outdated(DOCS)] == []


def test_every_settings_table_is_in_the_policy_page() -> None:
    text = (DOCS / "policy-file.md").read_text()
    for name in (*SETTINGS_TABLES, "exempt", "common"):
        assert f"<!-- options: {name} -->" in text


@pytest.mark.parametrize("name", sorted(CHECKS))
def test_every_check_has_a_page_with_its_options(name: str) -> None:
    assert f"<!-- options: {name} -->" in (DOCS / "checks" / f"{name}.md").read_text()


def test_a_block_is_written_anew_and_the_rest_stays() -> None:
    page = render(PAGE, CHECKS)
    assert page.startswith("# Page\n\n<!-- options: rdns_tld -->\n| option |")
    assert '| `tlds` | list of domains | `"lists/tld"` |' in page
    assert page.endswith('`on_unknown = "accept"`.\n<!-- end -->\n\nMore.\n')
    assert render(page, CHECKS) == page


def test_the_tables_of_an_option_have_tables_of_their_own() -> None:
    text = block("dnsbl", CHECKS)
    assert "| `zones` | tables, or array of names | `[]` |" in text
    zones, codes = (
        text.index("`[checks.dnsbl.zones.NAME]`: One list."),
        text.index("`[checks.dnsbl.zones.NAME.codes.NAME]`: "),
    )
    assert zones < text.index("\n| `weight` | number, at least -1000, at most 1000 | `1` |") < codes
    assert "checks.rdns.patterns" not in block("rdns", CHECKS)


def test_bars_do_not_end_a_cell() -> None:
    assert "hold" in block("common", CHECKS)
    assert all(line.replace("\\|", "").count("|") == 5 for line in block("server", CHECKS).splitlines())


def test_an_unknown_name_is_an_error() -> None:
    with pytest.raises(LookupError, match="unknown name; did you mean server"):
        block("sever", CHECKS)


def test_check_tells_and_write_writes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "page.md"
    page.write_text(PAGE)
    assert main(["--check", str(tmp_path)]) == 1
    assert page.read_text() == PAGE
    assert main([str(tmp_path)]) == 0
    assert page.read_text() == render(PAGE, CHECKS)
    assert main(["--check", str(tmp_path)]) == 0
    assert capsys.readouterr().out == f"{page}: out of date: run make docs\n{page}: written\n"


def test_it_runs_as_a_program(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "page.md").write_text(PAGE)
    command = [sys.executable, "-m", "tools.option_docs"]
    (tmp_path / "tools").symlink_to(ROOT / "tools")
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "docs/page.md: written\n", "")


TOML = re.compile(r"^```toml\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILES = {
    "lists/valid": "steve\n",
    "lists/tld": "# hosts in these are refused\nsa\ncom.br      # since March\n",
    "blacklisted/tld/sa": "",
    "domains/example.org.users": "steve\njoe\n",
}


def test_the_policy_page_s_examples_load(tmp_path: Path) -> None:
    first, spared, lists, overlay = TOML.findall((DOCS / "policy-file.md").read_text())
    order = first.replace(
        'order = ["valid_recipient", "rdns_tld"]', 'order = ["valid_recipient", "sender_domain", "rdns_tld"]'
    )
    loaded = loaded_from(tmp_path, {"eximacl.toml": order, "domains/example.org.toml": overlay, **FILES})
    assert word(loaded, "joe@example.org") == "accept"
    assert word(loaded, "ann@example.org") == "reject"
    known = loaded_from(tmp_path, {"eximacl.toml": spared, "domains/example.org.toml": ""})
    assert [step.spare_known for step in known.policy.base.steps("rcpt")] == [True]
    for line in lists.splitlines():
        table = f'[policy]\ndomains = ["example.org"]\norder = ["rdns_tld"]\n[checks.rdns_tld]\n{line}\n'
        loaded = loaded_from(tmp_path, {"eximacl.toml": table, "domains/example.org.toml": ""})
        assert word(loaded, "joe@example.org", host="mx.example.sa") == "reject"


def test_the_policy_page_s_mistakes_are_found(tmp_path: Path) -> None:
    printed = (DOCS / "policy-file.md").read_text().rpartition("```\n")[0].rpartition("```\n")[2]
    main = '[server]\nsockt = "x"\n[policy]\ndomains = ["example.org"]\norder = ["rdns_tld"]\n'
    files = {"eximacl.toml": main, "lists/tld": "sa\n\ncom br\n", "domains/exmaple.org.toml": ""}
    assert problems_of(tmp_path, files) == printed.splitlines()
