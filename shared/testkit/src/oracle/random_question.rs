//! Random questions of the supported language, from a seed.

use analytics_domain::Timestamp;
use analytics_domain::timestamp::MICROS_PER_DAY;
use jiff::ToSpan;
use jiff::tz::TimeZone;
use rand::Rng;
use rand::seq::{IndexedRandom, SliceRandom};
use serde_json::{Value as Json, json};

use super::World;
use super::random_events::{ACTIONS, KEYS, NUMBERS, SESSIONS, TEXTS, TYPES, USERS, one_of, random_instant, zones};
use super::value::write_key;

/// Which parts of the language random questions use besides those that every one may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// Whether one of five questions compares with the previous period or year.
    pub compare: bool,
    /// Whether filters ask what a person has or has not done.
    pub deeds: bool,
}

/// A valid question of retention in `world`, its ranges close to the instants `around`.
pub fn random_retention(rng: &mut impl Rng, world: &World, around: &[Timestamp]) -> Json {
    let zone = one_of(rng, &zones(world.now));
    let unit = one_of(rng, &["day", "day", "week", "month"]);
    let event = |rng: &mut _| {
        let filters: Vec<Json> =
            (0..*[0, 0, 1, 1, 2].choose(rng).unwrap_or(&0)).map(|_| random_filter(rng, 0, true)).collect();
        if filters.is_empty() && Rng::random_bool(rng, 0.5) { json!({}) } else { json!({ "filters": filters }) }
    };
    let start = event(rng);
    let returned = if rng.random_bool(0.3) { start.clone() } else { event(rng) };
    let mut question = json!({
        "start": start,
        "return": returned,
        "date_range": random_range(rng, world, around, zone, Some(unit)),
    });
    if zone != "UTC" || rng.random_bool(0.5) {
        question["timezone"] = json!(zone);
    }
    if unit != "week" || rng.random_bool(0.5) {
        question["unit"] = json!(unit);
    }
    for (member, words) in
        [("mode", ["on", "on_or_after"]), ("first", ["in_range", "ever"]), ("by", ["person", "session"])]
    {
        if rng.random_bool(0.7) {
            question[member] = json!(one_of(rng, &words));
        }
    }
    if rng.random_bool(0.8) {
        question["periods"] = json!(rng.random_range(1..if unit == "day" { 40 } else { 10 }));
    }
    question
}

/// A valid question for a list of sessions in `world`; pages of two rows and more.
pub fn random_sessions(rng: &mut impl Rng, world: &World, around: &[Timestamp]) -> Json {
    let mut question = random_page(rng, world, around);
    let filters: Vec<Json> =
        (0..*[0, 0, 1, 1, 2].choose(rng).unwrap_or(&0)).map(|_| random_filter(rng, 0, true)).collect();
    if !filters.is_empty() {
        question["filters"] = json!(filters);
    }
    question
}

/// A valid question for the timeline of a session, or of a person: `id` is one, or nobody's.
pub fn random_timeline(rng: &mut impl Rng, world: &World, around: &[Timestamp], of_session: bool) -> Json {
    let mut question = random_page(rng, world, around);
    let nobody = rng.random_bool(0.05);
    let id = if of_session { one_of(rng, &SESSIONS) } else { one_of(rng, &USERS) };
    question["id"] = json!(if nobody { "'; DROP TABLE raw_events; --" } else { id });
    question
}

/// Range, zone and size of a page.
fn random_page(rng: &mut impl Rng, world: &World, around: &[Timestamp]) -> Json {
    let zone = one_of(rng, &zones(world.now));
    let mut question = json!({ "timezone": zone });
    if rng.random_bool(0.7) {
        question["date_range"] = random_range(rng, world, around, zone, None);
    }
    if rng.random_bool(0.7) {
        question["limit"] = json!(rng.random_range(2..6));
    }
    question
}

