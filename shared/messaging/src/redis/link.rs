//! One shared connection that is made anew where it fails, and never holds a caller longer than its timeout.

use std::future::Future;
use std::io;
use std::time::{Duration, Instant};

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, ErrorKind, RedisError, RedisResult, ServerErrorKind};
use tokio::sync::Mutex;

/// How long a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// How long after a failed connection the next is tried, at first and at most; in between callers hear of the failure.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

/// The connection, or why there is none.
#[derive(Debug, Default)]
struct Slot {
    connection: Option<MultiplexedConnection>,
    /// Rises with every connection, so that a late failure of an old one does not close its successor.
    generation: u64,
    failure: Option<(RedisError, Instant, Duration)>,
}

/// A way to a server that any number of tasks use at once.
#[derive(Debug)]
pub(super) struct Link {
    client: Client,
    timeout: Duration,
    slot: Mutex<Slot>,
}

impl Link {
    /// A link that is not yet connected; each call of [`Link::run`] takes at most `timeout`.
    pub(super) fn new(client: Client, timeout: Duration) -> Self {
        Self { client, timeout, slot: Mutex::new(Slot::default()) }
    }

    /// Runs `work` on the shared connection. Its outcome at the server is unknown after an IO error.
    pub(super) async fn run<T, F>(&self, work: impl FnOnce(MultiplexedConnection) -> F) -> RedisResult<T>
    where
        F: Future<Output = RedisResult<T>>,
    {
        let mut used = None;
        let attempt = async {
            let (connection, generation) = self.connection().await?;
            used = Some(generation);
            work(connection).await
        };
        let outcome = match tokio::time::timeout(self.timeout, attempt).await {
            Ok(outcome) => outcome,
            Err(_) => Err(timed_out(self.timeout)),
        };
        if let (Err(error), Some(generation)) = (&outcome, used)
            && needs_new_connection(error)
        {
            self.discard(generation).await;
        }
        outcome
    }

    /// A connection of one's own, without any timeout on answers: for reads that block at the server.
    pub(super) async fn dedicated(&self) -> RedisResult<MultiplexedConnection> {
        let config =
            AsyncConnectionConfig::new().set_connection_timeout(Some(CONNECT_TIMEOUT)).set_response_timeout(None);
        self.client.get_multiplexed_async_connection_with_config(&config).await
    }

    async fn connection(&self) -> RedisResult<(MultiplexedConnection, u64)> {
        let mut slot = self.slot.lock().await;
        if let Some(connection) = &slot.connection {
            return Ok((connection.clone(), slot.generation));
        }
        let mut pause = BACKOFF.0;
        if let Some((error, at, paused)) = &slot.failure {
            if at.elapsed() < *paused {
                return Err(error.clone());
            }
            pause = (*paused * 2).min(BACKOFF.1);
        }
        // Timed from outside: one limit over connecting and asking.
        let config =
            AsyncConnectionConfig::new().set_connection_timeout(Some(CONNECT_TIMEOUT)).set_response_timeout(None);
        match self.client.get_multiplexed_async_connection_with_config(&config).await {
            Ok(connection) => {
                slot.generation += 1;
                slot.failure = None;
                slot.connection = Some(connection.clone());
                Ok((connection, slot.generation))
            }
            Err(error) => {
                slot.failure = Some((error.clone(), Instant::now(), pause));
                Err(error)
            }
        }
    }

    async fn discard(&self, generation: u64) {
        let mut slot = self.slot.lock().await;
        if slot.generation == generation {
            slot.connection = None;
        }
    }
}

/// An answer that did not come in time, as the driver's own error.
pub(super) fn timed_out(limit: Duration) -> RedisError {
    io::Error::new(io::ErrorKind::TimedOut, format!("the server did not answer within {limit:?}")).into()
}

/// Whether the connection is of no more use: broken, silent, or to a server that no longer takes writes.
pub(super) fn needs_new_connection(error: &RedisError) -> bool {
    error.is_io_error()
        || error.is_unrecoverable_error()
        || matches!(error.kind(), ErrorKind::Server(ServerErrorKind::ReadOnly | ServerErrorKind::MasterDown))
}
