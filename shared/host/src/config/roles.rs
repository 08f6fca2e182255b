//! The settings of each role, typed.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Duration;

use super::reading::{ConfigError, Reader, Variables};
use crate::client::TrustedProxies;
use crate::cors::Origins;
use crate::keys::{ReadKeys, WriteKeys};
use crate::telemetry::LogFormat;

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
#[derive(Debug, Clone)]
pub struct RedisConfig {
    /// `REDIS_URL`.
    pub url: String,
    /// `REDIS_KEY_PREFIX`.
    pub key_prefix: String,
}

/// How the database is used.
#[derive(Debug, Clone)]
pub struct DatabaseConfig {
    /// `DATABASE_URL`.
    pub url: String,
    /// `DATABASE_REPLICA_URL`.
    pub replica_url: Option<String>,
    /// `STATEMENT_TIMEOUT_SECONDS`.
    pub statement_timeout: Duration,
    /// `DATABASE_STATEMENT_CACHE`.
    pub statement_cache: bool,
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
    /// `RETENTION_DAYS`; none: not said.
    pub retention_days: Option<u32>,
}

/// The settings of `collector`.
#[derive(Debug, Clone)]
pub struct CollectorConfig {
    /// What every role is told.
    pub common: Common,
    /// How it listens.
    pub http: HttpConfig,
    /// The queue's server.
    pub redis: RedisConfig,
    /// How events are taken.
    pub intake: IntakeConfig,
}

/// The settings of `processor`.
#[derive(Debug, Clone)]
pub struct ProcessorConfig {
    /// What every role is told.
    pub common: Common,
    /// Where health and metrics are.
    pub http: HttpConfig,
    /// The queue's server.
    pub redis: RedisConfig,
    /// The store.
    pub database: DatabaseConfig,
    /// How events are processed.
    pub work: WorkConfig,
}

/// The settings of `api`.
#[derive(Debug, Clone)]
pub struct ApiConfig {
    /// What every role is told.
    pub common: Common,
    /// How it listens.
    pub http: HttpConfig,
    /// The queue's server, asked for what is in flight, and the cache where it has none of its own.
    pub redis: Option<RedisConfig>,
    /// `CACHE_REDIS_URL`.
    pub cache_url: Option<String>,
    /// The store.
    pub database: DatabaseConfig,
    /// Who may ask.
    pub keys: ReadKeys,
    /// `RETENTION_DAYS`; none: what the store was last given.
    pub retention_days: Option<u32>,
}

/// The settings of `realtime`.
#[derive(Debug, Clone)]
pub struct RealtimeConfig {
    /// What every role is told.
    pub common: Common,
    /// How it listens.
    pub http: HttpConfig,
    /// The feed's server.
    pub redis: RedisConfig,
    /// The store, for live questions.
    pub database: Option<DatabaseConfig>,
    /// Who may ask.
    pub keys: ReadKeys,
    /// `RETENTION_DAYS`; none: what the store was last given.
    pub retention_days: Option<u32>,
}

/// The settings of `analytics`.
#[derive(Debug, Clone)]
pub struct StandaloneConfig {
    /// What every role is told.
    pub common: Common,
    /// How it listens.
    pub http: HttpConfig,
    /// `DATA_DIR`.
    pub data_dir: PathBuf,
    /// The store, where it is not SQLite in the folder.
    pub database: Option<DatabaseConfig>,
    /// How events are taken.
    pub intake: IntakeConfig,
    /// How events are processed.
    pub work: WorkConfig,
    /// Who may ask.
    pub keys: ReadKeys,
}

impl CollectorConfig {
    /// Reads the settings.
    ///
    /// # Errors
    /// [`ConfigError`] with everything that is wrong.
    pub fn read(variables: &Variables) -> Result<Self, ConfigError> {
        let mut reader = Reader::new(variables);
        let mut common = common(&mut reader);
        let http = http(&mut reader, "PORT", 4001, Ipv4Addr::UNSPECIFIED);
        let redis = redis(&mut reader, "the collector puts events on its queue there (redis://host:6379)");
        let intake = intake(&mut reader);
        warn_open_intake(&mut common, &http, &intake);
        reader.finish(Self { common, http, redis, intake })
    }
}

