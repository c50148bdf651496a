"""Sender rewriting: the vectors of postsrsd's tests, and what the real Exim makes and takes."""

from __future__ import annotations

import random
import time

import pytest

from eximacl.mail.srs import DAY_SECONDS, EXIM_DAYS, LIBSRS2_DAYS, is_over, parse, valid_days
from tests.mail.test_batv import exim_expands

# postsrsd, tests/test_srs2.c and tests/blackbox/socketmap.py: the secret, and the time, 2020-01-01 00:01:00 UTC.
SECRET = b"tops3cr3t"
THEN = 1577836860.0
# An address, for whom it stands; and whether it is good.
VECTORS = [
    ("SRS0=vmyz=2W=otherdomain.com=test", "test@otherdomain.com", "good"),
    ("SRS0=XjO9=2V=otherdomain.com=test", "test@otherdomain.com", "good"),
    ("srs0=xjo9=2v=otherdomain.com=test", "test@otherdomain.com", "good"),
    ("SRS0=XJO9=2V=OTHERDOMAIN.COM=TEST", "TEST@OTHERDOMAIN.COM", "good"),
    ("SRS0=-3_5=2W=somedomain.com=hash234", "hash234@somedomain.com", "good"),
    ("SRS0=+3/5=2W=somedomain.com=hash234", "hash234@somedomain.com", "good"),
    ("SRS0=bxzH=2W=1=DCJGDE6N24LCRT41A4T0G1UIF0DTKKQJ", "DCJGDE6N24LCRT41A4T0G1UIF0DTKKQJ@1", "good"),
    ("SRS1=JIBX=thirddomain.com==opaque+string", "SRS0=opaque+string@thirddomain.com", "good"),
    ("SRS1=chaI=otherdomain.com==opaque+string", "SRS0=opaque+string@otherdomain.com", "good"),
    ("SRS0=te87=T7=otherdomain.com=test", "test@otherdomain.com", "over"),
    ("SRS0=VcIb=7N=otherdomain.com=test", "test@otherdomain.com", "over"),
    ("SRS0=FAKE=2V=otherdomain.com=test", "test@otherdomain.com", "bad"),
    ("SRS0=vmyz=2V=otherdomain.com=test", "test@otherdomain.com", "bad"),
    ("SRS0=vmyz=2W=otherdomain.com=tess", "tess@otherdomain.com", "bad"),
    ("SRS0=vmy=2W=otherdomain.com=test", "test@otherdomain.com", "bad"),
    ("SRS1=chaI=thirddomain.com==opaque+string", "SRS0=opaque+string@thirddomain.com", "bad"),
    ("SRS0=", None, ""),
    ("SRS0=XjO9", None, ""),
    ("SRS0=XjO9=2V", None, ""),
    ("SRS0=XjO9=2V=otherdomain.com", None, ""),
    ("SRS0=XjO9=2V=otherdomain.com=", None, ""),
    ("SRS0=XjO9=21=otherdomain.com=test", None, ""),
    ("SRS0=opaque+string", None, ""),
    ("SRS1=X=thirddomain.com", None, ""),
    ("test", None, ""),
    ("srsly", None, ""),
    ("", None, ""),
]


@pytest.mark.parametrize(("localpart", "address", "standing"), VECTORS, ids=[row[0] for row in VECTORS])
def test_the_vectors_of_postsrsd(localpart: str, address: str | None, standing: str) -> None:
    rewritten = parse(localpart)
    assert (rewritten and rewritten.address) == address
    if rewritten is None:
        return
    days = valid_days(rewritten, [b"another secret", SECRET])
    found = "bad" if days is None else "over" if is_over(rewritten, days, THEN) else "good"
    assert found == standing
    assert days in (None, LIBSRS2_DAYS)
    assert valid_days(rewritten, []) is None


EXIMS = "a secret long enough"
LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.!#%&'*+-/=?^_`|~"


def test_what_exim_makes_is_good() -> None:
    dice = random.Random(20261128)
    localparts = ["".join(dice.choices(LETTERS, k=dice.randint(1, 30))) for _ in range(300)]
    addresses = [f"{one}@{dice.choice(('example.net', 'Example.NET', 'a.b.c'))}" for one in localparts]
    made = exim_expands([f"${{srs_encode {{{EXIMS}}}{{{one}}}{{example.org}}}}" for one in addresses])
    assert len(made) == len(addresses)
    for address, rewritten_as in zip(addresses, made, strict=True):
        rewritten = parse(rewritten_as.removesuffix("@example.org"))
        assert rewritten is not None
        assert rewritten.address == address
        assert valid_days(rewritten, [EXIMS.encode()]) == EXIM_DAYS
        assert valid_days(rewritten, [b"another secret"]) is None
        assert not is_over(rewritten, EXIM_DAYS, time.time())


def test_on_each_day_we_take_what_exim_takes() -> None:
    now = time.time()
    (made,) = exim_expands([f"${{srs_encode {{{EXIMS}}}{{joe@example.net}}{{example.org}}}}"])
    written = made.split("=")[1]
    letters = "abcdefghijklmnopqrstuvwxyz234567"
    days = [int(now) // DAY_SECONDS - ago & 1023 for ago in (*range(-20, 40), 500, 1000)]
    sent = [f"SRS0={written}={letters[day >> 5]}{letters[day & 31]}=example.net=joe" for day in days]
    found = exim_expands([f"${{if inbound_srs {{{one}}}{{{EXIMS}}}{{good}}{{bad}}}}" for one in sent])
    ours = []
    for one in sent:
        rewritten = parse(one)
        assert rewritten is not None
        assert valid_days(rewritten, [EXIMS.encode()]) == EXIM_DAYS
        ours.append("bad" if is_over(rewritten, EXIM_DAYS, now) else "good")
    assert ours == found
    assert ours.count("good") == 11


@pytest.mark.parametrize(("seconds", "over"), [(-301, True), (-299, False), (0, False), (11 * 86400, True)])
def test_a_clock_that_is_a_little_ahead_makes_good_addresses(seconds: float, over: bool) -> None:
    rewritten = parse("SRS0=vmyz=2W=otherdomain.com=test")
    assert rewritten is not None
    midnight = int(THEN) // DAY_SECONDS * DAY_SECONDS
    assert is_over(rewritten, EXIM_DAYS, midnight + seconds) is over


@pytest.mark.parametrize("localpart", ["SRS0=" * 10_000, "SRS0=a=bb=" + "c" * 100_000, "SRS1=" + "=" * 100_000])
def test_long_localparts_take_no_time(localpart: str) -> None:
    rewritten = parse(localpart)
    assert rewritten is None or valid_days(rewritten, [SECRET]) is None


def test_hostile_bytes() -> None:
    rewritten = parse("SRS0=\udcff\udcfe\udcfd\udcfc=2W=\udcff=\x00\udcff")
    assert rewritten is not None
    assert valid_days(rewritten, [SECRET]) is None
