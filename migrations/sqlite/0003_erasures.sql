-- Who was erased, and until when: what of theirs is still queued is dropped when it comes, and counted in `receipt_counts` with
-- the kind 'erased'. accepted = stored + duplicate + expired + dead_lettered + erased.
--
-- The PostgreSQL migration of the same number holds the same tables.

-- A person (a user), or a session whose unnamed events were a person's. `subject` is the SHA-256 of which of the two it is, the
-- project and the id: no name is kept of whom nothing shall be kept. Events accepted up to `erased_until` are dropped. Upkeep
-- deletes a row when every such event is past the retention.
CREATE TABLE erasures (
    project      TEXT    NOT NULL,
    subject      BLOB    NOT NULL,
    erased_until INTEGER NOT NULL,
    PRIMARY KEY (project, subject)
) WITHOUT ROWID;

-- How many erasures a project has had, and until when the last one goes: events are looked up only where there are any.
CREATE TABLE erasure_counters (
    project      TEXT    PRIMARY KEY,
    erasures     INTEGER NOT NULL,
    erased_until INTEGER NOT NULL
) WITHOUT ROWID;
