"""`eximacl exim install | status | remove` on Debian's own templates, split and not, with a running Exim."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest

from eximacl.exim.snippets import fingerprint
from tests.doctor.world import PID_FILE, World
from tests.exim_setup.machine import GOOD, REFUSED, acl, install, machine, restart, takes, tree
from tests.lab.site import ROOT

OURS = ("eximacl/", "eximacl-backups/")


def other_snippets(world: World) -> str:
    """Return a directory with the snippets of another version, as the lab sees it."""
    directory = world.home / "other-snippets"
    shutil.copytree(ROOT / "exim-snippets", directory, dirs_exist_ok=True)
    (directory / "end.acl").write_text((directory / "end.acl").read_text() + "# of another version\n")
    return str(directory)


def test_a_dry_run_shows_all_and_changes_nothing(bare: World) -> None:
    before = tree(bare.lab.home)
    done = bare.eximacl("exim", "install", "--dry-run", "--router")
    assert done.status == 0, done
    assert "+.include_if_exists /etc/exim4/eximacl/" in done.out
    assert "+.include_if_exists EXIMACL_DIR/router" in done.out
    assert f"+EXIMACL_SOCKET = {bare.socket}" in done.out
    after = tree(bare.lab.home)
    assert {name for name in after if "log/" not in name and before.get(name) != after[name]} == set()


def test_it_asks_works_and_is_idempotent(bare: World) -> None:
    before = tree(bare.lab.etc, *OURS)
    takes(bare, GOOD)
    done = install(bare, "--router")
    assert "eximacl is installed in /etc/exim4." in done.out
    takes(bare, REFUSED, "550 5")
    takes(bare, GOOD)
    assert bare.run("exim4", "-bt", "steve.3.count@example.org").out.startswith("steve@example.org\n")
    assert bare.eximacl("exim", "status").status == 0
    installed = tree(bare.lab.etc)
    again = install(bare)
    assert "Nothing to change" in again.out
    assert tree(bare.lab.etc) == installed
    starts = bare.lab.mainlog().count("daemon started")
    done = bare.eximacl("exim", "remove", "--yes", "--purge", "--reload", "--pid-file", PID_FILE)
    assert done.status == 0, done
    bare.wait_for_exim(starts + 1)
    assert tree(bare.lab.etc, *OURS) == before
    assert not (bare.lab.etc / "eximacl").exists()
    takes(bare, GOOD)
    assert bare.eximacl("exim", "status").status == 66
    assert "Nothing to change" in bare.eximacl("exim", "remove").out


def test_the_files_as_they_were_are_kept(bare: World) -> None:
    settings = bare.lab.etc / "exim4.conf.template"
    before = settings.read_bytes()
    done = install(bare, "--router")
    if "exim4.conf.template" not in done.out:  # split: only new files
        assert not (bare.lab.etc / "eximacl-backups").exists()
        return
    (kept,) = (bare.lab.etc / "eximacl-backups").iterdir()
    assert f"The files as they were: /etc/exim4/eximacl-backups/{kept.name}" in done.out
    assert (kept / "exim4.conf.template").read_bytes() == before


def test_it_survives_debians_regeneration(bare: World) -> None:
    install(bare)
    conf = bare.lab.etc / "update-exim4.conf.conf"
    before = conf.read_text()
    conf.write_text(before.replace("dc_minimaldns='false'", "dc_minimaldns='true'"))
    assert bare.run("update-exim4.conf").status == 0
    assert f"/{bare.copy().name}/rcpt.acl" in acl(bare)
    conf.write_text(before)


def test_without_its_directory_exim_takes_mail(bare: World) -> None:
    install(bare, "--router")
    takes(bare, REFUSED, "550 5")
    shutil.rmtree(bare.lab.etc / "eximacl")
    takes(bare, REFUSED)  # the Exim that runs with it
    assert bare.run("update-exim4.conf").status == 0
    restart(bare)
    takes(bare, REFUSED)  # one that was started without it
    assert acl(bare) == "acl_check_rcpt"
    done = bare.eximacl("exim", "status")
    assert done.status == 78, done
    assert "the files, but not in what Exim reads" in done.out


def test_an_upgrade_leaves_the_running_exim_its_files(bare: World) -> None:
    old = other_snippets(bare)
    install(bare, "--snippets", old)
    first = bare.copy()
    assert bare.eximacl("exim", "status", "--snippets", old).status == 0
    done = bare.eximacl("exim", "status")
    assert done.status == 78
    assert "of another version: eximacl exim install" in done.out
    done = bare.eximacl("exim", "install", "--yes")
    assert "systemctl restart exim4" in done.out
    assert first.is_dir()  # whatever runs goes on with it
    takes(bare, REFUSED, "550 5")
    assert bare.eximacl("exim", "status").status == 0
    install(bare, "--snippets", old)
    install(bare)
    takes(bare, REFUSED, "550 5")


def test_copies_that_no_exim_can_run_with_go(bare: World) -> None:
    install(bare)
    one, two = other_snippets(bare), ROOT / "exim-snippets"
    install(bare, "--snippets", one)
    (Path(one) / "end.acl").write_text("# a third version\naccept\n")
    install(bare, "--snippets", one)
    names = {path.name for path in (bare.lab.etc / "eximacl").iterdir()}
    assert len(names) == 2
    assert fingerprint(two) not in names


def test_a_copy_changed_by_hand_is_told_and_kept(bare: World) -> None:
    install(bare)
    copy = bare.copy()
    (copy / "ask.acl").write_text("accept\n")
    done = bare.eximacl("exim", "status")
    assert (done.status, "changed by hand" in done.out) == (78, True)
    install(bare)
    assert bare.eximacl("exim", "status").status == 0
    assert (copy.with_name(f"{copy.name}.changed") / "ask.acl").read_text() == "accept\n"


def test_what_exim_refuses_in_the_end_is_taken_back(bare: World) -> None:
    """Debian's script fails where it is to write the real configuration; in the copy all was fine."""
    before = tree(bare.lab.etc, *OURS)
    hindrance = bare.lab.home / "var-lib/config.autogenerated.tmp"
    hindrance.mkdir()
    try:
        done = bare.eximacl("exim", "install", "--yes", "--router")
    finally:
        hindrance.rmdir()
    assert done.status == 78, done
    assert "update-exim4.conf exited 1" in done.err
    assert "Every file is as it was" in done.err
    assert tree(bare.lab.etc, *OURS) == before
    assert bare.run("exim4", "-bV").status == 0


