//! The settings of each role, typed.

use std::path::PathBuf;

use super::parts::{
    self, Common, DatabaseConfig, HttpConfig, IntakeConfig, QueueConfig, RedisConfig, Shared, SpreadConfig, WorkConfig,
    cache_url, database, intake, read_keys, redis, required_keys, retention_days, tracker_path, work,
};
use super::reading::{ConfigError, Reader, Variables};
use super::role::Role;
use crate::cors::Origins;
use crate::keys::ReadKeys;

/// The settings of one role.
pub trait RoleConfig: Sized {
    /// Whose settings these are.
    const ROLE: Role;

    /// What every role is told.
    fn common(&self) -> &Common;

    /// How it listens.
    fn http(&self) -> &HttpConfig;

    /// Takes the settings from a reader; `None` where one that is needed is missing or wrong.
    fn take(reader: &mut Reader<'_>) -> Option<Self>;

    /// Reads the settings.
    ///
    /// # Errors
    /// [`ConfigError`] with everything that is wrong.
    fn read(variables: &Variables) -> Result<Self, ConfigError> {
        let mut reader = Reader::new(variables);
        let settings = Self::take(&mut reader);
        reader.finish(settings)
    }
}

/// The settings of `collector`.
#[derive(Debug, Clone)]
pub struct CollectorConfig {
    /// What every role is told.
    pub common: Common,
    /// How it listens.
    pub http: HttpConfig,
    /// Where events go.
    pub queue: QueueConfig,
    /// How events are taken.
    pub intake: IntakeConfig,
    /// How they lie in Redis.
    pub spread: SpreadConfig,
}

/// The settings of `processor`.
#[derive(Debug, Clone)]
pub struct ProcessorConfig {
    /// What every role is told.
    pub common: Common,
    /// Where health and metrics are.
    pub http: HttpConfig,
    /// Where events come from.
    pub queue: QueueConfig,
    /// Where the live feed is, and the queue, where that is not SQS. Without it nobody is told live of what was stored.
    pub redis: Option<RedisConfig>,
    /// The store.
    pub database: DatabaseConfig,
    /// How events are processed.
    pub work: WorkConfig,
}

/// The settings of `api`.
#[derive(Clone)]
pub struct ApiConfig {
    /// What every role is told.
    pub common: Common,
    /// How it listens.
    pub http: HttpConfig,
    /// The queue's server, asked for what is in flight, and the cache where it has none of its own.
    pub redis: Option<RedisConfig>,
    /// `SQS_QUEUE_URL`: asked for what is in flight, where the queue is SQS.
    pub sqs_queue_url: Option<String>,
    /// `CACHE_REDIS_URL`.
    pub cache_url: Option<String>,
    /// The store.
    pub database: DatabaseConfig,
    /// Who may ask.
    pub keys: ReadKeys,
    /// `TRACKER_PATH`: where the script of web pages is too.
    pub tracker_path: Option<String>,
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
    /// `TRACKER_PATH`: where the script of web pages is too.
    pub tracker_path: Option<String>,
}

/// Says nothing of the URLs: they can hold passwords.
impl std::fmt::Debug for ApiConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ApiConfig")
            .field("common", &self.common)
            .field("http", &self.http)
            .field("redis", &self.redis)
            .field("own_cache", &self.cache_url.is_some())
            .field("database", &self.database)
            .field("keys", &self.keys)
            .field("tracker_path", &self.tracker_path)
            .field("retention_days", &self.retention_days)
            .finish()
    }
}

impl RoleConfig for CollectorConfig {
    const ROLE: Role = Role::Collector;

    fn common(&self) -> &Common {
        &self.common
    }

    fn http(&self) -> &HttpConfig {
        &self.http
    }

    fn take(reader: &mut Reader<'_>) -> Option<Self> {
        let Shared { mut common, http } = Shared::read(reader, Self::ROLE);
        let redis = redis(reader, None);
        let queue = parts::queue(reader, redis.as_ref(), "the collector puts events on its queue there");
        let intake = intake(reader, &mut common);
        if intake.write_keys.is_required_only() && matches!(queue, Some(QueueConfig::Sqs(_))) {
            reader.fault(
                "WRITE_KEYS is required, and a collector on SQS knows no other keys than those of WRITE_KEYS: it would refuse \
                 everything; write key:project, comma-separated",
            );
        }
        let spread = parts::spread(reader);
        Some(Self { common, http, queue: queue?, intake, spread })
    }
}