impl ProcessorConfig {
    /// Reads the settings.
    ///
    /// # Errors
    /// [`ConfigError`] with everything that is wrong.
    pub fn read(variables: &Variables) -> Result<Self, ConfigError> {
        let mut reader = Reader::new(variables);
        let common = common(&mut reader);
        let http = http(&mut reader, "METRICS_PORT", 4004, Ipv4Addr::UNSPECIFIED);
        let redis = redis(&mut reader, "the processor takes events from its queue (redis://host:6379)");
        let database = database(&mut reader, Some("the processor stores events there (postgres://user@host/database)"));
        let work = work(&mut reader);
        reader.finish(()).map(|()| database)?.map_or_else(
            || Err(ConfigError { faults: vec!["DATABASE_URL is not set".into()] }),
            |database| Ok(Self { common, http, redis, database, work }),
        )
    }
}

impl ApiConfig {
    /// Reads the settings.
    ///
    /// # Errors
    /// [`ConfigError`] with everything that is wrong.
    pub fn read(variables: &Variables) -> Result<Self, ConfigError> {
        let mut reader = Reader::new(variables);
        let mut common = common(&mut reader);
        let http = http(&mut reader, "PORT", 4002, Ipv4Addr::UNSPECIFIED);
        let redis = reader.text("REDIS_URL").is_some().then(|| redis(&mut reader, ""));
        let cache_url = url(&mut reader, "CACHE_REDIS_URL", &["redis://", "rediss://"]);
        let database = database(&mut reader, Some("the api answers from it (postgres://user@host/database)"));
        let keys = required_keys(&mut reader, "api");
        let retention_days = retention_days(&mut reader);
        warn_any_origin(&mut common, &http);
        let read = reader.finish(keys)?;
        match (database, read) {
            (Some(database), Some(keys)) => Ok(Self { common, http, redis, cache_url, database, keys, retention_days }),
            _ => Err(ConfigError { faults: vec!["DATABASE_URL and API_KEYS are needed".into()] }),
        }
    }
}

impl RealtimeConfig {
    /// Reads the settings.
    ///
    /// # Errors
    /// [`ConfigError`] with everything that is wrong.
    pub fn read(variables: &Variables) -> Result<Self, ConfigError> {
        let mut reader = Reader::new(variables);
        let mut common = common(&mut reader);
        let http = http(&mut reader, "PORT", 4003, Ipv4Addr::UNSPECIFIED);
        let redis = redis(&mut reader, "realtime hears there of stored events (redis://host:6379)");
        let database = database(&mut reader, None);
        let keys = required_keys(&mut reader, "realtime");
        let retention_days = retention_days(&mut reader);
        warn_any_origin(&mut common, &http);
        match reader.finish(keys)? {
            Some(keys) => Ok(Self { common, http, redis, database, keys, retention_days }),
            None => Err(ConfigError { faults: vec!["API_KEYS is needed".into()] }),
        }
    }
}

