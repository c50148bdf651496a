"""The questions that are asked: a day's mail of a small host, as the snippets send it. Same seed, same questions."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from eximacl.protocol.exim import format_query

LINES = 10_000
SEED = 1
# The load generator replaces it by a number that no other query has.
TRANSACTION = "TX"
GOOD_HOSTS = ("mx.example.net", "mail-7.out.example.com", "smtp.example.org", "")
BAD_HOSTS = ("dsl-12-7.example.sa", "host7.example.com.br", "ip-192-0-2-7.example.in")

Recipient = Callable[[random.Random, int], dict[str, str]]


def ordinary(names: Sequence[str], domain: str = "example.org") -> Recipient:
    """Return what asks for one of `names`."""
    return lambda chance, _number: {"rcpt": f"{chance.choice(names)}@{domain}"}


def dated(_chance: random.Random, number: int) -> dict[str, str]:
    """A disposable address that takes mail until next month."""
    until = datetime.now(UTC) + timedelta(days=10 + number % 20)
    return {"rcpt": f"steve.date.{until:%d-%m-%Y}@example.org"}


def counted(_chance: random.Random, number: int) -> dict[str, str]:
    """A disposable address for a hundred messages, of which each query asks for a place."""
    tag = "".join(chr(ord("a") + int(digit)) for digit in str(number))
    return {"rcpt": f"steve+{tag}.100.count@example.org"}


def from_bad_host(chance: random.Random, _number: int) -> dict[str, str]:
    """A client whose reverse name has a refused top-level domain."""
    return {"rcpt": "steve@example.org", "host": chance.choice(BAD_HOSTS)}


def from_bad_sender(_chance: random.Random, _number: int) -> dict[str, str]:
    """An envelope sender below a refused domain."""
    return {"rcpt": "steve@example.org", "from": "news@bounce.junk.example"}


# Six of ten are accepted; the others are refused by different checks.
MIX: tuple[tuple[int, Recipient], ...] = (
    (46, ordinary(("steve", "juha", "info", "steve+shop", "postmaster"))),
    (6, ordinary(("anyone", "else"), "elsewhere.example")),
    (6, dated),
    (2, counted),
    (12, from_bad_host),
    (12, ordinary(("nobody", "sales", "admin", "kirje", "jrandom"))),
    (8, ordinary(("steve7", "o'neill", "9lives", "a|b"))),
    (4, from_bad_sender),
    (4, ordinary(("old", "gone"))),
)


def sample_mix() -> Iterator[bytes]:
    """Yield the queries for the sample policy."""
    chance = random.Random(SEED)
    weights = [weight for weight, _ in MIX]
    for number in range(LINES):
        _, recipient = chance.choices(MIX, weights)[0]
        yield rcpt(chance, recipient(chance, number))


def many_recipients(localparts: int, domains: int) -> Iterator[bytes]:
    """Yield queries for the policies of `size.py`: seven of ten recipients exist, all over the lists."""
    chance = random.Random(SEED)
    for _ in range(LINES):
        localpart = f"user{chance.randrange(localparts):07}x"
        if chance.random() < 0.3:
            localpart = f"no{localpart}"
        yield rcpt(chance, {"rcpt": f"{localpart}@d{chance.randrange(domains):04}.example.org"})


def rcpt(chance: random.Random, values: dict[str, str]) -> bytes:
    """Write one `rcpt` query with all that the snippets send then."""
    host = chance.choice(GOOD_HOSTS)
    sent = {
        "tx": TRANSACTION,
        "ip": f"192.0.2.{chance.randrange(1, 255)}",
        "port": str(chance.randrange(1024, 65536)),
        "host": host,
        "host_failed": "0" if host else "1",
        "host_deferred": "0",
        "local_ip": "198.51.100.25",
        "local_port": "25",
        "helo": host or "[192.0.2.7]",
        "from": chance.choice(("alice@example.net", "bounces+17-a=b@lists.example.com", "")),
        "tls": "TLS1.3:ECDHE_X25519__RSA_PSS_RSAE_SHA256__AES_256_GCM:256",
        "rcpt": "",
        "count": "0",
        "accepted": "0",
    }
    return format_query("rcpt", sent | values)


def write(path: Path, queries: Iterator[bytes]) -> Path:
    """Write queries to a file, as the load generator reads them."""
    path.write_bytes(b"".join(queries))
    return path
