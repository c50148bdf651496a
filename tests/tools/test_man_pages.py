"""The man pages: one for each command, with all of its options, and groff has nothing to say against them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from eximacl.cli import cli
from tests.lab.site import ROOT
from tools.man_pages import pages, write

PAGES = dict(pages("2026-12-31"))


def commands(command: click.Command, name: str) -> Iterator[tuple[str, click.Command]]:
    yield name, command
    if isinstance(command, click.Group):
        for each, below in command.commands.items():
            yield from commands(below, f"{name}-{each}")


COMMANDS = dict(commands(cli, "eximacl"))


def plain(page: str) -> str:
    return (
        page.replace(r"\-", "-")
        .replace(r"\(aq", "'")
        .replace(r"\(ga", "`")
        .replace(r"\(ti", "~")
        .replace(r"\(ha", "^")
        .replace(r"\fB", "")
        .replace(r"\fR", "")
    )


def test_each_command_has_a_page() -> None:
    assert set(PAGES) == {f"{name}.1" for name in COMMANDS}
    assert len(PAGES) > 15


@pytest.mark.parametrize("name", COMMANDS)
def test_a_page_names_every_option_and_its_help(name: str) -> None:
    page = plain(PAGES[f"{name}.1"])
    options = [each for each in COMMANDS[name].params if isinstance(each, click.Option)]
    for option in options:
        assert all(word in page for word in option.opts), option.name
        assert " ".join((option.help or "").split()) in page
    assert "-h, --help" in page


def test_a_page() -> None:
    page = PAGES["eximacl-config-test.1"].splitlines()
    assert page[0].startswith(r'.TH "EXIMACL\-CONFIG\-TEST" 1 "2026-12-31" "eximacl ')
    assert page[1:4] == [
        ".SH NAME",
        r"eximacl\-config\-test \- Test the policy file and everything that it names, or LIST alone",
        ".SH SYNOPSIS",
    ]
    assert page[-2:] == [".SH SEE ALSO", r"\fBeximacl\-config\fR(1)"]


def test_what_is_typed_stays_in_its_lines() -> None:
    page = PAGES["eximacl-log.1"]
    typed = page[page.index(".nf") : page.index(".fi")]
    assert typed.splitlines()[1] == "Examples:"
    assert all(line.startswith("  eximacl log") for line in typed.splitlines()[2:])


def test_a_group_names_its_commands_and_the_first_page_the_files() -> None:
    assert r"\fBeximacl\-archive\-list\fR(1)" in PAGES["eximacl-archive.1"]
    assert "/etc/eximacl/eximacl.toml" in PAGES["eximacl.1"]
    assert ".SH FILES" not in PAGES["eximacl-log.1"]


def test_no_line_is_taken_for_a_request() -> None:
    known = {"TH", "SH", "B", "PP", "TP", "nf", "fi"}
    lines = [line for page in PAGES.values() for line in page.splitlines()]
    assert {line[1:].split()[0] for line in lines if line.startswith(".")} <= known
    assert not [line for line in lines if line.startswith("'")]


@pytest.mark.needs_exim
def test_groff_takes_them_all(tmp_path: Path) -> None:
    for path in write(tmp_path / "man", "2026-12-31"):
        done = subprocess.run(
            ["groff", "-man", "-Tutf8", "-Kutf8", "-ww", "-z", path], check=False, capture_output=True, text=True
        )
        assert (done.returncode, done.stderr) == (0, ""), path.name


@pytest.mark.parametrize(("epoch", "date"), [("1795450593", "2026-11-23"), ("0", "1970-01-01")])
def test_it_runs_as_a_program(tmp_path: Path, epoch: str, date: str) -> None:
    environ = {**os.environ, "SOURCE_DATE_EPOCH": epoch}
    command = [sys.executable, "-m", "tools.man_pages", str(tmp_path / "man")]
    subprocess.run(command, cwd=ROOT, check=True, env=environ)
    assert f'"{date}"' in (tmp_path / "man/eximacl.1").read_text(encoding="utf-8")
    assert {path.name for path in (tmp_path / "man").iterdir()} == set(PAGES)
