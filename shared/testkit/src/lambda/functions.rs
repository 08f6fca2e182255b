//! The serverless form: functions under the emulator, SQS between them.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{FunctionInstance, Gateway, LambdaEmulator, Poller, PollerOptions};
use crate::redis::{RedisOptions, RedisServer};
use crate::sqs::SqsServer;
use crate::{Result, TestkitError};

/// The functions, each with its program and how many instances of it run.
const FUNCTIONS: [(&str, &str, usize); 4] =
    [("collector", "collector", 3), ("api", "api", 4), ("processor", "processor", 1), ("maintenance", "processor", 1)];

/// Seconds after which a message that was not deleted comes again: short, so that tests need not wait long.
const VISIBILITY_SECONDS: &str = "5";

/// Bytes of a message at most: less than a body may have, so that large batches are split.
const MESSAGE_BYTES: &str = "262144";

/// How long both functions may take to say that they are healthy.
const START_LIMIT: Duration = Duration::from_secs(60);

/// Running functions and all that they need beside a database, ended when dropped.
#[derive(Debug)]
pub struct Functions {
    /// What invokes the processor.
    pub poller: Poller,
    /// The HTTP API of the collector.
    pub collector: Gateway,
    /// The HTTP API of the api.
    pub api: Gateway,
    /// Every instance with its function's name.
    pub instances: Vec<(&'static str, FunctionInstance)>,
    /// Where the queue is, to put other things into it.
    pub sqs: Arc<SqsServer>,
    /// The queue.
    pub queue_url: String,
    // Last: what they speak to.
    _cache: RedisServer,
    _emulator: LambdaEmulator,
}

impl Functions {
    /// Starts everything under an emulator and on a database, and waits until both functions that serve clients are healthy; `find` says where the
    /// program of a name is.
    ///
    /// # Errors
    /// Where a server or a function does not come up; the error holds the end of its log.
    pub fn start(
        emulator: LambdaEmulator,
        database_url: &str,
        variables: &[(String, String)],
        find: impl Fn(&'static str) -> Result<PathBuf>,
    ) -> Result<Self> {
        let sqs = Arc::new(SqsServer::start()?);
        let attributes = [
            ("VisibilityTimeout", VISIBILITY_SECONDS),
            ("MessageRetentionPeriod", "1209600"),
            ("MaximumMessageSize", MESSAGE_BYTES),
        ];
        let (queue_url, _) = sqs.create_queue_with_dead_letters("events", 100, &attributes)?;
        let cache = RedisServer::start(RedisOptions::default())?;
        let mut all = variables.to_vec();
        let own = [
            ("AWS_REGION", SqsServer::REGION),
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
            ("AWS_ENDPOINT_URL", &sqs.endpoint()),
            ("SQS_QUEUE_URL", &queue_url),
            ("DATABASE_URL", database_url),
            // Without it each instance would keep answers for itself.
            ("CACHE_REDIS_URL", &cache.url()),
        ];
        all.extend(own.map(|(name, value)| (name.to_owned(), value.to_owned())));
        let mut instances = Vec::new();
        // The processor first: it makes the schema.
        for (function, binary, count) in FUNCTIONS.into_iter().rev() {
            for _ in 0..count {
                instances.push((function, FunctionInstance::start(&emulator, function, &find(binary)?, &all)?));
            }
        }
        let poller = Poller::start(&sqs, &queue_url, &emulator, PollerOptions { doubled: 5, shuffled: true, kept: 4 });
        let gateway = |function| {
            Gateway::start(&emulator, function)
                .map_err(|source| TestkitError::Io { what: format!("open a gateway for {function}"), source })
        };
        let (collector, api) = (gateway("collector")?, gateway("api")?);
        let functions = Self { poller, collector, api, instances, sqs, queue_url, _cache: cache, _emulator: emulator };
        functions.wait_healthy()?;
        Ok(functions)
    }

    /// Waits until collector and api say that they are healthy.
    ///
    /// # Errors
    /// Where one of them is not in time; the error holds the end of its log.
    pub fn wait_healthy(&self) -> Result<()> {
        for (name, gateway) in [("collector", &self.collector), ("api", &self.api)] {
            let started = Instant::now();
            while !is_healthy(&gateway.url()) {
                if started.elapsed() > START_LIMIT {
                    let logs: Vec<String> = self.logs().map(|(name, log)| format!("--- {name}\n{log}")).collect();
                    let detail = format!("not healthy after {START_LIMIT:?}:\n{}", logs.join("\n"));
                    return Err(TestkitError::Failed { program: name.to_owned(), detail });
                }
                std::thread::sleep(Duration::from_millis(50));
            }
        }
        Ok(())
    }

    /// Kills every instance of a function at once, whatever it is doing.
    pub fn kill9(&mut self, function: &str) {
        self.instances.iter_mut().filter(|(name, _)| *name == function).for_each(|(_, instance)| instance.kill9());
    }

    /// Starts every instance of a function again.
    ///
    /// # Errors
    /// Where one cannot be started.
    pub fn restart(&mut self, function: &str) -> Result<()> {
        let instances = self.instances.iter_mut().filter(|(name, _)| *name == function);
        instances.map(|(_, instance)| instance).try_for_each(FunctionInstance::restart)
    }

    /// Each instance's function and log.
    pub fn logs(&self) -> impl Iterator<Item = (&'static str, String)> {
        self.instances.iter().map(|(name, instance)| (*name, instance.log()))
    }
}

/// Whether `/health` answers 200.
fn is_healthy(url: &str) -> bool {
    let ask = || {
        let address: SocketAddr = url.strip_prefix("http://")?.parse().ok()?;
        let mut stream = TcpStream::connect(address).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(30))).ok()?;
        stream.write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n").ok()?;
        let mut head = [0; 12];
        stream.read_exact(&mut head).ok()?;
        (&head == b"HTTP/1.1 200").then_some(())
    };
    ask().is_some()
}
