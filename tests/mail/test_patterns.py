"""Patterns: which one matches, which are refused at load, and that none takes long."""

from __future__ import annotations

import pytest

from eximacl.mail.patterns import PATTERN_INPUT_CHARACTERS, Patterns, PatternTimeout

SAMPLE = ["[0-9]$", ",", r"\|", "^[^A-Za-z]", '"', "'"]
PATTERNS = [
    ("an honest name", SAMPLE, "steve.kemp", None),
    ("ends in a digit", SAMPLE, "steve7", "[0-9]$"),
    ("a digit inside", SAMPLE, "st3ve", None),
    ("comma", SAMPLE, "a,b", ","),
    ("pipe", SAMPLE, "a|b", r"\|"),
    ("non-letter first", SAMPLE, "-a", "^[^A-Za-z]"),
    ("double quote", SAMPLE, 'a"b', '"'),
    ("single quote", SAMPLE, "o'brien", "'"),
    ("first in list order, not in the text", SAMPLE, "'a,7", "[0-9]$"),
    ("empty localpart", SAMPLE, "", None),
    ("8-bit", SAMPLE, "\udcff", "^[^A-Za-z]"),
    ("groups are compiled one by one", ["b(x)", "(a)"], "abx", "b(x)"),
    ("back reference keeps its number", ["(x)y", r"(a)\1"], "aa", r"(a)\1"),
    ("flags stay their pattern's own", ["(?i)joe", "STEVE"], "steve", None),
    ("flags work", ["(?i)joe", "STEVE"], "JOE", "(?i)joe"),
    ("an alternation inside one entry", ["^(?:a|b)$", "c"], "b", "^(?:a|b)$"),
    ("a bare | inside one entry", ["a|b", "c"], "b", "a|b"),
    ("anchors of one entry stay its own", ["^a", "b"], "xb", "b"),
    ("twice the same", ["a", "a"], "a", "a"),
    ("none", [], "whatever7", None),
    ("the end of a long localpart", ["[0-9]$"], "x" * 200 + "7", "[0-9]$"),
    ("beyond the limit nothing is seen", [","], "x" * PATTERN_INPUT_CHARACTERS + ",", None),
]


@pytest.mark.parametrize(("entries", "text", "found"), [row[1:] for row in PATTERNS], ids=[row[0] for row in PATTERNS])
def test_patterns(entries: list[str], text: str, found: str | None) -> None:
    patterns = Patterns(entries)
    assert patterns.search(text) == found
    assert len(patterns) == len(set(entries))


BAD_PATTERNS = [
    ("does not compile", "a(", "does not compile: missing"),
    ("breaks the alternation only", "a)(?:b", "does not compile"),
    ("nested repetition", "(?:a|aa)+$", "backtracks endlessly on a run of 'a'"),
    ("nested repetition of another letter", "(?:q|qq)+$", "backtracks endlessly on a run of 'q'"),
    ("the classic", "^(([a-z])+.)+[A-Z]([a-z])+$", "backtracks endlessly on a run of 'a'"),
]


@pytest.mark.parametrize(("source", "error"), [row[1:] for row in BAD_PATTERNS], ids=[row[0] for row in BAD_PATTERNS])
def test_a_bad_pattern_is_refused_at_load(source: str, error: str) -> None:
    patterns = Patterns(["a"])
    with pytest.raises(ValueError, match=r"^pattern ") as caught:
        patterns.replace(["b", source])
    assert error in str(caught.value)
    assert repr(source) in str(caught.value)
    assert patterns.search("a") == "a"


# Harmless on a run of one letter, so it passes the trial; exponential on runs of `xy`.
SLY = "(?:xy|xyxy)+$"


@pytest.mark.parametrize("others", [[], ["a"], ["(a)"]], ids=["alone", "alternation", "one by one"])
def test_a_pattern_that_passes_the_trial_and_hangs_later_times_out(others: list[str]) -> None:
    patterns = Patterns([*others, SLY])
    assert patterns.search("xyxy") == SLY
    with pytest.raises(PatternTimeout) as caught:
        patterns.search("xy" * 100 + "!")
    assert "took over 5 ms" in str(caught.value)
    assert SLY in str(caught.value)


def test_naming_the_pattern_behind_a_hit_may_time_out_too() -> None:
    with pytest.raises(PatternTimeout):
        Patterns(["!", SLY]).search("xy" * 100 + "?")
    assert Patterns(["!", SLY]).search("!" + "xy" * 100 + "?") == "!"
    with pytest.raises(PatternTimeout):
        Patterns([SLY, "!"]).search("!" + "xy" * 100 + "?")
