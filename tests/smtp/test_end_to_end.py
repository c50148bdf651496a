"""The whole of it: a real Exim, the real daemon, the lab's policy; mails and what becomes of them."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tests.cli.running import eximacl
from tests.lab import Daemon
from tests.lab.mails import Mail, examples, send
from tests.lab.site import ROOT
from tests.lab.waiting import ended, until
from tests.smtp.real import EACH_DAEMON, GOOD, Real, attempt, together

pytestmark = EACH_DAEMON
START = "S: 220\nC: EHLO mx.example.net\nS: 250\n"
MAIL = "C: MAIL FROM:<ann@example.net>\nS: 250\n"
DATA = "C: DATA\nS: 354\nC: Subject: hello\nC:\nC: text\nC: .\nS: {reply}\n"
QUIT = "C: QUIT\nS: 221\n"


def rcpt(address: str, reply: str = "250") -> str:
    """Write a RCPT and its reply."""
    return f"C: RCPT TO:<{address}>\nS: {reply}\n"


@pytest.mark.needs_root
@pytest.mark.needs_exim
@pytest.mark.needs_network
def test_make_run_holds_and_releases(tmp_path: Path) -> None:
    """The commands that `make run` says to try by hand, with the reference that the held example got."""
    command = [sys.executable, "-m", "tests.lab.demo", "--var", str(tmp_path)]
    with ended(subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)) as running:
        assert running.stdout
        shown = ""
        for line in iter(running.stdout.readline, ""):
            shown += line
            if "Ctrl-C stops both" in line:
                break
        [reference] = re.findall(r"ghost@example\.com\n.*\(ref=(\w+)\)", shown)
        assert reference in eximacl("archive", "list", "--config", tmp_path / "eximacl.toml").out
        commands = re.findall(r"eximacl (archive (?:show|release).*)", shown.replace("\\\n", ""))
        for line in commands:
            done = eximacl(*line.replace("REF", reference).split())
            assert done.status == 0, done.err
        [mailboxes] = re.findall(r"Delivered mail: (\S+)/NAME/new", shown)
        until(lambda: any(reference in path.read_text() for path in Path(mailboxes).glob("steve/new/*")))
        running.send_signal(signal.SIGINT)
        running.stdout.read()
    assert (len(commands), running.returncode) == (2, 0)


@pytest.mark.needs_root
@pytest.mark.needs_exim
@pytest.mark.needs_network
def test_the_examples_of_make_run() -> None:
    """`make run ONCE=1` does what the newcomer is promised, from a fresh directory, and leaves nothing behind."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.lab.demo", "--once"], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^\d+ messages, 0 not as expected\.$", done.stdout, re.MULTILINE)


@pytest.mark.parametrize("mail", [mail for mail in examples() if "count" not in mail.recipient], ids=str)
def test_each_kind_of_mail(real: Real, mail: Mail) -> None:
    result = send(real.lab, mail)
    assert result.expected, result


def test_three_messages_and_no_fourth(real: Real) -> None:
    address = real.address(3)
    session = START + (MAIL + rcpt(address) + DATA.format(reply="250")) * 3
    real.lab.play(session + MAIL + rcpt(address, "550 5.2.1 … this address has reached its limit of 3"), GOOD)
    assert real.delivered(address) == 3
    assert real.places(address) == (3, 0)


def test_two_at_once_at_the_last_place(real: Real) -> None:
    address = real.address(1)
    with real.lab.client(GOOD) as first, real.lab.client(GOOD) as second:
        first.play(START + MAIL + rcpt(address))
        second.play(START + MAIL + rcpt(address, "451 4.2.1"))
        first.play(DATA.format(reply="250"))
        second.play(rcpt(address, "550 5.2.1"))
    assert real.delivered(address) == 1


GIVEN_UP = {
    "quit": QUIT,
    "dropped": "X: drop",
    "rset-and-another": "C: RSET\nS: 250\n" + MAIL + rcpt("juha@example.org") + QUIT,
    "refused-at-data": DATA.replace("hello", "refuse me at data").format(reply="550") + QUIT,
}


@pytest.mark.parametrize("how", GIVEN_UP)
def test_a_place_given_up_is_free_again(real: Real, how: str) -> None:
    address = real.address(1)
    real.lab.play(START + MAIL + rcpt(address) + GIVEN_UP[how], GOOD)
    until(lambda: real.places(address) == (0, 0))
    real.lab.play(START + MAIL + rcpt(address) + DATA.format(reply="250"), GOOD)
    assert real.places(address) == (1, 0)


def test_a_retry_counts_once(real: Real) -> None:
    """Deferred while the daemon is away, the sender tries again: one message, one place."""
    address = real.address(2)
    real.daemon.kill()
    real.lab.play(START + MAIL + rcpt(address, "451"), GOOD)
    real.daemon.start()
    real.lab.play(START + MAIL + rcpt(address) + DATA.format(reply="250"), GOOD)
    assert real.places(address) == (1, 0)


