-- A state file of schema version 2, as `sqlite3 state.db .dump` prints it. Never change it once released.
PRAGMA application_id = 1702388067;
BEGIN TRANSACTION;
CREATE TABLE places (
            key BLOB NOT NULL,           -- what is counted; UTF-8, or bytes as the client sent them
            holder BLOB NOT NULL,        -- the transaction that has the place
            committed INTEGER NOT NULL,  -- 1: used for good
            until REAL NOT NULL,         -- seconds since 1970; from then on it counts no more
            PRIMARY KEY (key, holder)
        ) STRICT, WITHOUT ROWID;
CREATE TABLE windows (
            key BLOB NOT NULL PRIMARY KEY,
            events BLOB NOT NULL,  -- when each was, the oldest first: IEEE 754 doubles, eight bytes each, little-endian
            until REAL NOT NULL    -- the row is deleted then; one to two windows after the last event
        ) STRICT, WITHOUT ROWID;
CREATE TABLE seen (
            key BLOB NOT NULL PRIMARY KEY,
            since REAL NOT NULL,  -- when it was first seen
            until REAL NOT NULL   -- from then on it is forgotten
        ) STRICT, WITHOUT ROWID;
CREATE TABLE blocks (
            key BLOB NOT NULL PRIMARY KEY,
            since REAL NOT NULL,
            until REAL NOT NULL,  -- infinity: for ever
            why BLOB NOT NULL     -- for a person
        ) STRICT, WITHOUT ROWID;
INSERT INTO "places" VALUES(X'636F756E7465643A73746576652E332E636F756E74406578616D706C652E6F7267',X'343731312D31',1,1e999);
INSERT INTO "windows" VALUES(X'626F756E6365733A7374657665406578616D706C652E6F7267',X'0000007B74D2DA410000807D74D2DA41',1800001180.0);
INSERT INTO "seen" VALUES(X'3139322E302E322E302F32342061406578616D706C652E6E6574207374657665406578616D706C652E6F7267',1799999900.0,1800086400.0);
INSERT INTO "blocks" VALUES(X'616C6C3A6F6C64406578616D706C652E6F7267',1799999940.0,1e999,X'62792068616E64');
INSERT INTO "blocks" VALUES(X'626F756E6365733A6A6F65406578616D706C652E6F7267',1799999950.0,1800007200.0,X'323020626F756E63657320696E203130206D696E');
CREATE INDEX places_by_holder ON places (holder);
CREATE INDEX places_by_until ON places (until);
CREATE INDEX windows_by_until ON windows (until);
CREATE INDEX seen_by_until ON seen (until);
CREATE INDEX blocks_by_until ON blocks (until);
COMMIT;
PRAGMA user_version = 2;
