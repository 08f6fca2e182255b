-- The events of each quarter of an hour, column by column: what questions are answered from, made anew from raw rows wherever
-- these have changed. Until a quarter is made anew, questions read its raw rows: no answer is ever behind.

-- Which quarters have changed: a row for each transaction that stored events there. Only ever inserted, so that writers never
-- wait for each other; who makes a quarter anew deletes the marks that it saw, and a later writer's mark stays.
CREATE TABLE column_marks (
    seq     INT8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    project TEXT COLLATE "C" NOT NULL,
    quarter INT8             NOT NULL
);
CREATE INDEX idx_column_marks_quarter ON column_marks (project, quarter);

-- Sessions whose user became another one (or known at all) since the columns were made: questions look them up until then.
CREATE TABLE identity_changes (
    seq        INT8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    project    TEXT COLLATE "C" NOT NULL,
    session_id TEXT COLLATE "C" NOT NULL
);
CREATE INDEX idx_identity_changes_project ON identity_changes (project);

-- The numbers that sessions (kind 's') and users ('u') have in the columns, and the first and last quarter that they were
-- seen in. A number is never given twice.
CREATE TABLE identities (
    project       TEXT COLLATE "C" NOT NULL,
    kind          TEXT COLLATE "C" NOT NULL,
    name          TEXT COLLATE "C" NOT NULL,
    number        INT8             NOT NULL,
    first_quarter INT8             NOT NULL,
    last_quarter  INT8             NOT NULL,
    PRIMARY KEY (project, kind, name)
) WITH (fillfactor = 90);

-- The next number of each kind.
CREATE TABLE identity_counters (
    project TEXT COLLATE "C" NOT NULL,
    kind    TEXT COLLATE "C" NOT NULL,
    next    INT8             NOT NULL,
    PRIMARY KEY (project, kind)
);

-- The columns. Quarters count from 1970-01-01T00:00Z; a quarter of many events has several parts, one after the other in time.
-- The bytes are packed already.
CREATE TABLE event_columns (
    project TEXT COLLATE "C" NOT NULL,
    quarter INT8             NOT NULL,
    part    INT8             NOT NULL,
    name    TEXT COLLATE "C" NOT NULL,
    data    BYTEA            NOT NULL,
    PRIMARY KEY (project, quarter, part, name)
);
ALTER TABLE event_columns ALTER COLUMN data SET STORAGE EXTERNAL;

-- What is stored already has no columns yet.
INSERT INTO column_marks (project, quarter)
SELECT DISTINCT project, floor(extract(epoch FROM timestamp) / 900)::int8 FROM raw_events;
