//! Random worlds and events, from a seed.

use analytics_domain::retention::MAX_AHEAD_MICROS;
use analytics_domain::timestamp::{MICROS_PER_DAY, MICROS_PER_SECOND};
use analytics_domain::{Event, Project, Timestamp};
use jiff::ToSpan;
use jiff::tz::TimeZone;
use rand::Rng;
use rand::seq::IndexedRandom;
use serde_json::{Value as Json, json};
use uuid::Uuid;

use super::{StoredEvent, World, ZONES};

/// Sessions, so few that they collide.
pub(super) const SESSIONS: [&str; 6] = ["s1", "s2", "S1", "sé", "日", "%"];
/// Users; one has a session's name.
pub(super) const USERS: [&str; 7] = ["u1", "U1", "ü", "10", "s1", "a_b", "Zoë 😀"];
/// Event types.
pub(super) const TYPES: [&str; 7] = ["page_view", "Page_View", "commerce", "ÄPFEL", "äpfel", "100%", "pageXview"];
/// Event actions.
pub(super) const ACTIONS: [&str; 6] = ["view", "click", "Click", "a*b", "a?b", "[x]"];
/// Keys of the metadata, each with what could mislead a path, a pattern or a statement.
pub(super) const KEYS: [&str; 18] = [
    "path",
    "price",
    "ms",
    "flag",
    "a",
    "a.b",
    "quo\"te",
    "back\\slash",
    "$",
    "[0]",
    "%",
    "_",
    "*",
    "0",
    "#",
    "ключ",
    "it's",
    "?1",
];
/// Texts of the metadata, which also serve as values of filters.
pub(super) const TEXTS: [&str; 27] = [
    "10",
    "10.0",
    "10.5",
    "-3.25",
    "0",
    "true",
    "false",
    "null",
    "",
    "abc",
    "ABC",
    "aBc",
    "/docs",
    "/docs/a",
    "/Docs",
    "äÖ",
    "ÄÖ",
    "%",
    "a_b",
    "a%b",
    "a*b",
    "a?b",
    "[x]",
    "日本語",
    "line\nbreak",
    "a\\b",
    "quo\"te",
];
/// Numbers of the metadata: their sums are exact in any order.
pub(super) const NUMBERS: [f64; 14] =
    [0.0, 1.0, 2.0, 10.0, 10.5, -3.25, 0.5, 100.0, -1.0, 7.0, 1e21, 0.0000001, 9_007_199_254_740_992.0, 3.0];

/// The zones that questions about a world are asked in. They are few, so that events lie at the edges of their days.
pub(super) fn zones(now: Timestamp) -> [&'static str; 3] {
    let first = usize::try_from(now.as_micros().rem_euclid(ZONES.len() as i64)).unwrap_or(0);
    [0, 3, 6].map(|step| ZONES[(first + step) % ZONES.len()])
}

/// A world whose `now` lies close to a clock change, an edge of a day or anywhere, and the instants around which its
/// events and ranges should lie. Years are 2005 to 2030.
pub fn random_world(rng: &mut impl Rng, project: &Project) -> (World, Vec<Timestamp>) {
    let anywhere = Timestamp::from_utc_day(rng.random_range(12_784..22_280));
    let mut now = anywhere.saturating_add_micros(rng.random_range(0..MICROS_PER_DAY));
    let place = rng.random_range(0..ZONES.len());
    let zone = TimeZone::get(ZONES[place]).unwrap_or(TimeZone::UTC);
    if rng.random_bool(0.6)
        && let Some(instant) = now.to_jiff()
        && let Some(change) = zone.preceding(instant).next()
        && change.timestamp() > jiff::Timestamp::from_second(1_104_537_600).unwrap_or(jiff::Timestamp::UNIX_EPOCH)
    {
        let hours = *[0, 0, 1, 2, 24, 26, 70, 400].choose(rng).unwrap_or(&0);
        now = Timestamp::from_jiff(change.timestamp())
            .saturating_add_micros(hours * 3_600 * MICROS_PER_SECOND + rng.random_range(-1..3_600 * MICROS_PER_SECOND));
    }
    // Few microseconds more, so that the questions know of the zone.
    let count = ZONES.len() as i64;
    now = now.saturating_add_micros((place as i64 - now.as_micros()).rem_euclid(count));
    let retention_days = *[0, 0, 1, 7, 30, 90, 400].choose(rng).unwrap_or(&0);
    let mut around = vec![now, now.saturating_add_micros(-24 * 3_600 * MICROS_PER_SECOND)];
    for name in zones(now) {
        let (Ok(zone), Some(instant)) = (TimeZone::get(name), now.to_jiff()) else { continue };
        let today = instant.to_zoned(zone.clone()).date();
        for days in [0, 1, 2, 6, 7, 29, 30] {
            let Ok(day) = today.checked_sub(days.days()).and_then(|date| date.to_zoned(zone.clone())) else { continue };
            around.push(Timestamp::from_jiff(day.timestamp()));
        }
        for date in [today.first_of_month(), today.first_of_year()] {
            around.extend(date.to_zoned(zone.clone()).ok().map(|day| Timestamp::from_jiff(day.timestamp())));
        }
        for change in zone.preceding(instant).take(2) {
            let change = Timestamp::from_jiff(change.timestamp());
            if now.micros_since(change) < 40 * MICROS_PER_DAY {
                // Twice, so that clock changes are hit often.
                around.extend([change, change]);
            }
        }
    }
    (World { now, retention_days, project: project.clone() }, around)
}

