//! `/health`: whether the role can do its work, and what its servers say.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures::future::{BoxFuture, FutureExt as _, join_all};
use http::{StatusCode, header};
use serde::Serialize;
use tokio::sync::Mutex;

use crate::shutdown::Shutdown;

/// The longest that one check may take.
const CHECK_TIME: Duration = Duration::from_secs(2);

/// How long an answer is given again, so that a flood of probes asks the servers seldom. One that is not `healthy` is soon
/// looked at anew: a role that has just started, or whose server is back, is not kept waiting.
const HEALTHY_LIFETIME: Duration = Duration::from_secs(1);
const OTHER_LIFETIME: Duration = Duration::from_millis(50);

/// A check of one server: `Ok`, or a sentence that says what is wrong. The sentence is public: no addresses, no secrets.
pub type Probe = Arc<dyn Fn() -> BoxFuture<'static, Result<(), String>> + Send + Sync>;

/// Makes a [`Probe`] of an async closure.
pub fn probe<F, Fut>(check: F) -> Probe
where
    F: Fn() -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<(), String>> + Send + 'static,
{
    Arc::new(move || check().boxed())
}

/// The word that `/health` begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// All is well.
    Healthy,
    /// The work is done, something that helps is missing.
    Degraded,
    /// The role cannot do its work, or is stopping.
    Unhealthy,
}

/// What `/health` answers.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The word.
    pub status: Status,
    /// The build's version.
    pub version: &'static str,
    /// Whole seconds since the role began.
    pub uptime: u64,
    /// By server: `ok` or a sentence.
    pub checks: BTreeMap<&'static str, String>,
}

struct Check {
    name: &'static str,
    required: bool,
    probe: Probe,
}

/// The checks of a role.
///
/// A name can stand more than once (the queue answers, and it is durable): what is wrong with it is told together.
pub struct Health {
    role: String,
    began: Instant,
    checks: Vec<Check>,
    shutdown: Shutdown,
    last: Mutex<Option<(Instant, Report)>>,
}

impl Health {
    /// No checks yet; the uptime begins now.
    #[must_use]
    pub fn new(role: impl std::fmt::Display) -> Self {
        Self {
            role: role.to_string(),
            began: Instant::now(),
            checks: Vec::new(),
            shutdown: Shutdown::new(),
            last: Mutex::new(None),
        }
    }

    /// Adds a server that the role cannot work without.
    #[must_use]
    pub fn require(self, name: &'static str, probe: Probe) -> Self {
        self.with(Check { name, required: true, probe })
    }

    /// Adds something that the role works without, less well.
    #[must_use]
    pub fn prefer(self, name: &'static str, probe: Probe) -> Self {
        self.with(Check { name, required: false, probe })
    }

    /// Says `unhealthy` once `shutdown` has begun, so that balancers send no more.
    #[must_use]
    pub fn until(mut self, shutdown: Shutdown) -> Self {
        self.shutdown = shutdown;
        self
    }

    fn with(mut self, check: Check) -> Self {
        self.checks.push(check);
        self
    }

    /// `GET /health` and `GET /health/live`.
    pub fn router(self) -> Router {
        Router::new().route("/health", get(health)).route("/health/live", get(live)).with_state(Arc::new(self))
    }

    /// The answer now: a healthy one at most a second old, after at most two.
    pub async fn report(&self) -> Report {
        // Those who come while the servers are asked wait for that one answer.
        let mut last = self.last.lock().await;
        let mut report = match last.as_ref() {
            Some((made, report)) if made.elapsed() < lifetime(report.status) => report.clone(),
            _ => {
                let report = self.ask().await;
                *last = Some((Instant::now(), report.clone()));
                report
            }
        };
        drop(last);
        report.uptime = self.began.elapsed().as_secs();
        if self.shutdown.is_stopping() {
            report.status = Status::Unhealthy;
        }
        report
    }

    async fn ask(&self) -> Report {
        let answers = join_all(self.checks.iter().map(|check| ask(&check.probe))).await;
        let mut status = Status::Healthy;
        let mut checks: BTreeMap<&'static str, String> = BTreeMap::new();
        for (check, answer) in self.checks.iter().zip(answers) {
            let told = checks.entry(check.name).or_insert_with(|| "ok".to_owned());
            if let Err(sentence) = answer {
                status = status.max(if check.required { Status::Unhealthy } else { Status::Degraded });
                if told == "ok" {
                    *told = sentence;
                } else {
                    *told = format!("{told}; {sentence}");
                }
            }
        }
        if status != Status::Healthy {
            tracing::debug!(role = self.role, ?status, ?checks, "a health check failed");
        }
        Report { status, version: env!("CARGO_PKG_VERSION"), uptime: 0, checks }
    }
}

