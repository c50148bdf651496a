"""A private stock Exim with fake DNS, and clients to talk to it. The machine's own mail is not touched.

    with Lab(Site(socket=...)) as lab:
        lab.play("C: EHLO mx.example.net ...")

`Site` says how Exim is configured (Debian split, Debian unsplit, plain), `Lab` runs it in its own mount and PID
namespaces, `Names` answers its DNS, `Responder` is a scripted daemon and `Daemon` the real one.
"""

from tests.lab.daemon import Daemon
from tests.lab.dialogue import Client, Mismatch, parse_script
from tests.lab.exim import Lab
from tests.lab.names import Names, reverse_zone
from tests.lab.namespace import Missing
from tests.lab.replies import SERVFAIL, SILENT
from tests.lab.responder import Asked, Responder
from tests.lab.sink import Sink
from tests.lab.site import Site

__all__ = [
    "SERVFAIL",
    "SILENT",
    "Asked",
    "Client",
    "Daemon",
    "Lab",
    "Mismatch",
    "Missing",
    "Names",
    "Responder",
    "Sink",
    "Site",
    "parse_script",
    "reverse_zone",
]
