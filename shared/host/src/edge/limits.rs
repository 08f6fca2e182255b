//! The bounds of the edge.

use std::time::Duration;

use crate::client::TrustedProxies;

/// How long a client may leave a process waiting that stops. Supervisors kill after ten seconds, and the store has to be
/// closed too.
#[cfg(feature = "edge")]
const STOPPING_TIME: Duration = Duration::from_secs(3);

/// The bounds of the edge.
#[derive(Debug, Clone)]
pub struct EdgeLimits {
    /// How long a client may take to send the head of a request, its first one included.
    pub head_time: Duration,
    /// How long a connection may stay open without a request. Longer than the minute that balancers usually keep theirs,
    /// so that it is they who close first and no request meets a closing connection.
    pub idle_time: Duration,
    /// How long a client may leave its answer unread while there is more to send, or the body of its request unsent.
    pub stalled_time: Duration,
    /// Connections open at once, fewer where the system allows fewer open files; one more is answered 503 and closed.
    pub connections: usize,
    /// How long requests in flight may take once the process stops.
    pub drain_time: Duration,
    /// Whose `X-Forwarded-For` is believed.
    pub trusted_proxies: TrustedProxies,
}

impl Default for EdgeLimits {
    fn default() -> Self {
        Self {
            head_time: Duration::from_secs(10),
            idle_time: Duration::from_secs(75),
            stalled_time: Duration::from_secs(60),
            connections: 20_000,
            drain_time: Duration::from_secs(20),
            trusted_proxies: TrustedProxies::default(),
        }
    }
}

#[cfg(feature = "edge")]
impl EdgeLimits {
    /// The bounds while the process stops: who leaves it waiting is waited for less, whoever works has its time.
    pub(super) fn while_stopping(&self) -> Self {
        Self {
            head_time: self.head_time.min(STOPPING_TIME),
            stalled_time: self.stalled_time.min(STOPPING_TIME),
            ..self.clone()
        }
    }

    /// How often connections are looked over: a bound is kept to within this.
    pub(super) fn interval(&self) -> Duration {
        let shortest = self.head_time.min(self.idle_time).min(self.stalled_time);
        (shortest / 8).clamp(Duration::from_millis(10), Duration::from_secs(1))
    }
}
