//! `analytics doctor`: what is wrong with the set-up, and how to mend it.

mod disk;

use std::error::Error;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use analytics_host::config::{
    ApiConfig, CollectorConfig, DatabaseConfig, ProcessorConfig, QueueConfig, RealtimeConfig, RedisConfig, Role,
    RoleConfig, SpreadConfig, StandaloneConfig, Variables,
};
use analytics_messaging::redis::{RedisCache, RedisEndpoint, RedisExamination, RedisOptions, RedisQueue};
use analytics_messaging::{Cache, Durability};
use analytics_store::postgres::{PostgresOptions, PostgresStore};
use analytics_store::sqlite::{SqliteOptions, SqliteStore};
use analytics_store::{Edition, EventStore};
use clap::{Args, ValueEnum};

use self::disk::Kept;
use crate::command::Ended;
use crate::healthcheck;
use crate::output::say;
use crate::stack::{DataFolder, EVENTS, FolderError, postgres_options};

/// What is looked at.
#[derive(Debug, Args)]
pub struct DoctorOptions {
    /// Whose settings these are, comma-separated; unless said: the roles where REDIS_URL or SQS_QUEUE_URL is set, else analytics
    #[arg(long, value_name = "ROLE", value_delimiter = ',')]
    role: Vec<Patient>,
    /// How much is free on the disk of the database, such as 200GB, to be told when it is full
    #[arg(long, value_name = "SIZE", value_parser = disk::read_size)]
    disk_free: Option<u64>,
}

/// A role that can be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Patient {
    Analytics,
    Collector,
    Processor,
    Api,
    Realtime,
}

impl DoctorOptions {
    fn patients(&self, variables: &Variables) -> Vec<Patient> {
        let is_set = |name| variables.contains_key(name);
        match (is_set("REDIS_URL"), is_set("SQS_QUEUE_URL")) {
            _ if !self.role.is_empty() => self.role.clone(),
            (true, _) => vec![Patient::Collector, Patient::Processor, Patient::Api, Patient::Realtime],
            // Realtime hears of stored events by Redis only.
            (false, true) => vec![Patient::Collector, Patient::Processor, Patient::Api],
            (false, false) => vec![Patient::Analytics],
        }
    }
}

