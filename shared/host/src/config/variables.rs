//! Every variable of every role.

use super::role::Role::{self, Analytics, Api, Collector, Processor, Realtime};

/// A variable and its meaning.
#[derive(Debug, Clone, Copy)]
pub struct Variable {
    /// Its name.
    pub name: &'static str,
    /// Which roles read it.
    pub roles: &'static [Role],
    /// Which of them do not start without it.
    pub required: &'static [Role],
    /// What holds without it, in the page's own words.
    pub default: &'static str,
    /// Its meaning, unit and allowed values.
    pub meaning: &'static str,
    /// Whether its value is never printed.
    pub secret: bool,
}

const EVERY: &[Role] = &[Collector, Processor, Api, Realtime, Analytics];
const SERVERS: &[Role] = &[Collector, Api, Realtime, Analytics];
const ON_REDIS: &[Role] = &[Collector, Processor, Api, Realtime];
const ASKING: &[Role] = &[Api, Realtime, Analytics];
const STORING: &[Role] = &[Processor, Api, Realtime, Analytics];
const TAKING: &[Role] = &[Collector, Analytics];
const WORKING: &[Role] = &[Processor, Analytics];

const fn variable(
    name: &'static str,
    roles: &'static [Role],
    default: &'static str,
    meaning: &'static str,
) -> Variable {
    Variable { name, roles, required: &[], default, meaning, secret: false }
}

impl Variable {
    const fn required(mut self, roles: &'static [Role]) -> Self {
        self.required = roles;
        self
    }

    const fn secret(mut self) -> Self {
        self.secret = true;
        self
    }
}

