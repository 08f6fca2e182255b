-- Events, what is kept up to date from them, and what guards "once": PostgreSQL 15 and later, with or without TimescaleDB.
--
-- The SQLite migration of the same number holds the same tables. Names of projects and dimensions sort bytewise (COLLATE "C"):
-- that is how answers are ordered, how writers order their locks, and it is the fastest comparison.

-- Every stored event once. There is no unique key here: a hypertable's unique key must hold the time column, so it could not
-- stop a retry that carries another timestamp; `event_ids` is what makes an event count once.
CREATE TABLE raw_events (
    id           UUID                     NOT NULL,
    project      TEXT         COLLATE "C" NOT NULL,
    session_id   VARCHAR(64)  COLLATE "C" NOT NULL,
    user_id      VARCHAR(255) COLLATE "C",
    event_type   VARCHAR(100) COLLATE "C" NOT NULL,
    event_action VARCHAR(255) COLLATE "C" NOT NULL,
    metadata     JSONB                    NOT NULL DEFAULT '{}',
    timestamp    TIMESTAMPTZ              NOT NULL,
    created_at   TIMESTAMPTZ              NOT NULL
);

-- A hypertable where the extension is there. Chunks of seven days: a chunk's index stays in memory, and ninety days are
-- fourteen chunks to plan over. Its own index on time alone is not made: every question has a project.
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_extension WHERE extname = 'timescaledb') THEN
        PERFORM create_hypertable('raw_events', 'timestamp',
            chunk_time_interval => INTERVAL '7 days', create_default_indexes => false);
    END IF;
END
$$;

-- Every question has a project and a range of time. Dropped are (measured, COPY of 500,000 events of 215 bytes): three more
-- btree indexes by session, user and type halve the writing speed (167,000 to 68,000 rows a second), and GIN over metadata
-- halves it again (35,000); the questions that they serve also have a range of time, which this index and the chunks cut out.
CREATE INDEX idx_raw_events_time ON raw_events (project, timestamp);

-- Counts by UTC day of event. `metric_name` is 'events'; `dimension_key` is '' (all events), 'event_type' or 'event_action';
-- no dimension is '', never NULL, so that the key can be unique. Rows change often: room is left in each page.
CREATE TABLE daily_metrics (
    project         TEXT         COLLATE "C" NOT NULL,
    date            DATE                     NOT NULL,
    metric_name     VARCHAR(100) COLLATE "C" NOT NULL,
    dimension_key   VARCHAR(255) COLLATE "C" NOT NULL DEFAULT '',
    dimension_value VARCHAR(255) COLLATE "C" NOT NULL DEFAULT '',
    value           BIGINT                   NOT NULL DEFAULT 0,
    PRIMARY KEY (project, date, metric_name, dimension_key, dimension_value)
) WITH (fillfactor = 70);

-- For each session the first event, by (timestamp, id), that carries a user_id: who the unnamed events of the session are.
-- `last_timestamp` is the time of its last such event, at most a day behind: where that is past the retention, no event that
-- names a user is kept of the session, and upkeep deletes the row.
CREATE TABLE session_users (
    project        TEXT         COLLATE "C" NOT NULL,
    session_id     VARCHAR(64)  COLLATE "C" NOT NULL,
    user_id        VARCHAR(255) COLLATE "C" NOT NULL,
    timestamp      TIMESTAMPTZ              NOT NULL,
    id             UUID                     NOT NULL,
    last_timestamp TIMESTAMPTZ              NOT NULL,
    PRIMARY KEY (session_id, project)
);

-- The ids that were stored (and, with project '', those of whole batches), in generations: `event_ids` takes new ones, the
-- other two are only looked at. Upkeep empties the oldest and moves the names on, each half of DEDUPE_DAYS; no id is ever
-- deleted by itself, and an id is remembered for one to one and a half times DEDUPE_DAYS. A partitioned table would not do:
-- its unique key would have to hold the partition key, and nothing but the id itself stays the same over a client's retry.
CREATE TABLE event_ids (
    id      UUID             NOT NULL,
    project TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (id, project)
);
CREATE TABLE event_ids_1 (LIKE event_ids INCLUDING ALL);
CREATE TABLE event_ids_2 (LIKE event_ids INCLUDING ALL);

-- What became of the events received on a UTC day. `kind` is 'accepted', 'stored', 'duplicate', 'expired', 'dead_lettered' or
-- 'rejected'; `reason` is the code of a rejection, else ''. accepted = stored + duplicate + expired + dead_lettered.
CREATE TABLE receipt_counts (
    project TEXT COLLATE "C" NOT NULL,
    day     DATE             NOT NULL,
    kind    TEXT COLLATE "C" NOT NULL,
    reason  TEXT COLLATE "C" NOT NULL DEFAULT '',
    count   BIGINT           NOT NULL,
    PRIMARY KEY (project, day, kind, reason)
) WITH (fillfactor = 70);

-- The receipt of the newest stored batch of a project: how fresh an answer is.
CREATE TABLE newest_receipts (
    project    TEXT COLLATE "C" PRIMARY KEY,
    created_at TIMESTAMPTZ NOT NULL
) WITH (fillfactor = 70);

-- What could not be stored, and why. `received_day` is NULL where the entry could not be read: it was never counted.
CREATE TABLE dead_letters (
    id               UUID             PRIMARY KEY,
    project          TEXT COLLATE "C" NOT NULL,
    event_id         UUID,
    payload          BYTEA            NOT NULL,
    code             TEXT             NOT NULL,
    sqlstate         TEXT,
    message          TEXT             NOT NULL,
    attempts         BIGINT           NOT NULL,
    first_failed_at  TIMESTAMPTZ      NOT NULL,
    last_failed_at   TIMESTAMPTZ      NOT NULL,
    received_day     DATE,
    replay_requested BOOLEAN          NOT NULL DEFAULT false
);

CREATE INDEX idx_dead_letters_project ON dead_letters (project, id);
CREATE INDEX idx_dead_letters_replay ON dead_letters (id) WHERE replay_requested;

-- What the store was told or found: 'retention_days', 'raw_kept_from', 'event_ids_since' (microseconds).
CREATE TABLE settings (
    name  TEXT COLLATE "C" PRIMARY KEY,
    value TEXT NOT NULL
);