def test_two_recipients_of_one_message_count_each(real: Real) -> None:
    one, two = real.address(1), real.address(1)
    real.lab.play(START + MAIL + rcpt(one) + rcpt(two) + DATA.format(reply="250"), GOOD)
    assert (real.places(one), real.places(two)) == ((1, 0), (1, 0))


def test_a_crowd_at_three_places(real: Real) -> None:
    """Eight senders at once, each trying until it is accepted or refused for good: three are."""
    address = real.address(3)
    fates: list[str] = []

    def deliver_one() -> None:
        for _ in range(500):
            reply = attempt(real.lab, address)
            if reply[0] != "4":
                fates.append(reply[:3])
                return

    together([deliver_one] * 8)
    assert Counter(fates) == {"250": 3, "550": 5}
    assert real.delivered(address) == 3
    assert real.places(address) == (3, 0)


STOPPED: dict[str, tuple[Callable[[Daemon], object], Callable[[Daemon], object]]] = {
    "stopped": (lambda daemon: daemon.close(), lambda daemon: daemon.start()),
    "killed": (lambda daemon: daemon.kill(), lambda daemon: daemon.start()),
    "hung": (lambda daemon: daemon.signal(signal.SIGSTOP), lambda daemon: daemon.signal(signal.SIGCONT)),
}


@pytest.mark.parametrize("how", STOPPED)
def test_without_the_daemon_mail_goes_on(real: Real, how: str) -> None:
    stop, resume = STOPPED[how]
    address = real.address(3)
    stop(real.daemon)
    real.lab.play(
        START
        + MAIL
        + rcpt("steve@example.org")
        + rcpt("juha.date.01-01-2031@example.org")
        + rcpt(address, "451 4.3.0")
        + DATA.format(reply="250"),
        GOOD,
    )
    resume(real.daemon)
    until(lambda: attempt(real.lab, address)[:3] == "250")


@pytest.mark.parametrize("how", STOPPED)
def test_a_daemon_lost_between_rcpt_and_data_delivers_nothing_uncounted(real: Real, how: str) -> None:
    stop, resume = STOPPED[how]
    address = real.address(1)
    calls = {"stop": lambda: stop(real.daemon), "resume": lambda: resume(real.daemon)}
    script = START + MAIL + rcpt(address) + "X: stop\n" + DATA.format(reply="451") + "X: resume\n"
    real.lab.play(script + QUIT, GOOD, calls)
    assert real.delivered(address) == 0
    until(lambda: real.places(address) == (0, 0))


def test_a_client_gone_after_the_final_dot_gets_its_place_back(real: Real) -> None:
    """The message was counted, and Exim throws it away: what the client sends again is accepted."""
    address = real.address(1)
    message = "C: DATA\nS: 354\nC: Subject: hello\nC:\nC: text\nC: .\n"
    before = len(real.lab.mainlog())
    with real.lab.client(GOOD) as client:
        client.play(START + MAIL + rcpt(address))
        real.daemon.signal(signal.SIGSTOP)
        client.play(message)
    real.daemon.signal(signal.SIGCONT)
    until(lambda: "SMTP connection lost after final dot" in real.lab.mainlog()[before:])
    until(lambda: real.places(address) == (0, 0))
    assert attempt(real.lab, address).startswith("250")
    assert real.places(address) == (1, 0)
    assert real.delivered(address) == 1


def test_a_daemon_hung_at_a_counted_address_keeps_no_place(real: Real) -> None:
    address = real.address(1)
    stop, resume = STOPPED["hung"]
    calls = {"stop": partial(stop, real.daemon), "resume": partial(resume, real.daemon)}
    real.lab.play(START + MAIL + "X: stop\n" + rcpt(address, "451 4.3.0") + "X: resume\n" + QUIT, GOOD, calls)
    assert attempt(real.lab, address).startswith("250")


def test_each_refusal_can_be_found_again(real: Real) -> None:
    """The reference in the SMTP reply leads to Exim's log and to `eximacl why`."""
    with real.lab.client("127.0.1.2") as client:
        client.play(START + MAIL)
        found = re.search(r"\(ref=(\w+)\)", client.ask("RCPT TO:<steve@example.org>"))
    assert found
    real.lab.logged(f"eximacl: rdns_tld rdns-tld br (ref={found[1]})")
    command = [sys.executable, "-m", "eximacl", "why", "--config", str(real.daemon.config), found[1]]

    def explained() -> bool:
        return "rdns_tld" in subprocess.run(command, capture_output=True, text=True, timeout=30).stdout

    until(explained)