impl RoleConfig for ProcessorConfig {
    const ROLE: Role = Role::Processor;

    fn common(&self) -> &Common {
        &self.common
    }

    fn http(&self) -> &HttpConfig {
        &self.http
    }

    fn take(reader: &mut Reader<'_>) -> Option<Self> {
        let Shared { common, http } = Shared::read(reader, Self::ROLE);
        let redis = redis(reader, None);
        let queue = parts::queue(reader, redis.as_ref(), "the processor takes events from the queue there");
        let database = database(reader, Role::Processor, Some("the processor stores events there"));
        let work = work(reader);
        Some(Self { common, http, queue: queue?, redis, database: database?, work })
    }
}

impl RoleConfig for ApiConfig {
    const ROLE: Role = Role::Api;

    fn common(&self) -> &Common {
        &self.common
    }

    fn http(&self) -> &HttpConfig {
        &self.http
    }

    fn take(reader: &mut Reader<'_>) -> Option<Self> {
        let Shared { common, http } = Shared::read(reader, Self::ROLE);
        let redis = redis(reader, None);
        let sqs_queue_url = parts::sqs_queue_url(reader);
        let cache_url = cache_url(reader);
        let database = database(reader, Role::Api, Some("the api answers from it"));
        let keys = required_keys(reader, Role::Api);
        let tracker_path = tracker_path(reader);
        let retention_days = retention_days(reader);
        Some(Self {
            common,
            http,
            redis,
            sqs_queue_url,
            cache_url,
            database: database?,
            keys: keys?,
            tracker_path,
            retention_days,
        })
    }
}

impl RoleConfig for RealtimeConfig {
    const ROLE: Role = Role::Realtime;

    fn common(&self) -> &Common {
        &self.common
    }

    fn http(&self) -> &HttpConfig {
        &self.http
    }

    fn take(reader: &mut Reader<'_>) -> Option<Self> {
        let Shared { common, http } = Shared::read(reader, Self::ROLE);
        let redis = redis(reader, Some("realtime hears there of stored events"));
        let database = database(reader, Role::Realtime, None);
        let keys = required_keys(reader, Role::Realtime);
        let retention_days = retention_days(reader);
        Some(Self { common, http, redis: redis?, database, keys: keys?, retention_days })
    }
}

impl RoleConfig for StandaloneConfig {
    const ROLE: Role = Role::Analytics;

    fn common(&self) -> &Common {
        &self.common
    }

    fn http(&self) -> &HttpConfig {
        &self.http
    }

    fn take(reader: &mut Reader<'_>) -> Option<Self> {
        let Shared { mut common, mut http } = Shared::read(reader, Self::ROLE);
        parts::refuse_sqs(reader);
        let data_dir = PathBuf::from(reader.text("DATA_DIR").unwrap_or("./data"));
        let database = database(reader, Role::Analytics, None);
        let intake = intake(reader, &mut common);
        let work = work(reader);
        let tracker_path = tracker_path(reader);
        let keys = if reader.text("API_KEYS").is_some() {
            read_keys(reader, &intake.write_keys)
        } else {
            refuse_without_keys(reader, &common, &http);
            // Without keys no web page may ask, so no CORS header is ever sent; `/collect` gets its own.
            http.origins = Origins::Nobody;
            Some(ReadKeys::open_on_loopback().with_write_keys(&intake.write_keys))
        };
        Some(Self { common, http, data_dir, database, intake, work, keys: keys?, tracker_path })
    }
}

fn refuse_without_keys(reader: &mut Reader<'_>, common: &Common, http: &HttpConfig) {
    if !http.host.is_loopback() {
        reader.fault(format!(
            "HOST is {} and API_KEYS is not set: anybody who reaches it could read and erase; set API_KEYS, or leave HOST at \
             127.0.0.1",
            http.host
        ));
    }
    if common.production {
        reader.fault("API_KEYS is not set, and APP_ENV=production needs at least one; write key or key:project:scope");
    }
}
