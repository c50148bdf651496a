"""`eximacl harvest`: what it prints and writes, its options, and what it does when something cannot be read."""

from __future__ import annotations

import json
import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from eximacl.cli.commands.harvest import PROGRESS_MESSAGES
from tests.archive import holding
from tests.cli.running import Done, eximacl
from tests.cli.terminal import Terminal, on_terminal

DATE = "Date: Thu, 26 Nov 2020 19:08:37 +0000\n"


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A Maildir with a good message for each way of writing, and an empty folder for junk."""
    mails = {
        "1": "To: Steve <Steve@Example.ORG>, joe@example.com, a@b.example.net\n",
        "2": "Delivered-To: steve+x@example.org\nTo: juha@example.org\n",
        "3": "Delivered-To: steve.3.count@example.org\n",
    }
    (tmp_path / "m/cur").mkdir(parents=True)
    (tmp_path / "m/.Junk/cur").mkdir(parents=True)
    for name, text in mails.items():
        (tmp_path / "m/cur" / name).write_text(f"{text}{DATE}\nbody\n")
    (tmp_path / "m/.Junk/cur/9").write_text(f"To: spam@example.org\n{DATE}\n")
    return tmp_path / "m"


def counts(*args: object) -> dict[str, int]:
    done = eximacl("harvest", *args, "--json")
    assert done.status in (0, 65, 74), done.err
    found = [json.loads(line) for line in done.out.splitlines()]
    return {each["recipient"]: each["count"] for each in found}


ORG = ("--domain", "example.org")


def test_table_and_json(store: Path) -> None:
    done = eximacl("harvest", store, *ORG)
    assert done == Done(
        0,
        "    COUNT  FIRST       LAST        RECIPIENT\n"
        "        1  2020-11-26  2020-11-26  juha@example.org\n"
        "        3  2020-11-26  2020-11-26  steve@example.org\n",
        f"{store}: 1 Maildir folder; skipped: {store}/.Junk\n3 messages read\n",
    )
    line = eximacl("harvest", store, *ORG, "--json").out.splitlines()[0]
    assert json.loads(line) == {
        "recipient": "juha@example.org", "count": 1, "first": "2020-11-26T19:08:37Z", "last": "2020-11-26T19:08:37Z",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        ((*ORG, "--headers", "delivery"), {"steve@example.org": 2}),
        ((*ORG, "--min-count", "2"), {"steve@example.org": 3}),
        ((*ORG, "--strip-tags", "", "--keep-disposable", "--headers", "delivery"),
         {"steve+x@example.org": 1, "steve.3.count@example.org": 1}),
        ((*ORG, "--all-folders"), {"juha@example.org": 1, "spam@example.org": 1, "steve@example.org": 3}),
        ((*ORG, "--all-folders", "--exclude-folder", "JUNK"), {"juha@example.org": 1, "steve@example.org": 3}),
        ((*ORG, "--localparts", "--domain", ".example.net"), {"a": 1, "juha": 1, "steve": 3}),
        ((*ORG, "--jobs", "3"), {"juha@example.org": 1, "steve@example.org": 3}),
        (("--domain", "EXAMPLE.com."), {"joe@example.com": 1}),
    ],
)  # fmt: skip
def test_options(store: Path, args: tuple[str, ...], expected: dict[str, int]) -> None:
    assert counts(store, *args) == expected


@pytest.mark.parametrize(
    ("policy", "args", "expected"),
    [
        (None, (), {"steve@example.org": 1}),
        ("", (), {"steve@example.org": 1}),
        ('separators = "-"', (), {"steve+x@example.org": 1}),
        ('separators = ""', (), {"steve+x@example.org": 1}),
        ('separators = "-"', ("--strip-tags", "+"), {"steve@example.org": 1}),
        ("separators = 1", (), {"steve@example.org": 1}),
    ],
)
def test_tags_start_as_in_the_policy(
    tmp_path: Path, policy: str | None, args: tuple[str, ...], expected: dict[str, int]
) -> None:
    config, mail = tmp_path / "eximacl.toml", tmp_path / "mail.eml"
    mail.write_text("Delivered-To: steve+x@example.org\n\ntext\n")
    if policy is not None:
        config.write_text(f'[policy]\ndomains = ["example.org"]\n{policy}\n')
    assert counts(mail, *ORG, "--config", config, *args) == expected


@pytest.mark.parametrize("domains", ['["example.org"]', '"ours"'])
def test_domains_of_a_policy_whose_list_is_still_to_be_written(tmp_path: Path, store: Path, domains: str) -> None:
    config = tmp_path / "eximacl.toml"
    config.write_text(f'[policy]\ndomains = {domains}\n[checks.valid_recipient]\nrecipients = "missing"\n')
    (tmp_path / "ours").write_text("example.org\n")
    assert len(counts(store, "--config", config)) == 2


@pytest.mark.parametrize(
    "text",
    [None, "[policy]\n", "[policy\n", "policy = 3\n", '[policy]\ndomains = "gone"\n', "[policy]\ndomains = [3]\n"],
)
def test_no_domains(tmp_path: Path, store: Path, text: str | None) -> None:
    config = tmp_path / "eximacl.toml"
    if text is not None:
        config.write_text(text)
    done = eximacl("harvest", store, "--config", config)
    assert (done.status, done.out) == (78, "")
    assert "--domain" in done.err


@pytest.mark.parametrize(
    ("args", "status", "words"),
    [
        ((), 64, "PATH"),
        (("{store}", "--force"), 64, "need --output"),
        (("{store}", "--output", "l", "--merge", "--force"), 64, "either --force or --merge"),
        (("{store}", "--output", "l", "--json"), 64, "either --output or --json"),
        (("{store}", "--since", "soon"), 64, "--since"),
        (("{store}", "--domain", "a b"), 64, "--domain"),
        (("{store}", "--since", "2021-01-01"), 66, "No recipient at example.org was found in 3 messages"),
        (("/gone",), 74, "/gone cannot be read: No such file"),
        (("/etc/passwd",), 74, "/etc/passwd is not mail"),
    ],
)
def test_what_is_refused(store: Path, args: tuple[str, ...], status: int, words: str) -> None:
    done = eximacl("harvest", *(arg.format(store=store) for arg in args), *ORG)
    assert (done.status, done.out) == (status, "")
    assert words in done.err


def test_the_list(tmp_path: Path, store: Path) -> None:
    path = tmp_path / "list"
    assert eximacl("harvest", store, *ORG, "--output", path).status == 0
    assert "steve@example.org  # 3 mails, 2020-11-26\n" in path.read_text()
    path.write_text("boss@example.org\n")
    done = eximacl("harvest", store, *ORG, "--output", path)
    assert (done.status, path.read_text()) == (73, "boss@example.org\n")
    assert "3 entries" in eximacl("harvest", store, *ORG, "--output", path, "--merge").err
    assert eximacl("harvest", store, "--domain", "example.de", "--output", path, "--merge").status == 66
    assert "2 entries" in eximacl("harvest", store, *ORG, "--output", path, "--force").err
    done = eximacl("harvest", store, *ORG, "--output", tmp_path / "gone/list")
    assert (done.status, "gone/list cannot be written: No such file" in done.err) == (74, True)


def test_what_a_list_cannot_hold_is_told(tmp_path: Path, store: Path) -> None:
    (store / "cur/4").write_text('To: "#odd"@example.org\n\n')
    done = eximacl("harvest", store, *ORG, "--output", tmp_path / "list")
    assert done.status == 65
    assert "'#odd@example.org' cannot be written into a list: a # begins a comment" in done.err
    assert "2 entries" in done.err


def test_broken_messages(store: Path) -> None:
    for k in range(8):
        (store / "cur" / f"bad{k}").write_bytes(b"\0\1\x1b[2J")
    (store / "cur/gone").symlink_to("nowhere")
    done = eximacl("harvest", store, *ORG)
    assert done.status == 65
    assert "8 broken messages skipped:\n" in done.err
    assert done.err.count("it has no header\n") == 5
    assert "  …\n" in done.err
    assert "1 file disappeared before being read" in done.err


def test_some_paths_are_no_mail(tmp_path: Path, store: Path) -> None:
    done = eximacl("harvest", "/gone", store, store, *ORG, "--output", tmp_path / "list")
    assert done.status == 74
    assert "nothing new: it was read as a part of another PATH" in done.err
    assert (tmp_path / "list").exists()


@pytest.fixture
def nobody() -> Iterator[Path]:
    """A directory that any user can reach, and this process as such a user."""
    with tempfile.TemporaryDirectory(prefix="eximacl-test-") as name:
        Path(name).chmod(0o777)
        with holding.nobody():
            yield Path(name)


def test_a_path_that_a_user_may_not_read_keeps_no_other_from_the_list(nobody: Path) -> None:
    for name in ("a", "b"):
        (nobody / name / "cur").mkdir(parents=True)
        (nobody / name / "cur/1").write_text(f"To: {name}@example.org\n\n")
    (nobody / "a").chmod(0)
    done = eximacl("harvest", nobody / "a", nobody / "b", *ORG, "--output", nobody / "list")
    (nobody / "a").chmod(0o700)
    assert done.status == 74
    assert f"Error: {nobody}/a cannot be read: Permission denied\n" in done.err
    assert "b@example.org" in (nobody / "list").read_text()


def test_what_a_user_may_not_read(nobody: Path) -> None:
    for name in ("a", "b"):
        (nobody / name / "cur").mkdir(parents=True)
        (nobody / name / "cur/1").write_text(f"To: {name}@example.org\n\n")
    (nobody / "a/cur/1").chmod(0)
    (nobody / "c/cur").mkdir(parents=True)
    (nobody / "c").chmod(0)
    (nobody / "d/cur").mkdir(parents=True)
    (nobody / "d/cur").chmod(0)
    (nobody / "box").write_text("From ")
    (nobody / "box").chmod(0)
    (nobody / "toml").write_text("")
    (nobody / "toml").chmod(0)
    done = eximacl("harvest", nobody, *ORG, "--output", nobody / "list")
    (nobody / "c").chmod(0o700)
    assert done.status == 74
    assert "5 files or directories could not be read" in done.err
    assert f"{nobody}/a/cur/1: Permission denied" in done.err
    assert "# Incomplete: 5 files or directories could not be read\nb@example.org" in (nobody / "list").read_text()
    assert eximacl("harvest", nobody, "--config", nobody / "toml").status == 78


def test_ctrl_c_ends_it_at_once(tmp_path: Path) -> None:
    """In the middle of a file that takes a minute."""
    with (tmp_path / "box").open("wb") as file:
        file.write(b"From x Thu Nov 26 19:08:37 2020\nTo: a@example.org\n\n")
        file.truncate(200 * 10**9)
    listed = tmp_path / "list"
    terminal = Terminal("harvest", tmp_path / "box", *ORG, "--output", listed, "--jobs", "2")
    terminal.until(lambda shown: b"Reading" in shown)
    os.kill(terminal.process.pid, signal.SIGINT)
    status, shown = terminal.end()
    assert status == 130
    assert f"{listed} is unchanged." in shown
    assert shown.endswith("Stopped.\n")
    assert not listed.exists()
    with pytest.raises(ProcessLookupError):
        os.killpg(terminal.process.pid, 0)


def test_the_bar_is_for_terminals(store: Path) -> None:
    for k in range(PROGRESS_MESSAGES):
        (store / "cur" / f"m{k}").write_text(f"To: m@example.org\n{DATE}\n")
    status, shown = on_terminal("harvest", store, *ORG)
    assert (status, "Reading" in shown, "100%" in shown) == (0, True, True)
    assert "Reading" not in eximacl("harvest", store, *ORG).err
