//! One shared connection that is made anew where it fails, and never holds a caller longer than its timeout.

use std::future::Future;
use std::io;
use std::time::{Duration, Instant};

use redis::aio::MultiplexedConnection;
use redis::{ErrorKind, RedisError, RedisResult, ServerErrorKind};
use tokio::sync::Mutex;

use super::route::Route;

/// How long after a server of a cluster refused what it has no slot for it is tried again.
const REDIRECT_PAUSE: Duration = Duration::from_millis(20);

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
    route: Route,
    timeout: Duration,
    slot: Mutex<Slot>,
}

impl Link {
    /// A link that is not yet connected; each call of [`Link::run`] takes at most `timeout`.
    pub(super) fn new(route: Route, timeout: Duration) -> Self {
        Self { route, timeout, slot: Mutex::new(Slot::default()) }
    }

    /// Whether it leads to a node of a cluster.
    pub(super) fn is_of_a_cluster(&self) -> bool {
        self.route.is_cluster()
    }

    /// Runs `work` on the shared connection. Its outcome at the server is unknown after an IO error.
    ///
    /// In a cluster it is run again where a node did nothing of it, since the slot is elsewhere or on its way there.
    pub(super) async fn run<T, F>(&self, work: impl Fn(MultiplexedConnection) -> F) -> RedisResult<T>
    where
        F: Future<Output = RedisResult<T>>,
    {
        let (mut used, mut redirected) = (None, None);
        let attempt = async {
            loop {
                let (connection, generation) = self.connection().await?;
                used = Some(generation);
                match work(connection).await {
                    Err(error) if self.route.is_cluster() && error.is_cluster_error() => {
                        self.follow(&error, generation).await;
                        redirected = Some(error);
                    }
                    outcome => return outcome,
                }
            }
        };
        let outcome = match tokio::time::timeout(self.timeout, attempt).await {
            Ok(outcome) => outcome,
            Err(_) => Err(redirected.unwrap_or_else(|| timed_out(self.timeout))),
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
        self.route.connect().await
    }

    /// Whether an answer of a [`Link::dedicated`] connection says that it leads to the wrong node; the next one follows it.
    pub(super) fn is_redirected(&self, error: &RedisError) -> bool {
        let redirected = self.route.is_cluster() && error.is_cluster_error();
        if redirected {
            self.route.note(error);
        }
        redirected
    }

    /// Gets ready for the next try after a node did not do what it was asked.
    async fn follow(&self, error: &RedisError, generation: u64) {
        self.route.note(error);
        // While a slot moves (ASK, TRYAGAIN), its old node still has what is left of it, and says when it is gone.
        if matches!(error.kind(), ErrorKind::Server(ServerErrorKind::Moved | ServerErrorKind::ClusterDown)) {
            self.discard(generation).await;
        }
        if error.kind() != ErrorKind::Server(ServerErrorKind::Moved) {
            tokio::time::sleep(REDIRECT_PAUSE).await;
        }
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
        match self.route.connect().await {
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
        || matches!(
            error.kind(),
            ErrorKind::Server(
                ServerErrorKind::ReadOnly
                    | ServerErrorKind::MasterDown
                    | ServerErrorKind::Moved
                    | ServerErrorKind::ClusterDown
            )
        )
}
