"""One question over TCP (RFC 7766), for answers too long for UDP. Rule: nothing of the connection outlives it."""

from __future__ import annotations

import asyncio

from eximacl.mail.hosts import NameServer


async def ask(server: NameServer, query: bytes) -> bytes:
    """Return the answer's bytes, whatever they are. Raises OSError or EOFError; takes as long as the server does."""
    reader, writer = await asyncio.open_connection(server.ip, server.port)
    try:
        writer.write(len(query).to_bytes(2) + query)
        return await reader.readexactly(int.from_bytes(await reader.readexactly(2)))
    finally:
        writer.transport.abort()
