"""The options of the checks that ask lists: bounds, and thresholds that make sense."""

from __future__ import annotations

from pathlib import Path

import pytest

from eximacl.check import Named, Tables
from eximacl.checks._list_zones import WEIGHT_MAX, Code, farthest
from tests.checks.test_dns_lists import codes, zone
from tests.config.world import problems_of


def test_weights_have_a_bound() -> None:
    several = codes("127.0.0.2", "127.0.0.3", "127.0.0.4", w1=3, w2=-4)
    assert zone(weight=2, codes=several).bounds == (-8, 6)
    assert zone(weight=2, codes=several, count="sum").bounds == (-8, 8)
    assert zone(weight=-2, codes=several).bounds == (-6, 8)
    assert zone(codes=Tables()).bounds == (0, 0)
    assert WEIGHT_MAX == 1000
    assert issubclass(Code, Named)


def test_the_farthest_from_0() -> None:
    assert (farthest([1, -2, 0.5]), farthest([-1, 1]), farthest([])) == (-2, -1, 0)


@pytest.mark.parametrize("check", ["dnsbl", "rhsbl"])
@pytest.mark.parametrize(
    ("toml", "problem"),
    [
        ("lower_threshold = 1", "lower_threshold: 1 is not less than threshold"),
        ("threshold = 3\nlower_threshold = 3.5", "lower_threshold: 3.5 is not less than threshold"),
        ("lower_threshold = -1", "lower_threshold: expected at least 0 and at most 1000, got -1"),
        ('lower_threshold = 0.5\nlower_action = "hold"', "archive.dir"),
    ],
)
def test_the_lower_threshold_is_lower(tmp_path: Path, check: str, toml: str, problem: str) -> None:
    text = f'[policy]\ndomains = ["example.org"]\norder = ["{check}"]\n[checks.{check}]\n{toml}\n'
    assert problem in " ".join(problems_of(tmp_path, {"eximacl.toml": text}))
