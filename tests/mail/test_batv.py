"""BATV tags: what the real Exim makes and takes, on a thousand random addresses; and the days that go round."""

from __future__ import annotations

import random
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from eximacl.mail.batv import DAY_SECONDS, Tagged, is_over, is_signed, parse, sign, untagged
from tests.lab.daemons import EXIM
from tests.needs import needs

KEY = b"a key that is long enough"
OTHER = b"another key, just as long"
TAG = "prvs=07875fda59=steve@example.org"
ADDRESSES = 1000
# What Exim's localparts may hold and its expansion takes as it stands: all but braces, dollars, backslashes.
LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.!#%&'*+-/=?^_`|~"
CHECK = "${prvscheck{%s}{%s}{$prvscheck_address|$prvscheck_keynum|$prvscheck_result}}"
DOMAINS = ("example.org", "Example.ORG", "a.b.example")


@needs("needs_exim")
def exim_expands(lines: list[str], environ: dict[str, str] | None = None) -> list[str]:
    """Return what the real Exim makes of each string."""
    if shutil.which(EXIM) is None:
        pytest.fail(f"{EXIM} is not installed: apt-get install exim4-daemon-light")
    done = subprocess.run(
        [EXIM, "-be"], input="\n".join(lines) + "\n", capture_output=True, text=True, timeout=60, env=environ
    )
    return [line.removeprefix("> ") for line in done.stdout.splitlines()][: len(lines)]


def random_addresses() -> list[str]:
    dice = random.Random(20261123)
    localparts = ("".join(dice.choices(LETTERS, k=dice.randint(1, 40))) for _ in range(ADDRESSES))
    return [f"{localpart}@{dice.choice(DOMAINS)}" for localpart in localparts]


def spoil(tagged: str, dice: random.Random) -> str:
    """Return a tagged address, or one with something wrong or odd about it."""
    head, address = tagged[:15], tagged[16:]
    return dice.choice(
        [
            tagged,
            tagged,
            tagged,
            f"prvs={dice.randint(0, 9)}{head[6:]}={address}",
            f"{head[:6]}{dice.randint(0, 999):03}{head[9:]}={address}",
            f"{head[:-1]}{dice.choice('0123456789abcdef')}={address}",
            f"{head.upper()}={address}",
            f"PRVS{head[4:]}={address}",
            f"{head}={address.swapcase()}",
            f"{head[:-1]}={address}",
            f"{head}={address.partition('@')[0]}",
            address,
        ]
    )


def test_tags_are_exims_own() -> None:
    addresses = random_addresses()
    asked = [f"${{prvs{{{address}}}{{{KEY.decode()}}}{{{n % 10}}}}}" for n, address in enumerate(addresses)]
    before = time.time()
    made = exim_expands(asked)
    ours = (
        [sign(address, KEY, now, str(n % 10)) for n, address in enumerate(addresses)] for now in (before, time.time())
    )
    assert made in list(ours)  # two, for when midnight was in between