impl StandaloneConfig {
    /// Reads the settings.
    ///
    /// # Errors
    /// [`ConfigError`] with everything that is wrong.
    pub fn read(variables: &Variables) -> Result<Self, ConfigError> {
        let mut reader = Reader::new(variables);
        let mut common = common(&mut reader);
        let mut http = http(&mut reader, "PORT", 4000, Ipv4Addr::LOCALHOST);
        let data_dir = PathBuf::from(reader.text("DATA_DIR").unwrap_or("./data"));
        let database = database(&mut reader, None);
        let intake = intake(&mut reader);
        let work = work(&mut reader);
        let keys = match reader.try_read("API_KEYS", ReadKeys::parse) {
            Some(keys) => keys,
            None => {
                if !http.host.is_loopback() && reader.text("API_KEYS").is_none() {
                    reader.fault(format!("HOST is {}, and no API_KEYS are set: anybody who reaches it could read and erase; set API_KEYS, or leave HOST at 127.0.0.1", http.host));
                }
                if common.production && reader.text("API_KEYS").is_none() {
                    reader.fault("API_KEYS is not set; APP_ENV=production needs at least one key");
                }
                // Without keys no web page may ask, so no CORS header is ever sent; `/collect` gets its own.
                http.origins = Origins::Nobody;
                ReadKeys::open_on_loopback()
            }
        };
        warn_open_intake(&mut common, &http, &intake);
        let keys = keys.with_write_keys(&intake.write_keys);
        reader.finish(Self { common, http, data_dir, database, intake, work, keys })
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
    let level = |text: &str| ["error", "warn", "info", "debug", "trace"].contains(&text).then(|| text.to_owned());
    let log_level = reader.read("LOG_LEVEL", level, "error, warn, info, debug or trace").unwrap_or_else(|| "info".into());
    let format = |text: &str| match text {
        "text" => Some(LogFormat::Text),
        "json" => Some(LogFormat::Json),
        _ => None,
    };
    let log_format = reader.read("LOG_FORMAT", format, "text or json");
    Common { production, log_level, log_format, warnings: Vec::new() }
}

fn http(reader: &mut Reader<'_>, port_variable: &str, port: u16, host: Ipv4Addr) -> HttpConfig {
    let address = |text: &str| match text {
        "localhost" => Some(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        _ => text.parse().ok(),
    };
    HttpConfig {
        host: reader.read("HOST", address, "an address such as 0.0.0.0, 127.0.0.1 or ::").unwrap_or(IpAddr::V4(host)),
        port: reader.number(port_variable, 1, u16::MAX).unwrap_or(port),
        origins: reader.try_read("CORS_ORIGINS", Origins::parse).unwrap_or(Origins::Any),
        trusted_proxies: reader.try_read("TRUSTED_PROXIES", TrustedProxies::parse).unwrap_or_default(),
    }
}

fn url(reader: &mut Reader<'_>, name: &str, schemes: &[&str]) -> Option<String> {
    let known = |text: &str| schemes.iter().any(|scheme| text.starts_with(scheme)) && url::Url::parse(text).is_ok();
    let read = |text: &str| known(text).then(|| text.to_owned());
    reader.read(name, read, &format!("a URL that begins with {}", schemes.join(" or ")))
}

fn redis(reader: &mut Reader<'_>, why: &str) -> RedisConfig {
    let url = match reader.text("REDIS_URL") {
        None => reader.required("REDIS_URL", why),
        Some(_) => url(reader, "REDIS_URL", &["redis://", "rediss://"]).unwrap_or_default(),
    };
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    let prefix = |text: &str| (text.len() <= 64 && text.bytes().all(allowed)).then(|| text.to_owned());
    let key_prefix = reader.read("REDIS_KEY_PREFIX", prefix, "1 to 64 of [A-Za-z0-9_.-]");
    RedisConfig { url, key_prefix: key_prefix.unwrap_or_else(|| "analytics".into()) }
}

/// The database; with `why` it is required.
fn database(reader: &mut Reader<'_>, why: Option<&str>) -> Option<DatabaseConfig> {
    const SCHEMES: [&str; 2] = ["postgres://", "postgresql://"];
    let found = match (reader.text("DATABASE_URL"), why) {
        (None, Some(why)) => {
            reader.required("DATABASE_URL", why);
            None
        }
        (None, None) => None,
        (Some(_), _) => url(reader, "DATABASE_URL", &SCHEMES),
    };
    let replica_url = url(reader, "DATABASE_REPLICA_URL", &SCHEMES);
    let seconds = reader.number("STATEMENT_TIMEOUT_SECONDS", 1, 3_600).unwrap_or(30);
    let statement_cache = reader.truth("DATABASE_STATEMENT_CACHE").unwrap_or(true);
    let statement_timeout = Duration::from_secs(seconds);
    found.map(|url| DatabaseConfig { url, replica_url, statement_timeout, statement_cache })
}

fn intake(reader: &mut Reader<'_>) -> IntakeConfig {
    let durability = |text: &str| match text {
        "durable" => Some(true),
        "fast" => Some(false),
        _ => None,
    };
    IntakeConfig {
        write_keys: reader.try_read("WRITE_KEYS", WriteKeys::parse).unwrap_or_else(WriteKeys::none),
        rate_limit: reader.number("RATE_LIMIT", 1, u32::MAX),
        queue_max_events: reader.number("QUEUE_MAX_EVENTS", 1, u64::MAX / 4).unwrap_or(5_000_000),
        durable: reader.read("DURABILITY", durability, "durable or fast"),
        retention_days: retention_days(reader),
    }
}

fn work(reader: &mut Reader<'_>) -> WorkConfig {
    WorkConfig {
        concurrency: reader.number("CONCURRENCY", 1, 64).unwrap_or(5),
        batch_size: reader.number("BATCH_SIZE", 1, 10_000).unwrap_or(100),
        linger: Duration::from_millis(reader.number("BATCH_LINGER_MS", 0, 10_000).unwrap_or(50)),
        visibility: Duration::from_secs(reader.number("VISIBILITY_SECONDS", 5, 3_600).unwrap_or(30)),
        dedupe_days: reader.number("DEDUPE_DAYS", 1, 3_650).unwrap_or(30),
        auto_migrate: reader.truth("AUTO_MIGRATE").unwrap_or(true),
        retention_days: retention_days(reader),
    }
}

fn retention_days(reader: &mut Reader<'_>) -> Option<u32> {
    reader.number("RETENTION_DAYS", 0, 36_500)
}

fn required_keys(reader: &mut Reader<'_>, role: &str) -> Option<ReadKeys> {
    if reader.text("API_KEYS").is_none() {
        reader.required("API_KEYS", &format!("the {role} answers nobody without one; write API_KEYS=key or key:project:scope"));
        return None;
    }
    let write_keys = reader.try_read("WRITE_KEYS", WriteKeys::parse).unwrap_or_else(WriteKeys::none);
    reader.try_read("API_KEYS", ReadKeys::parse).map(|keys| keys.with_write_keys(&write_keys))
}

fn warn_any_origin(common: &mut Common, http: &HttpConfig) {
    if common.production && http.origins == Origins::Any {
        common.warnings.push("CORS_ORIGINS is *: any web page may call with a key that it knows; name your own origins".into());
    }
}

fn warn_open_intake(common: &mut Common, http: &HttpConfig, intake: &IntakeConfig) {
    warn_any_origin(common, http);
    if common.production && intake.write_keys.is_open() {
        common.warnings.push("WRITE_KEYS is not set: anybody who reaches the collector can send events to project default".into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "abcdefghijklmnop";

    fn variables(pairs: &[(&str, &str)]) -> Variables {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn every_fault_is_told_at_once_and_no_secret_is() {
        let wrong = variables(&[("PORT", "0"), ("APP_ENV", "prod"), ("REDIS_URL", "http://:hunter2@h"), ("RATE_LIMIT", "-1"), ("DURABILITY", "maybe"), ("WRITE_KEYS", "secretsecretsecret"), ("LOG_FORMAT", "xml"), ("TRUSTED_PROXIES", "x"), ("CORS_ORIGINS", "shop")]);
        let error = CollectorConfig::read(&wrong).unwrap_err();
        assert_eq!(error.faults.len(), 9, "{error}");
        let told = error.to_string();
        assert!(told.contains("PORT is \"0\"; it takes a whole number from 1 to 65535"), "{told}");
        assert!(!told.contains("hunter2") && !told.contains("secretsecret"), "{told}");
    }

    #[test]
    fn what_is_missing_is_named() {
        let faults = |error: ConfigError| error.to_string();
        assert!(faults(CollectorConfig::read(&Variables::new()).unwrap_err()).contains("REDIS_URL is not set"));
        let told = faults(ApiConfig::read(&Variables::new()).unwrap_err());
        assert!(told.contains("DATABASE_URL is not set") && told.contains("API_KEYS is not set"), "{told}");
        assert!(ProcessorConfig::read(&variables(&[("REDIS_URL", "redis://h"), ("DATABASE_URL", "postgres://h/d")])).is_ok());
    }

    #[test]
    fn two_names_of_one_setting_must_agree() {
        assert!(StandaloneConfig::read(&variables(&[("APP_ENV", "development"), ("NODE_ENV", "development")])).is_ok());
        let error = StandaloneConfig::read(&variables(&[("APP_ENV", "development"), ("NODE_ENV", "production"), ("API_KEYS", KEY)]));
        assert!(error.unwrap_err().to_string().contains("NODE_ENV"));
    }

    #[test]
    fn the_single_process_is_closed_unless_it_has_keys() {
        assert!(StandaloneConfig::read(&Variables::new()).unwrap().keys.is_open_on_loopback());
        assert!(StandaloneConfig::read(&variables(&[("HOST", "0.0.0.0")])).is_err());
        assert!(StandaloneConfig::read(&variables(&[("APP_ENV", "production")])).is_err());
        let keyed = StandaloneConfig::read(&variables(&[("HOST", "0.0.0.0"), ("API_KEYS", KEY)])).unwrap();
        assert!(!keyed.keys.is_open_on_loopback());
        assert_eq!((keyed.http.port, keyed.http.origins), (4000, Origins::Any));
    }
}
