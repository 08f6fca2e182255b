-- What a project keeps beside its events: keys that are made while it runs, sessions of the page, what people saved there, settings.
--
-- The SQLite migration of the same number holds the same tables.

-- Keys. What is kept is a key's SHA-256, never the key. A key is 32 random bytes, which nobody finds by trying, so a plain hash is
-- right: salt and work protect what people think up. `hint` is the key's first characters, for people who look for one in a list.
CREATE TABLE api_keys (
    digest     BYTEA       NOT NULL PRIMARY KEY,
    id         UUID        NOT NULL UNIQUE,
    project    TEXT        COLLATE "C" NOT NULL,
    name       TEXT        NOT NULL,
    scope      TEXT        COLLATE "C" NOT NULL,
    hint       TEXT        NOT NULL,
    created_at TIMESTAMPTZ NOT NULL
);

CREATE INDEX idx_api_keys_project ON api_keys (project);

-- Who is signed in at the page: for each project of a session the key that opened it, by its SHA-256; the key may be one of the
-- environment. `digest` is the SHA-256 of the session's token, which is random as keys are. A session goes with its key.
CREATE TABLE page_sessions (
    digest     BYTEA       NOT NULL,
    project    TEXT        COLLATE "C" NOT NULL,
    key_digest BYTEA       NOT NULL,
    opened_at  TIMESTAMPTZ NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (digest, project)
);

CREATE INDEX idx_page_sessions_key ON page_sessions (key_digest);

-- Views ('view') and boards ('board'). `content` is a JSON text that the store does not look into; as JSONB it could not hold every
-- text, and would come back in another order.
CREATE TABLE saved_items (
    project    TEXT        COLLATE "C" NOT NULL,
    kind       TEXT        COLLATE "C" NOT NULL,
    id         UUID        NOT NULL,
    name       TEXT        COLLATE "C" NOT NULL,
    content    TEXT        NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (project, kind, id)
);

-- What a project's administrator set.
CREATE TABLE project_settings (
    project TEXT COLLATE "C" NOT NULL,
    name    TEXT COLLATE "C" NOT NULL,
    value   TEXT NOT NULL,
    PRIMARY KEY (project, name)
);