/// `n` events of `world`'s project close to the instants `around`, none more than an hour ahead of now, none before 2000.
///
/// Receipts are few, so that events with the same one can be a batch; ids are unique.
pub fn random_events(rng: &mut impl Rng, n: usize, world: &World, around: &[Timestamp]) -> Vec<StoredEvent> {
    let latest = world.now.saturating_add_micros(MAX_AHEAD_MICROS);
    let earliest = Timestamp::from_micros(946_684_800 * MICROS_PER_SECOND);
    let mut events: Vec<StoredEvent> = Vec::with_capacity(n);
    for _ in 0..n {
        let timestamp = match events.choose(rng) {
            Some(other) if rng.random_bool(0.2) => other.event.timestamp,
            _ => random_instant(rng, around).clamp(earliest, latest),
        };
        let created_at = world.now.saturating_add_micros(-rng.random_range(0..4) * 17 * MICROS_PER_SECOND);
        events.push(StoredEvent {
            project: world.project.clone(),
            event: Event {
                id: Uuid::from_u128(rng.random()),
                client_id: rng.random_bool(0.5),
                session_id: one_of(rng, &SESSIONS).into(),
                user_id: rng.random_bool(0.5).then(|| one_of(rng, &USERS).into()),
                event_type: one_of(rng, &TYPES).into(),
                event_action: one_of(rng, &ACTIONS).into(),
                metadata: canonical_json(&random_metadata(rng)).into(),
                timestamp,
            },
            created_at,
        });
    }
    events
}

/// An instant at, just beside, hours or days from one of `around`.
pub(super) fn random_instant(rng: &mut impl Rng, around: &[Timestamp]) -> Timestamp {
    let base = around.choose(rng).copied().unwrap_or_default();
    let second = MICROS_PER_SECOND;
    let by = match rng.random_range(0..8) {
        0 => 0,
        1 => *[-1, 1, -second, second].choose(rng).unwrap_or(&0),
        2 => 15 * 60 * second * rng.random_range(-8..=8),
        3..=5 => rng.random_range(-3 * 3_600 * second..3 * 3_600 * second),
        6 => rng.random_range(-2 * MICROS_PER_DAY..2 * MICROS_PER_DAY),
        _ => -rng.random_range(0..40 * MICROS_PER_DAY),
    };
    base.saturating_add_micros(by)
}

pub(super) fn one_of(rng: &mut impl Rng, texts: &[&'static str]) -> &'static str {
    texts.choose(rng).copied().unwrap_or("x")
}

fn random_metadata(rng: &mut impl Rng) -> Json {
    let mut object = serde_json::Map::new();
    for _ in 0..rng.random_range(0..6) {
        object.insert(one_of(rng, &KEYS).to_owned(), random_value(rng, 0));
    }
    Json::Object(object)
}

fn random_value(rng: &mut impl Rng, depth: u32) -> Json {
    match rng.random_range(0..if depth < 2 { 12 } else { 9 }) {
        0..=2 => json!(NUMBERS.choose(rng)),
        3..=6 => json!(one_of(rng, &TEXTS)),
        7 => json!(rng.random_bool(0.5)),
        8 => Json::Null,
        9 | 10 => {
            let mut object = serde_json::Map::new();
            for _ in 0..rng.random_range(0..4) {
                let key = one_of(rng, &["b", "c", "b.c", "0", "a", "[0]"]);
                object.insert(key.to_owned(), random_value(rng, depth + 1));
            }
            Json::Object(object)
        }
        _ => Json::Array((0..rng.random_range(0..3)).map(|_| random_value(rng, depth + 1)).collect()),
    }
}

/// JSON in the one form in which metadata is kept: compact, keys sorted bytewise, doubles in plain decimals.
#[must_use]
pub fn canonical_json(json: &Json) -> String {
    match json {
        Json::Number(number) => super::value::number_text(number.as_f64().unwrap_or(0.0)),
        Json::Array(values) => format!("[{}]", values.iter().map(canonical_json).collect::<Vec<_>>().join(",")),
        Json::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_by(|a, b| a.0.as_bytes().cmp(b.0.as_bytes()));
            let members = members.into_iter();
            let members = members.map(|(key, value)| format!("{}:{}", Json::from(key.as_str()), canonical_json(value)));
            format!("{{{}}}", members.collect::<Vec<_>>().join(","))
        }
        other => other.to_string(),
    }
}
