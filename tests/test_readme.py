"""README.md is run: its policy loads, its commands answer what it prints, its wiring is the one that the tests use."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from eximacl.config.settings import DEFAULT_ORDER
from tests.cli.running import eximacl
from tests.lab.daemon import Daemon
from tests.lab.demo import table
from tests.lab.mails import CLIENTS, Result, examples
from tests.lab.site import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
EXIM_PAGE = (ROOT / "docs" / "exim.md").read_text(encoding="utf-8")
# What differs from run to run: times, process ids, references, message ids.
CHANGING = re.compile(r" +\d+ µs|check-\d+-\d+|ref [0-9A-Z]{8}|id=\S+|since [0-9-]+ [0-9:]+")


def blocks(language: str) -> list[str]:
    """Return the fenced blocks of that language."""
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def block(language: str) -> str:
    """Return the only one."""
    (found,) = blocks(language)
    return found


def sessions() -> Iterator[tuple[str, str]]:
    """Yield each command of the console block with what it prints."""
    for part in re.split(r"^\$ ", block("console"), flags=re.MULTILINE)[1:]:
        command, _, output = part.partition("\n")
        yield command, output


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The policy as README has it, with nothing beside it; the daemon runs it."""
    path = tmp_path / "eximacl.toml"
    here = '[server]\nsocket = "s"\n[state]\nurl = "memory:"\n[log]\nrejections = ""\n[journal]\ndir = ""\n'
    path.write_text(here + block("toml"))
    monkeypatch.setenv("EXIMACL_CONFIG", str(path))
    assert eximacl("config", "test").status == 0
    with Daemon(path, tmp_path / "s", tmp_path / "log"):
        yield path


@pytest.mark.usefixtures("config")
def test_the_session_prints_what_readme_says() -> None:
    ran = 0
    for command, output in sessions():
        done = eximacl(*shlex.split(command)[1:])
        assert done.err == ""
        assert CHANGING.sub("", done.out).rstrip() == CHANGING.sub("", output).rstrip(), command
        ran += 1
    assert ran == 3


COMMANDS = [line for part in blocks("sh") for line in part.splitlines() if re.match("eximacl (archive|log)", line)]


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_on_a_wrong_refusal_is_one(command: str) -> None:
    """docs/archive.md has the same ones, and there they are run."""
    done = eximacl(*shlex.split(command, comments=True)[1:], "--help")
    assert (done.status, done.err) == (0, "")


def test_there_are_commands_on_a_wrong_refusal() -> None:
    assert len(COMMANDS) == 3


def test_the_policy_has_six_lines() -> None:
    assert len(block("toml").splitlines()) == 6


def test_the_wiring_is_the_one_that_the_real_exim_is_tested_with() -> None:
    assert f"```sh split\n{blocks('sh')[1]}```" in EXIM_PAGE


@pytest.mark.needs_network
def test_the_installation(tmp_path: Path) -> None:
    """As README says, into another prefix than /opt, /usr/local and /etc."""
    script = blocks("sh")[0]
    for place in ("/opt/eximacl", "/usr/local/bin", "/etc/eximacl"):
        script = script.replace(place, f"{tmp_path}{place}")
    (tmp_path / "usr/local/bin").mkdir(parents=True)
    (tmp_path / "opt").mkdir()
    path = f"{tmp_path}/usr/local/bin:{os.environ['PATH']}"
    subprocess.run(["bash", "-ec", script], cwd=ROOT, check=True, env={**os.environ, "PATH": path}, capture_output=True)
    assert (tmp_path / "etc/eximacl/eximacl.toml").exists()
    # What setuptools leaves there; the rest of build/ is make's.
    for left in (ROOT / "build/lib", *(ROOT / "build").glob("bdist.*")):
        shutil.rmtree(left)


def test_the_table_of_make_run_is_what_it_prints() -> None:
    """Its rows are results of the examples, laid out as `make run` does; all of them fit a terminal of 80 columns."""
    shown = re.search(r"^    client\n(?:    .*\n)+?(?=    …$)", README, re.MULTILINE)
    assert shown
    lines = dedent(shown[0]).splitlines()
    results = [next(result for result in one if result.expected) for one in shown_results(lines[2:])]
    assert len(results) >= 5
    assert list(table(results)) == lines
    all_results = [
        Result(mail, f"{mail.reply} {'a word or two' * 9} (ref=8AKXXRAM)", mail.check) for mail in examples()
    ]
    assert max(map(len, (*lines, *table(all_results)))) <= 78


def test_the_checks_are_all_that_run_by_default() -> None:
    found = re.search(r"^The (\d+) checks ask about .*?\n\n", README, re.MULTILINE | re.DOTALL)
    assert found
    assert sorted(re.findall(r"`(\w+)`", found[0])) == sorted(DEFAULT_ORDER)
    assert found[1] == str(len(DEFAULT_ORDER))
    assert f"| {found[1]} checks of " in README


def shown_results(lines: Iterable[str]) -> Iterator[list[Result]]:
    """Yield for each row the results of examples that it can show; its check and its reply are below it."""
    client = ""
    for part in re.split(r"^(?=(?:  )?[^ \n])", "\n".join(lines), flags=re.MULTILINE):
        first, _, below = part.rstrip().partition("\n")
        if not first.startswith(" "):
            client = first
            continue
        _, sender, recipient = first.split()
        check, _, reply = " ".join(below.split()).partition(": ")
        yield [
            Result(mail, reply or "250 OK", check)
            for mail in examples()
            if (CLIENTS[mail.client], mail.sender, mail.recipient) == (client, sender, recipient)
        ]


@pytest.mark.parametrize("target", re.findall(r"`make ?(\w*)`?", README))
def test_each_make_target_exists(target: str) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert re.search(rf"^{target or 'test'}:", makefile, re.MULTILINE)


@pytest.mark.parametrize(
    "page", [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))], ids=lambda page: page.name
)
def test_every_link_leads_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
        assert (page.parent / link).exists(), f"{page.name}: {link}"
