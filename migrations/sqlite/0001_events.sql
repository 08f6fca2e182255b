-- Events, what is kept up to date from them, and what guards "once": the embedded store of the single process.
--
-- Instants are INTEGER, microseconds since 1970-01-01T00:00:00Z; dates are TEXT 'YYYY-MM-DD' in UTC; ids are BLOB, 16 bytes.
-- The PostgreSQL migration of the same number holds the same tables.

-- Every stored event once. There is no unique key here: `event_ids` is what makes an event count once.
CREATE TABLE raw_events (
    id           BLOB    NOT NULL,
    project      TEXT    NOT NULL,
    session_id   TEXT    NOT NULL,
    user_id      TEXT,
    event_type   TEXT    NOT NULL,
    event_action TEXT    NOT NULL,
    metadata     TEXT    NOT NULL DEFAULT '{}',
    timestamp    INTEGER NOT NULL,
    created_at   INTEGER NOT NULL
);

-- Every question has a project and a range of time. Indexes by session, user and type, and one over metadata, would each be
-- written with every event (three more halve the writing speed), and the questions that they serve also have a range.
CREATE INDEX idx_raw_events_time ON raw_events (project, timestamp);

-- Counts by UTC day of event. `metric_name` is 'events'; `dimension_key` is '' (all events), 'event_type' or 'event_action';
-- no dimension is '', never NULL, so that the key can be unique.
CREATE TABLE daily_metrics (
    project         TEXT    NOT NULL,
    date            TEXT    NOT NULL,
    metric_name     TEXT    NOT NULL,
    dimension_key   TEXT    NOT NULL DEFAULT '',
    dimension_value TEXT    NOT NULL DEFAULT '',
    value           INTEGER NOT NULL,
    PRIMARY KEY (project, date, metric_name, dimension_key, dimension_value)
) WITHOUT ROWID;

-- For each session the first event, by (timestamp, id), that carries a user_id: who the unnamed events of the session are.
-- `last_timestamp` is the time of its last such event, at most a day behind: where that is past the retention, no event that
-- names a user is kept of the session, and upkeep deletes the row.
CREATE TABLE session_users (
    project        TEXT    NOT NULL,
    session_id     TEXT    NOT NULL,
    user_id        TEXT    NOT NULL,
    timestamp      INTEGER NOT NULL,
    id             BLOB    NOT NULL,
    last_timestamp INTEGER NOT NULL,
    PRIMARY KEY (session_id, project)
) WITHOUT ROWID;

-- The ids that were stored (and, with project '', those of whole batches), in generations: `event_ids` takes new ones, the
-- other two are only looked at. Upkeep empties the oldest and moves the names on, each half of DEDUPE_DAYS; no id is ever
-- deleted by itself, and an id is remembered for one to one and a half times DEDUPE_DAYS.
CREATE TABLE event_ids (
    id      BLOB NOT NULL,
    project TEXT NOT NULL,
    PRIMARY KEY (id, project)
) WITHOUT ROWID;

CREATE TABLE event_ids_1 (
    id      BLOB NOT NULL,
    project TEXT NOT NULL,
    PRIMARY KEY (id, project)
) WITHOUT ROWID;

CREATE TABLE event_ids_2 (
    id      BLOB NOT NULL,
    project TEXT NOT NULL,
    PRIMARY KEY (id, project)
) WITHOUT ROWID;

-- What became of the events received on a UTC day. `kind` is 'accepted', 'stored', 'duplicate', 'expired', 'dead_lettered' or
-- 'rejected'; `reason` is the code of a rejection, else ''. accepted = stored + duplicate + expired + dead_lettered.
CREATE TABLE receipt_counts (
    project TEXT    NOT NULL,
    day     TEXT    NOT NULL,
    kind    TEXT    NOT NULL,
    reason  TEXT    NOT NULL DEFAULT '',
    count   INTEGER NOT NULL,
    PRIMARY KEY (project, day, kind, reason)
) WITHOUT ROWID;

-- The receipt of the newest stored batch of a project: how fresh an answer is.
CREATE TABLE newest_receipts (
    project    TEXT    PRIMARY KEY,
    created_at INTEGER NOT NULL
) WITHOUT ROWID;

-- What could not be stored, and why. `received_day` is NULL where the entry could not be read: it was never counted.
CREATE TABLE dead_letters (
    id               BLOB    PRIMARY KEY,
    project          TEXT    NOT NULL,
    event_id         BLOB,
    payload          BLOB    NOT NULL,
    code             TEXT    NOT NULL,
    sqlstate         TEXT,
    message          TEXT    NOT NULL,
    attempts         INTEGER NOT NULL,
    first_failed_at  INTEGER NOT NULL,
    last_failed_at   INTEGER NOT NULL,
    received_day     TEXT,
    replay_requested INTEGER NOT NULL DEFAULT 0
);

CREATE INDEX idx_dead_letters_project ON dead_letters (project, id);
CREATE INDEX idx_dead_letters_replay ON dead_letters (id) WHERE replay_requested = 1;

-- What the store was told or found: 'retention_days', 'raw_kept_from', 'event_ids_since' (microseconds).
CREATE TABLE settings (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;
