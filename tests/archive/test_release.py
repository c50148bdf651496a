"""Releasing held messages with `eximacl archive release` and a real Exim: what was held is delivered, and only once."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from eximacl.archive import find
from eximacl.config import load
from eximacl.mail.address import Address, quoted
from tests.archive.holding import NOON, READ_ONLY, read_only, small_disk, writable_again
from tests.cli.archived import REF, hold, with_archive
from tests.cli.conftest import POLICY
from tests.cli.running import Done, eximacl
from tests.config.loads import loads_counted
from tests.lab import Daemon, Lab, Site
from tests.lab.daemons import EXIM
from tests.lab.waiting import until

# Everything that a way through Exim could spoil: dots, From lines, 8-bit and binary bytes, no header of a good mail,
# an unqualified address, Bcc, long lines, blanks at the ends of lines, no blank line at the end.
HEADERS = (
    "Received: from elsewhere by mx.example.net; Mon, 23 Nov 2026 10:00:00 +0000\n"
    "From: joe\nTo: undisclosed\nBcc: secret@example.net\nSubject: =?utf-8?q?hyv=C3=A4?=\n folded\n"
    "X-Eight: \udcc3\udca4 \udcff\nx-CASE:kept  \nSender: other@example.net\n"
)
BODY = (
    b".\n..\n.x\nFrom the start\n>From\n\xff\xfe\x80\x01\x7f tab\t \n"
    + b"long " * 199
    + b"\n\n\nMessage-ID: no header\n--\n"
)


class MailServer:
    """An Exim, a policy and its archive. `sendmail` is a program that hands over to that Exim."""

    def __init__(self, lab: Lab, config: Path) -> None:
        self.lab = lab
        self.config = config
        self.root = with_archive(config)
        self.sendmail = config.parent / "sendmail"
        command = " ".join(lab.namespace.command(EXIM, "-odf"))
        self.sendmail.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > {config.parent}/arguments\nexec {command} "$@"\n')
        self.sendmail.chmod(0o755)

    def release(self, *arguments: object) -> Done:
        return eximacl("archive", "release", REF, "--sendmail", self.sendmail, *arguments)

    def arguments(self) -> list[str]:
        return (self.config.parent / "arguments").read_text().splitlines()

    def delivered(self, localpart: str) -> list[bytes]:
        """Return the messages in a mailbox as they were before Exim's transport and its own Received header."""
        directory = self.lab.mail / localpart / "new"
        return [_without_own(path.read_bytes()) for path in sorted(directory.iterdir())] if directory.exists() else []


def _without_own(data: bytes) -> bytes:
    """Take off what Exim puts before a message: its envelope headers, and one Received with its continuation lines."""
    lines = data.split(b"\n")
    start = next(number for number, line in enumerate(lines) if line.startswith(b"Received:"))
    assert all(b":" in line for line in lines[:start])
    start += 1
    while lines[start].startswith((b" ", b"\t")):
        start += 1
    return b"\n".join(lines[start:])


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab(Site("plain", snippets=False)) as running:
        yield running


@pytest.fixture
def server(lab: Lab, config: Path) -> MailServer:
    for mailbox in lab.mail.iterdir():
        subprocess.run(["rm", "-rf", mailbox], check=True)
    return MailServer(lab, config)


def held_bytes(server: MailServer) -> bytes:
    return find(server.root, REF)[0].path.read_bytes()


def test_delivers_the_very_bytes_with_one_header_more(server: MailServer) -> None:
    hold(server.config, HEADERS, BODY, "steve@example.org")
    assert held_bytes(server) == HEADERS.encode("utf-8", "surrogateescape") + b"\n" + BODY
    done = server.release()
    assert done == Done(0, f"{REF} was given to Exim for steve@example.org\n", "")
    [found] = server.delivered("steve")
    header, _, rest = found.partition(b"\n")
    assert header.startswith(f"X-Eximacl-Released: {REF} ".encode())
    assert header.endswith(b" by root")
    assert rest == held_bytes(server)


def test_exim_has_its_own_line_ends(server: MailServer) -> None:
    """As on receiving; only with spool_wireformat does the archive have others."""
    hold(server.config, HEADERS, b"one\r\ntwo\rthree\r\n", "steve@example.org")
    assert server.release().status == 0
    assert server.delivered("steve")[0].endswith(b"\n\none\ntwo\nthree\n")


def test_the_debian_configuration_delivers_the_same(config: Path) -> None:
    with Lab(Site("split", snippets=False)) as debian:
        server = MailServer(debian, config)
        hold(config, HEADERS, BODY, "steve@example.org")
        assert server.release().status == 0
        [found] = server.delivered("steve")
        assert found.partition(b"\n")[2] == held_bytes(server)