def test_nobody_to_ask(bare: World) -> None:
    before = tree(bare.lab.etc)
    done = bare.eximacl("exim", "install")
    assert (done.status, "say --yes" in done.err) == (64, True)
    assert tree(bare.lab.etc) == before


def test_two_at_once(bare: World) -> None:
    done = bare.run("flock", "/etc/exim4", sys.executable, "-m", "eximacl", "exim", "install", "--yes")
    assert (done.status, "another `eximacl exim` is at work" in done.err) == (78, True), done


def test_status_for_machines(bare: World) -> None:
    install(bare)
    found = json.loads(bare.eximacl("exim", "status", "--json").out)
    assert (found["in_force"], found["current"], found["by_hand"]) == (True, True, [])
    assert found["place"]["etc"] == "/etc/exim4"


# An admin's own.


def test_the_admins_own_acls_go_on() -> None:
    macros = {"MAIN_ACL_CHECK_RCPT": "/etc/exim4/mine", "MAIN_ACL_CHECK_DATA": "/etc/exim4/mine-too"}
    files = {
        "mine": "warn logwrite = mine is asked\naccept\n",
        "mine-too": "warn logwrite = mine too\naccept\n",
    }
    with machine("split", macros, files) as world:
        done = install(world)
        assert "Your own ACL /etc/exim4/mine at RCPT goes on as before" in done.out
        takes(world, REFUSED, "550 5")
        assert "mine is asked" not in world.lab.mainlog()
        takes(world, GOOD)
        assert "mine is asked" in world.lab.mainlog()
        assert "/etc/exim4/mine-too" in acl(world, "data")


def test_the_admins_own_acl_in_debians_own_settings_goes_on(bare: World) -> None:
    conf = bare.lab.etc / "update-exim4.conf.conf"
    before = conf.read_text()
    conf.write_text(before + "MAIN_ACL_CHECK_RCPT=/etc/exim4/theirs\n")
    (bare.lab.etc / "theirs").write_text("warn logwrite = theirs is asked\naccept\n")
    try:
        done = install(bare)
        assert "+EXIMACL_NEXT_RCPT = /etc/exim4/theirs" in done.out
        takes(bare, GOOD)
        assert "theirs is asked" in bare.lab.mainlog()
    finally:
        conf.write_text(before)


