"""The tables of the state file, and how each version is made from the one before.

Times are seconds since 1970. A key is UTF-8, or bytes as the client sent them.
"""

from __future__ import annotations

# "exac" in ASCII; distinguishes this file from other programs' (SQLite's file format, section 1.3.17).
APPLICATION_ID = 0x65786163
# MIGRATIONS[n] makes version n + 1 from version n. Append, never edit: state files of these versions exist.
MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        f"PRAGMA application_id = {APPLICATION_ID}",
        """CREATE TABLE places (
            key BLOB NOT NULL,           -- what is counted; UTF-8, or bytes as the client sent them
            holder BLOB NOT NULL,        -- the transaction that has the place
            committed INTEGER NOT NULL,  -- 1: used for good
            until REAL NOT NULL,         -- seconds since 1970; from then on it counts no more
            PRIMARY KEY (key, holder)
        ) STRICT, WITHOUT ROWID""",
        "CREATE INDEX places_by_holder ON places (holder)",
        "CREATE INDEX places_by_until ON places (until)",
    ),
    (
        """CREATE TABLE windows (
            key BLOB NOT NULL PRIMARY KEY,
            events BLOB NOT NULL,  -- when each was, the oldest first: IEEE 754 doubles, eight bytes each, little-endian
            until REAL NOT NULL    -- the row is deleted then; one to two windows after the last event
        ) STRICT, WITHOUT ROWID""",
        "CREATE INDEX windows_by_until ON windows (until)",
        """CREATE TABLE seen (
            key BLOB NOT NULL PRIMARY KEY,
            since REAL NOT NULL,  -- when it was first seen
            until REAL NOT NULL   -- from then on it is forgotten
        ) STRICT, WITHOUT ROWID""",
        "CREATE INDEX seen_by_until ON seen (until)",
        """CREATE TABLE blocks (
            key BLOB NOT NULL PRIMARY KEY,
            since REAL NOT NULL,
            until REAL NOT NULL,  -- infinity: for ever
            why BLOB NOT NULL     -- for a person
        ) STRICT, WITHOUT ROWID""",
        "CREATE INDEX blocks_by_until ON blocks (until)",
    ),
)
