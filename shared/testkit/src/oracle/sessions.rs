//! Sessions, one session, and what one person did.

use std::collections::{BTreeMap, BTreeSet};

use analytics_domain::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value as Json, json};

use super::answer::{Seen, with_persons};
use super::filter::Filter;
use super::range::{Range, clamp, resolve};
use super::{OracleError, StoredEvent, World};

/// All sessions that `question` lists, as they stand in the answer: `{"results":[...]}`.
///
/// # Errors
/// [`OracleError`] where the question is none of sessions.
pub fn sessions(events: &[StoredEvent], question: &Json, world: &World) -> Result<Json, OracleError> {
    let filters = question.get("filters").map_or(Ok(Vec::new()), |filters| Filter::parse_all(filters, "filters"))?;
    let mut by_session: BTreeMap<String, Vec<Seen<'_>>> = BTreeMap::new();
    let all = in_range(events, question, "7d", world)?;
    // They are those in the range already.
    let everywhere = Range { from: Timestamp::from_micros(i64::MIN), to: Timestamp::from_micros(i64::MAX) };
    let passing: BTreeSet<String> = all
        .iter()
        .filter(|seen| seen.passes(&filters, &all, everywhere))
        .map(|seen| seen.event.session_id.to_string())
        .collect();
    for seen in all {
        by_session.entry(seen.event.session_id.to_string()).or_default().push(seen);
    }
    by_session.retain(|id, _| passing.contains(id));
    let mut rows: Vec<_> = by_session.iter().map(|(id, seen)| (seen[0].event.timestamp, id, seen)).collect();
    rows.sort_by(|a, b| (b.0, b.1.as_bytes()).cmp(&(a.0, a.1.as_bytes())));
    let results: Vec<Json> = rows.iter().map(|(_, _, seen)| summary(seen, events, world)).collect();
    Ok(json!({ "results": results }))
}

/// The session of this id and the ids of its events, as far as they lie in the question's range; `None` where there are none.
///
/// # Errors
/// [`OracleError`] where the question is none of a timeline.
pub fn session(events: &[StoredEvent], question: &Json, world: &World) -> Result<Option<Json>, OracleError> {
    let mut seen = in_range(events, question, "all", world)?;
    seen.retain(|seen| question["id"] == seen.event.session_id.as_ref());
    let ids: Vec<String> = seen.iter().map(|seen| seen.event.id.to_string()).collect();
    Ok((!seen.is_empty()).then(|| json!({ "session": summary(&seen, events, world), "results": ids })))
}

/// The person of this user id and the ids of the person's events, newest first; `None` where there are none in the range.
///
/// # Errors
/// [`OracleError`] where the question is none of a timeline.
pub fn user(events: &[StoredEvent], question: &Json, world: &World) -> Result<Option<Json>, OracleError> {
    let id = question["id"].as_str().ok_or_else(|| OracleError::new("id", "a text"))?;
    let mut seen = in_range(events, question, "all", world)?;
    seen.retain(|seen| seen.person == format!("user {id}"));
    let (Some(first), Some(last)) = (seen.first(), seen.last()) else { return Ok(None) };
    let sessions: BTreeSet<_> = seen.iter().map(|seen| &seen.event.session_id).collect();
    let ids: Vec<String> = seen.iter().rev().map(|seen| seen.event.id.to_string()).collect();
    let user = json!({
        "user_id": id,
        "first_seen_at": first.event.timestamp,
        "last_seen_at": last.event.timestamp,
        "events": seen.len(),
        "sessions": sessions.len(),
    });
    Ok(Some(json!({ "user": user, "results": ids })))
}

/// The project's events in the range that is asked for, by time, then id.
fn in_range<'e>(
    events: &'e [StoredEvent],
    question: &Json,
    unless_given: &str,
    world: &World,
) -> Result<Vec<Seen<'e>>, OracleError> {
    let zone = question.get("timezone").map_or(Some("UTC"), Json::as_str);
    let zone = zone
        .and_then(|name| TimeZone::get(name).ok())
        .ok_or_else(|| OracleError::new("timezone", "the name of a zone"))?;
    let asked = question.get("date_range").cloned().unwrap_or(json!(unless_given));
    let mut seen = with_persons(events, world);
    // `all` begins on the day of the first event, which is not before the retention's cutoff.
    let everything = Range { from: Default::default(), to: world.now };
    let kept_from = clamp(everything, world).from;
    let first = seen.iter().map(|seen| seen.event.timestamp).filter(|timestamp| *timestamp >= kept_from).min();
    let range = clamp(resolve(&asked, &zone, world, first)?, world);
    seen.retain(|seen| range.from <= seen.event.timestamp && seen.event.timestamp < range.to);
    seen.sort_by_key(|seen| (seen.event.timestamp, seen.event.id));
    Ok(seen)
}

