-- Who was erased, and until when: what of theirs is still queued is dropped when it comes, and counted in `receipt_counts` with
-- the kind 'erased'. accepted = stored + duplicate + expired + dead_lettered + erased.
--
-- The SQLite migration of the same number holds the same tables.

-- A person (a user), or a session whose unnamed events were a person's. `subject` is the SHA-256 of which of the two it is, the
-- project and the id: no name is kept of whom nothing shall be kept. Events accepted up to `erased_until` are dropped. Upkeep
-- deletes a row when every such event is past the retention.
CREATE TABLE erasures (
    project      TEXT COLLATE "C" NOT NULL,
    subject      BYTEA            NOT NULL,
    erased_until TIMESTAMPTZ      NOT NULL,
    PRIMARY KEY (project, subject)
);

-- How many erasures a project has had, and until when the last one goes: writers look for subjects only where there are any,
-- and forget what they knew of sessions when the number has moved.
CREATE TABLE erasure_counters (
    project      TEXT COLLATE "C" PRIMARY KEY,
    erasures     BIGINT      NOT NULL,
    erased_until TIMESTAMPTZ NOT NULL
);
