//! Random questions of what follows what, and events among which something does.

use analytics_domain::Timestamp;
use analytics_domain::retention::MAX_AHEAD_MICROS;
use analytics_domain::timestamp::{MICROS_PER_DAY, MICROS_PER_SECOND};
use rand::Rng;
use rand::seq::IndexedRandom;
use serde_json::{Value as Json, json};

use super::random_events::{ACTIONS, TYPES, one_of, random_events, random_instant, zones};
use super::random_question::{random_field, random_filter, random_range};
use super::{StoredEvent, World, canonical_json};

/// So few types that one step often follows another.
const FEW_TYPES: usize = 3;

/// Events of `world`'s project, most of them close together: many of equal times, seconds and minutes apart, and of few types.
///
/// In one of four worlds there are many sessions, each of few events, with many values of `metadata.path`.
pub fn random_trails(rng: &mut impl Rng, n: usize, world: &World, around: &[Timestamp]) -> Vec<StoredEvent> {
    let latest = world.now.saturating_add_micros(MAX_AHEAD_MICROS);
    let earliest = Timestamp::from_micros(946_684_800 * MICROS_PER_SECOND);
    let has_many = rng.random_bool(0.25);
    let mut events = random_events(rng, if has_many { n * 4 } else { n }, world, around);
    let edge = |rng: &mut _| {
        let before = *[0, 1, 1_800_000_000, 3_600_000_000].choose(rng).unwrap_or(&0);
        around.choose(rng).copied().unwrap_or_default().saturating_add_micros(-before)
    };
    let base = |rng: &mut _| if Rng::random_bool(rng, 0.5) { edge(rng) } else { random_instant(rng, around) };
    let bases: Vec<Timestamp> = (0..rng.random_range(1..5)).map(|_| base(rng)).collect();
    let steps = [0, 0, 0, 1, 1_000_000, 2_000_000, 5_000_000, 60_000_000, 900_000_000, 3_600_000_000, MICROS_PER_DAY];
    for stored in &mut events {
        if rng.random_bool(0.85) {
            let base = bases.choose(rng).copied().unwrap_or_default();
            let by = steps.choose(rng).copied().unwrap_or(0) * rng.random_range(0..4);
            stored.event.timestamp = base.saturating_add_micros(by).clamp(earliest, latest);
        }
        if rng.random_bool(0.9) {
            stored.event.event_type = one_of(rng, &TYPES[..FEW_TYPES]).into();
        }
        if has_many {
            stored.event.session_id = format!("v{}", rng.random_range(0..70)).into();
            if rng.random_bool(0.8) {
                stored.event.user_id = None;
            }
            let path = format!("/{}", rng.random_range(0..50));
            stored.event.metadata = canonical_json(&json!({ "path": path })).into();
            if rng.random_bool(0.5) {
                stored.event.event_action = path.into();
            }
            if rng.random_bool(0.1) {
                // What the rest is called too.
                stored.event.event_action = "other".into();
            }
        }
    }
    events
}

/// What is true of many events, so that a sequence of them is found.
fn random_selection(rng: &mut impl Rng) -> Json {
    match rng.random_range(0..10) {
        0 => json!([]),
        1 => json!([["is", "event_action", [one_of(rng, &ACTIONS), one_of(rng, &ACTIONS)]]]),
        2 => json!([random_filter(rng, 0, true)]),
        3 => json!([["is", "event_type", [one_of(rng, &TYPES[..FEW_TYPES])]], random_deed(rng)]),
        4 => json!([["is", "event_type", [one_of(rng, &TYPES[..FEW_TYPES]), one_of(rng, &TYPES[..FEW_TYPES])]]]),
        _ => json!([["is", "event_type", [one_of(rng, &TYPES[..FEW_TYPES])]]]),
    }
}

/// What some persons have done and others have not.
fn random_deed(rng: &mut impl Rng) -> Json {
    let (field, value) = match rng.random_bool(0.5) {
        true => ("event_type", one_of(rng, &TYPES)),
        false => ("event_action", one_of(rng, &ACTIONS)),
    };
    json!([one_of(rng, &["has_done", "has_not_done"]), [["is", field, [value]]]])
}

/// The members that say where and when is looked, and who belongs together.
fn random_place(rng: &mut impl Rng, world: &World, around: &[Timestamp], events: &[StoredEvent], question: &mut Json) {
    let zone = one_of(rng, &zones(world.now));
    question["date_range"] = match (events.choose(rng), events.choose(rng)) {
        // Edges of ranges on events: one is in it and the other is not.
        (Some(a), Some(b)) if rng.random_bool(0.25) => {
            let (a, b) = (a.event.timestamp, b.event.timestamp);
            json!([a.min(b), a.max(b)])
        }
        (Some(_), _) if rng.random_bool(0.3) => {
            let times = || events.iter().map(|stored| stored.event.timestamp);
            json!([times().min(), times().max().map(|last| last.saturating_add_micros(1))])
        }
        _ => random_range(rng, world, around, zone, Some("week")),
    };
    if zone != "UTC" || rng.random_bool(0.5) {
        question["timezone"] = json!(zone);
    }
    if rng.random_bool(0.7) {
        question["by"] = json!(one_of(rng, &["person", "session"]));
    }
}