def test_every_recipient_of_every_domain_gets_it_once(server: MailServer) -> None:
    config = server.config
    config.write_text(config.read_text().replace('["example.org"]', '["example.org", "example.com"]'))
    hold(config, HEADERS, BODY, "steve@example.org", "juha@example.com", "juha@example.org")
    done = json.loads(server.release("--json").out)
    assert done["to"] == ["juha@example.com", "steve@example.org", "juha@example.org"]
    assert [len(server.delivered(name)) for name in ("steve", "juha")] == [1, 2]
    assert all(message.envelope and message.envelope.released for message in find(server.root, REF))


def test_a_second_release_needs_to_be_asked_for(server: MailServer) -> None:
    hold(server.config, HEADERS, BODY, "steve@example.org")
    assert server.release().status == 0
    second = server.release()
    assert second.status == 73
    assert f"Error: {REF} was released already, " in second.err
    assert "to steve@example.org by root; --again does it once more" in second.err
    assert len(server.delivered("steve")) == 1
    assert server.release("--again").status == 0
    assert len(server.delivered("steve")) == 2
    assert eximacl("archive", "show", REF).out.count("released:") == 2


def test_two_at_once_release_it_once(server: MailServer) -> None:
    hold(server.config, HEADERS, BODY, "steve@example.org")
    command = [sys.executable, "-m", "eximacl", "archive", "release", REF, "--sendmail", str(server.sendmail)]
    started = [subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for _ in range(2)]
    assert sorted(process.wait(60) for process in started) == [0, 73]
    assert len(server.delivered("steve")) == 1


def test_the_null_sender_and_another_recipient(server: MailServer) -> None:
    hold(server.config, HEADERS, BODY, "steve@example.org", sender="")
    done = server.release("--to", "juha@example.org")
    assert done.out == f"{REF} was given to Exim for juha@example.org\n"
    assert server.arguments()[-4:] == ["-f", "<>", "--", "juha@example.org"]
    assert server.delivered("steve") == []
    assert len(server.delivered("juha")) == 1
    [message] = find(server.root, REF)
    assert message.envelope
    assert message.envelope.released[0].recipients == ("juha@example.org",)


def test_a_large_message(server: MailServer) -> None:
    body = bytes(range(1, 13)) * 8 + b"\n" + (b"\xe4" * 70 + b"\n.\n") * 140_000
    hold(server.config, HEADERS, body.replace(b"\r", b"_"), "steve@example.org")
    assert server.release().status == 0
    [found] = server.delivered("steve")
    assert hashlib.sha256(found.partition(b"\n")[2]).digest() == hashlib.sha256(held_bytes(server)).digest()


def test_exim_refuses_it(server: MailServer) -> None:
    """It takes a message for all recipients, or not at all."""
    hold(server.config, HEADERS, BODY, "steve@example.org")
    server.sendmail.write_text(f"{server.sendmail.read_text().rstrip()} steve\n")
    done = server.release()
    assert done.status == 75
    assert f"{REF} was not released: {server.sendmail} did not take the message (exit status 1): exim: " in done.err
    assert 'bad recipient address "steve": unqualified recipient address not allowed' in done.err
    assert '"released": []' in eximacl("archive", "list", "--json").out
    # Nobody was told: least of all the sender, who may be anybody.
    assert server.lab.queued() == 0


def test_exim_does_not_trust_everybody(server: MailServer) -> None:
    """Without trust it would send in the name of the user who runs it; better not at all."""
    hold(server.config, HEADERS, BODY, "steve@example.org")
    untrusted = server.lab.namespace.command("setpriv", "--reuid=65534", "--clear-groups", EXIM)
    server.sendmail.write_text(f'#!/bin/sh\nexec {" ".join(untrusted)} "$@"\n')
    done = server.release()
    assert done.status == 75
    assert "exim: permission denied (-G requires a trusted user)" in done.err


def test_there_is_no_sendmail(server: MailServer) -> None:
    hold(server.config, HEADERS, BODY, "steve@example.org")
    server.sendmail.unlink()
    done = server.release()
    assert done.status == 75
    assert "sendmail cannot be run: No such file or directory; name another with --sendmail" in done.err


def test_the_setting_names_the_program(server: MailServer) -> None:
    hold(server.config, HEADERS, BODY, "steve@example.org")
    server.config.write_text(f'{server.config.read_text()}sendmail = "sendmail"\n')
    assert eximacl("archive", "release", REF).status == 0
    assert len(server.delivered("steve")) == 1


