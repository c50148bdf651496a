"""`eximacl exim install | status | remove` on Debian's own templates, split and not, with a running Exim."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest

from eximacl.exim.private import PREFIX, RUN
from eximacl.exim.snippets import fingerprint
from tests.doctor.world import PID_FILE, World
from tests.exim.machine import GOOD, REFUSED, acl, install, machine, other_snippets, restart, takes, tree
from tests.lab.site import ROOT

OURS = ("eximacl/", "eximacl-backups/")


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
    conf.write_text(conf.read_text().replace("dc_minimaldns='false'", "dc_minimaldns='true'"))
    assert bare.run("update-exim4.conf").status == 0
    assert f"/{bare.copy().name}/rcpt.acl" in acl(bare)


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


def test_an_upgrade_leaves_the_running_exim_its_files(split: World) -> None:
    old = other_snippets(split)
    install(split, "--snippets", old)
    first = split.copy()
    assert split.eximacl("exim", "status", "--snippets", old).status == 0
    done = split.eximacl("exim", "status")
    assert done.status == 78
    assert "of another version: eximacl exim install" in done.out
    done = split.eximacl("exim", "install", "--yes")
    assert "systemctl restart exim4" in done.out
    assert first.is_dir()  # whatever runs goes on with it
    takes(split, REFUSED, "550 5")
    assert split.eximacl("exim", "status").status == 0
    install(split, "--snippets", old)
    install(split)
    takes(split, REFUSED, "550 5")


def test_copies_that_no_exim_can_run_with_go(split: World) -> None:
    install(split)
    one, two = other_snippets(split), ROOT / "exim-snippets"
    install(split, "--snippets", one)
    (Path(one) / "end.acl").write_text("# a third version\naccept\n")
    install(split, "--snippets", one)
    names = {path.name for path in (split.lab.etc / "eximacl").iterdir()}
    assert len(names) == 2
    assert fingerprint(two) not in names


def test_a_copy_changed_by_hand_is_told_and_kept(split: World) -> None:
    install(split)
    copy = split.copy()
    (copy / "ask.acl").write_text("accept\n")
    done = split.eximacl("exim", "status")
    assert (done.status, "changed by hand" in done.out) == (78, True)
    install(split)
    assert split.eximacl("exim", "status").status == 0
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
    assert "Everything is as it was before" in done.err
    assert tree(bare.lab.etc, *OURS) == before
    assert bare.run("exim4", "-bV").status == 0


def test_no_terminal_to_ask_at(split: World) -> None:
    before = tree(split.lab.etc)
    done = split.eximacl("exim", "install")
    assert (done.status, "use --yes" in done.err) == (64, True)
    assert tree(split.lab.etc) == before


def test_a_strict_umask(split: World) -> None:
    split.run("sh", "-c", f"umask 077; {sys.executable} -m eximacl exim install --yes")
    restart(split)
    takes(split, REFUSED, "550 5")


@pytest.mark.parametrize("seconds", ["0.5", "0.9", "1.3"])
def test_whoever_stops_it_finds_nothing_left(split: World, seconds: str) -> None:
    """Wherever it was: what was tried is gone, and Exim takes mail."""
    before = tree(split.lab.etc, *OURS)
    # With a /run for this command alone: on the machine's, other processes may have a private directory, too.
    script = (
        f"""mount -t tmpfs tmpfs {RUN}; timeout --signal=TERM {seconds} "$@"; status=$?; ls {RUN} >&2; exit $status"""
    )
    command = (sys.executable, "-m", "eximacl", "exim", "install", "--yes")
    done = split.run("unshare", "--mount", "sh", "-c", script, "sh", *command)
    assert PREFIX not in done.err
    assert done.status == 0 or tree(split.lab.etc, *OURS) == before
    assert split.run("exim4", "-bV").status == 0


def test_nothing_to_change_is_reloaded_all_the_same(split: World) -> None:
    split.eximacl("exim", "install", "--yes")
    takes(split, REFUSED)
    done = install(split)
    assert ("Nothing to change" in done.out, "reloads" in done.out) == (True, True)
    takes(split, REFUSED, "550 5")


def test_an_empty_file_stays_and_its_router_is_known(unsplit: World) -> None:
    path = unsplit.lab.etc / "exim4.conf.localmacros"
    template = unsplit.lab.etc / "exim4.conf.template"
    template.write_text(path.read_text() + template.read_text())
    path.write_text("")
    install(unsplit, "--router")
    assert "Without --router" not in install(unsplit).out
    assert unsplit.eximacl("exim", "remove", "--yes").status == 0
    assert path.read_text() == ""
    path.unlink()
    install(unsplit)
    assert unsplit.eximacl("exim", "remove", "--yes").status == 0
    assert not path.exists()


def test_status_for_machines(split: World) -> None:
    install(split)
    found = json.loads(split.eximacl("exim", "status", "--json").out)
    assert (found["in_force"], found["current"], found["by_hand"]) == (True, True, [])
    assert found["place"]["etc"] == "/etc/exim4"


def test_the_admins_own_acls_go_on(split: World) -> None:
    macros = split.lab.etc / "conf.d/main/000_localmacros"
    for stage in ("rcpt", "data"):
        (split.lab.etc / f"my-{stage}").write_text(f"warn logwrite = my {stage}\naccept\n")
        macros.write_text(macros.read_text() + f"MAIN_ACL_CHECK_{stage.upper()} = /etc/exim4/my-{stage}\n")
    done = install(split)
    assert "Your own ACL /etc/exim4/my-rcpt at RCPT still runs" in done.out
    takes(split, REFUSED, "550 5")
    assert "my rcpt" not in split.lab.mainlog()
    takes(split, GOOD)
    split.lab.logged("my rcpt")
    assert "/etc/exim4/my-data" in acl(split, "data")


def test_what_clashes_is_named_and_nothing_is_changed(split: World) -> None:
    (split.lab.etc / "conf.d/main/00_zz_own").write_text("# mine\nacl_smtp_quit = acl_check_mail\n")
    before = tree(split.lab.etc)
    done = split.eximacl("exim", "install", "--yes")
    assert done.status == 78, done
    assert "nothing was changed" in done.err
    assert "is set in /etc/exim4/conf.d/main/00_zz_own:2: delete that line, and set EXIMACL_NEXT_QUIT" in done.err
    assert tree(split.lab.etc) == before


def test_the_admins_own_acl_in_debians_own_settings_goes_on(split: World) -> None:
    conf = split.lab.etc / "update-exim4.conf.conf"
    conf.write_text(conf.read_text() + "MAIN_ACL_CHECK_RCPT=/etc/exim4/theirs\n")
    (split.lab.etc / "theirs").write_text("warn logwrite = theirs is asked\naccept\n")
    done = install(split)
    assert "+EXIMACL_NEXT_RCPT = /etc/exim4/theirs" in done.out
    takes(split, GOOD)
    split.lab.logged("theirs is asked")


def test_from_split_to_one_big_file_and_back(split: World) -> None:
    before = tree(split.lab.etc)
    install(split)
    conf = split.lab.etc / "update-exim4.conf.conf"
    text = conf.read_text()
    conf.write_text(text.replace("dc_use_split_config='true'", "dc_use_split_config='false'"))
    assert split.run("update-exim4.conf").status == 0
    assert split.eximacl("exim", "status").status == 66
    done = install(split, "--router")
    assert "exim4.conf.localmacros" in done.out
    assert split.eximacl("exim", "status").status == 0
    conf.write_text(text)
    assert split.run("update-exim4.conf").status == 0
    assert split.eximacl("exim", "status").status == 0
    assert split.eximacl("exim", "remove", "--yes", "--purge").status == 0
    assert tree(split.lab.etc, *OURS) == before


def test_bytes_that_are_no_text_survive(unsplit: World) -> None:
    path = unsplit.lab.etc / "exim4.conf.localmacros"
    before = path.read_bytes() + b"# f\xfcr \x1b[31m"  # and no newline
    path.write_bytes(before)
    done = install(unsplit)
    assert "\x1b" not in done.out
    assert path.read_bytes().startswith(before)
    assert unsplit.eximacl("exim", "remove", "--yes").status == 0
    assert path.read_bytes() == before


def test_a_hand_written_configuration_is_told_what_to_add() -> None:
    with machine("plain") as world:
        before = (world.lab.etc / "exim4.conf").read_text()
        done = world.eximacl("exim", "install")
        assert done.status == 0, done
        assert "eximacl changes nothing in it" in done.out
        assert (world.lab.etc / "exim4.conf").read_text() == before
        acls = "acl_smtp_rcpt = acl_check_rcpt\nacl_smtp_data = acl_check_data\n"
        main, around, router = (lines(done.out, start) for start in ("in the main section", "around", "right after"))
        around = around.replace("acl_smtp_rcpt = …\nacl_smtp_data = …\n", acls)
        text = before.replace(acls, main + around).replace("begin routers\n", f"begin routers\n{router}")
        (world.lab.etc / "exim4.conf").write_text(text)
        assert world.eximacl("exim", "status").status == 0
        restart(world)
        takes(world, REFUSED, "550 5")
        takes(world, GOOD)
        done = world.eximacl("exim", "remove", "--purge", "--yes")
        assert (done.status, "take eximacl out of /etc/exim4/exim4.conf:" in done.err) == (78, True)
        assert world.copy().is_dir()
        shutil.rmtree(world.lab.etc / "eximacl")
        takes(world, REFUSED)  # the Exim that runs with it
        restart(world)
        takes(world, REFUSED)  # one that was started without it


def lines(text: str, start: str) -> str:
    """Return the indented lines that follow the one that starts so."""
    _, _, rest = text.partition(f"  {start}")
    found = []
    for line in rest.splitlines()[1:]:
        if not line.startswith("      "):
            break
        found.append(f"{line.strip()}\n")
    return "".join(found)


@pytest.mark.parametrize(("answer", "installed"), [("n\n", 66), ("y\n", 0), ("\n", 0)], ids=["no", "yes", "enter"])
def test_a_person_is_asked(split: World, answer: str, installed: int) -> None:
    before = tree(split.lab.etc)
    command = f"{sys.executable} -m eximacl exim install --router"
    shown = split.run("script", "--quiet", "--return", "--command", command, "/dev/null", text=answer).out
    assert "+.include_if_exists /etc/exim4/eximacl/" in shown
    assert "Change 2 files? [Y/n]:" in shown
    assert split.eximacl("exim", "status").status == installed
    assert (tree(split.lab.etc) == before) is (answer == "n\n")


def test_a_full_disk_changes_nothing(split: World) -> None:
    script = (
        "cp -a /etc/exim4 /tmp/etc-$$ && mount -t tmpfs -o size=2m tmpfs /etc/exim4 && cp -a /tmp/etc-$$/. /etc/exim4"
    )
    full = "; rm -rf /tmp/etc-$$; cat /dev/zero > /etc/exim4/zero"
    split.run("sh", "-c", script + full)
    try:
        done = split.eximacl("exim", "install", "--yes", "--router")
        assert (done.status, "No space left on device" in done.err) == (74, True), done
        assert split.run("sh", "-c", "rm /etc/exim4/zero; update-exim4.conf && exim4 -bV").status == 0
        assert split.run("sh", "-c", "ls -A /etc/exim4/eximacl").out == ""
        assert split.eximacl("exim", "status").status == 66
    finally:
        split.run("umount", "/etc/exim4")
