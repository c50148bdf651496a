"""`kill -9` between any two steps of an installation: Exim has a configuration that it reads, and takes mail."""

from __future__ import annotations

import sys

import pytest

from tests.doctor.world import World
from tests.exim_setup.machine import install
from tests.exim_setup.test_install import other_snippets

# Each step that others can see is one of these calls. The n-th ends the process as a power cut would.
KILLED = """
import os, pathlib, signal, subprocess, sys
left = int(sys.argv[1])
def counted(call):
    def run(*args, **kwargs):
        global left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return call(*args, **kwargs)
    return run
for name in ("rename", "unlink", "mkdir"):
    setattr(pathlib.Path, name, counted(getattr(pathlib.Path, name)))
import eximacl.exim.trying as trying, eximacl.exim.changing as changing
changing.run_update = counted(trying.run_update)
import eximacl.cli
eximacl.cli.main(sys.argv[2:])
"""
STEPS_MAX = 60
RCPT = "EHLO mx.example.net\r\nMAIL FROM:<a@example.net>\r\nRCPT TO:<steve@example.org>\r\nQUIT\r\n"


def steps(world: World, *command: str) -> int:
    """Kill the command at each step in turn, look at Exim each time, and let it end at last; return the steps."""
    for number in range(1, STEPS_MAX):
        tried = f"TMPDIR={world.home}"  # what a killed process leaves there goes with it
        done = world.run("env", tried, sys.executable, "-c", KILLED, str(number), "exim", *command)
        made = world.run("update-exim4.conf")
        assert made.status == 0, (number, made)
        said = world.run("exim4", "-bh", "192.0.2.7", text=RCPT)
        assert "\n250 Accepted" in said.out, (number, said.out)
        if done.status == 0:
            return number
        assert done.status == -9, (number, done)
    raise AssertionError("it does not end")


@pytest.mark.parametrize("command", ["install", "upgrade", "remove"])
def test_exim_works_whenever_it_is_killed(bare: World, command: str) -> None:
    if command == "install":
        assert steps(bare, "install", "--yes", "--router") > 6
        assert bare.eximacl("exim", "status").status == 0
    elif command == "upgrade":
        install(bare, "--router", "--snippets", other_snippets(bare))
        assert steps(bare, "install", "--yes") > 3
        assert bare.eximacl("exim", "status").status == 0
    else:
        install(bare, "--router")
        assert steps(bare, "remove", "--yes", "--purge") > 2
        assert bare.eximacl("exim", "status").status == 66