def is_far_ahead(address: str, now: float) -> bool:
    """Whether a tag's last day is more than a week ahead. Exim takes it; it is one that is over, a round later."""
    tagged = parse(address)
    return tagged is not None and (int(tagged.day) - int(now) // DAY_SECONDS) % 1000 > 7


def verdict(address: str, now: float) -> str:
    """Say what ${prvscheck} says: nothing if the address has no tag, else the address, and 1 if the tag is valid."""
    tagged = parse(address)
    if tagged is None:
        return ""
    good = is_signed(tagged, [KEY]) and not is_over(tagged, now)
    return f"{tagged.address}|{tagged.key_number}|{'1' if good else ''}"


def day(number: int) -> float:
    return (20_000 + number) * DAY_SECONDS + 1.0


# Exim asks time() for the day; this answers what EXIM_NOW said when the program began.
CLOCK = """
#include <stdlib.h>
static long now;
__attribute__((constructor)) static void set(void) { now = atol(getenv("EXIM_NOW")); }
long time(long *to) { if (to) *to = now; return now; }
"""


@pytest.fixture(scope="module")
def clock(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library that sets the real Exim's clock."""
    source = tmp_path_factory.mktemp("clock") / "clock.c"
    source.write_text(CLOCK)
    library = source.with_suffix(".so")
    done = subprocess.run(["gcc", "-shared", "-fPIC", "-o", library, source], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return library


@pytest.mark.parametrize("today", [0, 1, 6, 7, 8, 500, 992, 993, 994, 999])
def test_on_any_day_of_the_round_exim_and_we_take_the_same_tags(clock: Path, today: int) -> None:
    """Days are counted modulo 1000. All thousand tags of an address, one for each last day."""
    now = day(today)
    tagged = [sign("steve@example.org", KEY, day(made)) for made in range(1000)]
    asked = [CHECK % (one, KEY.decode()) for one in tagged]
    found = exim_expands(asked, {"LD_PRELOAD": str(clock), "EXIM_NOW": str(int(now))})
    ours = [verdict(one, now) for one in tagged]
    assert ours == [
        f"{said[:-1]}" if is_far_ahead(one, now) and said[-1] == "1" else said
        for one, said in zip(tagged, found, strict=True)
    ]
    assert sum(one.endswith("|1") for one in ours) == 8


def test_what_exim_takes_we_take_and_nothing_else() -> None:
    dice = random.Random(7)
    now = time.time()
    # Tags of all days of the round of a thousand, and spoilt ones.
    tagged = [sign(one, KEY, now + dice.randint(-600, 600) * DAY_SECONDS) for one in random_addresses()]
    asked = [spoil(one, dice) for one in tagged]
    found = exim_expands([CHECK % (one, KEY.decode()) for one in asked])
    wrong = [
        (one, exim, verdict(one, now))
        for one, exim in zip(asked, found, strict=True)
        if exim != verdict(one, now) and not is_far_ahead(one, now)
    ]
    assert wrong == []
    assert {bool(one) for one in found} == {True, False}
    assert {one.endswith("|1") for one in found} == {True, False}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (TAG, Tagged("steve@example.org", "0", "787", "5fda59")),
        ("PRVS=07875FDA59=Steve@example.org", Tagged("Steve@example.org", "0", "787", "5FDA59")),
        ("prvs=07875fda59=a=b@c@example.org", Tagged("a=b@c@example.org", "0", "787", "5fda59")),
        ("prvs=07875fda59=\udcff@example.org", Tagged("\udcff@example.org", "0", "787", "5fda59")),
        ("prvs=07875fda59=a\nb@example.org", Tagged("a\nb@example.org", "0", "787", "5fda59")),
        ("prvs=07875fda59=@example.org", None),
        ("prvs=07875fda59=steve", None),
        ("prvs=0787fda59=steve@example.org", None),
        ("prvs=٠7875fda59=steve@example.org", None),
        ("steve@example.org", None),
        ("", None),
    ],
)
def test_parse(text: str, expected: Tagged | None) -> None:
    assert parse(text) == expected


@pytest.mark.parametrize(
    ("localpart", "expected"),
    [
        ("prvs=07875fda59=steve", "steve"),
        ("PRVS=07875FDA59=Steve", "Steve"),
        ("prvs=07875fda59=prvs=17885fda59=steve", "steve"),
        ("prvs=07875fda59=" * 1000 + "steve", "steve"),
        ("prvs=07875fda59=a=b@c\n\udcff", "a=b@c\n\udcff"),
        ("prvs=07875fda59=prvs=steve", "prvs=steve"),
        ("prvs=07875fda59=prvs=07875fda59=", "prvs=07875fda59="),
        ("prvs=07875fda59=", "prvs=07875fda59="),
        ("prvs=0787fda59=steve", "prvs=0787fda59=steve"),
        ("btv1==0787b0b1b22==steve", "steve"),
        ("BTV1==0787B0B1B22==Steve", "Steve"),
        ("btv1==0787b0b1b22==prvs=07875fda59=steve", "steve"),
        ("btv1=0787b0b1b22=steve", "btv1=0787b0b1b22=steve"),
        ("btv1====steve", "btv1====steve"),
        ("btv1==0787b0b1b22==", "btv1==0787b0b1b22=="),
        ("x-prvs=07875fda59=steve", "x-prvs=07875fda59=steve"),
        ("steve", "steve"),
        ("", ""),
    ],
)
def test_untagged(localpart: str, expected: str) -> None:
    assert untagged(localpart) == expected


def test_every_key_is_good() -> None:
    tagged = parse(sign("steve@example.org", KEY, 0.0))
    assert tagged is not None
    assert is_signed(tagged, [OTHER, KEY])
    assert not is_signed(tagged, [OTHER])
    assert not is_signed(tagged, [])
    assert tagged.localpart == "steve"


DAYS = [
    ("made today", 0, 0, False),
    ("on its last day", 0, 7, False),
    ("a day later", 0, 8, True),
    ("made before the round ends, good until it does", 998, 999, False),
    ("made before the round ends, good after it", 998, 1000, False),
    ("over before the round ends", 990, 998, True),
    ("over after the round ended", 995, 1003, True),
    ("the last day of the round", 992, 999, False),
    ("a round later, as if made 8 days ahead", 0, -1, True),
    ("a round later, not yet", 0, 993, True),
    ("a round later, on the same day of the round", 0, 1000, False),
    ("far ahead", 500, 1, True),
    ("far ahead, and the round ends in between", 3, 995, True),
]


@pytest.mark.parametrize(("made", "read", "over"), [row[1:] for row in DAYS], ids=[row[0] for row in DAYS])
def test_a_tag_is_good_for_a_week(made: int, read: int, over: bool) -> None:
    tagged = parse(sign("steve@example.org", KEY, day(made)))
    assert tagged is not None
    assert is_over(tagged, day(read)) is over


@pytest.mark.parametrize(("seconds", "over"), [(-301, True), (-299, False), (0, False)])
def test_a_clock_that_is_a_little_ahead_makes_good_tags(seconds: float, over: bool) -> None:
    midnight = 20_000 * DAY_SECONDS
    tagged = parse(sign("steve@example.org", KEY, midnight))
    assert tagged is not None
    assert is_over(tagged, midnight + seconds) is over
