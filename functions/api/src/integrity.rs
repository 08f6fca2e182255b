//! `GET /api/integrity`: whether every accepted event is accounted for.

use std::collections::BTreeMap;

use analytics_domain::timestamp::civil_from_days;
use analytics_domain::{Project, Timestamp};
use analytics_host::keys::Scope;
use analytics_host::problem::Problem;
use analytics_messaging::QueueDepth;
use analytics_query::Given;
use analytics_store::{DayCounts, StoreError};
use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use crate::openapi::refusal::ParameterRefusals;
use crate::problems::{self, QueryPairs};
use crate::router::ApiDeps;

/// Days of one answer: unless said, and at most.
const DAYS: u32 = 30;
const MOST_DAYS: u32 = 400;

/// How far back.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "it only describes the parameters for the OpenAPI document")]
pub(crate) struct IntegrityParams {
    /// UTC days back from today, today included.
    #[param(default = 30, minimum = 1, maximum = 400, example = 7)]
    days: Option<u32>,
}

/// The account of a project's events.
#[derive(Debug, Serialize, ToSchema)]
pub struct IntegrityReport {
    /// Events accepted and not yet stored; null where the queue cannot be asked, or holds entries and does not count their
    /// events (SQS).
    #[schema(required = true)]
    in_flight: Option<u64>,
    /// By UTC day of receipt, oldest first; days without any are left out. On each, accepted is the sum of stored,
    /// duplicate, expired, dead_lettered and erased.
    received: Vec<ReceivedDay>,
    /// By UTC day of event, oldest first: rollups and columns against raw rows.
    rollups: Vec<RollupDay>,
    /// The sum of all drifts, taken without sign: 0 where rollups, columns and raw rows agree.
    drift: u64,
}

/// What became of the events received on a day.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReceivedDay {
    /// The UTC day.
    #[schema(format = Date, example = "2026-11-02")]
    day: String,
    /// Accepted by a collector and taken from the queue.
    accepted: u64,
    /// Stored for the first time.
    stored: u64,
    /// Stored before.
    duplicate: u64,
    /// Aged past the retention while they waited.
    expired: u64,
    /// Put aside; a replayed one leaves this count and joins another.
    dead_lettered: u64,
    /// Dropped as those of a person who was erased: from the queue, or from the dead letters. What was stored before stays
    /// counted as stored.
    erased: u64,
    /// Refused by a collector, by code.
    #[schema(example = json!({ "invalid_field": 2 }))]
    rejected: BTreeMap<String, u64>,
}

/// Rollups against raw rows on a day.
#[derive(Debug, Serialize, ToSchema)]
pub struct RollupDay {
    /// The UTC day.
    #[schema(format = Date, example = "2026-11-02")]
    day: String,
    /// Raw rows.
    raw: u64,
    /// Events by the rollup.
    rollup: u64,
    /// Events by the columns that questions are answered from, and the raw rows read beside them.
    columns: u64,
    /// Events that the table `daily_metrics` counts under `__other__`, by dimension: the day has more values than it counts
    /// one by one. Left out where there are none; answers count every value for itself.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(required = false, example = json!({ "event_action": 120 }))]
    together: BTreeMap<String, u64>,
}

/// Tells what became of every event.
///
/// By UTC day of receipt: accepted, stored, duplicate, expired, put aside, erased, refused. By UTC day of event: whether rollups agree
/// with raw rows.
#[utoipa::path(
    get, path = "/api/integrity", operation_id = "integrity", tag = "operations", params(IntegrityParams),
    responses((status = 200, description = "The account.", body = IntegrityReport), ParameterRefusals)
)]
pub(crate) async fn integrity(
    State(deps): State<ApiDeps>,
    headers: HeaderMap,
    QueryPairs(pairs): QueryPairs,
) -> Result<Json<IntegrityReport>, Problem> {
    let grant = deps.access.grant(&headers, Scope::Read).await?;
    let given = Given::new(&pairs, &["days"]).map_err(problems::query)?;
    let days = given.number("days", DAYS, MOST_DAYS).map_err(problems::query)?;
    let today = deps.clock.now().utc_day();
    let from = Timestamp::from_utc_day(today - i64::from(days) + 1);
    let found = deps.store.integrity(&grant.project, from).await.map_err(|failure| match failure {
        StoreError::TooSlow { .. } => problems::store(failure).with("path", "days"),
        failure => problems::store(failure),
    })?;
    let in_flight = match &deps.queue {
        Some(queue) => queue.depth().await.ok().and_then(|depth| in_flight(&depth, &grant.project)),
        None => None,
    };
    let mut together = found.together;
    let rollups: Vec<RollupDay> = found
        .stored
        .iter()
        .map(|(day, drift)| RollupDay {
            day: date(*day),
            raw: drift.raw,
            rollup: drift.rollup,
            columns: drift.columns,
            together: together.remove(day).unwrap_or_default(),
        })
        .collect();
    let drift = rollups.iter().map(|day| day.raw.abs_diff(day.rollup) + day.raw.abs_diff(day.columns)).sum();
    let received = found.received.into_iter().map(|(day, counts)| received(day, counts)).collect();
    Ok(Json(IntegrityReport { in_flight, received, rollups, drift }))
}

/// How many events of a project the queue holds; `None` where it holds entries and cannot say whose.
fn in_flight(depth: &QueueDepth, project: &Project) -> Option<u64> {
    match &depth.by_project {
        Some(events) => Some(events.get(project).copied().unwrap_or(0)),
        None => (depth.batches == 0).then_some(0),
    }
}

fn received(day: i64, counts: DayCounts) -> ReceivedDay {
    ReceivedDay {
        day: date(day),
        accepted: counts.accepted,
        stored: counts.stored,
        duplicate: counts.duplicate,
        expired: counts.expired,
        dead_lettered: counts.dead_lettered,
        erased: counts.erased,
        rejected: counts.rejected,
    }
}

fn date(day: i64) -> String {
    let (year, month, day) = civil_from_days(day);
    format!("{year:04}-{month:02}-{day:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_flight_is_told_only_where_it_is_known() {
        let (ours, other) = (Project::default(), Project::new("other").unwrap());
        let counted = |events| QueueDepth { batches: 2, by_project: Some(events), ..QueueDepth::default() };
        assert_eq!(in_flight(&counted(BTreeMap::from([(ours.clone(), 7)])), &ours), Some(7));
        assert_eq!(in_flight(&counted(BTreeMap::from([(other, 7)])), &ours), Some(0));
        let uncounted = |batches| QueueDepth { batches, events: batches, by_project: None, oldest: None };
        assert_eq!(in_flight(&uncounted(0), &ours), Some(0));
        assert_eq!(in_flight(&uncounted(3), &ours), None);
    }
}