/// A valid question in `world`, its ranges close to the instants `around`.
///
/// Minutes are asked of hours and hours of days only, so that an answer has few thousand rows at most.
pub fn random_question(rng: &mut impl Rng, world: &World, around: &[Timestamp], extent: Extent) -> Json {
    let zone = one_of(rng, &zones(world.now));
    let interval = *[None, None, Some("minute"), Some("hour"), Some("day"), Some("week"), Some("month")]
        .choose(rng)
        .unwrap_or(&None);
    let mut dimensions: Vec<String> = Vec::new();
    for _ in 0..*[0, 0, 1, 1, 2, 3].choose(rng).unwrap_or(&0) {
        let field = random_field(rng, false);
        if !dimensions.contains(&field) {
            dimensions.push(field);
        }
    }
    dimensions.extend(interval.map(|interval| format!("time:{interval}")));
    dimensions.shuffle(rng);
    let mut metrics: Vec<String> = Vec::new();
    for _ in 0..rng.random_range(1..5) {
        let metric = random_metric(rng);
        if !metrics.contains(&metric) {
            metrics.push(metric);
        }
    }
    // One at most: two might be the same formula in two spellings.
    if rng.random_bool(0.3) {
        let formula = random_formula(rng);
        // A formula of numbers alone is none.
        if formula.contains(|c: char| c.is_ascii_alphabetic()) {
            metrics.insert(rng.random_range(0..=metrics.len()), formula);
        }
    }
    let mut question = json!({
        "metrics": metrics,
        "date_range": random_range(rng, world, around, zone, interval),
    });
    if zone != "UTC" || rng.random_bool(0.5) {
        question["timezone"] = json!(zone);
    }
    if !dimensions.is_empty() || rng.random_bool(0.2) {
        question["dimensions"] = json!(dimensions);
    }
    let filters: Vec<Json> =
        (0..*[0, 0, 1, 1, 2].choose(rng).unwrap_or(&0)).map(|_| random_filter(rng, 0, extent.deeds)).collect();
    if !filters.is_empty() || rng.random_bool(0.2) {
        question["filters"] = json!(filters);
    }
    if rng.random_bool(0.3) {
        let mut names: Vec<&String> = metrics.iter().chain(&dimensions).collect();
        names.shuffle(rng);
        names.truncate(rng.random_range(1..3));
        let order = names.iter().map(|name| json!([name, one_of(rng, &["asc", "desc"])]));
        question["order_by"] = order.collect();
    }
    match rng.random_range(0..4) {
        0 => {}
        1 => question["limit"] = json!(rng.random_range(1..6)),
        _ => question["limit"] = json!(10_000),
    }
    if extent.compare && rng.random_bool(0.2) {
        question["compare"] = json!(one_of(rng, &["previous_period", "previous_year"]));
    }
    question
}

/// One or two filters that one event alone can be judged by.
pub fn random_filters(rng: &mut impl Rng) -> Json {
    (0..rng.random_range(1..3)).map(|_| random_filter(rng, 0, false)).collect()
}

/// A path into the metadata; with `quotes`, also keys that need no quotes may have them.
fn random_path(rng: &mut impl Rng, quotes: bool) -> String {
    let key = one_of(rng, &KEYS);
    let quoted = quotes && rng.random_bool(0.2);
    let written = if quoted { json!(key).to_string() } else { write_key(key) };
    let mut path = format!("metadata.{written}");
    if key == "a" || rng.random_bool(0.05) {
        for _ in 0..rng.random_range(0..3) {
            path.push('.');
            path.push_str(&write_key(one_of(rng, &["b", "c", "b.c", "0", "a", "[0]"])));
        }
    }
    path
}

pub(super) fn random_field(rng: &mut impl Rng, quotes: bool) -> String {
    match rng.random_range(0..7) {
        0 => "event_type".to_owned(),
        1 => "event_action".to_owned(),
        2 => "user_id".to_owned(),
        3 => "session_id".to_owned(),
        _ => random_path(rng, quotes),
    }
}

fn random_metric(rng: &mut impl Rng) -> String {
    match rng.random_range(0..11) {
        0 | 1 => "events".to_owned(),
        2 => "sessions".to_owned(),
        3 => "users".to_owned(),
        4 => "visitors".to_owned(),
        5 => "events_per_session".to_owned(),
        6 | 7 => random_percentile(rng),
        _ => format!("{}:{}", one_of(rng, &["sum", "avg", "min", "max"]), random_path(rng, false)),
    }
}