/// Looks at everything that is set and tells each finding on a line; fails where something is wrong.
pub async fn run(options: &DoctorOptions, variables: &Variables) -> Ended {
    let mut findings = Findings::default();
    let mut servers = Servers { disk_free: options.disk_free, ..Servers::default() };
    for patient in options.patients(variables) {
        match patient {
            Patient::Analytics => {
                if let Some(config) = settings::<StandaloneConfig>(&mut findings, variables) {
                    check_folder(&mut findings, &config, options.disk_free).await;
                    servers.kept = Some(Kept::in_chunks(&config.work));
                    servers.database = servers.database.or(config.database);
                }
            }
            Patient::Collector => {
                if let Some(config) = settings::<CollectorConfig>(&mut findings, variables) {
                    servers.durable = config.intake.durable == Some(true);
                    servers.spread = config.spread;
                    servers.take_queue(config.queue);
                }
            }
            Patient::Processor => {
                if let Some(config) = settings::<ProcessorConfig>(&mut findings, variables) {
                    servers.take_queue(config.queue);
                    servers.redis = servers.redis.or(config.redis);
                    servers.kept = Some(Kept::in_chunks(&config.work));
                    servers.database = Some(config.database);
                }
            }
            Patient::Api => {
                if let Some(config) = settings::<ApiConfig>(&mut findings, variables) {
                    servers.cache = config.cache_url;
                    servers.redis = servers.redis.or(config.redis);
                    servers.database = Some(config.database);
                }
            }
            Patient::Realtime => {
                if let Some(config) = settings::<RealtimeConfig>(&mut findings, variables) {
                    servers.redis = servers.redis.or(Some(config.redis));
                    servers.database = servers.database.or(config.database);
                }
            }
        }
    }
    servers.check(&mut findings).await;
    Ok(if findings.wrong == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Reads the settings of a role and tells what is wrong or risky with them.
fn settings<C: RoleConfig>(findings: &mut Findings, variables: &Variables) -> Option<C> {
    let what = format!("settings of {}", C::ROLE);
    match C::read(variables) {
        Ok(config) => {
            let place = if C::ROLE == Role::Processor { "health and metrics on" } else { "it listens on" };
            let http = config.http();
            findings.fine(&what, &format!("all can be used; {place} {}:{}", http.host, http.port));
            config.common().warnings.iter().for_each(|warning| findings.note(&what, warning));
            Some(config)
        }
        Err(error) => {
            findings.wrong(&what, &error);
            None
        }
    }
}

/// The servers that the settings name, each looked at once.
#[derive(Default)]
struct Servers {
    redis: Option<RedisConfig>,
    /// The queue, where it is SQS.
    sqs_queue_url: Option<String>,
    /// Whether the collector wants a queue that survives a power cut.
    durable: bool,
    /// Over how many streams and replicas the collector spreads it.
    spread: SpreadConfig,
    cache: Option<String>,
    database: Option<DatabaseConfig>,
    /// How long the processor keeps what is in it, where that is one of the roles.
    kept: Option<Kept>,
    /// What is free on its disk, where somebody said it.
    disk_free: Option<u64>,
}

impl Servers {
    fn take_queue(&mut self, queue: QueueConfig) {
        match queue {
            QueueConfig::Redis(redis) => self.redis = Some(redis),
            QueueConfig::Sqs(url) => self.sqs_queue_url = Some(url),
        }
    }

    async fn check(self, findings: &mut Findings) {
        if let Some(url) = &self.sqs_queue_url {
            // This program carries no part that speaks to SQS.
            findings
                .note("queue", &format!("{url} is not looked at from here: collector and processor do at their start"));
        }
        if let Some(redis) = &self.redis {
            check_queue(findings, redis, self.durable, self.spread).await;
        }
        if let Some(url) = &self.cache {
            check_cache(findings, url).await;
        }
        if let Some(database) = &self.database {
            check_database(findings, database, self.kept, self.disk_free).await;
        }
    }
}

/// Looks at the folder and leaves nothing in it.
async fn check_folder(findings: &mut Findings, config: &StandaloneConfig, disk_free: Option<u64>) {
    let path = &config.data_dir;
    let folder = path.display();
    if !path.exists() {
        // What is made is made in the nearest folder that is there.
        let parent = path.ancestors().skip(1).find(|parent| parent.exists() || parent.as_os_str().is_empty());
        let parent = parent.filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        return match can_be_written(parent) {
            Ok(()) => findings.fine("folder", &format!("{folder} is not there; it will be made at the first start")),
            Err(source) => findings.wrong("folder", &FolderError::Unusable { folder: folder.to_string(), source }),
        };
    }
    if !path.join("lock").exists() {
        return match can_be_written(path) {
            Ok(()) => findings.fine("folder", &format!("{folder} can be written, and nothing has been kept in it yet")),
            Err(source) => findings.wrong("folder", &FolderError::Unusable { folder: folder.to_string(), source }),
        };
    }
    match DataFolder::hold(path) {
        // Held on to, so that no server begins to write to a file that is read as it lies there.
        Ok(_held) => {
            findings.fine("folder", &format!("{folder} can be written, and no other process holds it"));
            check_file(findings, config, disk_free).await;
        }
        Err(FolderError::InUse { .. }) => {
            let url = format!("http://{}:{}", config.http.host, config.http.port);
            match healthcheck::ask(&url).await {
                Ok(_) => {
                    findings.fine("folder", &format!("{folder} is held by the server that answers on {url}"));
                    check_file(findings, config, disk_free).await;
                }
                Err(error) => findings.wrong("folder", &error),
            }
        }
        Err(error) => findings.wrong("folder", &error),
    }
}

/// Tells what the store's file takes and will take, where the store is one.
async fn check_file(findings: &mut Findings, config: &StandaloneConfig, disk_free: Option<u64>) {
    let path = config.data_dir.join(EVENTS);
    if config.database.is_some() || !path.exists() {
        return;
    }
    let options = SqliteOptions { only_looks: true, readers: 1, ..SqliteOptions::default() };
    let store = match SqliteStore::open(&path, options).await {
        Ok(store) => store,
        Err(error) => return findings.wrong("store", &error),
    };
    // An older schema is brought up at the next start.
    if store.check_schema().await.is_ok() {
        let free = disk_free.or_else(|| disk::free_at(&config.data_dir));
        disk::tell(findings, &store, Kept::one_by_one(&config.work), free).await;
    }
    store.close().await;
}

/// Makes a file that has no name and vanishes at once.
fn can_be_written(folder: &Path) -> std::io::Result<()> {
    tempfile::tempfile_in(folder).map(drop)
}

async fn check_queue(findings: &mut Findings, redis: &RedisConfig, durable: bool, spread: SpreadConfig) {
    let options = RedisOptions {
        key_prefix: redis.key_prefix.clone(),
        durability_required: durable,
        shards: spread.shards,
        replicas: spread.replicas,
        ..RedisOptions::new(redis.url.as_str())
    };
    let found = match RedisQueue::examine(&options).await {
        Ok(found) => found,
        Err(error) => return findings.wrong("redis", &error),
    };
    check_spread(findings, &found, spread);
    match found.durability {
        Durability::Durable => {
            findings.fine("redis", "it answers, evicts nothing, and flushes each batch before it is accepted")
        }
        Durability::Fast => findings.note(
            "redis",
            "it answers and evicts nothing; a power cut may take about the last second of accepted events: \
             set appendfsync always where that is too much",
        ),
        Durability::Unknown => findings.note(
            "redis",
            "it answers, and does not let its settings be read: see to it that it has appendonly yes and \
             maxmemory-policy noeviction",
        ),
    }
}

/// What becomes of the queue where a server dies, and how it is spread.
fn check_spread(findings: &mut Findings, found: &RedisExamination, spread: SpreadConfig) {
    let RedisExamination { address, shards, servers, replicas, .. } = found;
    if *replicas < spread.replicas {
        let error = format!(
            "{address} has {replicas} of the {} replicas that QUEUE_REPLICAS asks for, so collectors answer 503; add replicas, \
             or lower it",
            spread.replicas
        );
        findings.wrong("redis", &*Box::<dyn Error>::from(error));
    } else if found.fails_over && spread.replicas == 0 {
        findings.note(
            "redis",
            "a server that takes over may lack the last accepted events: set QUEUE_REPLICAS=1 where that is too much",
        );
    }
    if *shards > 1 {
        findings.fine("redis", &format!("the queue has {shards} streams on {servers} of its servers"));
    }
}

async fn check_cache(findings: &mut Findings, url: &str) {
    let cache = match RedisCache::new(&RedisEndpoint::from(url), "analytics") {
        Ok(cache) => cache,
        Err(error) => return findings.wrong("cache", &error),
    };
    match cache.check().await {
        Ok(()) => findings.fine("cache", "its Redis answers"),
        Err(error) => findings.wrong("cache", &error),
    }
}

async fn check_database(
    findings: &mut Findings,
    database: &DatabaseConfig,
    kept: Option<Kept>,
    disk_free: Option<u64>,
) {
    let options = PostgresOptions {
        replica_url: database.replica_url.clone(),
        replica_max_lag: database.replica_max_lag,
        watch_replica: false,
        ..postgres_options(database, 1)
    };
    let store = match PostgresStore::connect(options).await {
        Ok(store) => store,
        Err(error) => return findings.wrong("database", &error),
    };
    tell_edition(findings, &store.edition());
    if store.goes_through_a_pooler() {
        findings.note(
            "database",
            "statements do not stay prepared: a pooler in transaction mode stands in between, or DATABASE_STATEMENT_CACHE is off",
        );
    }
    match store.check_schema().await {
        Ok(()) => {
            findings.fine("schema of the database", "it is the one this build needs");
            if let Some(kept) = kept {
                disk::tell(findings, &store, kept, disk_free).await;
            }
        }
        Err(error) => findings.wrong("schema of the database", &error),
    }
    check_replica(findings, &store, database.replica_max_lag).await;
    store.close().await;
}

/// What the server is, and what it costs to lack the rest.
fn tell_edition(findings: &mut Findings, edition: &Edition) {
    match edition {
        Edition::TimescaleCommunity { version } => {
            let told = "community licence: old events are dropped by the chunk, and chunks are compressed a week after their end";
            findings.fine("database", &format!("TimescaleDB {version}, {told}"))
        }
        Edition::TimescaleApache { version } => findings.note(
            "database",
            &format!(
                "TimescaleDB {version}, Apache 2 licence: old events are dropped by the chunk; without the community licence \
                 nothing is compressed, and raw events take about five times the disk"
            ),
        ),
        Edition::Postgres { version } => findings.note(
            "database",
            &format!(
                "PostgreSQL {version} without TimescaleDB: old events are dropped by the partition; without the extension \
                 under its community licence nothing is compressed, and raw events take about five times the disk"
            ),
        ),
        Edition::Sqlite { version } => findings.fine("database", &format!("SQLite {version}")),
    }
}

/// Looks at the replica until it is near, or for as long as it may be behind.
async fn check_replica(findings: &mut Findings, store: &PostgresStore, allowed: Duration) {
    let began = Instant::now();
    while let Some(report) = store.look_at_replica().await {
        match report.left_out {
            None => {
                return findings.fine("replica", &format!("it answers, {:.0} s behind", report.lag.as_secs_f64()));
            }
            Some(reason) if began.elapsed() > allowed => return findings.wrong_because("replica", &reason),
            Some(_) => tokio::time::sleep(allowed / 4).await,
        }
    }
}

#[derive(Default)]
struct Findings {
    wrong: usize,
}

impl Findings {
    fn fine(&mut self, what: &str, sentence: &str) {
        say(format_args!("ok     {what}: {sentence}"));
    }

    fn note(&mut self, what: &str, sentence: &str) {
        say(format_args!("note   {what}: {sentence}"));
    }

    fn wrong(&mut self, what: &str, error: &(dyn Error + 'static)) {
        self.wrong_because(what, &analytics_host::failure::chain(error).to_string());
    }

    fn wrong_because(&mut self, what: &str, sentence: &str) {
        self.wrong += 1;
        say(format_args!("WRONG  {what}: {sentence}"));
    }
}
