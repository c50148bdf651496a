-- A state file of schema version 3, as `sqlite3 state.db .dump` prints it. Never change it once released.
PRAGMA application_id = 1702388067;
BEGIN TRANSACTION;
CREATE TABLE addresses (
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
        ) STRICT, WITHOUT ROWID;
INSERT INTO "addresses" VALUES(X'636F756E7465643A73746576652E332E636F756E74406578616D706C652E6F7267',X'7374657665406578616D706C652E6F7267',3,2,X'',1,1799000000.0,1799990000.0,1799000000.0,1799990000.0,X'73686F70406578616D706C652E6E6574',X'6E657773406578616D706C652E6E6574',0.0,1,X'7468652073686F70');
INSERT INTO "addresses" VALUES(X'64617465643A73746576652E646174652E33312D31322D32303237406578616D706C652E6F7267',X'7374657665406578616D706C652E6F7267',0,0,X'323032372D31322D3331',0,1799000000.0,1799990000.0,0.0,0.0,X'',X'',1799990000.0,1,X'');
CREATE TABLE blocks (
            key BLOB NOT NULL PRIMARY KEY,
            since REAL NOT NULL,
            until REAL NOT NULL,  -- infinity: for ever
            why BLOB NOT NULL     -- for a person
        ) STRICT, WITHOUT ROWID;
CREATE TABLE places (
            key BLOB NOT NULL,           -- what is counted; UTF-8, or bytes as the client sent them
            holder BLOB NOT NULL,        -- the transaction that has the place
            committed INTEGER NOT NULL,  -- 1: used for good
            until REAL NOT NULL, sender BLOB NOT NULL DEFAULT x'',         -- seconds since 1970; from then on it counts no more
            PRIMARY KEY (key, holder)
        ) STRICT, WITHOUT ROWID;
INSERT INTO "places" VALUES(X'636F756E7465643A73746576652E332E636F756E74406578616D706C652E6F7267',X'343731312D31',1,1800600000.0,X'73686F70406578616D706C652E6E6574');
INSERT INTO "places" VALUES(X'636F756E7465643A73746576652E332E636F756E74406578616D706C652E6F7267',X'343731312D32',0,1800003600.0,X'73686F70406578616D706C652E6E6574');
CREATE TABLE seen (
            key BLOB NOT NULL PRIMARY KEY,
            since REAL NOT NULL,  -- when it was first seen
            until REAL NOT NULL   -- from then on it is forgotten
        ) STRICT, WITHOUT ROWID;
CREATE TABLE windows (
            key BLOB NOT NULL PRIMARY KEY,
            events BLOB NOT NULL,  -- when each was, the oldest first: IEEE 754 doubles, eight bytes each, little-endian
            until REAL NOT NULL    -- the row is deleted then; one to two windows after the last event
        ) STRICT, WITHOUT ROWID;
CREATE INDEX places_by_holder ON places (holder);
CREATE INDEX places_by_until ON places (until);
CREATE INDEX windows_by_until ON windows (until);
CREATE INDEX seen_by_until ON seen (until);
CREATE INDEX blocks_by_until ON blocks (until);
CREATE INDEX addresses_by_owner ON addresses (owner, since);
CREATE INDEX addresses_by_tried ON addresses (tried);
COMMIT;
PRAGMA user_version = 3;
