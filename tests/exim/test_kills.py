"""`kill -9` between two steps of an installation: Exim has a configuration that it reads, and takes mail."""

from __future__ import annotations

import re
import sys

import pytest

from tests.doctor.world import World
from tests.exim.machine import Kept, install, other_snippets

# Each step that others can see is one of these calls, and is noted. The n-th ends the process as a power cut would.
KILLED = """
import os, pathlib, signal, sys
left, notes = int(sys.argv[1]), open(sys.argv[2], "w")
def counted(call):
    def run(*args, **kwargs):
        global left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        print(call.__name__, *args, file=notes, flush=True)
        return call(*args, **kwargs)
    return run
for name in ("rename", "replace", "unlink", "mkdir"):
    setattr(pathlib.Path, name, counted(getattr(pathlib.Path, name)))
import eximacl.exim.trial as trial, eximacl.exim.apply as apply
apply.run_update = counted(trial.run_update)
import eximacl.cli
eximacl.cli.main(sys.argv[3:])
"""
NEVER = 0
STEPS_MAX = 60
RCPT = "EHLO mx.example.net\r\nMAIL FROM:<a@example.net>\r\nRCPT TO:<steve@example.org>\r\nQUIT\r\n"
# The step that turns eximacl on or off: a rename onto that file, or its deletion.
SWITCH = re.compile(r"(conf\.d/main/00_eximacl|exim4\.conf\.localmacros)$")
COMMANDS = {
    "install": (("install", "--yes", "--router"), 0),
    "upgrade": (("install", "--yes"), 0),
    "remove": (("remove", "--yes", "--purge"), 66),
}
SAMPLED = [
    *(("split", command) for command in COMMANDS),
    *(("unsplit", command) for command in ("install", "remove")),
]


def prepare(world: World, command: str) -> None:
    """Install what the command is to change."""
    if command == "upgrade":
        install(world, "--router", "--snippets", other_snippets(world))
    elif command == "remove":
        install(world, "--router")


def run(world: World, number: int, command: str) -> tuple[int, list[str]]:
    """Run the command, killed at this step; return its status and the steps that it has noted."""
    notes = world.home / "steps"
    # No backup is named after the same second as another.
    epoch = f"SOURCE_DATE_EPOCH={number}"
    options, _ = COMMANDS[command]
    done = world.run("env", epoch, sys.executable, "-c", KILLED, str(number), str(notes), "exim", *options)
    assert done.status in (0, -9), done
    return done.status, notes.read_text().splitlines()


def works(world: World, number: int) -> None:
    """Exim takes mail with the configuration that there is, and with the one that Debian's script makes next."""
    said = [world.run("exim4", "-bh", "192.0.2.7", text=RCPT).out]
    made = world.run("update-exim4.conf")
    assert made.status == 0, (number, made)
    said.append(world.run("exim4", "-bh", "192.0.2.7", text=RCPT).out)
    assert all("\n250 Accepted" in each for each in said), (number, said)


@pytest.mark.needs_root
@pytest.mark.needs_exim
@pytest.mark.needs_network
@pytest.mark.parametrize(("kind", "command"), SAMPLED)
def test_exim_works_when_it_is_killed(request: pytest.FixtureRequest, kind: str, command: str) -> None:
    """At the first step, a middle one, the switching one, and the last."""
    world = request.getfixturevalue(kind)
    prepare(world, command)
    kept = Kept(world)
    status, steps = run(world, NEVER, command)
    assert status == 0
    switch = next(number for number, step in enumerate(steps, 1) if SWITCH.search(step))
    for number in sorted({1, len(steps) // 2, switch, len(steps)}):
        kept.put_back()
        assert run(world, number, command)[0] == -9
        works(world, number)
    assert run(world, NEVER, command)[0] == 0  # what is left of it is in nobody's way
    assert world.eximacl("exim", "status").status == COMMANDS[command][1]


@pytest.mark.soak
@pytest.mark.parametrize("command", COMMANDS)
def test_exim_works_whenever_it_is_killed(bare: World, command: str) -> None:
    """At each step in turn, each time with what the last one has left."""
    prepare(bare, command)
    for number in range(1, STEPS_MAX):
        status, _ = run(bare, number, command)
        works(bare, number)
        if status == 0:
            break
    assert status == 0
    assert number > 2
    assert bare.eximacl("exim", "status").status == COMMANDS[command][1]
