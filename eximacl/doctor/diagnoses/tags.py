"""Does outgoing mail get the tags without which its bounces are refused, and do bounces with one arrive?"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from eximacl.config import show
from eximacl.doctor.access import refusal
from eximacl.doctor.case import Case
from eximacl.doctor.model import Finding, diagnosis, ok, problem
from eximacl.exim import options

CHECK = "bounce_tag"
REFUSING = ("reject", "defer", "hold")
ROUTER = "eximacl_tagged"
HOW = "docs/exim.md, Tagged senders"
# What `exim4 -bP transports` prints of one that tags: the expansion that makes a tag.
_SMTP = re.compile(r"^driver = smtp$", re.MULTILINE)
_TAGS = re.compile(r"^return_path = .*\$\{prvs\{", re.MULTILINE)


@diagnosis("exim")
def tags(case: Case) -> Iterator[Finding]:
    """If the check `bounce_tag` refuses, Exim tags outgoing mail, and its routers take the tags off again."""
    if case.complaint or not case.settings or case.loaded is None:
        return
    senders, refuses = case.tag_senders, any(_refuses(shown) for shown in _shown(case))
    if not senders:
        if refuses:
            yield problem(
                "the check bounce_tag refuses bounces without a tag, but Exim tags nothing",
                "EXIMACL_TAG_SENDERS is not set: bounces to messages that your users did send are refused",
                f'set EXIMACL_TAG_SENDERS ({HOW}); until then, action = "observe" in [checks.bounce_tag]',
            )
        return
    wrong = [*_routing(case), *_tagging(case), *_reading(case)]
    yield from wrong
    if not wrong:
        yield ok(f"mail from {senders} leaves with tags")


def _shown(case: Case) -> Iterator[dict[str, Any]]:
    """Yield the options of the check: for all domains, and for each with a file of its own."""
    if case.loaded is not None:
        for domain in (None, *case.loaded.overlays):
            found = show(case.loaded, domain)["checks"].get(CHECK)
            if found is not None:
                yield found


def _refuses(shown: dict[str, Any]) -> bool:
    """Return whether the check would refuse something with these options."""
    return bool(shown["recipients"]) and shown["action"] in REFUSING


def _routing(case: Case) -> Iterator[Finding]:
    if ROUTER not in options.routers(case.exim):
        yield problem(
            f"EXIMACL_TAG_SENDERS is set, but Exim has no router {ROUTER}",
            "Exim does not know the addresses to which bounces come, and refuses them",
            "eximacl exim install --router",
        )


def _tagging(case: Case) -> Iterator[Finding]:
    transports = re.split(r"\n(?=\S+ transport:)", case.exim.run("-bP", "transports").out)
    if not any(_SMTP.search(text) and _TAGS.search(text) for text in transports):
        yield problem(
            "EXIMACL_TAG_SENDERS is set, but no smtp transport has the tag in its return_path",
            "mail leaves without a tag, and its bounces are refused",
            f"give the transport return_path = EXIMACL_TAGGED_RETURN_PATH; Debian's have it by themselves ({HOW})",
        )


def _reading(case: Case) -> Iterator[Finding]:
    path = Path(case.exim.macro("EXIMACL_TAG_KEYS") or "/etc/exim4/eximacl/bounce_keys")
    why = refusal(case.exim_user, path, "read", case.exim_view) if case.exim_user else ""
    if why:
        yield problem(
            f"Exim may not read the key with which it tags: {why}",
            "mail from EXIMACL_TAG_SENDERS waits in the queue",
            f"chown {case.exim_user.name if case.exim_user else ''} {path} && chmod u+r {path}; "
            f"the daemon reads it by its group ({HOW})",
        )
    read = (shown["keys"]["path"] for shown in _shown(case) if isinstance(shown["keys"], dict))
    named = {str(case.config.absolute().parent / each) for each in read}
    if named and str(path) not in named:
        yield problem(
            f"Exim tags with the first key in {path}, but the check bounce_tag reads {', '.join(sorted(named))}",
            "unless the files have the same keys, bounces to messages that your users did send are refused",
            f'keys = "{path}" in [checks.bounce_tag], or EXIMACL_TAG_KEYS = {sorted(named)[0]}',
        )
