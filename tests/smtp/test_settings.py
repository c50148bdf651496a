"""The settings in exim-snippets/macros: each is documented, each of the site's own ACLs is called, clashes are loud."""

from __future__ import annotations

import re

import pytest

from tests.lab import Lab, Site
from tests.lab.site import DOCUMENT, ROOT
from tests.lab.waiting import until
from tests.smtp.answers import RESERVED, by
from tests.smtp.conftest import Labs

MACROS = (ROOT / "exim-snippets" / "macros").read_text()
DEFAULTS = dict(re.findall(r"(?m)^\.ifndef (\w+)\n(?:\.ifdef EXIMACL_PLAIN\n.*\n\.else\n)?\1 = (.*)$", MACROS))
# In a table a bar is written with a backslash.
ROWS = re.findall(r"(?m)^\| `(EXIMACL_\w+)` \| (?:`(.*?)`|\(not set\))", DOCUMENT.read_text())
DOCUMENTED = {name: default.replace("\\|", "|") for name, default in ROWS}


def test_each_setting_is_documented_with_its_default() -> None:
    assert {**DEFAULTS, "EXIMACL_ASK_EARLY": "", "EXIMACL_PLAIN": "", "EXIMACL_TAG_SENDERS": ""} == DOCUMENTED


def test_each_file_is_named_in_the_readme() -> None:
    files = {path.name for path in (ROOT / "exim-snippets").iterdir()} - {"README"}
    assert files == set(re.findall(r"(?m)^\w+\.acl|(?<= )\w+\.acl(?= {3}|$)|^macros|^router|^bounce_tags", readme()))


def readme() -> str:
    """Return the snippets' README."""
    return (ROOT / "exim-snippets" / "README").read_text()


STAGES = ("connect", "helo", "mail", "rcpt", "data", "quit", "notquit")
SESSION = """
    S: 220
    C: EHLO mx.example.net
    S: 250
    C: MAIL FROM:<a@example.net>
    S: 250
    C: RCPT TO:<{recipient}@example.org>
    S: 250
    C: DATA
    S: 354
    C: Subject: hello
    C:
    C: text
    C: .
    S: 250
    C: RSET
    S: 250
    C: MAIL FROM:<a@example.net>
    S: 250
    C: RCPT TO:<{recipient}@example.org>
    S: 250
    """


@pytest.mark.parametrize("source", ["127.0.0.2", "127.0.0.99"], ids=["asked-about", "skipped"])
@pytest.mark.parametrize("ending", ["C: QUIT\nS: 221", "X: drop"], ids=["quit", "drop"])
@pytest.mark.parametrize("recipient", ["steve", "steve.3.count"])
@pytest.mark.parametrize("kind", ["split", "plain"])
def test_each_of_the_sites_own_acls_is_called(labs: Labs, kind: str, recipient: str, ending: str, source: str) -> None:
    macros = {"EXIMACL_ASK_EARLY": "yes"}
    macros |= {f"EXIMACL_NEXT_{stage.upper()}": f"/etc/exim4/next-{stage}" for stage in STAGES}
    files = {f"next-{stage}": f"warn logwrite = next is {stage}\naccept\n" for stage in STAGES}
    lab, daemon = labs(Site("plain" if kind == "plain" else "split", macros, files=files))
    daemon.answer = by(steve3count=RESERVED)
    before = len(lab.mainlog())
    lab.play(SESSION.format(recipient=recipient) + ending, source)
    last = "quit" if "QUIT" in ending else "notquit"
    expected = ["connect", "helo", "mail", "rcpt", "data", "mail", "rcpt", last]
    until(lambda: re.findall(r"next is (\w+)", lab.mainlog()[before:]) == expected)


def test_an_option_that_clashes_is_refused_by_exim_or_the_last_one_counts() -> None:
    """Exim up to 4.98 refuses it. From 4.100 on, `exim install` and the doctor compare."""
    try:
        with Lab(Site(macros={"EXIMACL_ASK_EARLY": "yes", "acl_smtp_connect": "my_acl"})) as lab:
            found = lab.setting("acl_smtp_connect")
    except RuntimeError as error:
        found = str(error)
    assert "option set for the second time" in found or "/connect.acl" in found


@pytest.mark.parametrize("kind", ["split", "unsplit"])
def test_the_sites_own_acl_is_found_in_debians_macro(kind: str) -> None:
    """What stands above the .include is called as EXIMACL_NEXT_… would be; that counts where both are set."""
    stages = {"MAIL": "mine", "RCPT": "mine", "DATA": "mine"}
    macros = {f"MAIN_ACL_CHECK_{stage}": acl for stage, acl in stages.items()} | {"EXIMACL_NEXT_DATA": "other"}
    with Lab(Site("split" if kind == "split" else "unsplit", macros)) as lab:
        found = [lab.setting(f"+eximacl_next_{stage.lower()}").partition(" = ")[2] for stage in stages]
        assert found == ["mine", "mine", "other"]
        assert lab.setting("acl_smtp_mail") == "acl_smtp_mail = mine"
        assert "/etc/exim4/eximacl/rcpt.acl" in lab.setting("acl_smtp_rcpt")


def test_the_files_may_stay_where_the_package_installs_them(labs: Labs) -> None:
    lab, _ = labs(Site(macros={"EXIMACL_DIR": str(ROOT / "exim-snippets")}))
    assert f"{{{ROOT}/exim-snippets/rcpt.acl}}" in lab.setting("acl_smtp_rcpt")


@pytest.mark.parametrize("kind", ["split", "unsplit", "plain"])
def test_exim_reads_the_configuration_as_documented(labs: Labs, kind: str) -> None:
    sites = {"split": Site("split"), "unsplit": Site("unsplit"), "plain": Site("plain")}
    lab, _ = labs(sites[kind])
    file = "/etc/exim4/eximacl/rcpt.acl"
    assert lab.setting("acl_smtp_rcpt") == f"acl_smtp_rcpt = ${{if exists{{{file}}}{{{file}}}{{acl_check_rcpt}}}}"
    routed = lab.run("/usr/sbin/exim4", "-bt", "steve.3.count@example.org")
    assert routed.startswith("steve@example.org\n    <-- steve.3.count@example.org\n")
    assert lab.expand("${listnamed_l:eximacl_dir}") == "/etc/exim4/eximacl"