def test_what_is_not_what_came_is_not_sent(server: MailServer) -> None:
    [stored] = hold(server.config, HEADERS, BODY, "steve@example.org")
    stored.path.write_bytes(stored.path.read_bytes() + b"more\n")
    done = server.release()
    assert done.status == 65
    assert "its SHA-256 differs from the envelope's" in done.err
    assert server.delivered("steve") == []


def test_a_damaged_envelope(server: MailServer) -> None:
    [stored] = hold(server.config, HEADERS, BODY, "steve@example.org")
    (stored.path.parents[1] / "envelope" / f"{stored.filename}.json").write_text("{")
    done = server.release()
    assert done.status == 66
    assert f"{REF} is not in {server.root}: " in done.err


def test_it_cannot_be_written_down(server: MailServer) -> None:
    [stored] = hold(server.config, HEADERS, BODY, "steve@example.org")
    with read_only(stored.path.parents[1] / "envelope"):
        done = server.release()
    assert done.status == 74
    assert "Read-only file system; the release is not written down; nothing was released" in done.err
    assert server.delivered("steve") == []


def test_what_two_domains_have_is_written_down_in_both_or_in_none(server: MailServer) -> None:
    config = server.config
    config.write_text(config.read_text().replace('["example.org"]', '["example.org", "example.com"]'))
    _, second = hold(config, HEADERS, BODY, "juha@example.com", "steve@example.org")
    with read_only(second.path.parents[1] / "envelope"):
        assert server.release().status == 74
    assert server.release().status == 0


def test_a_full_disk_stops_it_before_anything_is_sent(server: MailServer) -> None:
    with small_disk(server.root, "size=64k"):
        hold(server.config, HEADERS, BODY, "steve@example.org")
        filler = server.root / "filler"
        with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(b"x" * 4096)
        for _ in range(2):
            done = server.release()
            assert done.status == 74
            assert "No space left on device; the release is not written down; nothing was released" in done.err
        assert server.delivered("steve") == []
        filler.unlink()
        assert server.release().status == 0
    assert len(server.delivered("steve")) == 1


def test_it_cannot_be_written_down_once_it_was_sent(server: MailServer) -> None:
    """Then the envelope still says that it was being sent."""
    [stored] = hold(server.config, HEADERS, BODY, "steve@example.org")
    envelopes = stored.path.parents[1] / "envelope"
    server.sendmail.write_text(server.sendmail.read_text().replace("exec", f"{READ_ONLY.format(envelopes)}\nexec"))
    done = server.release()
    assert done.status == 74
    assert f"the release is not written down; {REF} was given to Exim: do not release it again" in done.err
    writable_again(envelopes)
    perhaps_released(server)
    assert len(server.delivered("steve")) == 1


def test_a_release_that_is_killed_is_not_made_twice_unasked(server: MailServer) -> None:
    """Exim has the message already, and delivers it; nobody knows but Exim."""
    hold(server.config, HEADERS, BODY, "steve@example.org")
    here = server.config.parent
    os.mkfifo(here / "go")
    server.sendmail.write_text(server.sendmail.read_text().replace("exec", f"read go < {here}/go\nexec"))
    command = [sys.executable, "-m", "eximacl", "archive", "release", REF, "--sendmail", str(server.sendmail)]
    with subprocess.Popen(command) as process:
        until((here / "arguments").exists, "sendmail")
        process.kill()
    (here / "go").write_text("go\n")
    until(lambda: len(server.delivered("steve")) == 1, "the message")
    assert server.delivered("steve")[0].partition(b"\n")[2] == held_bytes(server)
    perhaps_released(server)


def perhaps_released(server: MailServer) -> None:
    done = server.release()
    assert done.status == 73
    assert f"Error: {REF} may have been released already: a release, 20" in done.err
    assert "was interrupted. Look in Exim's main log whether it took the message (id=1@example.net);" in done.err
    assert "by root (perhaps: it was interrupted)\n" in eximacl("archive", "show", REF).out
    assert json.loads(eximacl("archive", "list", "--json").out)["released"][0]["state"] == "sending"


def test_a_sendmail_that_is_killed_may_have_taken_it(server: MailServer) -> None:
    hold(server.config, HEADERS, BODY, "steve@example.org")
    sendmail = server.sendmail.read_text()
    server.sendmail.write_text("#!/bin/sh\nkill -9 $$\n")
    done = server.release()
    assert done.status == 75
    assert f"{REF} may have been released: {server.sendmail} was killed by signal 9" in done.err
    perhaps_released(server)
    server.sendmail.write_text(sendmail)
    assert server.release("--again").status == 0
    assert f"{REF} was released already" in server.release().err


