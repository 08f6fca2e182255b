-- The events of each quarter of an hour, column by column: what questions are answered from, made anew from raw rows wherever
-- these have changed. Until a quarter is made anew, questions read its raw rows: no answer is ever behind.
--
-- The PostgreSQL migration of the same number holds the same tables.

-- Which quarters have changed: a row for each transaction that stored events there.
CREATE TABLE column_marks (
    seq     INTEGER PRIMARY KEY,
    project TEXT    NOT NULL,
    quarter INTEGER NOT NULL
);
CREATE INDEX idx_column_marks_quarter ON column_marks (project, quarter);

-- Sessions whose user became another one (or known at all) since the columns were made: questions look them up until then.
CREATE TABLE identity_changes (
    seq        INTEGER PRIMARY KEY,
    project    TEXT    NOT NULL,
    session_id TEXT    NOT NULL
);
CREATE INDEX idx_identity_changes_project ON identity_changes (project);

-- The numbers that sessions (kind 's') and users ('u') have in the columns, and the first and last quarter that they were
-- seen in. A number is never given twice.
CREATE TABLE identities (
    project       TEXT    NOT NULL,
    kind          TEXT    NOT NULL,
    name          TEXT    NOT NULL,
    number        INTEGER NOT NULL,
    first_quarter INTEGER NOT NULL,
    last_quarter  INTEGER NOT NULL,
    PRIMARY KEY (project, kind, name)
) WITHOUT ROWID;

-- The next number of each kind.
CREATE TABLE identity_counters (
    project TEXT    NOT NULL,
    kind    TEXT    NOT NULL,
    next    INTEGER NOT NULL,
    PRIMARY KEY (project, kind)
) WITHOUT ROWID;

-- The columns. Quarters count from 1970-01-01T00:00Z; a quarter of many events has several parts, one after the other in time.
CREATE TABLE event_columns (
    project TEXT    NOT NULL,
    quarter INTEGER NOT NULL,
    part    INTEGER NOT NULL,
    name    TEXT    NOT NULL,
    data    BLOB    NOT NULL,
    PRIMARY KEY (project, quarter, part, name)
);

-- What is stored already has no columns yet.
INSERT INTO column_marks (project, quarter)
SELECT DISTINCT project, (timestamp - ((timestamp % 900000000) + 900000000) % 900000000) / 900000000 FROM raw_events;
