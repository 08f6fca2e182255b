//! The settings that roles share, typed, and how each is read.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use super::enrichment::{self, EnrichmentConfig};
use super::reading::Reader;
use super::role::Role;
use super::{redis_url, risk, spelling};
use crate::client::TrustedProxies;
use crate::cors::Origins;
use crate::keys::{ReadKeys, WriteKeys};
use crate::program::RUNTIME_API;
use crate::telemetry::{self, LogFormat};

/// What every role is told.
#[derive(Debug, Clone)]
pub struct Common {
    /// `APP_ENV=production`: risky settings are refused.
    pub production: bool,
    /// `LOG_LEVEL`.
    pub log_level: String,
    /// `LOG_FORMAT`; none: by what standard error is.
    pub log_format: Option<LogFormat>,
    /// What is legal and risky: told in the log at start.
    pub warnings: Vec<String>,
}

/// How a role listens.
#[derive(Debug, Clone)]
pub struct HttpConfig {
    /// `HOST`.
    pub host: IpAddr,
    /// `PORT` (processor: `METRICS_PORT`).
    pub port: u16,
    /// `CORS_ORIGINS`.
    pub origins: Origins,
    /// `TRUSTED_PROXIES`.
    pub trusted_proxies: TrustedProxies,
}

/// Where Redis is.
#[derive(Clone)]
pub struct RedisConfig {
    /// `REDIS_URL`.
    pub url: String,
    /// `REDIS_KEY_PREFIX`.
    pub key_prefix: String,
}

/// Where the queue is.
#[derive(Debug, Clone)]
pub enum QueueConfig {
    /// A stream on a Redis server.
    Redis(RedisConfig),
    /// A queue of Amazon SQS: `SQS_QUEUE_URL`. Region, credentials and endpoint are read by its own library.
    Sqs(String),
}

/// How the database is used.
#[derive(Clone)]
pub struct DatabaseConfig {
    /// `DATABASE_URL`.
    pub url: String,
    /// `DATABASE_REPLICA_URL`.
    pub replica_url: Option<String>,
    /// `DATABASE_REPLICA_MAX_LAG_SECONDS`.
    pub replica_max_lag: Duration,
    /// `STATEMENT_TIMEOUT_SECONDS`.
    pub statement_timeout: Duration,
    /// `DATABASE_STATEMENT_CACHE`; none: as the way to the server allows.
    pub statement_cache: Option<bool>,
}

/// How events are taken.
#[derive(Debug, Clone)]
pub struct IntakeConfig {
    /// `WRITE_KEYS`.
    pub write_keys: WriteKeys,
    /// `RATE_LIMIT`.
    pub rate_limit: Option<u32>,
    /// `QUEUE_MAX_EVENTS`.
    pub queue_max_events: u64,
    /// `DURABILITY=durable`; none: not said.
    pub durable: Option<bool>,
    /// `RETENTION_DAYS`; none: not said.
    pub retention_days: Option<u32>,
    /// `ENRICH` and `GEOIP_FILE`.
    pub enrichment: EnrichmentConfig,
}

/// How events lie in a queue on Redis.
#[derive(Debug, Clone, Copy)]
pub struct SpreadConfig {
    /// `QUEUE_SHARDS`.
    pub shards: usize,
    /// `QUEUE_REPLICAS`.
    pub replicas: u32,
}

impl Default for SpreadConfig {
    fn default() -> Self {
        Self { shards: 1, replicas: 0 }
    }
}

/// How events are processed.
#[derive(Debug, Clone)]
pub struct WorkConfig {
    /// `CONCURRENCY`.
    pub concurrency: usize,
    /// `BATCH_SIZE`.
    pub batch_size: usize,
    /// `BATCH_LINGER_MS`.
    pub linger: Duration,
    /// `VISIBILITY_SECONDS`.
    pub visibility: Duration,
    /// `DEDUPE_DAYS`.
    pub dedupe_days: u32,
    /// `AUTO_MIGRATE`.
    pub auto_migrate: bool,
    /// `CHUNK_DAYS`.
    pub chunk_days: u32,
    /// `RETENTION_DAYS`; none: not said.
    pub retention_days: Option<u32>,
}

/// Says nothing of the URL: it can hold a password.
impl fmt::Debug for RedisConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisConfig").field("key_prefix", &self.key_prefix).finish_non_exhaustive()
    }
}