fn random_percentile(rng: &mut impl Rng) -> String {
    let percent =
        if rng.random_bool(0.5) { rng.random_range(1..100) } else { *[50, 90, 95].choose(rng).unwrap_or(&99) };
    format!("p{percent}:{}", random_path(rng, false))
}

/// A formula. Sums and means, whose last digits hang on the order in which a store adds up, are only multiplied and divided:
/// a difference of two of them may have no digit in common with another order's.
fn random_formula(rng: &mut impl Rng) -> String {
    let space = |rng: &mut _| if Rng::random_bool(rng, 0.8) { " " } else { "  " };
    if rng.random_bool(0.3) {
        let sum = format!("{}:{}", one_of(rng, &["sum", "avg"]), random_path(rng, true));
        let other = random_exact(rng, 1);
        return match rng.random_range(0..3) {
            0 => format!("{sum}{}/ ({other})", space(rng)),
            1 => format!("({other}) *{}{sum}", space(rng)),
            _ => format!("100 * {sum} / events"),
        };
    }
    let (left, right) = (random_exact(rng, 1), random_exact(rng, 1));
    format!("{left}{}{}{}{right}", space(rng), one_of(rng, &["+", "-", "*", "/"]), space(rng))
}

/// What every store works out to the last digit.
fn random_exact(rng: &mut impl Rng, depth: u32) -> String {
    match rng.random_range(0..if depth < 3 { 10 } else { 7 }) {
        0 | 1 => "events".to_owned(),
        2 => one_of(rng, &["sessions", "users", "visitors"]).to_owned(),
        3 => one_of(rng, &["2", "100", "0.5", "1.25", "0"]).to_owned(),
        4 => random_percentile(rng),
        5 => format!("{}:{}", one_of(rng, &["min", "max"]), random_path(rng, true)),
        6 => "events_per_session".to_owned(),
        kind => {
            let (left, right) = (random_exact(rng, depth + 1), random_exact(rng, depth + 1));
            let joined = format!("{left} {} {right}", one_of(rng, &["+", "-", "*", "/"]));
            if kind == 7 { joined } else { format!("({joined})") }
        }
    }
}

/// Numbers as a question may write them: whole ones also without a fraction.
fn random_number(rng: &mut impl Rng) -> Json {
    let number = NUMBERS.choose(rng).copied().unwrap_or_default();
    #[allow(clippy::cast_possible_truncation, reason = "only small whole numbers are cast")]
    if number.fract() == 0.0 && number.abs() < 1e9 { json!(number as i64) } else { json!(number) }
}

pub(super) fn random_filter(rng: &mut impl Rng, depth: u32, deeds: bool) -> Json {
    let some = |rng: &mut _| -> Json { (0..2).map(|_| random_filter(rng, depth + 1, deeds)).collect() };
    if depth < 2 {
        match rng.random_range(0..14) {
            0 => return json!(["and", some(rng)]),
            1 => return json!(["or", some(rng)]),
            2 => return json!(["not", random_filter(rng, depth + 1, deeds)]),
            3 | 4 if deeds => {
                let filters: Json = if rng.random_bool(0.5) {
                    // Many have done both, and not all of them with one event.
                    let (types, actions) =
                        ([(); 2].map(|()| one_of(rng, &TYPES)), [(); 2].map(|()| one_of(rng, &ACTIONS)));
                    json!([["is", "event_type", types], ["is", "event_action", actions]])
                } else {
                    (0..rng.random_range(1..3)).map(|_| random_filter(rng, depth + 1, false)).collect()
                };
                return json!([one_of(rng, &["has_done", "has_not_done"]), filters]);
            }
            _ => {}
        }
    }
    let count = rng.random_range(1..4);
    match rng.random_range(0..10) {
        0 => json!([one_of(rng, &["exists", "not_exists"]), random_field(rng, true)]),
        1 | 2 => {
            let path = random_path(rng, true);
            let operator = one_of(rng, &["gt", "gte", "lt", "lte", "between"]);
            let mut numbers: Vec<Json> = (0..count).map(|_| random_number(rng)).collect();
            if operator == "between" {
                numbers = vec![random_number(rng), random_number(rng)];
                numbers.sort_by(|a, b| a.as_f64().unwrap_or(0.0).total_cmp(&b.as_f64().unwrap_or(0.0)));
            }
            json!([operator, path, numbers])
        }
        _ => {
            let field = random_field(rng, true);
            let operator = one_of(rng, &["is", "is_not", "contains", "not_contains", "starts_with", "matches"]);
            let values: Vec<Json> = (0..count).map(|_| random_text(rng, &field, operator)).collect();
            if rng.random_bool(0.3) {
                json!([operator, field, values, {"case_sensitive": rng.random_bool(0.2)}])
            } else {
                json!([operator, field, values])
            }
        }
    }
}

