-- A state file of schema version 1 (eximacl 0.1), as `sqlite3 state.db .dump` prints it. Never change it.
PRAGMA application_id = 1702388067;
BEGIN TRANSACTION;
CREATE TABLE places (
            key BLOB NOT NULL,           -- what is counted; UTF-8, or bytes as the client sent them
            holder BLOB NOT NULL,        -- the transaction that has the place
            committed INTEGER NOT NULL,  -- 1: used for good
            until REAL NOT NULL,         -- seconds since 1970; from then on it counts no more
            PRIMARY KEY (key, holder)
        ) STRICT, WITHOUT ROWID;
INSERT INTO "places" VALUES(X'636F756E7465643A73746576652E332E636F756E74406578616D706C652E6F7267',X'343731312D31',1,4955759950.0);
INSERT INTO "places" VALUES(X'636F756E7465643A73746576652E332E636F756E74406578616D706C652E6F7267',X'343731312D32',1,4955759950.0);
INSERT INTO "places" VALUES(X'636F756E7465643A73746576652E332E636F756E74406578616D706C652E6F7267',X'343731312D33',0,1800003500.0);
CREATE INDEX places_by_holder ON places (holder);
CREATE INDEX places_by_until ON places (until);
COMMIT;
PRAGMA user_version = 1;
