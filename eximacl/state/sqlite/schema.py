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
    (
        "ALTER TABLE places ADD COLUMN sender BLOB NOT NULL DEFAULT x''",  # who sends the message
        """CREATE TABLE addresses (
            key BLOB NOT NULL PRIMARY KEY,
            owner BLOB NOT NULL,             -- the address that gets its mail; x'': none is known
            places INTEGER NOT NULL,         -- how many its name has; 0: it is dated
            extra INTEGER NOT NULL DEFAULT 0,
            day BLOB NOT NULL,               -- on which a dated one ends, as 2026-12-31; x'': it is counted
            used INTEGER NOT NULL DEFAULT 0, -- how many are used for good, without those that still have a row
            since REAL NOT NULL,             -- when it became known
            tried REAL NOT NULL,             -- when mail to it was last tried (noted once a day), or it changed
            first REAL NOT NULL DEFAULT 0,   -- when its first message was accepted; 0: none was
            last REAL NOT NULL DEFAULT 0,    -- when its newest was
            first_sender BLOB NOT NULL DEFAULT x'',
            last_sender BLOB NOT NULL DEFAULT x'',
            ended REAL NOT NULL DEFAULT 0,   -- when its owner ended it; 0: it is open
            issued INTEGER NOT NULL DEFAULT 0,  -- 1: a person has made or changed it
            note BLOB NOT NULL DEFAULT x''
        ) STRICT, WITHOUT ROWID""",
        "CREATE INDEX addresses_by_owner ON addresses (owner, since)",
        "CREATE INDEX addresses_by_tried ON addresses (tried)",
        # 9e999 is infinity: when they were last tried is not known, so they are kept until the next try.
        """INSERT INTO addresses (key, owner, places, day, used, since, tried)
            SELECT key, x'', 0, x'', total(committed), 0, 9e999 FROM places GROUP BY key""",
        "DELETE FROM places WHERE committed",
    ),
)
