"""Do the hosts to which Exim passes mail on get the names that they know?"""

from __future__ import annotations

from collections.abc import Iterator

from eximacl.doctor.case import Case
from eximacl.doctor.model import Finding, diagnosis, ok, warning
from eximacl.exim import options

# A check that takes an address for another's, the router that does so in Exim, and an address of that kind.
STANDING = (
    ("disposable", "eximacl_disposable", "steve.3.count"),
    ("bounce_tag", "eximacl_tagged", "prvs=0787b0b1b2=steve"),
)
DOMAINS = "EXIMACL_DOMAINS = +local_domains : +relay_to_domains"
MEANS = "the host behind Exim refuses it if it does not know it, and the bounce goes to a sender who may be forged"


@diagnosis("exim")
def passed_on(case: Case) -> Iterator[Finding]:
    """In domains that Exim only passes on, mail to a disposable or tagged address goes to the name behind it."""
    if case.complaint or not case.settings or not case.relayed:
        return
    routers = options.routers(case.exim)
    wrong = [each for standing in STANDING for each in _unknown(case, routers, *standing)]
    yield from wrong or [ok(f"names at {case.relayed[0]} are passed on as the host behind Exim knows them")]


def _unknown(case: Case, routers: tuple[str, ...], check: str, router: str, localpart: str) -> Iterator[Finding]:
    """Yield a warning for the first domain in which a check takes such an address, and Exim passes it on as it is."""
    routed = case.handed_on if router in routers else ()
    open_ = [domain for domain in case.relayed if domain not in routed and _understands(case, domain, check)]
    if not open_:
        return
    if check == "bounce_tag":
        cure = f"set {DOMAINS}, and EXIMACL_TAG_SENDERS if they send with tags; or remove {check} from policy.order"
    else:
        cure = f"set {DOMAINS}; or remove {check} from policy.order"
    others = f", and so in {len(open_) - 1} more" if len(open_) > 1 else ""
    yield warning(f"Exim passes on {localpart}@{open_[0]}, which {check} takes{others}", MEANS, cure)


def _understands(case: Case, domain: str, check: str) -> bool:
    """Return whether a check says at a domain for whom an address stands, though it may have no other say."""
    policy = case.loaded.policy.for_domain(domain) if case.loaded else None
    return policy is not None and any(turn[0].name == check for turn in policy.stages["rcpt"].turns)