/// Two events of a session with whole seconds between them, and how many: a window that ends with the second.
fn pair<'e>(rng: &mut impl Rng, events: &'e [StoredEvent]) -> Option<(&'e StoredEvent, &'e StoredEvent, i64)> {
    let one = events.choose(rng)?;
    let distance = |other: &StoredEvent| other.event.timestamp.micros_since(one.event.timestamp);
    let fits = |other: &&StoredEvent| {
        let micros = distance(other);
        let is_whole = micros % MICROS_PER_SECOND == 0 && (1..90 * MICROS_PER_DAY).contains(&micros);
        is_whole && other.event.session_id == one.event.session_id
    };
    let possible: Vec<&StoredEvent> = events.iter().filter(fits).collect();
    possible.choose(rng).map(|other| (one, *other, distance(other) / MICROS_PER_SECOND))
}

/// A valid funnel in `world`, its range close to the instants `around` and to `events`.
pub fn random_funnel(rng: &mut impl Rng, world: &World, around: &[Timestamp], events: &[StoredEvent]) -> Json {
    let count = *[2, 2, 3, 3, 3, 4, 5, 10].choose(rng).unwrap_or(&2);
    let steps: Vec<Json> = (0..count)
        .map(|_| match rng.random_range(0..12) {
            0 => json!({}),
            1 => json!({ "name": one_of(rng, &["Bought", "", "日本"]), "filters": random_selection(rng) }),
            _ => json!({ "filters": random_selection(rng) }),
        })
        .collect();
    let mut question = json!({ "steps": steps });
    let pair = pair(rng, events).filter(|_| rng.random_bool(0.5));
    if let Some((first, second, seconds)) = pair {
        // Or just before the second of them.
        let short = i64::from(seconds > 1 && rng.random_bool(0.3));
        question["window"] = json!(format!("{}s", seconds - short));
        let step = |of: &StoredEvent| json!({ "filters": [["is", "event_type", [of.event.event_type]], ["is", "event_action", [of.event.event_action]]] });
        if rng.random_bool(0.6) {
            (question["steps"][0], question["steps"][1]) = (step(first), step(second));
        }
    } else if rng.random_bool(0.8) {
        let windows = ["1s", "5s", "7s", "60s", "2m", "15m", "1h", "3h", "24h", "1d", "2d", "7d", "90d"];
        question["window"] = json!(one_of(rng, &windows));
    }
    if rng.random_bool(0.8) {
        question["order"] = json!(one_of(rng, &["ordered", "ordered", "strict", "any"]));
    }
    if rng.random_bool(0.5) {
        let exclusion = |rng: &mut _| {
            let is_whole = Rng::random_bool(rng, 0.5);
            let after = if is_whole { 0 } else { Rng::random_range(rng, 0..count - 1) };
            let before = if is_whole { count - 1 } else { Rng::random_range(rng, after + 1..count) };
            json!({ "filters": random_selection(rng), "after": after, "before": before })
        };
        question["exclude"] = (0..rng.random_range(1..3)).map(|_| exclusion(rng)).collect();
    }
    if rng.random_bool(0.5) {
        let field = random_field(rng, true);
        question["breakdown"] = json!(if rng.random_bool(0.7) { "metadata.path" } else { &field });
    }
    match rng.random_range(0..10) {
        0 | 1 => question["filters"] = json!([random_filter(rng, 0, true)]),
        2 => question["filters"] = json!([random_deed(rng)]),
        _ => {}
    }
    random_place(rng, world, around, events, &mut question);
    question
}

/// A valid question of paths in `world`, its range close to the instants `around` and to `events`.
pub fn random_paths(rng: &mut impl Rng, world: &World, around: &[Timestamp], events: &[StoredEvent]) -> Json {
    let mut question = json!({});
    for end in ["from", "to"] {
        match rng.random_range(0..10) {
            0 => question[end] = Json::Null,
            1 => question[end] = json!({}),
            2..=4 => question[end] = json!({ "filters": random_selection(rng) }),
            _ => {}
        }
    }
    if rng.random_bool(0.7) {
        question["depth"] = json!(rng.random_range(1..11));
    }
    if rng.random_bool(0.7) {
        question["limit"] = json!(*[1, 2, 3, 4, 10, 100].choose(rng).unwrap_or(&1));
    }
    if rng.random_bool(0.7) {
        let field = random_field(rng, true);
        question["name"] =
            json!(*["event_type", "event_type", "metadata.path", &field].choose(rng).unwrap_or(&"user_id"));
    }
    random_place(rng, world, around, events, &mut question);
    question
}
