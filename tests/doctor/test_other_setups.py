"""Set-ups that the others are not: a configuration of an admin's own, asked early; and one in which little is kept."""

from __future__ import annotations

from tests.doctor.world import MAILBOXES, World
from tests.lab import Site
from tests.lab.site import ROUTER

EARLY = {"EXIMACL_SOCKET": "@SOCKET@", "EXIMACL_ASK_EARLY": "yes"}


def test_a_hand_written_configuration() -> None:
    """Wired in by the block of docs/exim.md. Nothing is kept on a disk but the journal."""
    with World(Site("plain", EARLY, mailboxes=MAILBOXES), wired=False) as world:
        text = world.config.read_text().replace('rejections = "rejections.jsonl"', 'rejections = ""')
        world.config.write_text(text.replace('url = "sqlite:state.db"', 'url = "memory:"'))
        world.stop()
        world.start()
        found = world.doctor()
        assert [each for each in found if each["level"] != "ok"] == []
        said = {each["what"] for each in found}
        assert "Exim asks at: connect, helo, mail, rcpt, end" in said
        assert "state.url is memory:" in said
        reject = [f"reject at {stage}" for stage in ("RCPT", "DATA", "CONNECT", "HELO", "MAIL")]
        assert any(all(each in what for each in reject) for what in said)


def test_routers_in_another_order_and_no_relay_hosts() -> None:
    with World(Site("plain", EARLY, relays=("",), mailboxes=MAILBOXES), wired=False) as world:
        conf = world.lab.etc / "exim4.conf"
        text = conf.read_text()
        conf.write_text(text.replace("begin routers\n", f"begin routers\n{ROUTER.replace('lab_mailbox', 'own')}"))
        found = world.doctor()
        named = {(each["diagnosis"], each["level"]): each["what"] for each in found}
        assert named["router", "warning"] == "the router own comes before eximacl_disposable"
        assert not any("relay host" in what for what in named.values())
