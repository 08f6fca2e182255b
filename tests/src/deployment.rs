//! Deployment forms, started from the built programs.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use analytics_testkit::TestkitError;
use analytics_testkit::lambda::{Functions, LambdaEmulator};
use analytics_testkit::postgres::{Database, Edition, database};
use analytics_testkit::redis::{RedisOptions, RedisServer};
use analytics_testkit::role::{Role, RoleOptions, program};

use crate::tenant::Tenant;

/// Projects of a shared deployment: more than there are cases.
const PROJECTS: usize = 300;

/// A way of running the system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `analytics serve`: one process, embedded queue and store.
    Single,
    /// Collector, processor, api and realtime on Redis and PostgreSQL 17 with TimescaleDB.
    FourRoles,
    /// The same on PostgreSQL 15 without TimescaleDB.
    FourRolesPlain,
    /// Collector, processor and api as functions on SQS and PostgreSQL 17 with TimescaleDB; no realtime.
    Serverless,
    /// What runs already behind a door with TLS, as `cargo xtask compose-check` brings it up: [`DOOR`] says where.
    Door,
}

/// The variable with the URL of the door, `https://localhost:PORT`.
pub const DOOR: &str = "ANALYTICS_DOOR";

/// The variable with the file of the certificate that the door shows.
pub const DOOR_CERTIFICATE: &str = "ANALYTICS_DOOR_CERTIFICATE";

impl Form {
    /// Every form that is started here.
    pub const ALL: [Self; 4] = [Self::Single, Self::FourRoles, Self::FourRolesPlain, Self::Serverless];

    fn edition(self) -> Option<Edition> {
        match self {
            Self::Single | Self::Door => None,
            Self::FourRoles | Self::Serverless => Some(Edition::Timescale17),
            Self::FourRolesPlain => Some(Edition::Plain15),
        }
    }
}

/// What a deployment is given.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Whether `WRITE_KEYS` and `API_KEYS` are set; with neither only [`Form::Single`] starts.
    pub keys: bool,
    /// Variables of every role.
    pub variables: Vec<(String, String)>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { keys: true, variables: Vec::new() }
    }
}

impl Settings {
    /// Sets a variable for every role.
    #[must_use]
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Every variable, keys included.
    fn all(&self) -> Vec<(String, String)> {
        let mut all = self.variables.clone();
        if self.keys {
            all.push(("API_KEYS".to_owned(), read_keys()));
            all.push(("WRITE_KEYS".to_owned(), write_keys()));
        }
        all
    }

    /// Starts without any key.
    #[must_use]
    pub fn without_keys(mut self) -> Self {
        self.keys = false;
        self
    }
}

/// The processes of a deployment, in the order in which they end.
#[derive(Debug)]
pub struct Parts {
    /// `collector`, `processor`, `api`, `realtime`, or `analytics` alone.
    pub roles: Vec<(&'static str, Role)>,
    /// The functions, their queue and what invokes them.
    pub functions: Option<Functions>,
    /// The Redis of the four roles.
    pub redis: Option<RedisServer>,
    /// The database of the four roles and of the functions.
    pub database: Option<Database>,
}

/// A running deployment, ended when dropped.
#[derive(Debug)]
pub struct Deployment {
    form: Form,
    collector: String,
    api: String,
    realtime: String,
    all: Vec<(&'static str, String)>,
    keys: bool,
    certificate: Option<Vec<u8>>,
    next: AtomicUsize,
    parts: Mutex<Parts>,
}

impl Deployment {
    /// The deployment of `form` that all cases of this process share.
    ///
    /// # Panics
    /// Where it does not start: each case then fails with the reason, without trying again.
    #[must_use]
    pub fn shared(form: Form) -> &'static Self {
        static SINGLE: OnceLock<Result<Deployment, String>> = OnceLock::new();
        static FOUR_ROLES: OnceLock<Result<Deployment, String>> = OnceLock::new();
        static PLAIN: OnceLock<Result<Deployment, String>> = OnceLock::new();
        static SERVERLESS: OnceLock<Result<Deployment, String>> = OnceLock::new();
        static DOOR: OnceLock<Result<Deployment, String>> = OnceLock::new();
        let cell = match form {
            Form::Single => &SINGLE,
            Form::FourRoles => &FOUR_ROLES,
            Form::FourRolesPlain => &PLAIN,
            Form::Serverless => &SERVERLESS,
            Form::Door => &DOOR,
        };
        let started = cell.get_or_init(|| Self::start(form, &Settings::default()).map_err(|error| error.to_string()));
        started.as_ref().unwrap_or_else(|error| panic!("{form:?} does not start: {error}"))
    }

