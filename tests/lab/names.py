"""A DNS server that knows what a test tells it. Rule: it answers from its table, at once, on a loopback address.

A zone is a dict: `{("mx.example.net", "A"): ["127.9.0.1"], ("slow.example.net", "A"): SILENT}`.
"""

from __future__ import annotations

import ipaddress
import random
import socket
import threading
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Literal, TypeAlias

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.reversename
import dns.rrset

from tests.lab.namespace import require_root

SERVFAIL: Literal["SERVFAIL"] = "SERVFAIL"
SILENT: Literal["SILENT"] = "SILENT"
Answer: TypeAlias = Sequence[str] | Literal["SERVFAIL", "SILENT"]
Zone: TypeAlias = Mapping[tuple[str, str], Answer]

PORT = 53  # the only port that resolv.conf can mean
TTL_SECONDS = 60
# 127.77.0.0/16 holds 65,000 addresses; so many taken ones in a row mean that binding fails for another reason.
ATTEMPTS = 50


def reverse_zone(names: Mapping[str, str | Literal["SERVFAIL", "SILENT"]]) -> dict[tuple[str, str], Answer]:
    """Make PTR and matching A records of `{address: name}`; `SERVFAIL` or `SILENT` in place of a name is a fault."""
    zone: dict[tuple[str, str], Answer] = {}
    for address, name in names.items():
        pointer = dns.reversename.from_address(address).to_text().lower()
        if name == "SERVFAIL" or name == "SILENT":
            zone[pointer, "PTR"] = SERVFAIL if name == "SERVFAIL" else SILENT
            continue
        zone[pointer, "PTR"] = [f"{name}."]
        zone[name, "A" if ipaddress.ip_address(address).version == 4 else "AAAA"] = [address]
    return zone


class Names:
    """A DNS server on a free 127.77.x.y:53. `zone` may be changed while it runs; `asked` lists what was asked."""

    def __init__(self, zone: Zone | None = None) -> None:
        self.zone: dict[tuple[str, str], Answer] = {}
        self.asked: list[tuple[str, str]] = []
        self.learn(zone or {})
        self._socket, self.address = _bind()
        self._thread = threading.Thread(target=self._serve, name="fake DNS", daemon=True)
        self._thread.start()

    def learn(self, zone: Zone) -> None:
        """Add or replace records."""
        self.zone.update({(_plain(name), kind): answer for (name, kind), answer in zone.items()})

    def close(self) -> None:
        """Stop answering. Calling it twice is harmless."""
        if self._thread.is_alive():
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stop:
                stop.sendto(b"", (self.address, PORT))
            self._thread.join(5)
        self._socket.close()

    def __enter__(self) -> Names:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _serve(self) -> None:
        while True:
            wire, peer = self._socket.recvfrom(65535)
            if not wire:
                return
            answer = self._answer(dns.message.from_wire(wire))
            if answer is not None:
                self._socket.sendto(answer.to_wire(), peer)

    def _answer(self, query: dns.message.Message) -> dns.message.Message | None:
        question = query.question[0]
        name, kind = _plain(question.name.to_text()), dns.rdatatype.to_text(question.rdtype)
        self.asked.append((name, kind))
        found = self.zone.get((name, kind))
        if found == SILENT:
            return None
        response = dns.message.make_response(query)
        response.flags |= dns.flags.AA | dns.flags.RA
        if found == SERVFAIL:
            response.set_rcode(dns.rcode.SERVFAIL)
        elif found:
            response.answer.append(dns.rrset.from_text(question.name, TTL_SECONDS, "IN", kind, *found))
        elif not any(known == name for known, _ in self.zone):
            response.set_rcode(dns.rcode.NXDOMAIN)
        return response


def _plain(name: str) -> str:
    return name.lower().rstrip(".")


def _bind() -> tuple[socket.socket, str]:
    require_root()
    for _ in range(ATTEMPTS):
        address = f"127.77.{random.randrange(256)}.{random.randrange(1, 255)}"
        bound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            bound.bind((address, PORT))
        except OSError as error:
            bound.close()
            last = error
        else:
            return bound, address
    raise RuntimeError(f"no free address 127.77.x.y for DNS on port {PORT}: {last}")