/// Says nothing of the URLs: they can hold passwords.
impl fmt::Debug for DatabaseConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DatabaseConfig")
            .field("replica", &self.replica_url.is_some())
            .field("replica_max_lag", &self.replica_max_lag)
            .field("statement_timeout", &self.statement_timeout)
            .field("statement_cache", &self.statement_cache)
            .finish_non_exhaustive()
    }
}

/// What stands under the variables that several roles read.
pub(super) struct Shared {
    pub(super) common: Common,
    pub(super) http: HttpConfig,
}

impl Shared {
    /// Reads what every role reads, and judges its risks.
    pub(super) fn read(reader: &mut Reader<'_>, role: Role) -> Self {
        let mut common = common(reader);
        common.warnings.extend(spelling::warnings(reader));
        let http = http(reader, role);
        risk::judge(reader, role, &mut common, &http);
        Self { common, http }
    }
}

fn common(reader: &mut Reader<'_>) -> Common {
    let (app, node) = (reader.text("APP_ENV"), reader.text("NODE_ENV"));
    if let (Some(app), Some(node)) = (app, node)
        && app != node
    {
        reader.fault(format!("APP_ENV is {app:?} and NODE_ENV is {node:?}; they are one setting, set one of them"));
    }
    let name = if app.is_some() { "APP_ENV" } else { "NODE_ENV" };
    let known = |text: &str| match text {
        "production" => Some(true),
        "development" | "test" => Some(false),
        _ => None,
    };
    let production = reader.read(name, known, "development or production").unwrap_or(false);
    let level = |text: &str| telemetry::is_level(text).then(|| text.to_owned());
    let log_level =
        reader.read("LOG_LEVEL", level, "error, warn, info, debug or trace, or a list as info,analytics_worker=debug");
    let format = |text: &str| match text {
        "text" => Some(LogFormat::Text),
        "json" => Some(LogFormat::Json),
        _ => None,
    };
    let log_format = reader.read("LOG_FORMAT", format, "text or json");
    Common { production, log_level: log_level.unwrap_or_else(|| "info".into()), log_format, warnings: Vec::new() }
}

