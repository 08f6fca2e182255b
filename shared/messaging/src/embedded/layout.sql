BEGIN;
-- One accepted batch a row. The payload comes last: counting reads what is before it and never its overflow pages.
CREATE TABLE entries (
    id INTEGER PRIMARY KEY,
    project TEXT NOT NULL,
    events INTEGER NOT NULL,
    enqueued_at INTEGER NOT NULL,
    payload BLOB NOT NULL
);
-- How often an entry was handed out. A table of its own: an update beside the payload would write the payload again.
CREATE TABLE deliveries (
    id INTEGER PRIMARY KEY,
    attempts INTEGER NOT NULL
);
-- One row, written where a flush is due and nothing else is.
CREATE TABLE flushes (
    id INTEGER PRIMARY KEY,
    flushed_at INTEGER NOT NULL
);
PRAGMA user_version = 1;
COMMIT;
