//! Every variable of every role: the source of `docs/configuration.md`.

/// A variable and its meaning.
#[derive(Debug)]
pub struct Variable {
    /// Its name.
    pub name: &'static str,
    /// Which roles read it.
    pub roles: &'static str,
    /// What holds without it; `required` names the roles that do not start.
    pub default: &'static str,
    /// Its meaning, unit and allowed values.
    pub meaning: &'static str,
    /// Whether its value is never printed.
    pub secret: bool,
}

const fn variable(name: &'static str, roles: &'static str, default: &'static str, meaning: &'static str) -> Variable {
    Variable { name, roles, default, meaning, secret: false }
}

const fn secret(name: &'static str, roles: &'static str, default: &'static str, meaning: &'static str) -> Variable {
    Variable { name, roles, default, meaning, secret: true }
}

/// Every variable.
pub const VARIABLES: &[Variable] = &[
    variable("APP_ENV", "all", "`development`", "`development` or `production`; production refuses risky settings. `NODE_ENV` is another name for it; both set and different is an error"),
    variable("NODE_ENV", "all", "", "another name for `APP_ENV`"),
    variable("PORT", "collector, api, realtime, analytics", "4001, 4002, 4003, 4000", "the port to listen on, 1 to 65535"),
    variable("HOST", "all", "`0.0.0.0`, analytics `127.0.0.1`", "the address to listen on"),
    secret("REDIS_URL", "collector, processor, realtime, api", "required: collector, processor, realtime", "queue, live feed and cache: `redis://` or `rediss://`; an api without it caches in the process"),
    secret("CACHE_REDIS_URL", "api", "`REDIS_URL`", "a Redis of its own for the cache"),
    variable("REDIS_KEY_PREFIX", "collector, processor, realtime, api", "`analytics`", "what the names of all keys in Redis begin with, 1 to 64 of [A-Za-z0-9_.-]"),
    secret("DATABASE_URL", "processor, api, realtime, analytics", "required: processor, api", "`postgres://` or `postgresql://`; TimescaleDB is found by itself. analytics without it keeps SQLite in `DATA_DIR`; realtime without it answers no live questions"),
    secret("DATABASE_REPLICA_URL", "api", "", "where questions are read from"),
    variable("DATABASE_STATEMENT_CACHE", "processor, api, realtime, analytics", "`on`", "`off` behind a pooler in transaction mode"),
    variable("STATEMENT_TIMEOUT_SECONDS", "processor, api, realtime, analytics", "30", "how long a statement may take, 1 to 3600"),
    variable("DATA_DIR", "analytics", "`./data`", "the folder of the embedded queue and store; one process at a time"),
    secret("API_KEYS", "api, realtime, analytics", "required: api, realtime", "comma-separated `key` (project `default`, scope `admin`) or `key:project:scope`, scope `read` or `admin`; a key is 16 to 128 of [A-Za-z0-9_-]. Without any, analytics listens on loopback only and answers, outside `/collect`, only this machine"),
    secret("WRITE_KEYS", "collector, analytics", "", "comma-separated `key:project`; when set, events without a known key are refused; when not, everything goes to project `default`"),
    variable("CORS_ORIGINS", "collector, api, realtime, analytics", "`*`", "comma-separated origins of web pages that may call, `*` for any"),
    variable("TRUSTED_PROXIES", "collector, api, realtime, analytics", "", "comma-separated networks whose `X-Forwarded-For` is believed"),
    variable("RATE_LIMIT", "collector, analytics", "", "events a second that one key, or one address where no keys are set, may send"),
    variable("QUEUE_MAX_EVENTS", "collector, analytics", "5000000", "events in the queue from which on the collector answers 503"),
    variable("DURABILITY", "collector, analytics", "analytics: `durable`; Redis: what the server gives", "what a 202 survives: `durable` a power cut, `fast` a killed process; on Redis `durable` makes the collector refuse a server that does not sync each write"),
    variable("CONCURRENCY", "processor, analytics", "5", "transactions in flight, 1 to 64"),
    variable("BATCH_SIZE", "processor, analytics", "100", "a transaction takes whole queued batches until it holds so many events, 1 to 10000; under a backlog it grows up to 50 times that"),
    variable("BATCH_LINGER_MS", "processor, analytics", "50", "how long a transaction waits for so many events, 0 to 10000"),
    variable("VISIBILITY_SECONDS", "processor, analytics", "30", "after how long the entries of a dead worker are handed out again, 5 to 3600"),
    variable("RETENTION_DAYS", "collector, processor, api, realtime, analytics", "what the store was last given, else 90", "whole UTC days that raw events are kept and answered, 0 for ever; `daily_metrics` is kept"),
    variable("DEDUPE_DAYS", "processor, analytics", "30", "how many days a client's event id is remembered, 1 to 3650"),
    variable("METRICS_PORT", "processor", "4004", "the port of the processor's `/health` and `/metrics`"),
    variable("AUTO_MIGRATE", "processor, analytics", "`true`", "whether pending migrations are applied at start"),
    variable("LOG_LEVEL", "all", "`info`", "`error`, `warn`, `info`, `debug` or `trace`"),
    variable("LOG_FORMAT", "all", "`text` on a terminal, else `json`", "`text` or `json`"),
];

/// `docs/configuration.md`.
#[must_use]
pub fn reference() -> String {
    let mut page = String::from(
        "# Configuration\n\nEvery setting is a variable of the environment. A wrong value stops the start with a sentence that names the variable and\nwhat is allowed; all that is wrong is told at once. Made from the code by `cargo xtask docs`.\n\n| variable | roles | default | meaning |\n|---|---|---|---|\n",
    );
    for variable in VARIABLES {
        let Variable { name, roles, default, meaning, .. } = variable;
        page.push_str(&format!("| `{name}` | {roles} | {default} | {meaning} |\n"));
    }
    page
}