/// A value that the field may hold, whole, in part or as a pattern.
fn random_text(rng: &mut impl Rng, field: &str, operator: &str) -> Json {
    let pool: &[&'static str] = match field {
        "event_type" => &TYPES,
        "event_action" => &ACTIONS,
        "user_id" => &USERS,
        "session_id" => &SESSIONS,
        _ => &TEXTS,
    };
    if field.starts_with("metadata") && rng.random_bool(0.25) {
        return if rng.random_bool(0.3) { json!(rng.random_bool(0.5)) } else { random_number(rng) };
    }
    let text = one_of(rng, pool);
    if operator.starts_with("is") {
        return json!(text);
    }
    let chars: Vec<char> = text.chars().collect();
    let from = rng.random_range(0..=chars.len() / 2);
    let to = rng.random_range(from..=chars.len());
    let part: String = if operator == "starts_with" { &chars[..to] } else { &chars[from..to] }.iter().collect();
    let value = match (operator, rng.random_range(0..4)) {
        ("matches", 0) => format!("*{part}*"),
        ("matches", 1) => chars.iter().map(|char| if rng.random_bool(0.3) { '?' } else { *char }).collect(),
        ("matches", 2) => format!("{part}*"),
        ("matches", _) => text.to_owned(),
        // An empty part says nothing about the value.
        _ if part.is_empty() => text.to_owned(),
        _ => part,
    };
    json!(if value.is_empty() { "a" } else { &value })
}

pub(super) fn random_range(
    rng: &mut impl Rng,
    world: &World,
    around: &[Timestamp],
    zone: &str,
    interval: Option<&str>,
) -> Json {
    let instants = |rng: &mut _, longest: i64| {
        let from = random_instant(rng, around);
        let to = from.saturating_add_micros(Rng::random_range(rng, 1..longest));
        let zone = TimeZone::get(zone).unwrap_or(TimeZone::UTC);
        let written = |at: Timestamp| match at.to_jiff() {
            Some(at) => at.to_zoned(zone.clone()).strftime("%Y-%m-%dT%H:%M:%S%.6f%:z").to_string(),
            None => at.to_string(),
        };
        if Rng::random_bool(rng, 0.5) { json!([from, to]) } else { json!([written(from), written(to)]) }
    };
    let dates = |rng: &mut _, longest: i64| {
        let zone = TimeZone::get(zone).unwrap_or(TimeZone::UTC);
        let from = random_instant(rng, around).to_jiff().unwrap_or_default().to_zoned(zone).date();
        let to = from.checked_add(Rng::random_range(rng, 0..longest).days()).unwrap_or(from);
        json!([from.to_string(), to.to_string()])
    };
    match interval {
        Some("minute") => instants(rng, MICROS_PER_DAY / 8),
        Some("hour") => match rng.random_range(0..6) {
            0 => json!("today"),
            1 => json!("yesterday"),
            2 => json!("24h"),
            3 => dates(rng, 3),
            _ => instants(rng, 3 * MICROS_PER_DAY),
        },
        _ => match rng.random_range(0..12) {
            0 => instants(rng, 3 * MICROS_PER_DAY),
            1 => instants(rng, 90 * MICROS_PER_DAY),
            2 => dates(rng, 3),
            3 => dates(rng, 60),
            4 if world.retention_days > 0 => json!("all"),
            4 if interval != Some("day") => json!("all"),
            _ => json!(one_of(rng, &["today", "yesterday", "7d", "30d", "90d", "24h", "month", "year"])),
        },
    }
}
