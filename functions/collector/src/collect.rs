//! The way of one request, a verb a line.

use std::sync::Arc;
use std::time::Instant;

use analytics_domain::{Facts, Project, SharedRetention};
use analytics_host::clock::SharedClock;
use analytics_messaging::Queue;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::request::Parts;

use crate::accept::{Encoding, accept};
use crate::authenticate::Gate;
use crate::budget::Budget;
use crate::enqueue::Complaints;
use crate::enrich::Enricher;
use crate::event_ids::EventIds;
use crate::judge::{Judged, judge};
use crate::limit::{RateLimiter, Sender};
use crate::meters::Meters;
use crate::receive::{Received, receive};
use crate::refusal::Refusal;
use crate::{CollectorDeps, Limits, answer, enqueue};

/// A collector at work: shared by all its requests.
pub(crate) struct Collector {
    pub(crate) queue: Arc<dyn Queue>,
    pub(crate) gate: Gate,
    pub(crate) clock: SharedClock,
    pub(crate) retention: SharedRetention,
    pub(crate) limits: Limits,
    pub(crate) limiter: Option<RateLimiter>,
    pub(crate) enricher: Enricher,
    pub(crate) budget: Budget,
    pub(crate) ids: EventIds,
    pub(crate) meters: Meters,
    pub(crate) complaints: Complaints,
}

impl Collector {
    pub(crate) fn new(deps: CollectorDeps) -> Self {
        Self {
            queue: deps.queue,
            gate: Gate::new(deps.write_keys, deps.made_keys),
            clock: deps.clock,
            retention: deps.retention,
            limiter: deps.limits.events_per_second.map(RateLimiter::new),
            enricher: Enricher::new(deps.enrichment),
            budget: Budget::new(deps.limits.bytes_in_flight),
            ids: EventIds::new(),
            meters: Meters::new(),
            complaints: Complaints::default(),
            limits: deps.limits,
        }
    }
}

/// Whose request it is and how its body is packed: all that is known before a byte of it is read.
pub(crate) struct Admission {
    pub(crate) project: Project,
    pub(crate) sender: Sender,
    pub(crate) encoding: Option<Encoding>,
    /// What the request tells of its events, where a browser sent it.
    pub(crate) facts: Option<Facts<'static>>,
}

/// `POST /collect`.
pub(crate) async fn collect(State(collector): State<Arc<Collector>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let answered = match admit(&collector, &parts) {
        Ok(admission) => take(&collector, admission, body).await,
        Err(refusal) => Err(refusal),
    };
    answered.unwrap_or_else(|refusal| {
        collector.meters.refused(refusal.code(), refusal.events() as u64);
        refusal.into_response()
    })
}

/// What is judged before the body is read.
fn admit(collector: &Collector, parts: &Parts) -> Result<Admission, Refusal> {
    let (project, sender) = collector.gate.authenticate(parts, Instant::now())?;
    let encoding = accept(&parts.headers)?;
    if let Some(limiter) = &collector.limiter {
        limiter.admit(&sender)?;
    }
    let facts = collector.enricher.facts(parts, || collector.clock.now());
    Ok(Admission { project, sender, encoding, facts })
}

/// What happens to the body.
async fn take(collector: &Arc<Collector>, admission: Admission, body: Body) -> Result<Response, Refusal> {
    let received = receive(collector, body).await?;
    // How long a client takes to send is no time of ours.
    let began = Instant::now();
    let answered = settle(collector, admission, received).await;
    collector.meters.answered(began.elapsed());
    answered
}

/// What happens to a body that is there whole.
async fn settle(collector: &Arc<Collector>, admission: Admission, received: Received) -> Result<Response, Refusal> {
    let Judged { entry, accepted, answer } = judge(collector, admission, received).await?;
    if accepted > 0 {
        let lost = enqueue::events(collector, entry).await?;
        if !lost.is_empty() {
            return Ok(answer::response(accepted.saturating_sub(lost.len()), answer::without(answer, &lost)));
        }
    } else {
        enqueue::counts(collector, entry).await;
    }
    Ok(answer::response(accepted, answer))
}
