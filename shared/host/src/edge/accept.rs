//! The loop that accepts connections, looks over them and drains them.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use futures::FutureExt as _;
use metrics::{Counter, Gauge};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::MissedTickBehavior;
use tokio_util::task::TaskTracker;
use tracing::{debug, warn};

use super::connection::{self, Shared};
use super::files;
use super::limits::EdgeLimits;
use super::pulse::Pulse;
use super::refusal::Refusals;
use super::watch::Watch;
use super::wire::Wire;
use crate::metrics::names;
use crate::shutdown::Shutdown;

/// How long the loop waits after the system would not let it accept: for want of files or memory, which others give back.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A loop that cannot accept says so this often.
const TELL_EVERY: Duration = Duration::from_secs(10);

/// How often connections are looked over while they are drained.
const DRAIN_INTERVAL: Duration = Duration::from_millis(50);

/// How long connections may take to end once they were cut.
const CUT_TIME: Duration = Duration::from_secs(1);

/// Serves `router` on `listener` until `shutdown`, then lets requests in flight end within the drain time and cuts what is
/// left. Idle connections end at once, and clients that leave it waiting after a few seconds; WebSockets are their role's to
/// close and are not waited for.
///
/// An answer does not wait for a body that its handler did not read: the rest is thrown away after it, up to a bound.
///
/// Every request carries a [`crate::client::ClientAddress`] and a `Host`. A handler that panics is a 500 and a line in the
/// log.
///
/// # Errors
/// None at present: what fails while accepting is logged and tried again.
pub async fn run(listener: TcpListener, router: Router, shutdown: Shutdown, limits: EdgeLimits) -> io::Result<()> {
    let mut edge = Edge::new(router, limits);
    let mut interval = tokio::time::interval(edge.limits.interval());
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut stopping = pin!(shutdown.stopping());
    loop {
        tokio::select! {
            accepted = listener.accept() => edge.take(accepted).await,
            _ = interval.tick() => edge.look(),
            () = &mut stopping => break,
        }
    }
    // Clients whose connection the system has taken already are served; closing the listener would reset them.
    while let Some(Ok(accepted)) = listener.accept().now_or_never() {
        edge.take(Ok(accepted)).await;
    }
    drop(listener);
    edge.drain().await;
    Ok(())
}

struct Edge {
    limits: EdgeLimits,
    shared: Arc<Shared>,
    places: Arc<Semaphore>,
    refusals: Refusals,
    watch: Watch,
    tasks: TaskTracker,
    told_at: Option<Instant>,
    open: Gauge,
    refused: Counter,
    stalled: Counter,
}

impl Edge {
    fn new(router: Router, limits: EdgeLimits) -> Self {
        Self {
            shared: Arc::new(Shared::new(router, limits.trusted_proxies.clone())),
            places: Arc::new(Semaphore::new(files::connections(limits.connections))),
            refusals: Refusals::new(),
            watch: Watch::default(),
            tasks: TaskTracker::new(),
            told_at: None,
            open: metrics::gauge!(names::HTTP_CONNECTIONS),
            refused: metrics::counter!(names::HTTP_CONNECTIONS_REFUSED),
            stalled: metrics::counter!(names::HTTP_CONNECTIONS_STALLED),
            limits,
        }
    }

    async fn take(&mut self, accepted: io::Result<(TcpStream, SocketAddr)>) {
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            // A client that went away before it was accepted is nobody's fault.
            Err(error) if is_of_one_connection(&error) => return,
            Err(error) => {
                self.tell(&error);
                tokio::time::sleep(ACCEPT_PAUSE).await;
                return;
            }
        };
        // An answer goes out when it is written, not when more comes.
        let _ = stream.set_nodelay(true);
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
            self.refused.increment(1);
            self.refusals.refuse(stream);
            return;
        };
        let pulse = Arc::new(Pulse::default());
        self.watch.add(Arc::clone(&pulse), Instant::now());
        let wire = Wire::new(stream, Arc::clone(&pulse), self.open.clone(), place);
        self.tasks.spawn(connection::serve(wire, peer.ip(), pulse, Arc::clone(&self.shared)));
    }

    fn tell(&mut self, error: &io::Error) {
        if self.told_at.is_none_or(|told| told.elapsed() >= TELL_EVERY) {
            self.told_at = Some(Instant::now());
            warn!(%error, "the system does not let a connection be accepted; it is tried again ten times a second");
        }
    }

    fn look(&mut self) {
        self.stalled.increment(self.watch.look(Instant::now(), &self.limits));
    }

    async fn drain(mut self) {
        self.tasks.close();
        let deadline = Instant::now() + self.limits.drain_time;
        self.limits = self.limits.while_stopping();
        self.watch.begin_anew(Instant::now());
        while Instant::now() < deadline {
            self.look();
            self.watch.finish(Instant::now());
            if tokio::time::timeout(DRAIN_INTERVAL, self.tasks.wait()).await.is_ok() {
                debug!("every connection has ended");
                return;
            }
        }
        warn!(
            connections = self.tasks.len(),
            seconds = self.limits.drain_time.as_secs(),
            "connections are cut: they did not end within the drain time"
        );
        self.watch.cut();
        let _ = tokio::time::timeout(CUT_TIME, self.tasks.wait()).await;
    }
}

fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted, TimedOut};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted | TimedOut)
}
