"""What a person sees of the doctor where something is wrong, and what it leaves alone."""

from __future__ import annotations

import re
import sys

from tests.doctor import breaks
from tests.doctor.breaks import socket_mode
from tests.doctor.world import PID_FILE, World


def options(world: World) -> list[str]:
    host, port = world.lab.server
    return ["--pid-file", PID_FILE, "--smtp", f"{host}:{port}"]


def test_a_problem_with_what_it_means_and_what_to_do(world: World) -> None:
    with socket_mode(0o600)(world):
        done = world.eximacl("doctor", *options(world))
    assert done.status == 1
    lines = done.out.splitlines()
    start = next(
        number for number, line in enumerate(lines) if line.startswith("PROBLEM socket-access: Exim's user may")
    )
    assert lines[start + 1] == "        this means: no query arrives"
    assert lines[start + 2].startswith("        to do: systemctl restart eximacl.socket")
    assert "ok      config: Exim reads " in done.out
    assert re.search(r"ok, \d+ warnings?, 1 problem$", lines[-1])


def test_quiet_says_only_what_is_not_well(world: World) -> None:
    with breaks.dead_dns(world):
        done = world.eximacl("doctor", "--quiet", *options(world))
    assert done.status == 1
    assert "ok      " not in done.out
    assert "PROBLEM names: DNS does not answer" in done.out


def test_quiet_is_quiet_for_machines_too(world: World) -> None:
    assert {each["level"] for each in world.doctor("--quiet", "--pid-file", "/none")} == {"problem"}


def test_without_an_exim_one_line_says_so(world: World) -> None:
    found = [each for each in world.doctor("--exim", "/no/such/exim4") if each["level"] != "ok"]
    assert [(each["diagnosis"], each["do"]) for each in found] == [("config", "name the program with --exim")]
    assert "/no/such/exim4: No such file" in found[0]["what"]


def test_a_stopped_daemon_is_told_once(world: World) -> None:
    """Not once more for each of the files that it would write."""
    with breaks.stopped(world):
        found = world.doctor("--quiet")
    assert {each["diagnosis"] for each in found if each["level"] != "ok"} <= {"daemon", "socket-access", "running"}


def test_a_directory_that_is_gone(world: World) -> None:
    script = 'mkdir /run/gone && cd /run/gone && rmdir /run/gone && exec "$@"'
    command = [sys.executable, "-m", "eximacl", "doctor", "--config", "eximacl.toml"]
    done = world.run("sh", "-c", script, "sh", *command)
    assert (done.status, "--config: eximacl.toml is relative to a directory that is gone" in done.err) == (74, True)


def test_without_the_session(world: World) -> None:
    assert "live" not in {each["diagnosis"] for each in world.doctor("--smtp", "")}


def test_it_changes_nothing(world: World) -> None:
    """Nothing is counted, logged, journaled or queued, and no file of Exim's or of ours is another afterwards."""

    def seen() -> tuple[object, ...]:
        counts = world.eximacl("status", "--json").out.partition('"counts": {')[2].partition(', "dry"')[0]
        queued = world.lab.queued()
        journal = [(path.name, path.stat().st_size) for path in sorted((world.home / "journal").glob("*"))]
        etc = [(path, path.stat().st_mtime_ns) for path in sorted(world.lab.etc.rglob("*"))]
        return counts, queued, journal, etc

    before = seen()
    world.doctor()
    assert seen() == before
