//! The system under test: programs and servers that can be killed one by one.

use std::path::{Path, PathBuf};

use analytics_testkit::lambda::{Functions, LambdaEmulator};
use analytics_testkit::postgres::{Edition, PostgresOptions, PostgresServer};
use analytics_testkit::redis::{AppendFsync, RedisOptions, RedisServer};
use analytics_testkit::role::{Role, RoleOptions};
use analytics_testkit::{Result, TestkitError};

use crate::schedule::Victim;

/// The key that events are sent with.
pub const WRITE_KEY: &str = "the-writing-key-of-the-ledger";

/// The key that the audit reads with.
pub const READ_KEY: &str = "the-reading-key-of-the-ledger";

/// Entries of a dead processor come back after so long: the least that is allowed, to keep runs short.
const VISIBILITY_SECONDS: &str = "5";

/// A way of running the system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Form {
    /// `analytics serve`: one process, embedded queue and store.
    Single,
    /// Collector, processor and api on Redis and PostgreSQL. Realtime is left out: no event passes through it on its way
    /// into the store.
    Roles,
    /// Collector, processor and api as functions on SQS and PostgreSQL; messages come twice and out of order all the time.
    Functions,
}

impl Form {
    /// Its name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Single => "single",
            Self::Roles => "roles",
            Self::Functions => "functions",
        }
    }
}

/// Where the programs are.
#[derive(Debug, Clone)]
pub struct Programs {
    /// The folder of all of them.
    pub folder: PathBuf,
    /// Another `processor` than the folder's: a broken one, to see the ledger fail.
    pub processor: Option<PathBuf>,
}

impl Programs {
    /// All from one folder.
    #[must_use]
    pub fn of(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into(), processor: None }
    }

    fn find(&self, name: &'static str) -> Result<PathBuf> {
        let path = match &self.processor {
            Some(processor) if name == "processor" => processor.clone(),
            _ => self.folder.join(name),
        };
        if path.exists() {
            return Ok(path);
        }
        let detail = format!("{} is not there: build it (`cargo build --workspace --bins`)", path.display());
        Err(TestkitError::Failed { program: name.to_owned(), detail })
    }
}

/// A running system, ended when dropped.
#[derive(Debug)]
pub struct Deployment {
    roles: Vec<(Victim, Role)>,
    /// Never killed: no event passes through it.
    api: Option<Role>,
    functions: Option<Functions>,
    // After the roles, which would else spend their last moments on complaints.
    redis: Option<RedisServer>,
    postgres: Option<PostgresServer>,
}

impl Deployment {
    /// Starts a form and waits until everything is healthy; with roles, the queue has so many streams.
    ///
    /// # Errors
    /// Where a server or a program does not come up; the error holds the end of its log.
    pub fn start(form: Form, edition: Edition, shards: u32, programs: &Programs) -> Result<Self> {
        let mut deployment = Self { roles: Vec::new(), api: None, functions: None, redis: None, postgres: None };
        match form {
            Form::Single => {
                let options = options().argument("serve").variable("DATA_DIR", "data");
                deployment.spawn(Victim::Analytics, &programs.find("analytics")?, options)?;
            }
            Form::Roles => deployment.start_roles(edition, shards, programs)?,
            Form::Functions => deployment.start_functions(edition, programs)?,
        }
        for (_, role) in &mut deployment.roles {
            role.wait_ready()?;
        }
        if let Some(api) = &mut deployment.api {
            api.wait_ready()?;
        }
        Ok(deployment)
    }

    fn start_functions(&mut self, edition: Edition, programs: &Programs) -> Result<()> {
        let postgres = start_postgres(edition)?;
        let variables = options().variables;
        let (emulator, database_url) = (LambdaEmulator::start()?, postgres.url("ledger"));
        self.functions = Some(Functions::start(emulator, &database_url, &variables, |name| programs.find(name))?);
        self.postgres = Some(postgres);
        Ok(())
    }