def test_a_recipient_in_quotes_gets_it_and_nobody_else(server: MailServer) -> None:
    """Exim reads a list of addresses in each argument; what a sender has put into quotes stays one."""
    localpart = '"a"@example.org, juha@example.org, "b"'
    hold(server.config, HEADERS, BODY, recipients=(quoted(Address(localpart, "example.org")),))
    server.release()
    assert server.arguments()[-1] == '"\\"a\\"@example.org, juha@example.org, \\"b\\""@example.org'
    assert server.delivered("juha") == []
    assert server.lab.queued() == 0


def test_a_message_that_is_there_twice_is_released_once(server: MailServer) -> None:
    """Somebody has put a copy back; two commands for one day would wait for each other for ever."""
    [stored] = hold(server.config, HEADERS, BODY, "steve@example.org")
    (stored.path.parents[1] / "cur" / f"{stored.filename}:2,S").write_bytes(stored.path.read_bytes())
    assert server.release().status == 0
    assert len(server.delivered("steve")) == 1


def test_several_at_once(server: MailServer) -> None:
    """What is wrong with one keeps no other back."""
    for number in (1, 2):
        hold(server.config, HEADERS, BODY, "steve@example.org", ref=f"7KQ2M9D{number}", time=NOON + number)
    command = ["archive", "release", "7KQ2M9D1", "00000000", "7kq2m9d1", "7KQ2M9D2"]
    done = eximacl(*command, "--sendmail", server.sendmail, "--json")
    assert done.status == 66
    assert [json.loads(line)["ref"] for line in done.out.splitlines()] == ["7KQ2M9D1", "7KQ2M9D2"]
    assert done.err.count("Error: ") == 1
    assert len(server.delivered("steve")) == 2


def test_allow_lets_the_next_mail_pass(server: MailServer) -> None:
    """The whole way: the daemon refuses, the message is released, and the daemon accepts the next one."""
    config = server.config
    query = [
        "--ip",
        "192.0.2.7",
        "--host",
        "mx.example.net",
        "--from",
        "ann@example.net",
        "--rcpt",
        "ghost@example.org",
    ]
    with Daemon(config, config.parent / "eximacl.sock", config.parent / "log"):
        hold(config, HEADERS, BODY, "ghost@example.org")
        assert eximacl("check", *query).status == 1
        with loads_counted() as loads:
            done = server.release("--allow", "sender", "--to", "steve@example.org")
        assert (done.status, loads) == (0, [config])
        toml, file = config.parent / "domains/example.org.toml", config.parent / "lists/allow-senders.example.org"
        assert f"ann@example.net was added to exempt.senders in {file}, in force\n" in done.out
        assert f"changed: {file}, {toml}\n" in done.out
        assert eximacl("check", *query).status == 0
        again = server.release("--again", "--allow", "sender", "--json", "--to", "steve@example.org")
        assert json.loads(again.out)["allowed"][0]["already"] == "senders: ann@example.net"
    assert f"# {REF} released 20" in file.read_text()
    assert load(config).overlays.keys() == {"example.org"}


def test_allow_without_a_daemon(server: MailServer) -> None:
    hold(server.config, HEADERS, BODY, "steve@example.org")
    done = server.release("--allow", "ip", "--everywhere")
    assert done.status == 0
    assert (
        f"192.0.2.7 was added to exempt.ips in {server.config.parent}/lists/allow-ips, not in force yet: " in done.out
    )
    second = server.release("--again", "--allow", "ip")
    assert "192.0.2.7: such mail is exempt already (ips: 192.0.2.7); nothing was changed" in second.out


def test_allow_everywhere_is_one_entry_for_all_domains(server: MailServer) -> None:
    config = server.config
    config.write_text(config.read_text().replace('["example.org"]', '["example.org", "example.com"]'))
    hold(config, HEADERS, BODY, "steve@example.org", "juha@example.com")
    done = json.loads(server.release("--allow", "ip", "--everywhere", "--json").out)
    assert [one["already"] for one in done["allowed"]] == [""]
    again = json.loads(server.release("--again", "--allow", "ip", "--json").out)
    where = ("exempt.ips", f"{config.parent}/lists/allow-ips", "ips: 192.0.2.7")
    assert [(one["key"], one["list"], one["already"]) for one in again["allowed"]] == [where, where]