/// A session in one line, from its events in order.
#[allow(clippy::cast_precision_loss, reason = "durations in tests are far below 2^53 microseconds")]
fn summary(seen: &[Seen<'_>], events: &[StoredEvent], world: &World) -> Json {
    let (first, last) = (&seen[0].event, &seen[seen.len() - 1].event);
    // Who it is, is looked up over everything stored.
    let of_session =
        events.iter().filter(|stored| stored.project == world.project && stored.event.session_id == first.session_id);
    let named = of_session.filter(|stored| stored.event.user_id.is_some());
    let user = named.min_by_key(|stored| (stored.event.timestamp, stored.event.id));
    json!({
        "session_id": first.session_id,
        "user_id": user.and_then(|stored| stored.event.user_id.as_deref()),
        "started_at": first.timestamp,
        "ended_at": last.timestamp,
        "duration_seconds": last.timestamp.micros_since(first.timestamp) as f64 / 1e6,
        "events": seen.len(),
        "entry_action": first.event_action,
        "exit_action": last.event_action,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};
    use uuid::Uuid;

    use super::super::StoredEvent;
    use super::super::tests::{event, world};
    use super::{session, sessions, user};

    fn named(
        number: u128,
        at: &str,
        session: &'static str,
        user: Option<&'static str>,
        action: &'static str,
    ) -> StoredEvent {
        let mut event = event(at, session, user, json!({}));
        event.event.id = Uuid::from_u128(number);
        event.event.event_action = action.into();
        event
    }

    fn corpus() -> Vec<StoredEvent> {
        vec![
            named(1, "2026-11-01T23:00:00Z", "a", None, "land"),
            named(2, "2026-11-02T10:00:00Z", "a", Some("ann"), "join"),
            // Two at one instant: the lower id is the first of them, the greater the last.
            named(9, "2026-11-02T11:00:00.5Z", "a", Some("bob"), "leave"),
            named(8, "2026-11-02T11:00:00.5Z", "a", None, "ask"),
            named(4, "2026-11-02T10:00:00Z", "b", None, "view"),
            named(5, "2026-11-03T10:00:00Z", "c", Some("ann"), "view"),
        ]
    }

    fn ids(numbers: &[u128]) -> Vec<String> {
        numbers.iter().map(|number| Uuid::from_u128(*number).to_string()).collect()
    }

    #[test]
    fn newest_start_first_and_as_far_as_the_range_goes() {
        let asked = json!({"date_range": ["2026-11-02", "2026-11-02"]});
        let answer = sessions(&corpus(), &asked, &world("2026-11-05T00:00:00Z")).unwrap();
        // Of equal starts the greatest id comes first; `c` has nothing on that day.
        let second = json!({
            "session_id": "a", "user_id": "ann", "started_at": "2026-11-02T10:00:00.000000Z",
            "ended_at": "2026-11-02T11:00:00.500000Z", "duration_seconds": 3600.5, "events": 3, "entry_action": "join",
            "exit_action": "leave",
        });
        assert_eq!(answer["results"][1], second);
        let first = &answer["results"][0];
        assert_eq!((&first["session_id"], &first["user_id"]), (&json!("b"), &Json::Null));
        assert_eq!((&first["duration_seconds"], answer["results"].as_array().unwrap().len()), (&json!(0.0), 2));

        let whole = json!({"filters": [["is", "event_action", ["ask"]]]});
        let answer = sessions(&corpus(), &whole, &world("2026-11-05T00:00:00Z")).unwrap();
        let found = &answer["results"];
        assert_eq!(
            (&found[0]["entry_action"], &found[0]["events"], &found[1]),
            (&json!("land"), &json!(4), &Json::Null)
        );
    }

    #[test]
    fn a_session_is_told_in_order() {
        let now = world("2026-11-05T00:00:00Z");
        let found = session(&corpus(), &json!({"id": "a"}), &now).unwrap().unwrap();
        assert_eq!((&found["results"], &found["session"]["events"]), (&json!(ids(&[1, 2, 8, 9])), &json!(4)));
        assert_eq!(session(&corpus(), &json!({"id": "A"}), &now).unwrap(), None);
        let asked = json!({"id": "a", "date_range": "today"});
        assert_eq!(session(&corpus(), &asked, &now).unwrap(), None);
    }

    #[test]
    fn a_person_has_the_unnamed_events_of_the_sessions_it_was_first_seen_in() {
        let now = world("2026-11-05T00:00:00Z");
        let found = user(&corpus(), &json!({"id": "ann"}), &now).unwrap().unwrap();
        assert_eq!(found["results"], json!(ids(&[5, 8, 2, 1])));
        assert_eq!((&found["user"]["events"], &found["user"]["sessions"]), (&json!(4), &json!(2)));
        let found = user(&corpus(), &json!({"id": "bob"}), &now).unwrap().unwrap();
        assert_eq!(found["results"], json!(ids(&[9])));
        // A session without a user is no user of its name.
        assert_eq!(user(&corpus(), &json!({"id": "b"}), &now).unwrap(), None);
    }
}