/// Every variable, in the order of the docs.
pub static VARIABLES: &[Variable] = &[
    variable(
        "APP_ENV",
        EVERY,
        "`development`",
        "`development` or `production`; production refuses risky settings (below). `NODE_ENV` is another name for it; both set \
         and different is an error.",
    ),
    variable("NODE_ENV", EVERY, "", "Another name for `APP_ENV`; `test` counts as `development`."),
    variable(
        "PORT",
        SERVERS,
        "4001 collector, 4002 api, 4003 realtime, 4000 analytics",
        "The port to listen on, 1 to 65535.",
    ),
    variable(
        "HOST",
        EVERY,
        "`0.0.0.0`; `127.0.0.1` for analytics",
        "The address to listen on: an IP address or `localhost`.",
    ),
    variable("METRICS_PORT", &[Processor], "4004", "The port of the processor's `/health` and `/metrics`, 1 to 65535."),
    variable(
        "REDIS_URL",
        ON_REDIS,
        "",
        "The Redis of queue, live feed and cache: `redis://` or `rediss://` (TLS); a cluster as \
         `redis+cluster://host:6379,host:6379`, a master that sentinels watch as `redis+sentinel://host:26379,host:26379/name` \
         ([redis.md](redis.md)). With `SQS_QUEUE_URL`, collector and processor \
         need none; a processor without it tells no live feed. An api without it caches in the process.",
    )
    .required(&[Collector, Processor, Realtime])
    .secret(),
    variable(
        "SQS_QUEUE_URL",
        &[Collector, Processor, Api],
        "",
        "The queue is this standard queue of Amazon SQS and not Redis; required on Lambda. The api asks it for what is in \
         flight. Region, credentials and `AWS_ENDPOINT_URL` are read by the AWS SDK.",
    ),
    variable("CACHE_REDIS_URL", &[Api], "`REDIS_URL`", "A Redis of its own for the cache, in the same forms.").secret(),
    variable(
        "REDIS_KEY_PREFIX",
        ON_REDIS,
        "`analytics`",
        "What the names of all keys in Redis begin with, 1 to 64 of `[A-Za-z0-9_.-]`: deployments that share a server differ \
         here.",
    ),
    variable(
        "DATABASE_URL",
        STORING,
        "",
        "`postgres://` or `postgresql://`; TimescaleDB is found by itself. analytics without it keeps SQLite in `DATA_DIR`; \
         realtime without it streams events and answers no live queries.",
    )
    .required(&[Processor, Api])
    .secret(),
    variable(
        "DATABASE_REPLICA_URL",
        &[Api],
        "",
        "A streaming replica of `DATABASE_URL`, where questions are read from while it is behind by no more than \
         `DATABASE_REPLICA_MAX_LAG_SECONDS` ([scaling.md](scaling.md#a-replica)).",
    )
    .secret(),
    variable(
        "DATABASE_REPLICA_MAX_LAG_SECONDS",
        &[Api],
        "5",
        "How far the replica may be behind, 1 to 3600 seconds; further, the primary is asked. The same for every api.",
    ),
    variable(
        "DATABASE_STATEMENT_CACHE",
        STORING,
        "`auto`",
        "`on`, `off`, or `auto`: whether statements stay prepared on a connection; `auto`: unless a pooler stands in between, \
         which is found at the start ([scaling.md](scaling.md#pgbouncer)).",
    ),
    variable("STATEMENT_TIMEOUT_SECONDS", STORING, "30", "How long a statement may take, 1 to 3600 seconds."),
    variable(
        "DATA_DIR",
        &[Analytics],
        "`./data`",
        "The folder of the embedded queue and store; one process at a time uses it.",
    ),
    variable(
        "API_KEYS",
        ASKING,
        "",
        "Comma-separated `key` (project `default`, scope `admin`) or `key:project:scope`, scope `read` or `admin` (admin includes \
         read). A key is 16 to 128 of `[A-Za-z0-9_-]`. With none, analytics refuses a `HOST` that is not loopback and, outside \
         `/collect`, answers only requests whose Host is `localhost`, `127.0.0.1` or `[::1]`, without forwarding headers or a \
         foreign Origin, and sends no CORS headers.",
    )
    .required(&[Api, Realtime])
    .secret(),
    variable(
        "WRITE_KEYS",
        SERVERS,
        "",
        "Comma-separated `key:project`, or `required`: no key here, and only keys that were made at the api are known (not on \
         SQS). When set, an event without a known key is answered 401; when not, what comes without a key goes to project \
         `default`. api and realtime need it only to answer 403, not 401, to a write key.",
    )
    .secret(),
    variable(
        "TRACKER_PATH",
        &[Api, Analytics],
        "",
        "One path more for the script of web pages, which is always at `/tracker.js`: blocklists know the usual names. As \
         `/js/s.js`, not below `/api`, `/collect`, `/health`, `/metrics` or `/realtime`.",
    ),
    variable(
        "ENRICH",
        TAKING,
        "`user_agent,bots,channel,utm`, and `country` where `GEOIP_FILE` is set",
        "What the server adds to the metadata of events that a browser sends, comma-separated, or `none` \
         ([tracker.md](tracker.md#what-the-server-adds)): `user_agent` adds `browser`, `os` and `device`, `bots` adds `bot`, \
         `channel` and `country` add what they are called, `utm` adds what the address says of a campaign.",
    ),
    variable(
        "GEOIP_FILE",
        TAKING,
        "",
        "A file of countries by address in MaxMind's format, as `/var/lib/GeoIP/GeoLite2-Country.mmdb`; one with cities will do. \
         A file that takes its place is read within a minute.",
    ),
    variable(
        "CORS_ORIGINS",
        SERVERS,
        "`*`",
        "Comma-separated origins of the web pages that may call, each in full, `*` alone for any. Credentials are never allowed.",
    ),
    variable(
        "TRUSTED_PROXIES",
        SERVERS,
        "none",
        "Comma-separated networks (`10.0.0.0/8`) or addresses whose `X-Forwarded-For` is believed.",
    ),
    variable(
        "RATE_LIMIT",
        TAKING,
        "`off`",
        "Events a second that one key, or one address where no keys are set, may send; beyond it 429. A whole number, or `off`.",
    ),
    variable(
        "QUEUE_MAX_EVENTS",
        TAKING,
        "5000000",
        "Events in the queue from which on the collector answers 503. SQS takes what comes.",
    ),
    variable(
        "QUEUE_SHARDS",
        &[Collector],
        "1",
        "Over how many streams of Redis the collector spreads events, 1 to 64: more than one where one core of Redis, or one \
         node of a cluster, is too little. Processors find them all, whatever it was before ([redis.md](redis.md)).",
    ),
    variable(
        "QUEUE_REPLICAS",
        &[Collector],
        "0",
        "How many replicas of Redis must have a batch before it is answered, 0 to 5; with fewer the collector answers 503. \
         From 1 on an answered batch outlives the loss of a master ([redis.md](redis.md)).",
    ),
    variable(
        "DURABILITY",
        TAKING,
        "analytics: `durable`; Redis: what the server gives",
        "What a 202 survives: `durable` a power cut, `fast` a killed process (a power cut may take about the last second). On \
         Redis it is the server's `appendfsync`: with `durable`, the collector refuses a server that does not flush each write.",
    ),
    variable("CONCURRENCY", WORKING, "5", "Transactions in flight, 1 to 64."),
    variable(
        "BATCH_SIZE",
        WORKING,
        "100",
        "A transaction takes whole queued batches until it holds at least so many events, 1 to 10000; under a backlog it grows \
         by itself up to 50 times that.",
    ),
    variable(
        "BATCH_LINGER_MS",
        WORKING,
        "50",
        "How long a transaction waits for so many events, 0 to 10000 milliseconds.",
    ),
    variable(
        "VISIBILITY_SECONDS",
        WORKING,
        "30",
        "After how long the entries of a dead or stuck worker are handed out again, 5 to 3600 seconds.",
    ),
    variable(
        "RETENTION_DAYS",
        EVERY,
        "what the store was last given, else 90",
        "Whole UTC days that raw events are kept and answered, 0 to 36500; 0 keeps them for ever. `daily_metrics` is kept.",
    ),
    variable(
        "DEDUPE_DAYS",
        WORKING,
        "30",
        "How many days a client's event id is remembered, 1 to 3650.",
    ),
    variable(
        "AUTO_MIGRATE",
        WORKING,
        "`true`",
        "`true` or `false`: whether pending migrations are applied at start, under a lock. api and realtime wait for the schema.",
    ),
    variable(
        "CHUNK_DAYS",
        WORKING,
        "7",
        "How many days a chunk (TimescaleDB) or partition of raw events is wide that is made from now on, 1 to 366; 30 for very \
         large deployments ([scaling.md](scaling.md#chunks-and-partitions)). Without effect on SQLite.",
    ),
    variable(
        "LOG_LEVEL",
        EVERY,
        "`info`",
        "`error`, `warn`, `info`, `debug` or `trace`, for this project's own parts; or a list as `info,analytics_worker=debug`, \
         where the first word is for everything else.",
    ),
    variable("LOG_FORMAT", EVERY, "`text` on a terminal, else `json`", "`text` or `json`; logs go to standard error."),
];
