"""Are disposable addresses delivered, in each spelling that the policy reads?"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from eximacl.daemon.disposable import DisposableError, rules_at
from eximacl.doctor.case import Case
from eximacl.doctor.model import Finding, diagnosis, ok, warning
from eximacl.exim import options
from eximacl.mail.disposable import Rules


@diagnosis("exim")
def router(case: Case) -> Iterator[Finding]:
    """Exim's first routers are eximacl's, if the policy has the check `disposable`."""
    if case.complaint or not case.settings:
        return
    if case.loaded is None or "disposable" not in case.loaded.settings.policy.order:
        return
    routers = options.routers(case.exim)
    first = options.router_before(routers)
    if "eximacl_disposable" not in routers:
        yield warning(
            "Exim has no router eximacl_disposable",
            "Exim does not know counted and dated addresses: it refuses them, or does what your routers say",
            "eximacl exim install --router; or remove `disposable` from policy.order",
        )
    elif first:
        yield warning(
            f"the router {first} comes before eximacl_disposable",
            "it may handle a disposable address as something else",
            "move the .include of the router right after `begin routers`; in a split configuration, give the file of "
            "the other a name that sorts after 050_eximacl",
        )
    else:
        yield from _unrouted(case) or [ok("disposable addresses are delivered to their owners")]


def _unrouted(case: Case) -> list[Finding]:
    """Return a warning for each domain with an address that the policy reads and Exim's router does not."""
    patterns = {name: case.exim.macro(f"EXIMACL_PATTERN_{name}") for name in ("COUNTED", "DATED")}
    matched: dict[tuple[str, str], bool] = {}
    found = []
    for domain, rules in _rules(case).items():
        for name, localpart in _spellings(rules):
            pattern = patterns[name]
            if pattern is None:
                continue
            key = name, localpart
            if key not in matched:
                matched[key] = case.exim.expand(f"${{if match{{{localpart}}}{{{pattern}}}{{yes}}{{no}}}}") == "yes"
            if not matched[key]:
                found.append(_warning(f"{localpart}@{domain}", f"EXIMACL_PATTERN_{name}"))
                break
    return found


def _rules(case: Case) -> dict[str, Rules]:
    """Return how disposable addresses are written at each domain that has them."""
    found: dict[str, Rules] = {}
    if case.loaded is not None:
        for domain in case.loaded.settings.policy.domains:
            with contextlib.suppress(DisposableError):
                found[domain] = rules_at(case.loaded, domain)
    return found


def _spellings(rules: Rules) -> Iterator[tuple[str, str]]:
    """Yield an address of each kind, and the name of the pattern that must match it."""
    join, count, date = rules.separator.join, rules.count_keyword.lower(), rules.date_keyword.lower()
    yield "COUNTED", join(("steve", "1", count))
    yield "COUNTED", join(("steve", count, "1"))
    if rules.default_count:
        yield "COUNTED", join(("steve", count))
    yield "DATED", join(("steve", date, "31-12-2027"))
    yield "DATED", join(("steve", date, "2027-12-31"))


def _warning(address: str, macro: str) -> Finding:
    return warning(
        f"Exim's router does not know {address}, which the policy reads as a disposable address",
        "mail to such an address is refused, or does what your other routers say",
        f"set {macro} to fit separator, keywords and default_count of checks.disposable (docs/checks/disposable.md)",
    )