    /// Starts a deployment of its own: for cases that change or break it.
    ///
    /// # Errors
    /// Where a server or a program does not come up; the error holds the end of its log.
    pub fn start(form: Form, settings: &Settings) -> analytics_testkit::Result<Self> {
        match form {
            Form::Serverless => return Self::start_functions(settings),
            Form::Door => return Self::behind_the_door(),
            Form::Single | Form::FourRoles | Form::FourRolesPlain => {}
        }
        let mut parts = Parts { roles: Vec::new(), functions: None, redis: None, database: None };
        let options = |arguments: &[&str]| {
            let mut options = RoleOptions::new();
            for argument in arguments {
                options = options.argument(*argument);
            }
            settings.all().iter().fold(options, |options, (name, value)| options.variable(name, value))
        };
        if let Some(edition) = form.edition() {
            let redis = RedisServer::start(RedisOptions::default())?;
            let database = database(edition)?;
            let with_servers = |options: RoleOptions| {
                options.variable("REDIS_URL", redis.url()).variable("DATABASE_URL", database.url())
            };
            for name in ["processor", "collector", "api", "realtime"] {
                let port = if name == "processor" { "METRICS_PORT" } else { "PORT" };
                let role = Role::spawn(&program(name)?, with_servers(options(&[])).port_in(port))?;
                parts.roles.push((name, role));
            }
            parts.redis = Some(redis);
            parts.database = Some(database);
        } else {
            let options = options(&["serve"]).variable("DATA_DIR", "data");
            parts.roles.push(("analytics", Role::spawn(&program("analytics")?, options)?));
        }
        for (_, role) in &mut parts.roles {
            role.wait_ready()?;
        }
        let url = |wanted: &str| {
            let found = parts.roles.iter().find(|(name, _)| *name == wanted || *name == "analytics");
            found.map(|(_, role)| role.url()).unwrap_or_default()
        };
        let (collector, api, realtime) = (url("collector"), url("api"), url("realtime"));
        let all = parts.roles.iter().map(|(name, role)| (*name, role.url())).collect();
        let keys = settings.keys;
        Ok(Self {
            form,
            collector,
            api,
            realtime,
            all,
            keys,
            certificate: None,
            next: AtomicUsize::new(0),
            parts: Mutex::new(parts),
        })
    }

    /// What others have started, with the keys of the suite ([`Settings::default`]): none of its parts can be broken from here.
    fn behind_the_door() -> analytics_testkit::Result<Self> {
        let set = |name: &str| {
            let unset = |_| TestkitError::Failed {
                program: "the deployment behind the door".to_owned(),
                detail: format!("{name} is not set: `cargo xtask compose-check` sets it"),
            };
            std::env::var(name).map_err(unset)
        };
        let (url, file) = (set(DOOR)?, set(DOOR_CERTIFICATE)?);
        let unread = |source| TestkitError::Io { what: format!("read {file}"), source };
        let certificate = std::fs::read(&file).map_err(unread)?;
        Ok(Self {
            form: Form::Door,
            collector: url.clone(),
            api: url.clone(),
            realtime: url.clone(),
            all: vec![("door", url)],
            keys: true,
            certificate: Some(certificate),
            next: AtomicUsize::new(0),
            parts: Mutex::new(Parts { roles: Vec::new(), functions: None, redis: None, database: None }),
        })
    }

