//! Random questions that stores answer from what they have counted ahead: of all events, of each type, of each action.

use analytics_domain::Timestamp;
use rand::Rng;
use rand::seq::{IndexedRandom as _, SliceRandom as _};
use serde_json::{Value as Json, json};

use super::World;
use super::random_events::{ACTIONS, TYPES, one_of, zones};
use super::random_question::random_range;

/// A valid question in `world` about events and distinct sessions, users and visitors, by type or action, its ranges close to the
/// instants `around`.
pub fn random_totals(rng: &mut impl Rng, world: &World, around: &[Timestamp]) -> Json {
    let zone = one_of(rng, &zones(world.now));
    let interval =
        *[None, None, Some("hour"), Some("day"), Some("day"), Some("week"), Some("month")].choose(rng).unwrap_or(&None);
    let field = *[None, Some("event_type"), Some("event_action")].choose(rng).unwrap_or(&None);
    let mut dimensions: Vec<String> = interval.map(|interval| format!("time:{interval}")).into_iter().collect();
    dimensions.extend(field.filter(|_| rng.random_bool(0.6)).map(str::to_owned));
    dimensions.shuffle(rng);
    let mut metrics = ["events", "sessions", "users", "visitors", "events_per_session"];
    metrics.shuffle(rng);
    let metrics: Vec<&str> = metrics.into_iter().take(rng.random_range(1..=4)).collect();
    let mut question = json!({
        "metrics": metrics,
        "dimensions": dimensions,
        "date_range": random_range(rng, world, around, zone, interval),
        "timezone": zone,
        "limit": 10_000,
    });
    if let Some(field) = field.filter(|_| rng.random_bool(0.5)) {
        let values: &[&'static str] = if field == "event_type" { &TYPES } else { &ACTIONS };
        let values = [(); 2].map(|()| one_of(rng, values));
        question["filters"] = json!([[one_of(rng, &["is", "is_not"]), field, values]]);
    }
    if rng.random_bool(0.2) {
        question["compare"] = json!("previous_period");
    }
    question
}
