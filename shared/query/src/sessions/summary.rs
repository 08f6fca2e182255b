//! A session in one line, and the select that makes it.

use analytics_domain::Timestamp;
use serde::{Deserialize, Serialize};

use crate::event_record::{instant, text};
use crate::sql::Sql;
use crate::{Cell, Row};

/// A session, as far as its events lie in the range.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SessionSummary {
    /// Its id.
    pub session_id: String,
    /// The first `user_id` seen in it, over everything stored; `null` where none ever was.
    pub user_id: Option<String>,
    /// The time of its first event.
    pub started_at: Timestamp,
    /// The time of its last event.
    pub ended_at: Timestamp,
    /// From the first to the last, in seconds.
    pub duration_seconds: f64,
    /// How many events it has.
    pub events: u64,
    /// The action of its first event; of equal times the lowest id's.
    pub entry_action: String,
    /// The action of its last event; of equal times the greatest id's.
    pub exit_action: String,
}

impl SessionSummary {
    /// Reads a row of [`select`]; `None` where a cell is of another kind than its column.
    pub(super) fn from_row(row: Row) -> Option<Self> {
        let Ok([session_id, user_id, started_at, ended_at, events, entry_action, exit_action]) =
            <[Cell; 7]>::try_from(row)
        else {
            return None;
        };
        let (started_at, ended_at) = (instant(&started_at)?, instant(&ended_at)?);
        Some(Self {
            session_id: text(session_id)?,
            user_id: text(user_id),
            started_at,
            ended_at,
            duration_seconds: ended_at.micros_since(started_at) as f64 / 1e6,
            events: if let Cell::Int(events) = events { u64::try_from(events).ok()? } else { return None },
            entry_action: text(entry_action)?,
            exit_action: text(exit_action)?,
        })
    }
}

/// The sessions of the events that `from` gives, as `raw_events e`, and of those sessions the ones for which `having` holds: newest
/// start first, of equal starts the greatest id. At most `limit`.
///
/// The action at either end is looked up for the sessions of the page alone, by the index on time.
pub(super) fn select(sql: &mut Sql, from: &str, having: &[String], limit: u32) -> String {
    let project = sql.project();
    let having = if having.is_empty() { String::new() } else { format!("\n  HAVING {}", having.join("\n    AND ")) };
    let action = |at: &str, order: &str| {
        format!(
            "(SELECT e.event_action FROM raw_events e WHERE e.project = {project} AND e.timestamp = p.{at} \
             AND e.session_id = p.session_id ORDER BY e.id {order} LIMIT 1)"
        )
    };
    format!(
        "WITH page AS (\n  SELECT e.session_id, min(e.timestamp) AS started_at, max(e.timestamp) AS ended_at, \
         count(*) AS events\n  FROM {from}\n  GROUP BY e.session_id{having}\n  \
         ORDER BY min(e.timestamp) DESC, e.session_id DESC\n  LIMIT {limit}\n)\n\
         SELECT p.session_id, s.user_id, p.started_at, p.ended_at, p.events, {}, {}\n\
         FROM page p LEFT JOIN session_users s ON s.session_id = p.session_id AND s.project = {project}\n\
         ORDER BY p.started_at DESC, p.session_id DESC",
        action("started_at", "ASC"),
        action("ended_at", "DESC"),
    )
}