    fn start_functions(settings: &Settings) -> analytics_testkit::Result<Self> {
        let database = database(Edition::Timescale17)?;
        let functions = Functions::start(LambdaEmulator::start()?, &database.url(), &settings.all(), program)?;
        let (collector, api) = (functions.collector.url(), functions.api.url());
        let all = vec![("collector", collector.clone()), ("api", api.clone())];
        let parts = Parts { roles: Vec::new(), functions: Some(functions), redis: None, database: Some(database) };
        Ok(Self {
            form: Form::Serverless,
            // Nobody serves it; both functions say so.
            realtime: api.clone(),
            collector,
            api,
            all,
            keys: settings.keys,
            certificate: None,
            next: AtomicUsize::new(0),
            parts: Mutex::new(parts),
        })
    }

    /// Its form.
    #[must_use]
    pub fn form(&self) -> Form {
        self.form
    }

    /// Each role's name and URL.
    #[must_use]
    pub fn roles(&self) -> &[(&'static str, String)] {
        &self.all
    }

    /// Its processes, to break them.
    pub fn parts(&self) -> MutexGuard<'_, Parts> {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A project that no other case has.
    ///
    /// # Panics
    /// Where all are given out.
    #[must_use]
    pub fn tenant(&'static self) -> Tenant {
        self.owned_tenant()
    }

    /// A project of a deployment of the case's own.
    ///
    /// # Panics
    /// Where all are given out.
    #[must_use]
    pub fn owned_tenant(&self) -> Tenant {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        assert!(number < PROJECTS, "all {PROJECTS} projects are given out");
        self.tenant_number(number)
    }

    /// The project with a number: the same name and keys in every form.
    #[must_use]
    pub fn tenant_number(&self, number: usize) -> Tenant {
        let keyed = |key: String| if self.keys { key } else { String::new() };
        let tenant = Tenant::new(
            if self.keys { project(number) } else { "default".to_owned() },
            [keyed(write_key(number)), keyed(read_key(number)), keyed(admin_key(number))],
            [self.collector.clone(), self.api.clone(), self.realtime.clone()],
        );
        match &self.certificate {
            Some(certificate) => tenant.trusting(certificate),
            None => tenant,
        }
    }

    /// All that the roles have logged.
    #[must_use]
    pub fn whole_logs(&self) -> String {
        let parts = self.parts();
        let roles = parts.roles.iter().map(|(_, role)| role.log());
        let functions = parts.functions.iter().flat_map(Functions::logs).map(|(_, log)| log);
        roles.chain(functions).collect()
    }

    /// The end of each role's log, for a failure's message.
    #[must_use]
    pub fn logs(&self) -> String {
        let tail = |log: String| {
            let lines: Vec<_> = log.lines().rev().take(10).collect();
            lines.into_iter().rev().collect::<Vec<_>>().join("\n")
        };
        let parts = self.parts();
        let roles = parts.roles.iter().map(|(name, role)| (*name, role.log()));
        let functions = parts.functions.iter().flat_map(Functions::logs);
        roles.chain(functions).map(|(name, log)| format!("--- {name}\n{}\n", tail(log))).collect()
    }
}

fn project(number: usize) -> String {
    format!("project-{number:03}")
}

fn write_key(number: usize) -> String {
    format!("write-key-of-{number:03}")
}

fn read_key(number: usize) -> String {
    format!("reading-key-of-{number:03}")
}

fn admin_key(number: usize) -> String {
    format!("admin-key-of-{number:03}")
}

fn write_keys() -> String {
    let keys: Vec<_> = (0..PROJECTS).map(|number| format!("{}:{}", write_key(number), project(number))).collect();
    keys.join(",")
}

fn read_keys() -> String {
    let both = |number| {
        let project = project(number);
        format!("{}:{project}:read,{}:{project}:admin", read_key(number), admin_key(number))
    };
    (0..PROJECTS).map(both).collect::<Vec<_>>().join(",")
}
