"""Does the policy judge the domains that Exim takes mail for?"""

from __future__ import annotations

from collections.abc import Iterator

from eximacl.doctor.case import Case
from eximacl.doctor.model import Finding, diagnosis, ok, problem, warning


@diagnosis("daemon")
def domains(case: Case) -> Iterator[Finding]:
    """policy.domains has Exim's local domains; mail to others is never judged."""
    if case.loaded is None or case.complaint:
        return
    judged = case.loaded.settings.policy.domains
    own = case.local_domains
    left = [domain for domain in own if domain not in judged]
    if not len(judged):
        yield problem(
            "policy.domains is empty",
            "no recipient is judged, and nothing is ever refused",
            f"set policy.domains to your domains, such as {', '.join(own[:3]) or 'those of Exim'}",
        )
    elif own and len(left) == len(own):
        yield problem(
            f"policy.domains has none of Exim's local domains ({', '.join(own)})",
            "none of their recipients is judged",
            "add those whose mail is to be judged to policy.domains",
        )
    elif left := [domain for domain in left if domain != case.hostname]:  # few want mail for the host's own name
        yield warning(
            f"policy.domains lacks {', '.join(left)}",
            "recipients in these local domains of Exim's are not judged",
            "add them to policy.domains, if they should be",
        )
    else:
        yield ok("the policy judges all of Exim's local domains")