fn http(reader: &mut Reader<'_>, role: Role) -> HttpConfig {
    let host = if role == Role::Analytics { Ipv4Addr::LOCALHOST } else { Ipv4Addr::UNSPECIFIED };
    let address = |text: &str| match text {
        "localhost" => Some(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        _ => text.parse().ok(),
    };
    let serves_clients = role != Role::Processor;
    HttpConfig {
        host: reader.read("HOST", address, "an address such as 0.0.0.0, 127.0.0.1 or ::").unwrap_or(IpAddr::V4(host)),
        port: reader.number(role.port_variable(), 1, u16::MAX).unwrap_or(role.port()),
        origins: if serves_clients {
            reader.try_read("CORS_ORIGINS", Origins::parse).unwrap_or(Origins::Any)
        } else {
            Origins::Nobody
        },
        trusted_proxies: if serves_clients {
            reader.try_read("TRUSTED_PROXIES", TrustedProxies::parse).unwrap_or_default()
        } else {
            TrustedProxies::default()
        },
    }
}

/// A URL of one of `schemes`; `hosted`: it has to name a host.
pub(super) fn url(reader: &mut Reader<'_>, name: &str, schemes: &[&str], hosted: bool) -> Option<String> {
    let forms = schemes.iter().map(|scheme| format!("{scheme}://")).collect::<Vec<_>>().join(" or ");
    let form = format!("it takes a URL that begins with {forms}{}", if hosted { " and names a host" } else { "" });
    let read = |text: &str| match url::Url::parse(text) {
        Ok(url) => {
            let host = url.host_str().is_some_and(|host| !host.is_empty());
            if schemes.contains(&url.scheme()) && (host || !hosted) { Ok(text.to_owned()) } else { Err(form) }
        }
        Err(url::ParseError::RelativeUrlWithoutBase) => Err(form),
        // The reason repeats nothing of the text.
        Err(reason) => Err(format!(
            "it cannot be read as a URL: {reason}; {form}, and in a password / ? # @ are written as %2F %3F %23 %40"
        )),
    };
    reader.try_read(name, read)
}

const POSTGRES: &[&str] = &["postgres", "postgresql"];

/// `CACHE_REDIS_URL`.
pub(super) fn cache_url(reader: &mut Reader<'_>) -> Option<String> {
    redis_url::read(reader, "CACHE_REDIS_URL")
}

/// The Redis server; with `why` it is required.
pub(super) fn redis(reader: &mut Reader<'_>, why: Option<&str>) -> Option<RedisConfig> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    let prefix = |text: &str| (text.len() <= 64 && text.bytes().all(allowed)).then(|| text.to_owned());
    let key_prefix = reader.read("REDIS_KEY_PREFIX", prefix, "1 to 64 of [A-Za-z0-9_.-]");
    let key_prefix = key_prefix.unwrap_or_else(|| "analytics".into());
    if let (None, Some(why)) = (reader.text("REDIS_URL"), why) {
        reader.missing("REDIS_URL", &format!("{why} (redis://host:6379)"));
    }
    redis_url::read(reader, "REDIS_URL").map(|url| RedisConfig { url, key_prefix })
}

/// The database; with `why` it is required.
pub(super) fn database(reader: &mut Reader<'_>, role: Role, why: Option<&str>) -> Option<DatabaseConfig> {
    if let (None, Some(why)) = (reader.text("DATABASE_URL"), why) {
        reader.missing("DATABASE_URL", &format!("{why} (postgres://user:password@host:5432/database)"));
    }
    // A URL without a host is one of a socket in the file system.
    let found = url(reader, "DATABASE_URL", POSTGRES, false);
    let is_asking = role == Role::Api;
    let replica_url = if is_asking { url(reader, "DATABASE_REPLICA_URL", POSTGRES, false) } else { None };
    let lag = if is_asking { reader.number("DATABASE_REPLICA_MAX_LAG_SECONDS", 1, 3_600) } else { None };
    let replica_max_lag = Duration::from_secs(lag.unwrap_or(5));
    let seconds = reader.number("STATEMENT_TIMEOUT_SECONDS", 1, 3_600).unwrap_or(30);
    let cache = |text: &str| match text.to_ascii_lowercase().as_str() {
        "auto" => Some(None),
        "on" | "true" | "1" | "yes" => Some(Some(true)),
        "off" | "false" | "0" | "no" => Some(Some(false)),
        _ => None,
    };
    let statement_cache = reader.read("DATABASE_STATEMENT_CACHE", cache, "auto, on or off").flatten();
    let statement_timeout = Duration::from_secs(seconds);
    found.map(|url| DatabaseConfig { url, replica_url, replica_max_lag, statement_timeout, statement_cache })
}

/// How events are taken.
pub(super) fn intake(reader: &mut Reader<'_>, common: &mut Common) -> IntakeConfig {
    let durability = |text: &str| match text {
        "durable" => Some(true),
        "fast" => Some(false),
        _ => None,
    };
    let rate = |text: &str| match text {
        "off" => Some(None),
        _ => text.parse().ok().filter(|rate| *rate > 0).map(Some),
    };
    let intake = IntakeConfig {
        write_keys: write_keys(reader),
        rate_limit: reader.read("RATE_LIMIT", rate, "a whole number of events a second from 1 on, or off").flatten(),
        queue_max_events: reader.number("QUEUE_MAX_EVENTS", 1, 1_000_000_000_000).unwrap_or(5_000_000),
        durable: reader.read("DURABILITY", durability, "durable or fast"),
        retention_days: retention_days(reader),
        enrichment: enrichment::read(reader, common),
    };
    risk::judge_intake(common, &intake);
    intake
}

/// How events lie in a queue on Redis.
pub(super) fn spread(reader: &mut Reader<'_>) -> SpreadConfig {
    let unset = SpreadConfig::default();
    SpreadConfig {
        shards: reader.number("QUEUE_SHARDS", 1, 64).unwrap_or(unset.shards),
        replicas: reader.number("QUEUE_REPLICAS", 0, 5).unwrap_or(unset.replicas),
    }
}

/// How events are processed.
pub(super) fn work(reader: &mut Reader<'_>) -> WorkConfig {
    WorkConfig {
        concurrency: reader.number("CONCURRENCY", 1, 64).unwrap_or(5),
        batch_size: reader.number("BATCH_SIZE", 1, 10_000).unwrap_or(100),
        linger: Duration::from_millis(reader.number("BATCH_LINGER_MS", 0, 10_000).unwrap_or(50)),
        visibility: Duration::from_secs(reader.number("VISIBILITY_SECONDS", 5, 3_600).unwrap_or(30)),
        dedupe_days: reader.number("DEDUPE_DAYS", 1, 3_650).unwrap_or(30),
        auto_migrate: reader.truth("AUTO_MIGRATE").unwrap_or(true),
        chunk_days: reader.number("CHUNK_DAYS", 1, 366).unwrap_or(7),
        retention_days: retention_days(reader),
    }
}

/// `RETENTION_DAYS`; asked for twice in one start, it is told once.
pub(super) fn retention_days(reader: &mut Reader<'_>) -> Option<u32> {
    reader.number("RETENTION_DAYS", 0, 36_500)
}

/// Beginnings of paths that have an answer already.
const TAKEN: [&str; 5] = ["api", "collect", "health", "metrics", "realtime"];

/// `TRACKER_PATH`.
pub(super) fn tracker_path(reader: &mut Reader<'_>) -> Option<String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    let named = |part: &str| part.bytes().all(plain) && part.bytes().any(|byte| byte != b'.');
    let path = |text: &str| {
        let mut parts = text.strip_prefix('/')?.split('/');
        let fits = parts.clone().all(named) && parts.next().is_some_and(|first| !TAKEN.contains(&first));
        (fits && text.len() <= 128).then(|| text.to_owned())
    };
    let allowed = "a path as /js/s.js: parts of [A-Za-z0-9._-], at most 128 characters, not below /api, /collect, /health, \
                   /metrics or /realtime";
    reader.read("TRACKER_PATH", path, allowed)
}

/// `WRITE_KEYS`.
pub(super) fn write_keys(reader: &mut Reader<'_>) -> WriteKeys {
    reader.try_read("WRITE_KEYS", WriteKeys::parse).unwrap_or_else(WriteKeys::none)
}

/// `API_KEYS`, which know the write keys apart; `None` where there are none.
pub(super) fn read_keys(reader: &mut Reader<'_>, write_keys: &WriteKeys) -> Option<ReadKeys> {
    let keys = reader.try_read("API_KEYS", ReadKeys::parse)?;
    if keys.shares_a_key_with(write_keys) {
        reader
            .fault("API_KEYS and WRITE_KEYS hold the same key; a key that pages send with must not be one that reads");
    }
    Some(keys.with_write_keys(write_keys))
}

/// `API_KEYS` of a role that needs some.
pub(super) fn required_keys(reader: &mut Reader<'_>, role: Role) -> Option<ReadKeys> {
    let write_keys = write_keys(reader);
    if reader.text("API_KEYS").is_none() {
        let why =
            format!("the {role} role answers nobody without one; write key or key:project:scope, comma-separated");
        reader.missing("API_KEYS", &why);
    }
    read_keys(reader, &write_keys)
}

/// The queue: SQS where `SQS_QUEUE_URL` is set, else Redis; `why` says what it is for. A function has no other than SQS: a
/// connection to Redis would be frozen with it.
pub(super) fn queue(reader: &mut Reader<'_>, redis: Option<&RedisConfig>, why: &str) -> Option<QueueConfig> {
    if let Some(url) = sqs_queue_url(reader) {
        return Some(QueueConfig::Sqs(url));
    }
    if reader.text("SQS_QUEUE_URL").is_some() {
        return None;
    }
    if is_lambda(reader) {
        let form = "https://sqs.REGION.amazonaws.com/ACCOUNT/NAME";
        reader.missing("SQS_QUEUE_URL", &format!("{why}, and as a Lambda function it takes no other queue ({form})"));
        return None;
    }
    if reader.text("REDIS_URL").is_none() {
        reader
            .missing("REDIS_URL", &format!("{why} (redis://host:6379); or set SQS_QUEUE_URL, where the queue is SQS"));
    }
    redis.cloned().map(QueueConfig::Redis)
}

/// `SQS_QUEUE_URL`.
pub(super) fn sqs_queue_url(reader: &mut Reader<'_>) -> Option<String> {
    url(reader, "SQS_QUEUE_URL", &["https", "http"], true)
}

/// Refuses what other roles know and this one would pass over in silence.
pub(super) fn refuse_sqs(reader: &mut Reader<'_>) {
    if reader.names().any(|name| name == "SQS_QUEUE_URL") {
        reader.fault(
            "analytics has a queue of its own, and SQS_QUEUE_URL is set; unset it, or run collector and processor, which take it",
        );
    }
}

fn is_lambda(reader: &Reader<'_>) -> bool {
    reader.names().any(|name| name == RUNTIME_API)
}
