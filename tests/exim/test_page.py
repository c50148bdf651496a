"""The blocks of docs/exim.md that go with `eximacl exim install`, run as they are."""

from __future__ import annotations

import re
import sys

from tests.doctor.world import PID_FILE, World
from tests.exim.machine import REFUSED, install, starts, takes
from tests.lab.site import DOCUMENT, documented


def test_the_block_installs(split: World) -> None:
    (block,) = re.findall(r"(?ms)^```sh tool\n(.*?)^```$", DOCUMENT.read_text())
    assert "eximacl doctor" in block
    before = starts(split)
    tool = f'eximacl() {{ {sys.executable} -m eximacl "$@"; }}\n'
    # Only what a lab has elsewhere than a machine: the pid file, and where Exim listens.
    host, port = split.lab.server
    told = block.replace("--reload", f"--reload --pid-file {PID_FILE}")
    told = told.replace("eximacl doctor", f"eximacl doctor --pid-file {PID_FILE} --smtp {host}:{port}")
    done = split.run("sh", "-e", "-c", tool + told)
    assert done.status == 0, done
    assert "Wiring         in force" in done.out
    assert " 0 problems" in done.out
    split.wait_for_exim(before + 1)
    takes(split, REFUSED, "550 5")
    commands = re.findall(r"(?m)^    (exim4 .*?) +# ", DOCUMENT.read_text().partition("## Try it")[2])
    assert len(commands) == 3
    for command in commands:
        assert split.run(*command.split(), text="QUIT\r\n").status == 0, command


def test_senders_are_tagged_after_an_installation(bare: World) -> None:
    """The line has to stand above ours, which the tool has written."""
    install(bare, "--router")
    bare.run("sh", "-e", "-c", documented(bare.lab.site.kind, "tags"))
    (found,) = [each for each in bare.doctor() if each["diagnosis"] == "tags"]
    assert (found["level"], found["what"]) == ("ok", "mail from steve@example.org : *@example.com leaves with tags")
    assert "eximacl_tagged\n" in bare.run("exim4", "-bP", "router_list").out
    assert bare.eximacl("exim", "status").status == 0
    removed = bare.eximacl("exim", "remove", "--yes")
    assert removed.status == 0, removed
    assert bare.run("exim4", "-bV").status == 0
