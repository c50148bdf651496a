"""Mail to a domain that Exim passes on reaches the host behind it under a name that it knows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from eximacl.doctor.diagnoses.passed_on import passed_on
from eximacl.exim import Exim
from tests.doctor.breaks import setting
from tests.doctor.proof import Way, known, prove, told, wired
from tests.doctor.world import World

WAYS: dict[str, Way] = {
    "a domain is passed on": Way(
        setting("MAIN_LOCAL_DOMAINS = example.org", "MAIN_RELAY_TO_DOMAINS = example.com"),
        "warning",
        "passes on steve.3.count@example.com, which disposable takes",
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_each_break_is_named(world: World, way: str) -> None:
    prove(world, "passed-on", WAYS[way])


def test_a_working_set_up(sound: Callable[[str], set[str]]) -> None:
    assert sound("passed-on") == set()


BOTH = "EXIMACL_DOMAINS = +local_domains : +relay_to_domains"
DISPOSABLE = "Exim passes on steve.3.count@example.org, which disposable takes"
TAGGED = "Exim passes on prvs=0787b0b1b2=steve@example.org, which bounce_tag takes"
ORDER = 'order = ["bounce_tag", "disposable", "valid_recipient"]'
TABLE = {
    "delivered here": ("example.org", "", "", ORDER, []),
    "passed on": ("example.com", "example.org", "", ORDER, [DISPOSABLE, TAGGED]),
    "by a pattern": ("example.com", "*.org", "", ORDER, [DISPOSABLE, TAGGED]),
    "in both lists": ("example.org", "example.org", "", ORDER, []),
    "both routers": ("", "example.org", f"{BOTH}\nEXIMACL_TAG_SENDERS = *@example.org", ORDER, ["are passed on"]),
    "no tags": ("", "example.org", BOTH, ORDER, [TAGGED]),
    "neither check": ("", "example.org", "", 'order = ["valid_recipient"]', ["are passed on"]),
    "one of them": ("", "example.org", BOTH, 'order = ["disposable"]', ["are passed on"]),
}


@pytest.mark.needs_exim
@pytest.mark.parametrize(("local", "relayed", "macros", "policy", "words"), TABLE.values(), ids=TABLE)
def test_what_exim_passes_on(
    tmp_path: Path, local: str, relayed: str, macros: str, policy: str, words: list[str]
) -> None:
    config = tmp_path / "exim.conf"
    config.write_text(
        f"keep_environment =\n{macros}\n"
        ".ifndef EXIMACL_DOMAINS\nEXIMACL_DOMAINS = +local_domains\n.endif\n"
        f"domainlist local_domains = {local}\ndomainlist relay_to_domains = {relayed}\n"
        "domainlist eximacl_domains = EXIMACL_DOMAINS\nbegin routers\n"
        ".ifdef EXIMACL_TAG_SENDERS\neximacl_tagged:\n  driver = redirect\n  data = :fail:\n.endif\n"
        "eximacl_disposable:\n  driver = redirect\n  data = :fail:\n"
    )
    found = told(passed_on, known(tmp_path, f"{policy}\n", exim=Exim(config=config), **wired()))
    assert len(found) == len(words), found
    for (level, what), text in zip(found, words, strict=True):
        assert (level, text in what) == ("ok" if text == "are passed on" else "warning", True), what


@pytest.mark.needs_exim
def test_a_check_that_is_off_in_the_domain_still_takes_such_an_address(tmp_path: Path) -> None:
    (tmp_path / "domains").mkdir()
    (tmp_path / "domains" / "example.org.toml").write_text('[checks.disposable]\naction = "off"\n')
    config = tmp_path / "exim.conf"
    config.write_text("keep_environment =\ndomainlist relay_to_domains = example.org\n")
    case = known(tmp_path, 'order = ["disposable", "valid_recipient"]\n', exim=Exim(config=config), **wired())
    assert told(passed_on, case) == [("warning", DISPOSABLE)]


@pytest.mark.needs_exim
def test_several_such_domains_are_one_warning(tmp_path: Path) -> None:
    config = tmp_path / "exim.conf"
    config.write_text("keep_environment =\ndomainlist relay_to_domains = example.org : example.net\n")
    case = known(tmp_path, exim=Exim(config=config), **wired())
    text = '[policy]\ndomains = ["example.org", "example.net"]\norder = ["disposable", "valid_recipient"]\n'
    case.config.write_text(text)
    assert told(passed_on, case) == [("warning", f"{DISPOSABLE.replace('.org', '.net')}, and so in 1 more")]