CLASHES = {
    "acl_smtp_quit = acl_check_mail": "delete that line, and set EXIMACL_NEXT_QUIT to its ACL in",
    "MAIN_ACL_CHECK_RCPT = acl_check_rcpt": "move that line to /etc/exim4/conf.d/main/000_localmacros",
    "EXIMACL_DIR = /somewhere": "delete that line; eximacl sets EXIMACL_DIR itself",
}


@pytest.mark.parametrize("line", CLASHES)
def test_what_clashes_is_named_with_its_line(line: str) -> None:
    with machine("split") as world:
        path = world.lab.etc / "conf.d/main/00_own"
        path.write_text(f"# mine\n{line}\n")
        if "EXIMACL_DIR" in line:
            path = path.rename(path.with_name("000_own"))
        else:
            path = path.rename(path.with_name("00_zz_own"))
        before = tree(world.lab.etc)
        done = world.eximacl("exim", "install", "--yes")
        assert done.status == 78, done
        assert "nothing was changed" in done.err
        assert f"is set in /etc/exim4/conf.d/main/{path.name}:2: {CLASHES[line]}" in done.err
        assert tree(world.lab.etc) == before


def test_an_acl_that_is_no_name_is_refused() -> None:
    with machine("split", {"MAIN_ACL_CHECK_RCPT": "${if eq{1}{1}{acl_check_rcpt}}"}) as world:
        done = world.eximacl("exim", "install", "--yes")
        assert done.status == 78
        assert "put that into an ACL of your own and name it" in done.err


def test_acl_options_set_by_hand_are_named() -> None:
    with machine("split") as world:
        path = world.lab.etc / "conf.d/main/02_exim4-config_options"
        text = path.read_text()
        path.write_text(text.replace("acl_smtp_rcpt = MAIN_ACL_CHECK_RCPT", "acl_smtp_rcpt = acl_check_rcpt"))
        done = world.eximacl("exim", "install", "--yes")
        assert done.status == 78
        assert "acl_smtp_rcpt stays 'acl_check_rcpt' in /etc/exim4/conf.d/main/02_exim4-config_options:" in done.err


def test_a_wiring_by_hand_is_left_alone() -> None:
    with machine("split") as world:
        path = world.lab.etc / "conf.d/main/000_localmacros"
        shutil.copytree(ROOT / "exim-snippets", world.lab.etc / "eximacl")
        path.write_text(path.read_text() + ".include /etc/exim4/eximacl/macros\n")
        done = world.eximacl("exim", "install", "--yes")
        assert done.status == 78
        assert "/etc/exim4/conf.d/main/000_localmacros:" in done.err


def test_a_configuration_that_is_wrong_already() -> None:
    with machine("split") as world:
        (world.lab.etc / "conf.d/main/50_own").write_text("no_such_option = 1\n")
        done = world.eximacl("exim", "install", "--yes")
        assert (done.status, "already, without eximacl" in done.err, "no_such_option" in done.err) == (78, True, True)


def test_from_split_to_one_big_file_and_back() -> None:
    with machine("split") as world:
        before = tree(world.lab.etc)
        install(world)
        conf = world.lab.etc / "update-exim4.conf.conf"
        text = conf.read_text()
        conf.write_text(text.replace("dc_use_split_config='true'", "dc_use_split_config='false'"))
        assert world.run("update-exim4.conf").status == 0
        assert world.eximacl("exim", "status").status == 66
        done = install(world, "--router")
        assert "exim4.conf.localmacros" in done.out
        assert world.eximacl("exim", "status").status == 0
        conf.write_text(text)
        assert world.run("update-exim4.conf").status == 0
        assert world.eximacl("exim", "status").status == 0
        assert world.eximacl("exim", "remove", "--yes", "--purge").status == 0
        assert tree(world.lab.etc, *OURS) == before


# A file of an admin's own, and none at all.


def test_bytes_that_are_no_text_survive() -> None:
    with machine("unsplit") as world:
        path = world.lab.etc / "exim4.conf.localmacros"
        before = path.read_bytes() + b"# f\xfcr \x1b[31m\n"
        path.write_bytes(before)
        done = install(world)
        assert "\x1b" not in done.out
        assert path.read_bytes().startswith(before)
        assert world.eximacl("exim", "remove", "--yes").status == 0
        assert path.read_bytes() == before


