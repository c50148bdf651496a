"""How long may Exim wait for the daemon?"""

from __future__ import annotations

import re
from collections.abc import Iterator

from eximacl.daemon.answers import STATE_SECONDS
from eximacl.doctor.case import Case
from eximacl.doctor.model import Finding, diagnosis, ok, problem, warning

# Senders wait five minutes for a reply to RCPT (RFC 5321, section 4.5.3.2.3), and there may be many recipients.
LONG_SECONDS = 60
# A daemon that waits for DNS needs some seconds for an answer.
SHORT_SECONDS = 2
_UNITS = {"w": 604800, "d": 86400, "h": 3600, "m": 60, "s": 1}


def seconds(text: str) -> int | None:
    """Return a time in Exim's syntax (Exim specification, section 6.16) in seconds; None where it is not one."""
    if not re.fullmatch(r"(\d+[wdhms])+", text):
        return None
    return sum(int(number) * _UNITS[unit] for number, unit in re.findall(r"(\d+)([wdhms])", text))


@diagnosis("exim")
def timeouts(case: Case) -> Iterator[Finding]:
    """EXIMACL_TIMEOUT and EXIMACL_HOLD_TIMEOUT are times, neither too short nor too long, also for `dns.budget`."""
    names = {"ask": "EXIMACL_TIMEOUT", "held": "EXIMACL_HOLD_TIMEOUT"}
    found = case.setting("timeout")
    bad = False
    for key, name in names.items():
        if key not in found:
            continue
        value = seconds(found[key])
        if value is None or value == 0:
            bad = True
            yield problem(
                f"{name} is {found[key]!r}",
                "that is not a time limit: every query fails, or a daemon that hangs blocks Exim",
                f"set {name} = {'5s' if key == 'ask' else '60s'}, above the .include of macros",
            )
        elif key == "ask" and not SHORT_SECONDS <= value <= LONG_SECONDS:
            bad = True
            short = value < SHORT_SECONDS
            yield warning(
                f"{name} is {found[key]}",
                "Exim may give up on a daemon that is only busy"
                if short
                else "a daemon that hangs makes each client wait that long",
                f"set {name} = 5s, above the .include of macros",
            )
        elif key == "ask" and value <= (needed := _longest_answer(case)):
            bad = True
            yield warning(
                f"{name} is {found[key]}, and an answer may take {needed:g} s: dns.budget, and {STATE_SECONDS:g} s for "
                "the state",
                "while name servers are slow, Exim gives up on a daemon that would still have answered",
                f"set {name} = 5s, above the .include of macros, or a smaller dns.budget",
            )
    if found and not bad:
        yield ok(f"Exim waits for the daemon for at most {found['ask']}, and {found['held']} while it keeps a message")


def _longest_answer(case: Case) -> float:
    """Return the seconds after which the daemon has answered any query, save one about a held message."""
    return STATE_SECONDS + (case.loaded.settings.dns.budget if case.loaded else 0)
