"""Does the policy judge the domains that Exim takes mail for?"""

from __future__ import annotations

from collections.abc import Iterator

from eximacl.doctor.case import Case
from eximacl.doctor.model import Finding, diagnosis, ok, problem, warning

# Nobody reads more in one line.
NAMED_MAX = 10


@diagnosis("daemon")
def domains(case: Case) -> Iterator[Finding]:
    """policy.domains has the domains that Exim accepts mail for; mail to others is never judged."""
    if case.loaded is None or case.complaint:
        return
    judged = case.loaded.settings.policy.domains
    own = tuple(dict.fromkeys((*case.local_domains, *case.relay_domains)))
    left = [domain for domain in own if domain not in judged]
    strange = [domain for domain, taken in case.taken.items() if not taken]
    if not len(judged):
        yield problem(
            "policy.domains is empty",
            "no recipient is judged, and nothing is ever refused",
            f"set policy.domains to your domains, such as {_some(own) or 'those of Exim'}",
        )
    elif strange and len(strange) == len(case.taken) == len(judged):
        yield problem(
            f"Exim accepts mail for none of policy.domains ({_some(strange)}), but for {_some(own) or 'others'}",
            "no recipient is judged, and nothing is ever refused",
            "add the domains whose mail is to be judged to policy.domains",
        )
    else:
        yield from _compared(case, left, strange)


def _compared(case: Case, left: list[str], strange: list[str]) -> Iterator[Finding]:
    lacking = [domain for domain in left if domain != case.hostname]  # few sites want mail for the host's own name
    if lacking:
        yield warning(
            f"policy.domains lacks {_some(lacking)}",
            "recipients in these domains, for which Exim accepts mail, are not judged",
            "add them to policy.domains, if they should be",
        )
    if strange:
        yield warning(
            f"policy.domains has {_some(strange)}, for which Exim does not accept mail",
            "no mail comes there that could be judged",
            "remove or correct them, or add them to Exim's local_domains or relay_to_domains",
        )
    if not lacking and not strange:
        yield ok("the policy judges the domains that Exim lists as its own" + _besides(case, left))


def _besides(case: Case, left: list[str]) -> str:
    host = f", except this host's name {case.hostname}" if left else ""
    unknown = f"; which further domains {_some(case.looked_up)} has is not known" if case.looked_up else ""
    return host + unknown


def _some(domains: tuple[str, ...] | list[str]) -> str:
    more = len(domains) - NAMED_MAX
    return ", ".join(domains[:NAMED_MAX]) + (f" and {more} more" if more > 0 else "")
