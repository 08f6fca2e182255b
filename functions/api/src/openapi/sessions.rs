//! Sessions, people and their timelines as schemas; reading and answering are `analytics_query`'s.
#![allow(dead_code, reason = "these types only describe; the tests hold them to what is answered")]

use utoipa::ToSchema;

use super::answer::{EventRecord, PageMeta};
use super::question::Filter;

/// A page of sessions.
#[derive(ToSchema)]
pub(crate) struct SessionsAnswer {
    /// The sessions, newest start first; of equal starts the greatest id first.
    results: Vec<SessionSummary>,
    meta: PageMeta,
    query: SessionsQuery,
}

/// A session, as far as its events lie in the range.
#[derive(ToSchema)]
pub(crate) struct SessionSummary {
    #[schema(example = "s-7f3a")]
    session_id: String,
    /// The first `user_id` seen in it, over everything stored; `null` where none ever was.
    #[schema(required = true, example = "u-42")]
    user_id: Option<String>,
    /// The time of its first event.
    #[schema(format = DateTime, example = "2026-11-02T10:00:00.000000Z")]
    started_at: String,
    /// The time of its last event.
    #[schema(format = DateTime, example = "2026-11-02T10:02:30.500000Z")]
    ended_at: String,
    /// From the first to the last event.
    #[schema(minimum = 0, example = 150.5)]
    duration_seconds: f64,
    /// How many events it has.
    #[schema(minimum = 1, example = 7)]
    events: u64,
    /// The action of its first event; of equal times the lowest id's.
    #[schema(example = "page_view")]
    entry_action: String,
    /// The action of its last event; of equal times the greatest id's.
    #[schema(example = "purchase")]
    exit_action: String,
}

/// The question for sessions in its one form.
#[derive(ToSchema)]
pub(crate) struct SessionsQuery {
    /// The first instant of the range and its end, which is not part of it, with the zone's offset.
    #[schema(min_items = 2, max_items = 2)]
    date_range: Vec<String>,
    timezone: String,
    filters: Vec<Filter>,
    limit: u32,
}

/// A session and a page of its events.
#[derive(ToSchema)]
pub(crate) struct SessionAnswer {
    /// The session, the same on every page.
    session: SessionSummary,
    /// Its events, oldest first; of equal times the lowest id first.
    results: Vec<EventRecord>,
    meta: PageMeta,
    query: TimelineQuery,
}

/// A person, as far as the events lie in the range.
#[derive(ToSchema)]
pub(crate) struct UserSummary {
    #[schema(example = "u-42")]
    user_id: String,
    /// The time of the first event.
    #[schema(format = DateTime, example = "2026-11-02T10:00:00.000000Z")]
    first_seen_at: String,
    /// The time of the last event.
    #[schema(format = DateTime, example = "2026-11-09T08:30:00.000000Z")]
    last_seen_at: String,
    /// How many events.
    #[schema(minimum = 1, example = 31)]
    events: u64,
    /// In how many sessions.
    #[schema(minimum = 1, example = 3)]
    sessions: u64,
}

/// A person and a page of the timeline.
#[derive(ToSchema)]
pub(crate) struct UserAnswer {
    /// The person, the same on every page.
    user: UserSummary,
    /// The events, newest first; of equal times the greatest id first.
    results: Vec<EventRecord>,
    meta: PageMeta,
    query: TimelineQuery,
}

/// The question for a timeline in its one form.
#[derive(ToSchema)]
pub(crate) struct TimelineQuery {
    /// The first instant of the range and its end, which is not part of it, with the zone's offset.
    #[schema(min_items = 2, max_items = 2)]
    date_range: Vec<String>,
    timezone: String,
    limit: u32,
}