@pytest.mark.parametrize(
    ("output", "encoding", "status"), [("/dev/full", "utf-8", 74), ("/dev/null", "ascii", 0)], ids=["full", "ascii"]
)
def test_allow_is_done_whether_anybody_can_read_it(server: MailServer, output: str, encoding: str, status: int) -> None:
    hold(server.config, HEADERS, BODY, recipients=("hyvä@example.org",))
    server.sendmail.write_text("#!/bin/sh\nexit 0\n")
    command = [sys.executable, "-m", "eximacl", "archive", "release", REF, "--sendmail", str(server.sendmail)]
    with Path(output).open("w") as file:
        done = subprocess.run(
            [*command, "--allow", "ip"], stdout=file, env={**os.environ, "PYTHONIOENCODING": encoding}
        )
    assert done.returncode == status
    assert (server.config.parent / "lists/allow-ips.example.org").read_text().startswith("192.0.2.7")


def test_allow_in_a_list_that_is_there_needs_no_reload(server: MailServer) -> None:
    config = server.config
    (config.parent / "hosts").write_text("relay.example.com\n")
    config.write_text(f'{config.read_text()}\n[exempt]\nhosts = "hosts"\n')
    hold(config, HEADERS, BODY, "steve@example.org")
    done = server.release("--allow", "host", "--everywhere")
    assert f"mx.example.net was added to exempt.hosts in {config.parent}/hosts, in force in a moment\n" in done.out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        pytest.param(["--allow", "sender"], "it cannot be exempted: the null sender of a bounce", id="nobody"),
        pytest.param(["--allow", "host"], "the client 192.0.2.7 has no reverse name; exempt its ip", id="no name"),
    ],
)
def test_what_cannot_be_allowed_is_known_before_it_is_sent(
    server: MailServer, arguments: list[str], words: str
) -> None:
    hold(server.config, HEADERS, BODY, "steve@example.org", sender="", host="")
    done = server.release(*arguments)
    assert done.status == 78
    assert words in done.err
    assert "; nothing was released" in done.err
    assert server.delivered("steve") == []


def test_a_file_that_cannot_be_read(server: MailServer) -> None:
    hold(server.config, HEADERS, BODY, "steve@example.org")
    (server.config.parent / "lists").mkdir()
    (server.config.parent / "lists/allow-ips.example.org").mkdir()
    done = server.release("--allow", "ip")
    assert done.status == 78
    assert "allow-ips.example.org: Is a directory; nothing was released" in done.err


def test_the_daemon_refuses_the_reload(server: MailServer) -> None:
    """Its policy came from elsewhere, and is wrong by now."""
    config = server.config
    other = config.parent / "other.toml"
    other.write_text(POLICY)
    with Daemon(other, config.parent / "eximacl.sock", config.parent / "log"):
        other.write_text("wrong")
        hold(config, HEADERS, BODY, "steve@example.org")
        assert "not in force: run `eximacl reload`" in server.release("--allow", "ip").out


def test_the_list_changes_while_the_message_is_on_its_way(server: MailServer) -> None:
    """What was possible before may be impossible afterwards; then both are told."""
    config = server.config
    hold(config, HEADERS, BODY, "steve@example.org")
    server.sendmail.write_text(f"{server.sendmail.read_text()}".replace("exec", f"echo wrong >> {config}\nexec"))
    done = server.release("--allow", "ip")
    assert done.status == 78
    assert f"{REF} was released all the same" in done.err


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        pytest.param([REF, "--everywhere"], 64, "--everywhere is for --allow", id="everywhere alone"),
        pytest.param(["7KQ2"], 65, "is not a reference", id="no reference"),
        pytest.param(["00000000"], 66, "eximacl log --ref 00000000", id="not there"),
        pytest.param([REF, "--allow", "all"], 64, "Invalid value for '--allow'", id="no such exemption"),
        pytest.param([], 64, "Missing argument 'REF...'", id="nothing"),
        *(
            pytest.param(
                [REF, "--to", to], 64, f"--to: {to!r} is not an address, such as steve@example.org", id=f"to {to!r}"
            )
            for to in ("", "nobody", "a b@c", "Ann <ann@example.net>", "a@b.example, c@d.example")
        ),
    ],
)
def test_what_cannot_be_released(config: Path, arguments: list[str], status: int, words: str) -> None:
    with_archive(config)
    done = eximacl("archive", "release", *arguments)
    assert done.status == status
    assert words in done.err


def test_a_policy_that_is_no_toml(config: Path) -> None:
    """Both that would be taken from it are named at once."""
    config.write_text("[archive\n")
    done = eximacl("archive", "release", REF)
    assert done.status == 78
    assert "see `eximacl config test`, or give the path with --archive and --sendmail" in done.err
