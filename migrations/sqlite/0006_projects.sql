-- What a project keeps beside its events: keys that are made while it runs, sessions of the page, what people saved there, settings.
--
-- The PostgreSQL migration of the same number holds the same tables.

-- Keys. What is kept is a key's SHA-256, never the key. A key is 32 random bytes, which nobody finds by trying, so a plain hash is
-- right: salt and work protect what people think up. `hint` is the key's first characters, for people who look for one in a list.
CREATE TABLE api_keys (
    digest     BLOB    NOT NULL PRIMARY KEY,
    id         BLOB    NOT NULL UNIQUE,
    project    TEXT    NOT NULL,
    name       TEXT    NOT NULL,
    scope      TEXT    NOT NULL,
    hint       TEXT    NOT NULL,
    created_at INTEGER NOT NULL
) WITHOUT ROWID;

CREATE INDEX idx_api_keys_project ON api_keys (project);

-- Who is signed in at the page: for each project of a session the key that opened it, by its SHA-256; the key may be one of the
-- environment. `digest` is the SHA-256 of the session's token, which is random as keys are. A session goes with its key.
CREATE TABLE page_sessions (
    digest     BLOB    NOT NULL,
    project    TEXT    NOT NULL,
    key_digest BLOB    NOT NULL,
    opened_at  INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (digest, project)
) WITHOUT ROWID;

CREATE INDEX idx_page_sessions_key ON page_sessions (key_digest);

-- Views ('view') and boards ('board'). `content` is a JSON text that the store does not look into.
CREATE TABLE saved_items (
    project    TEXT    NOT NULL,
    kind       TEXT    NOT NULL,
    id         BLOB    NOT NULL,
    name       TEXT    NOT NULL,
    content    TEXT    NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (project, kind, id)
) WITHOUT ROWID;

-- What a project's administrator set.
CREATE TABLE project_settings (
    project TEXT NOT NULL,
    name    TEXT NOT NULL,
    value   TEXT NOT NULL,
    PRIMARY KEY (project, name)
) WITHOUT ROWID;