    fn start_roles(&mut self, edition: Edition, shards: u32, programs: &Programs) -> Result<()> {
        let redis = RedisServer::start(RedisOptions { appendfsync: AppendFsync::Always, ..RedisOptions::default() })?;
        let postgres = start_postgres(edition)?;
        let (redis_url, database_url) = (redis.url(), postgres.url("ledger"));
        let connected = || options().variable("REDIS_URL", &*redis_url).variable("DATABASE_URL", &*database_url);
        let of_processor = connected().port_in("METRICS_PORT");
        self.spawn(Victim::Processor, &programs.find("processor")?, of_processor)?;
        let of_collector = connected().variable("DURABILITY", "durable").variable("QUEUE_SHARDS", shards.to_string());
        self.spawn(Victim::Collector, &programs.find("collector")?, of_collector)?;
        self.api = Some(Role::spawn(&programs.find("api")?, connected())?);
        self.redis = Some(redis);
        self.postgres = Some(postgres);
        Ok(())
    }

    fn spawn(&mut self, victim: Victim, program: &Path, options: RoleOptions) -> Result<()> {
        self.roles.push((victim, Role::spawn(program, options)?));
        Ok(())
    }

    /// Where `/collect` is; the same after every restart.
    #[must_use]
    pub fn collector(&self) -> String {
        if let Some(functions) = &self.functions {
            return functions.collector.url();
        }
        self.url(&[Victim::Collector, Victim::Analytics])
    }

    /// Where `/api` is.
    #[must_use]
    pub fn api(&self) -> String {
        if let Some(functions) = &self.functions {
            return functions.api.url();
        }
        self.api.as_ref().map_or_else(|| self.url(&[Victim::Analytics]), Role::url)
    }

    fn url(&self, wanted: &[Victim]) -> String {
        let found = self.roles.iter().find(|(victim, _)| wanted.contains(victim));
        found.map(|(_, role)| role.url()).unwrap_or_default()
    }

    /// Kills at once (SIGKILL).
    pub fn kill(&mut self, victim: Victim) {
        match victim {
            Victim::Redis => self.redis.iter_mut().for_each(RedisServer::kill9),
            Victim::Postgres => self.postgres.iter_mut().for_each(PostgresServer::kill9),
            _ => {
                self.functions.iter_mut().for_each(|functions| functions.kill9(victim.name()));
                self.role(victim).for_each(Role::kill9);
            }
        }
    }

    /// Starts again what was killed and waits until it is healthy.
    ///
    /// # Errors
    /// Where it does not come up.
    pub fn revive(&mut self, victim: Victim) -> Result<()> {
        match victim {
            Victim::Redis => self.redis.iter_mut().try_for_each(RedisServer::restart),
            Victim::Postgres => self.postgres.iter_mut().try_for_each(PostgresServer::restart),
            _ => {
                self.functions.iter_mut().try_for_each(|functions| functions.restart(victim.name()))?;
                self.role(victim).try_for_each(Role::restart)
            }
        }
    }

    fn role(&mut self, wanted: Victim) -> impl Iterator<Item = &mut Role> {
        self.roles.iter_mut().filter(move |(victim, _)| *victim == wanted).map(|(_, role)| role)
    }

    /// Waits until every program says that it is healthy.
    ///
    /// # Errors
    /// Where one is not within 30 s.
    pub fn wait_healthy(&mut self) -> Result<()> {
        self.functions.iter().try_for_each(Functions::wait_healthy)?;
        self.roles.iter_mut().map(|(_, role)| role).chain(&mut self.api).try_for_each(Role::wait_ready)
    }

    /// Each program's name and all that it has logged.
    #[must_use]
    pub fn logs(&self) -> Vec<(&'static str, String)> {
        let mut logs: Vec<_> = self.roles.iter().map(|(victim, role)| (victim.name(), role.log())).collect();
        logs.extend(self.api.iter().map(|role| ("api", role.log())));
        logs.extend(self.functions.iter().flat_map(Functions::logs));
        logs.extend(self.redis.iter().map(|server| ("redis", server.log())));
        logs.extend(self.postgres.iter().map(|server| ("postgres", server.log())));
        logs
    }
}

fn start_postgres(edition: Edition) -> Result<PostgresServer> {
    let durable = PostgresOptions { durable: true, ..PostgresOptions::new(edition) };
    let postgres = PostgresServer::start(durable)?;
    postgres.psql("postgres", "create database ledger")?;
    Ok(postgres)
}

fn options() -> RoleOptions {
    RoleOptions::new()
        .variable("WRITE_KEYS", format!("{WRITE_KEY}:ledger"))
        .variable("API_KEYS", format!("{READ_KEY}:ledger:admin"))
        .variable("VISIBILITY_SECONDS", VISIBILITY_SECONDS)
}
