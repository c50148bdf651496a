"""A trace as people read it."""

from __future__ import annotations

from typing import Any

import pytest

from eximacl.cli.trace import print_trace
from eximacl.policy.outcome import Traced
from eximacl.system.times import local

NOT_DONE = " (not done)"


def test_questions_stand_once_under_the_last_line_of_their_check(capsys: pytest.CaptureFixture[str]) -> None:
    trace = (Traced("counted", "alias", "alias", "st\x1beve", 1e-6), Traced("other", "pass"), Traced("counted", "pass"))
    print_trace(trace, [["counted", "reserve", "key", 3, "tx", "reserved"]], times=True)
    assert capsys.readouterr().out == (
        "  counted              alias          1 µs   alias: st\\x1beve\n"
        "  other                pass           0 µs\n"
        "  counted              pass           0 µs\n"
        "    reserve key 3 tx → reserved\n"
    )


def test_nothing_of_a_forged_record_moves_the_cursor(capsys: pytest.CaptureFixture[str]) -> None:
    escape = "\x1b[2J"
    line = Traced(escape, escape, escape, escape)
    print_trace((line,), [[escape, escape, escape, escape]], times=False)
    assert "\x1b" not in capsys.readouterr().out


def test_the_names_of_what_was_archived(capsys: pytest.CaptureFixture[str]) -> None:
    line = Traced("archive", "hold", "archived", "1.M2P3Q0.mx")
    print_trace((line,), [["archive", "archive", ["1.M2P3Q0.mx", "1.M2P3Q1.mx"]]], times=False)
    assert capsys.readouterr().out.endswith("\n    archive → 1.M2P3Q0.mx, 1.M2P3Q1.mx\n")


def test_without_times(capsys: pytest.CaptureFixture[str]) -> None:
    print_trace((Traced("x", "reject", "slug", "detail"),), [], times=False)
    assert capsys.readouterr().out == "  x                    reject   slug: detail\n"


def test_a_look_up_has_a_line_for_each_name_and_a_list_without_a_fault_says_so(
    capsys: pytest.CaptureFixture[str],
) -> None:
    asked = [["7.2.0.192.{key}.bl.example", "A"], ["7.2.0.192.wl.example", "A"], ["bl.example", "A"]]
    answers = [["127.0.0.2", "127.0.0.4"], [], {"unknown": "timeout"}]
    questions: list[list[Any]] = [["x", "listfault", "bl.example", ""], ["x", "lookup", asked, answers]]
    print_trace((Traced("x", "pass"),), questions, times=False)
    assert capsys.readouterr().out == (
        "  x                    pass\n"
        "    listfault bl.example → none\n"
        "    lookup 7.2.0.192.{key}.bl.example A → 127.0.0.2, 127.0.0.4\n"
        "    lookup 7.2.0.192.wl.example A → absent\n"
        "    lookup bl.example A → unknown: timeout\n"
    )


def test_what_became_of_a_held_message(capsys: pytest.CaptureFixture[str]) -> None:
    trace = (Traced("archive", "hold", "archived", "a, b"),)
    for answer, shown in ((["a", "b"], "a, b"), ({"unknown": "disk full"}, "unknown: disk full")):
        print_trace(trace, [["archive", "archive", answer]], times=False)
        assert capsys.readouterr().out.endswith(f"    archive → {shown}\n")


SINCE = 1795450593.0
ANSWERS: list[tuple[list[Any], str, str]] = [
    (["reserve", "k", 3, "tx", "reserved 1 of 3"], "reserve k 3 tx → reserved 1 of 3", NOT_DONE),
    (["reserve", "k", 3, "tx", "full 3 of 3"], "reserve k 3 tx → full 3 of 3", ""),
    (["peek", "k", 3, "tx", "reserved 1 of 3"], "peek k 3 tx → reserved 1 of 3", ""),
    (["count", "k", 3600.0, 9, 1], "count k 1 h 9 → 1", NOT_DONE),
    (["count", "k", 5400.0, 9, 1], "count k 90 min 9 → 1", NOT_DONE),
    (["count", "k", 3600.0, 9, {"unknown": "locked"}], "count k 1 h 9 → unknown: locked", ""),
    (["tally", "k", 60.0, 4], "tally k 1 min → 4", ""),
    (["remember", "k", 3110400.0, True], "remember k 36 d → yes", NOT_DONE),
    (["remember", "k", 3110400.0, False], "remember k 36 d → no", ""),
    (["firstseen", "k", 172800.0, SINCE], f"firstseen k 2 d → {local(SINCE)}", NOT_DONE),
    (["seen", "k", SINCE], f"seen k → {local(SINCE)}", ""),
    (["seen", "k", None], "seen k → none", ""),
    (["firstseen", "k", 1.5, 1e300], "firstseen k 1.5 s → 1e+300", NOT_DONE),
    (["makeblock", "k", 604800, "a storm", True], "makeblock k 7 d a storm → yes", NOT_DONE),
    (["blocked", "k", None], "blocked k → none", ""),
    (
        ["blocked", "k", {"key": "k", "since": SINCE, "until": None, "why": "a storm"}],
        f"blocked k → key k, since {local(SINCE)}, until for ever, why a storm",
        "",
    ),
    (
        ["known", "k", {"key": "k", "used": 2, "ended": SINCE, "note": ""}],
        f"known k → key k, used 2, ended {local(SINCE)}",
        "",
    ),
    (["tomorrow's", "k", 60.0, True], "tomorrow's k 60.0 → yes", ""),
    (["tally", "k", "long", 4, 5, 6], "tally k long 4 5 → 6", ""),
    (["tally", 6], "tally → 6", ""),
]


@pytest.mark.parametrize(("asked", "shown", "mark"), ANSWERS)
def test_what_was_not_done_is_marked_and_times_are_readable(
    capsys: pytest.CaptureFixture[str], asked: list[Any], shown: str, mark: str
) -> None:
    for dry, end in ((True, mark), (False, "")):
        print_trace((Traced("x", "pass"),), [["x", *asked]], times=False, dry=dry)
        assert capsys.readouterr().out == f"  x                    pass\n    {shown}{end}\n"