def test_a_hand_written_configuration_is_told_what_to_add() -> None:
    with machine("plain") as world:
        before = (world.lab.etc / "exim4.conf").read_text()
        done = world.eximacl("exim", "install")
        assert done.status == 0, done
        assert "eximacl changes nothing in it" in done.out
        assert (world.lab.etc / "exim4.conf").read_text() == before
        main, router = (lines(done.out, start) for start in ("in the main section", "right after"))
        text = before.replace("acl_smtp_rcpt = acl_check_rcpt\nacl_smtp_data = acl_check_data\n", "")
        text = text.replace("begin acl", f"{main}begin acl").replace("begin routers\n", f"begin routers\n{router}")
        (world.lab.etc / "exim4.conf").write_text(text)
        assert world.eximacl("exim", "status").status == 0
        restart(world)
        takes(world, REFUSED, "550 5")
        takes(world, GOOD)
        shutil.rmtree(world.lab.etc / "eximacl")
        takes(world, REFUSED)


def lines(text: str, start: str) -> str:
    """Return the indented lines that follow the one that starts so."""
    _, _, rest = text.partition(f"  {start}")
    found = []
    for line in rest.splitlines()[1:]:
        if not line.startswith("      "):
            break
        found.append(f"{line.strip()}\n")
    return "".join(found)


MISSING = {
    "update-exim4.conf.conf": "install exim4-config",
    "conf.d/main": "force-confmiss",
}


@pytest.mark.parametrize("name", MISSING)
def test_no_configuration(name: str) -> None:
    with machine("split") as world:
        (world.lab.etc / name).rename(world.home / "away")
        done = world.eximacl("exim", "status")
        assert (done.status, MISSING[name] in done.err) == (78, True), done


def test_a_configuration_that_was_never_made() -> None:
    with machine("split") as world:
        conf = world.lab.etc / "update-exim4.conf.conf"
        conf.write_text(conf.read_text().replace("'internet'", "'none'"))
        done = world.eximacl("exim", "install")
        assert (done.status, "dpkg-reconfigure exim4-config" in done.err) == (78, True)


def test_no_exim_and_no_snippets(tmp_path: Path) -> None:
    with machine("split") as world:
        done = world.eximacl("exim", "install", "--exim", "/no/such")
        assert (done.status, "install exim4-daemon-light" in done.err) == (78, True)
        done = world.eximacl("exim", "status", "--snippets", "/no/such")
        assert (done.status, "no snippets in /no/such" in done.err) == (78, True)


@pytest.mark.parametrize(("answer", "installed"), [("n\n", 66), ("y\n", 0), ("\n", 0)], ids=["no", "yes", "enter"])
def test_a_person_is_asked(bare: World, answer: str, installed: int) -> None:
    before = tree(bare.lab.etc)
    command = f"{sys.executable} -m eximacl exim install --router"
    shown = bare.run("script", "--quiet", "--return", "--command", command, "/dev/null", text=answer).out
    assert "+.include_if_exists /etc/exim4/eximacl/" in shown
    assert "Change 2 files? [Y/n]:" in shown
    assert bare.eximacl("exim", "status").status == installed
    assert (tree(bare.lab.etc) == before) is (answer == "n\n")


def test_a_full_disk_changes_nothing(bare: World) -> None:
    script = (
        "cp -a /etc/exim4 /tmp/etc-$$ && mount -t tmpfs -o size=2m tmpfs /etc/exim4 && cp -a /tmp/etc-$$/. /etc/exim4"
    )
    full = "; rm -rf /tmp/etc-$$; cat /dev/zero > /etc/exim4/zero"
    bare.run("sh", "-c", script + full)
    try:
        done = bare.eximacl("exim", "install", "--yes", "--router")
        assert (done.status, "No space left on device" in done.err) == (74, True), done
        assert bare.run("sh", "-c", "rm /etc/exim4/zero; update-exim4.conf && exim4 -bV").status == 0
        assert bare.run("sh", "-c", "ls -A /etc/exim4/eximacl").out == ""
        assert bare.eximacl("exim", "status").status == 66
    finally:
        bare.run("umount", "/etc/exim4")
