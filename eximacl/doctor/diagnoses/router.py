"""Are disposable addresses delivered?"""

from __future__ import annotations

from collections.abc import Iterator

from eximacl.doctor.case import Case
from eximacl.doctor.model import Finding, diagnosis, ok, warning
from eximacl.exim import options


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
        yield ok("disposable addresses are delivered to their owners")