fn lifetime(status: Status) -> Duration {
    if status == Status::Healthy { HEALTHY_LIFETIME } else { OTHER_LIFETIME }
}

/// One check, in a task of its own: one that panics or blocks is a sentence, not the end of the others.
async fn ask(probe: &Probe) -> Result<(), String> {
    let work = tokio::spawn(probe());
    let abort = work.abort_handle();
    match tokio::time::timeout(CHECK_TIME, work).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(_)) => Err("the check itself failed; its defect is in the log".to_owned()),
        Err(_) => {
            abort.abort();
            Err(format!("no answer within {} s", CHECK_TIME.as_secs()))
        }
    }
}

async fn health(State(health): State<Arc<Health>>) -> Response {
    let report = health.report().await;
    let status = match report.status {
        Status::Unhealthy => StatusCode::SERVICE_UNAVAILABLE,
        Status::Healthy | Status::Degraded => StatusCode::OK,
    };
    (status, [(header::CACHE_CONTROL, "no-store")], axum::Json(report)).into_response()
}

async fn live() -> impl IntoResponse {
    ([(header::CACHE_CONTROL, "no-store")], axum::Json(serde_json::json!({ "status": "alive" })))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    fn says(answer: Result<(), &'static str>) -> Probe {
        probe(move || async move { answer.map_err(str::to_owned) })
    }

    #[tokio::test]
    async fn a_required_server_decides_and_a_preferred_one_degrades() {
        let fine = Health::new("api").require("database", says(Ok(()))).prefer("redis", says(Ok(())));
        let report = fine.report().await;
        assert_eq!(report.status, Status::Healthy);
        assert_eq!(
            serde_json::to_value(&report).unwrap()["checks"],
            serde_json::json!({"database": "ok", "redis": "ok"})
        );

        let short = Health::new("api").require("database", says(Ok(()))).prefer("redis", says(Err("it is away")));
        let report = short.report().await;
        assert_eq!((report.status, report.checks["redis"].as_str()), (Status::Degraded, "it is away"));

        let broken = Health::new("collector")
            .require("redis", says(Err("it does not write")))
            .prefer("redis", says(Err("it is not durable")));
        let report = broken.report().await;
        assert_eq!(report.status, Status::Unhealthy);
        assert_eq!(report.checks["redis"], "it does not write; it is not durable");
    }

    #[tokio::test]
    async fn stopping_is_unhealthy_at_once() {
        let shutdown = Shutdown::new();
        let health = Health::new("api").require("database", says(Ok(()))).until(shutdown.clone());
        assert_eq!(health.report().await.status, Status::Healthy);
        shutdown.stop();
        assert_eq!(health.report().await.status, Status::Unhealthy);
    }

    #[tokio::test(start_paused = true)]
    async fn checks_run_together_and_none_takes_longer_than_two_seconds() {
        let hangs = || probe(futures::future::pending);
        let health = Health::new("processor").require("redis", hangs()).require("database", hangs());
        let began = tokio::time::Instant::now();
        let report = health.report().await;
        assert!(began.elapsed() < Duration::from_millis(2_500), "{:?}", began.elapsed());
        assert_eq!(report.checks["redis"], "no answer within 2 s");
        assert_eq!(report.checks["database"], "no answer within 2 s");
    }

    #[tokio::test]
    async fn a_flood_of_probes_asks_once() {
        static ASKED: AtomicU32 = AtomicU32::new(0);
        let counted = probe(|| async {
            ASKED.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(Duration::from_millis(20)).await;
            Ok(())
        });
        let health = Health::new("api").require("database", counted);
        join_all((0..500).map(|_| health.report())).await;
        assert_eq!(ASKED.load(Ordering::Relaxed), 1);
        tokio::time::sleep(HEALTHY_LIFETIME).await;
        health.report().await;
        assert_eq!(ASKED.load(Ordering::Relaxed), 2);
    }

    #[tokio::test]
    async fn who_recovers_is_healthy_soon() {
        static TURN: AtomicU32 = AtomicU32::new(0);
        let recovering = probe(|| async {
            if TURN.fetch_add(1, Ordering::Relaxed) == 0 { Err("it is away".to_owned()) } else { Ok(()) }
        });
        let health = Health::new("api").require("database", recovering);
        assert_eq!(health.report().await.status, Status::Unhealthy);
        tokio::time::sleep(OTHER_LIFETIME).await;
        assert_eq!(health.report().await.status, Status::Healthy);
    }

    #[tokio::test]
    async fn a_check_that_panics_is_a_sentence() {
        let health = Health::new("api").require("database", probe(|| async { panic!("a defect") }));
        let report = health.report().await;
        assert_eq!(report.status, Status::Unhealthy);
        assert!(report.checks["database"].contains("defect"));
    }
}
