"""`eximacl archive list, show, export, purge`: what was held, shown safely and given back exactly."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from eximacl.archive import ReleaseNote, mark_released, messages
from eximacl.archive.content import SHOWN_BYTES
from eximacl.cli.messages import ALTERED
from eximacl.protocol.client import ask
from eximacl.protocol.exim import format_query
from eximacl.records.references import References
from eximacl.system.times import zone_names
from tests.archive.holding import ID, NOON, small_disk, spool_with
from tests.cli.archived import REF, hold, with_archive
from tests.cli.running import eximacl
from tests.cli.terminal import Terminal, on_terminal
from tests.lab.daemon import Daemon

HEADERS = "Subject: =?utf-8?q?hyv=C3=A4?=\nFrom: Ann <ann@example.net>\n"
EVIL = "\x1b[2J\x9b\u202e\x07"


@pytest.fixture
def root(config: Path) -> Path:
    return with_archive(config)


@pytest.fixture
def three(config: Path, root: Path) -> Path:
    """Three messages: one to two domains, one bounce, and one of long ago."""
    old = {"time": NOON - 40 * 86_400, "ref": "7KQ2M9D1", "ip": "2001:db8::7", "subject": EVIL}
    hold(config, HEADERS, b"old\n", "joe@example.org", **old)
    hold(
        config, HEADERS, b"bounce\n", "joe@example.com", ref="7KQ2M9D2", sender="", reason="rdns-tld", check="rdns_tld"
    )
    hold(config, HEADERS, b"text\n", "joe@example.org", "juha@example.com", ref="7KQ2M9D3", time=NOON + 1)
    return root


def refs(out: str) -> list[str]:
    return [json.loads(row)["ref"][-1] for row in out.splitlines()]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        pytest.param([], "1233", id="all"),
        pytest.param(["--domain", "example.org"], "13", id="domain"),
        pytest.param(["--recipient", "juha"], "3", id="recipient"),
        pytest.param(["--sender", "<>"], "2", id="null sender"),
        pytest.param(["--sender", "@example.net"], "133", id="sender"),
        pytest.param(["--ip", "2001:db8::/32"], "1", id="network"),
        pytest.param(["--check", "rdns-tld"], "2", id="check"),
        pytest.param(["--check", "valid_recipient"], "133", id="check's own name"),
        pytest.param(["--ref", "7kq2m9d3"], "33", id="reference"),
        pytest.param(["--since", "2026-11-20"], "233", id="since"),
        pytest.param(["--until", "2026-11-20"], "1", id="until"),
        pytest.param(["--last", "3"], "233", id="the last three"),
        pytest.param(["--from", "<>"], "2", id="from"),
        pytest.param(["--rcpt", "juha"], "3", id="rcpt"),
    ],
)
def test_list(three: Path, arguments: list[str], expected: str) -> None:
    done = eximacl("archive", "list", "--json", *arguments)
    assert (done.status, done.err) == (0, "")
    assert refs(done.out) == list(expected)


def test_list_for_people(three: Path) -> None:
    [message] = [one for one in messages(three) if one.envelope and one.envelope.ref == "7KQ2M9D2"]
    mark_released(message, [ReleaseNote(time=NOON + 5, recipients=("joe@example.com",), by="root")])
    head, old, bounce, *_ = eximacl("archive", "list").out.splitlines()
    assert head.split()[:5] == ["TIME", f"({zone_names()})", "REF", "RELEASED", "SIZE"]
    assert old.isprintable()
    assert "\\x1b[2J\\x9b\\u202e" in old
    assert bounce.split()[3] == "yes"
    assert "<>" in bounce


@pytest.mark.parametrize("columns", [60, 80, 150])
def test_list_fits_the_terminal(three: Path, columns: int) -> None:
    status, shown = on_terminal("archive", "list", columns=columns)
    assert status == 0
    assert len(shown.splitlines()) == 5
    assert all(len(row) <= columns and row.isprintable() for row in shown.splitlines())
    assert ("RELEASED" in shown) == (columns >= 80)


def test_list_as_json(config: Path, root: Path) -> None:
    [stored] = hold(config, HEADERS, b"text\n", "joe@example.org")
    found = json.loads(eximacl("archive", "list", "--json").out)
    assert (found["ref"], found["from"], found["recipients"]) == (REF, "ann@example.net", ["joe@example.org"])
    assert (found["domain"], found["path"], found["released"]) == ("example.org", str(stored.path), [])


def test_a_damaged_envelope_hides_nothing(config: Path, root: Path) -> None:
    [stored] = hold(config, HEADERS, b"text\n", "joe@example.org")
    envelope = stored.path.parents[1] / "envelope" / f"{stored.filename}.json"
    envelope.write_text("{")
    done = eximacl("archive", "list", "--since", "2026-11-01", "--domain", "example.org")
    assert done.status == 0
    assert done.out.splitlines()[1].split()[2] == "?"
    assert f"{envelope}: is not JSON" in done.err
    assert "is not JSON" in json.loads(eximacl("archive", "list", "--json").out)["problem"]
    done = eximacl("archive", "list", "--sender", "ann")
    assert (done.status, f"Not compared: {envelope}: is not JSON" in done.err) == (66, True)
    assert eximacl("archive", "list", "--sender", "ann", "--domain", "example.com").err == "Nothing was found.\n"


ODD = [
    {"time": "9999-12-31T23:59:59-23:59"},
    {"size": 10**400},
    {"recipients": []},
    {"released": [{"time": "0001-01-01T00:00:00+23:59", "to": ["x"], "by": ""}]},
]


@pytest.mark.parametrize("odd", ODD, ids=["time", "size", "recipients", "release"])
def test_an_odd_envelope_hides_nothing(config: Path, root: Path, odd: dict[str, Any]) -> None:
    [stored] = hold(config, HEADERS, b"text\n", "joe@example.org", ref="7KQ2M9D1")
    hold(config, HEADERS, b"text\n", "joe@example.org", ref="7KQ2M9D2", time=NOON + 1)
    envelope = stored.path.parents[1] / "envelope" / f"{stored.filename}.json"
    envelope.write_text(json.dumps({**json.loads(envelope.read_text()), **odd}))
    done = eximacl("archive", "list")
    assert (done.status, "7KQ2M9D2" in done.out, f"{envelope}: " in done.err) == (0, True, True)
    assert eximacl("archive", "purge", "--domain", "example.org", "--dry-run").status == 0
    assert eximacl("archive", "show", "7KQ2M9D2").status == 0


def test_what_a_damaged_envelope_may_be_about(config: Path, root: Path) -> None:
    ref = References().next(NOON)
    [stored] = hold(config, HEADERS, b"text\n", "joe@example.org", ref=ref)
    hold(config, HEADERS, b"text\n", "joe@example.org", ref="7KQ2M9D2", time=NOON - 86_400)
    for envelope in root.rglob("envelope/*.json"):
        envelope.write_text("{")
    done = eximacl("archive", "show", ref)
    assert done.status == 66
    assert "or it is one of these, held at that time, of which only the envelope cannot be read:\n" in done.err
    assert f"{stored.filename}.json: is not JSON" in done.err
    assert done.err.count("is not JSON") == 1


def test_a_message_by_the_reference_of_each_of_its_recipients(config: Path) -> None:
    root = with_archive(config)
    config.write_text(config.read_text().replace('"joe"]', '"joe"]\naction = "hold"'))
    socket = config.parent / "eximacl.sock"
    common = {"tx": "1-1", "ip": "192.0.2.7", "from": "a@example.net"}
    data = {"rcpts": "ghost@example.org, gone@example.org", "id": ID, "headers": HEADERS}
    with Daemon(config, socket, config.parent / "log"):
        told = [ask(socket, format_query("rcpt", {**common, "rcpt": rcpt})) for rcpt in data["rcpts"].split(", ")]
        words = {
            "held": told[0].ref,
            "held_message": told[0].message,
            "spool": str(spool_with(config.parent / "spool")),
        }
        ask(socket, format_query("data", {**common, "tx": "1-2", **data, **words, "held": "7KQ2M9D4", "spool": "/no"}))
        ask(socket, format_query("data", {**common, **data, **words}))
    for one in told:
        done = eximacl("archive", "show", one.ref)
        assert (done.status, done.out.startswith(f"{told[0].ref}   ")) == (0, True)
    assert eximacl("archive", "export", told[1].ref, "--output", config.parent / "out").status == 0
    later = json.loads(eximacl("why", "--json", told[1].ref).out)["later"]
    assert [one["ref"] for one in later] == [told[0].ref]
    assert len(list(messages(root))) == 1


def test_export_is_for_its_owner_s_eyes(config: Path, root: Path, tmp_path: Path) -> None:
    [stored] = hold(config, HEADERS, b"text\n", "joe@example.org")
    assert eximacl("archive", "export", REF, "--output", tmp_path / "out").err == ""
    assert (tmp_path / "out").stat().st_mode & 0o777 == 0o600
    with stored.path.open("ab") as file:
        file.write(b"more")
    done = eximacl("archive", "export", REF, "--output", tmp_path / "changed")
    assert (done.status, done.err) == (0, f"{stored.path} {ALTERED}\n")
    assert f"[{stored.path} {ALTERED}]\n" in eximacl("archive", "show", REF).out
    assert json.loads(eximacl("archive", "show", "--json", REF).out)["changed"] is True


def test_export_to_a_full_disk_leaves_nothing(config: Path, root: Path, tmp_path: Path) -> None:
    hold(config, HEADERS, b"x" * 200_000, "joe@example.org")
    disk = tmp_path / "disk"
    disk.mkdir()
    with small_disk(disk, "size=64k"):
        done = eximacl("archive", "export", REF, "--output", disk / "out")
        assert (done.status, done.err) == (74, f"Error: {disk}/out: No space left on device; it was deleted again\n")
        assert list(disk.iterdir()) == []


def test_show(config: Path, root: Path) -> None:
    body = b"Content-Type: text/plain\n\nHello \xc3\xa4\n" + EVIL.encode() + b"\n"
    hold(
        config,
        HEADERS + "X-Evil: a\x1b[2Jb\n",
        body[body.index(b"\n\n") + 2 :],
        "joe@example.org",
        sentence=f"No{EVIL}",
    )
    done = eximacl("archive", "show", "7kq2-m9d4")
    assert done.status == 0
    assert done.out.startswith(f"{REF}   2026-11-23 ")
    assert "  from:     <ann@example.net>\n  to:       joe@example.org\n" in done.out
    assert "  client:   192.0.2.7 (mx.example.net), HELO mx.example.net\n" in done.out
    assert "  held by:  valid_recipient (unknown-recipient): No\\x1b[2J" in done.out
    assert (
        "\nSubject: hyvä\nFrom: Ann <ann@example.net>\nX-Evil: a[2Jb\n\nHello ä\n\\x1b[2J\\x9b\\u202e\\x07\n"
        in done.out
    )
    assert all(row.isprintable() for row in done.out.splitlines())


def test_show_in_another_character_set(config: Path, root: Path) -> None:
    hold(config, HEADERS, "ä 日\n".encode(), "joe@example.org", subject="日")
    command = [sys.executable, "-m", "eximacl", "archive"]
    environ = {**os.environ, "PYTHONIOENCODING": "iso-8859-1"}
    shown = subprocess.run([*command, "show", REF], capture_output=True, check=True, env=environ).stdout
    assert "Subject: hyvä".encode("iso-8859-1") in shown
    assert shown.endswith("ä \\u65e5\n".encode("iso-8859-1"))
    assert b"\\u65e5" in subprocess.run([*command, "list"], capture_output=True, check=True, env=environ).stdout


def test_show_each_copy_and_release(three: Path) -> None:
    for message in messages(three):
        if message.envelope and message.envelope.ref == "7KQ2M9D3":
            mark_released(message, [ReleaseNote(time=NOON + 5, recipients=("joe@example.com",), by="root")])
    out = eximacl("archive", "show", "7KQ2M9D3").out
    assert out.count("held by:") == 2
    assert out.count("  released: 2026-11-23 ") == 2
    assert out.count("Subject:") == 1


def test_show_html_and_attachments(config: Path, root: Path) -> None:
    headers = "Content-Type: multipart/mixed; boundary=b\n"
    html = "--b\nContent-Type: text/html\n\n<b>Hi</b> &#155;there<script>x</script>\n"
    attached = f'--b\nContent-Type: a/b\nContent-Disposition: attachment; filename="x{EVIL}.exe"\n\n12345\n'
    nested = "--b\nContent-Type: message/rfc822\n\nSubject: inner\n\ninner\n--b--\n"
    hold(config, headers, (html + attached + nested).encode(), "joe@example.org", host="")
    out = eximacl("archive", "show", REF).out
    assert "(no reverse name)" in out
    assert "[There is only HTML; this is its text without the tags.]\nHi ›there\n" in out
    assert ".exe, a/b, 5 B]\n" in out
    assert "[attached: without a name, message/rfc822, size unknown]\n" in out
    assert all(row.isprintable() for row in out.splitlines())
    found = json.loads(eximacl("archive", "show", "--json", REF).out)
    assert (found["html"], found["parts"][0]["size"], found["copies"][0]["ref"]) == (True, 5, REF)


def test_show_says_what_it_leaves_out(config: Path, root: Path) -> None:
    nested = "".join(f"Content-Type: multipart/mixed; boundary=b{n}\n\n--b{n}\n" for n in range(3000))
    hold(config, nested.partition("\n\n")[0] + "\n", nested.partition("\n\n")[2].encode(), "joe@example.org")
    out = eximacl("archive", "show", REF).out
    assert "[its parts cannot be separated; this is the whole body]\n" in out
    assert " more characters; export shows all]\n" in out


def test_show_looks_only_at_the_beginning(config: Path, root: Path) -> None:
    hold(config, HEADERS, b"x\n" * (SHOWN_BYTES // 2), "joe@example.org")
    assert "[only the first 21 MB were looked at; export shows all]\n" in eximacl("archive", "show", REF).out


def test_export_the_exact_bytes(config: Path, root: Path, tmp_path: Path) -> None:
    body = bytes(range(256)) * 10_000
    [stored] = hold(config, HEADERS, body, "joe@example.org")
    whole = stored.path.read_bytes()
    assert whole == HEADERS.encode() + b"\n" + body
    assert eximacl("archive", "export", REF, "--output", tmp_path / "out").status == 0
    assert (tmp_path / "out").read_bytes() == whole
    piped = subprocess.run([sys.executable, "-m", "eximacl", "archive", "export", REF], capture_output=True, check=True)
    assert piped.stdout == whole


def test_export_never_writes_over_a_file_or_to_a_terminal(config: Path, root: Path, tmp_path: Path) -> None:
    hold(config, HEADERS, b"text\n", "joe@example.org")
    (tmp_path / "out").write_text("precious")
    done = eximacl("archive", "export", REF, "--output", tmp_path / "out")
    assert (done.status, "out exists already; it stays as it is" in done.err) == (74, True)
    assert (tmp_path / "out").read_text() == "precious"
    assert eximacl("archive", "export", REF, "--output", tmp_path / "none" / "out").status == 74
    status, shown = on_terminal("archive", "export", REF, "--output", "-")
    assert status == 64
    assert "the message may hold sequences that a terminal obeys" in shown


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        pytest.param(["--ref", "7KQ2M9D3"], "33", id="reference"),
        pytest.param(["--domain", "example.org"], "13", id="domain"),
        pytest.param(["--domain", ".com"], "23", id="below a domain"),
        pytest.param(["--older-than", "0s", "--domain", "example.com"], "23", id="both must hold"),
    ],
)
def test_purge(three: Path, arguments: list[str], expected: str) -> None:
    dry = eximacl("archive", "purge", "--dry-run", "--json", *arguments)
    assert (dry.status, refs(dry.out)) == (0, list(expected))
    assert len(refs(eximacl("archive", "list", "--json").out)) == 4
    done = eximacl("archive", "purge", "--yes", *arguments)
    assert done.status == 0
    assert done.out.startswith(f"{len(expected)} message")
    assert done.out.endswith(": deleted.\n")
    left = eximacl("archive", "list", "--json").out
    assert sorted((*refs(left), *expected)) == ["1", "2", "3", "3"]
    assert not [path for path in three.rglob("envelope/*") if path.name.removesuffix(".json") not in left]


def test_purge_by_age(config: Path, root: Path) -> None:
    now = time.time()
    for number, days in enumerate((40, 29)):
        hold(config, HEADERS, b"text\n", "joe@example.org", ref=f"7KQ2M9D{number}", time=now - days * 86_400)
    [day] = [path.parent for path in root.rglob("new") if list(path.iterdir())][:1]
    dry = eximacl("archive", "purge", "--older-than", "30d", "--dry-run").out
    assert dry.splitlines()[-1].startswith("1 message, ")
    assert dry.splitlines()[-1].endswith(" would be deleted.")
    assert eximacl("archive", "purge", "--older-than", "30d", "--yes", "--json").out.count("7KQ2M9D0") == 1
    assert refs(eximacl("archive", "list", "--json").out) == ["1"]
    assert len(list(root.rglob("new"))) == 1, day


def test_purge_asks(three: Path) -> None:
    done = eximacl("archive", "purge", "--domain", "example.org")
    assert done.status == 64
    assert "would be deleted: confirm with --yes" in done.err
    for answer, status, left in (("n", 0, 4), ("y", 0, 2)):
        running = Terminal("archive", "purge", "--domain", "example.org")
        running.until(lambda shown: b"Delete 2 messages, " in shown)
        running.until(lambda shown: b"7KQ2M9D1" in shown and b"7KQ2M9D3" in shown)
        running.type(f"{answer}\n")
        assert running.end()[0] == status
        assert len(refs(eximacl("archive", "list", "--json").out)) == left


def test_purge_shows_only_the_first_of_many(config: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(22):
        hold(config, HEADERS, b"text\n", "joe@example.org", ref=f"7KQ2M9{number:02}", time=NOON + number)
    running = Terminal("archive", "purge", "--domain", "example.org")
    running.until(lambda shown: b"Delete 22 messages, " in shown)
    running.until(lambda shown: b"7KQ2M919" in shown and b"7KQ2M920" not in shown and "… and 2 more".encode() in shown)
    running.type("n\n")
    assert running.end()[0] == 0


def test_purge_of_what_was_released(three: Path) -> None:
    for message in messages(three):
        if message.envelope and message.envelope.ref == "7KQ2M9D2":
            mark_released(message, [ReleaseNote(time=NOON + 5, recipients=("joe@example.com",), by="root")])
        if message.envelope and message.envelope.ref == "7KQ2M9D1":
            mark_released(message, [ReleaseNote(time=NOON + 5, recipients=("x@example.com",), state="sending")])
    assert refs(eximacl("archive", "purge", "--released", "--yes", "--json").out) == ["2"]
    assert eximacl("archive", "purge", "--released", "--yes").status == 66


def test_what_cannot_be_deleted_keeps_nothing_else(three: Path) -> None:
    """A directory has come into the place of a message, which not even root can unlink."""
    [first] = [one for one in messages(three) if one.envelope and one.envelope.ref == "7KQ2M9D1"]
    first.path.unlink()
    first.path.mkdir()
    done = eximacl("archive", "purge", "--domain", "example.org", "--yes")
    assert (done.status, done.out.startswith("1 message, "), done.out.endswith(": deleted.\n")) == (74, True, True)
    assert done.err == f"Error: {first.path}: Is a directory; it cannot be deleted\n"
    assert refs(eximacl("archive", "list", "--json").out) == ["1", "2", "3"]


def test_purge_of_a_damaged_one(config: Path, root: Path) -> None:
    """It is found by its time and its domain, but by no reference."""
    [stored] = hold(config, HEADERS, b"text\n", "joe@example.org", time=time.time() - 100)
    (stored.path.parents[1] / "envelope" / f"{stored.filename}.json").write_text("{")
    for arguments in (["--ref", REF], ["--older-than", "1d"], ["--domain", "example.com"]):
        assert eximacl("archive", "purge", "--yes", *arguments).err == "There is nothing to delete.\n"
    assert eximacl("archive", "purge", "--yes", "--older-than", "1s", "--domain", "example.org").status == 0
    assert not list(messages(root))


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        pytest.param(
            ["purge"], 64, "say what: --older-than SPAN, --ref REF, --domain DOMAIN or --released", id="purge what"
        ),
        pytest.param(["purge", "--older-than", "soon"], 64, "--older-than: 'soon' is not a span", id="span"),
        pytest.param(["purge", "--domain", "a b"], 64, "--domain: 'a b' is not a domain name", id="domain"),
        pytest.param(["purge", "--ref", "7KQ2"], 65, "is not a reference", id="purge's reference"),
        pytest.param(["list", "--since", "soon"], 64, "--since: 'soon' is not a time", id="time"),
        pytest.param(["list", "--ref", "00000000"], 66, "Nothing was found.", id="nothing"),
        pytest.param(["show", "00000000"], 66, "eximacl log --ref 00000000", id="not there"),
        pytest.param(["export", "x"], 65, "is not a reference", id="no reference"),
    ],
)
def test_what_cannot_be_done(root: Path, arguments: list[str], status: int, words: str) -> None:
    done = eximacl("archive", *arguments)
    assert done.status == status
    assert words in done.err


def test_what_cannot_be_read(config: Path, root: Path, tmp_path: Path) -> None:
    """A loop of links stops root, too."""
    [stored] = hold(config, HEADERS, b"text\n", "joe@example.org")
    stored.path.unlink()
    stored.path.symlink_to(stored.path)
    done = eximacl("archive", "export", REF, "--output", tmp_path / "out")
    assert (done.status, (tmp_path / "out").exists()) == (74, False)
    assert "Too many levels of symbolic links" in done.err
    assert stored.path.is_symlink()
